# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame: what the camera's film covers, and how a shifted lens becomes a crop.

Tessera's cameras look through the middle of their picture.
A shifted one sees a part of a larger picture that is not shifted: that picture is asked for, and
cropped to the part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .facts import Camera, Picture

Rect = tuple[int, int, int, int]


@dataclass(frozen=True)
class Frame:
    """What is asked of Tessera.

    `size` is the whole picture, `crop` the part that is rendered and `window` the part that
    Blender would have in its file, as left, top, width and height of the whole.
    `half_height` is the tangent of half the vertical field of view, or metres without
    perspective. `off` is how far a shift is missed, pixels.
    """

    size: tuple[int, int]
    crop: Rect | None
    window: Rect | None
    half_height: float
    off: float = 0.0

    @property
    def yfov(self) -> float:
        """The vertical field of view."""
        return 2 * math.atan(self.half_height)


def frame(camera: Camera, picture: Picture) -> Frame:
    """The frame of a camera for a picture."""
    width, height = picture.size
    shown = _shown(camera, picture)
    half = _film(camera, picture) / 2 * height / _fit(camera, picture)
    if camera.kind == "PANO":
        return Frame(picture.size, picture.crop, _window(picture), half)
    # Twice the shift, rounded, puts the window's middle within a quarter of a pixel.
    wider, higher = (round(2 * abs(pixels)) for pixels in shown)
    if not wider and not higher:
        return Frame(picture.size, picture.crop, _window(picture), half)
    left = wider if shown[0] > 0 else 0
    top = higher if shown[1] < 0 else 0
    x, y, crop_width, crop_height = picture.crop or (0, 0, width, height)
    crop = (left + x, top + y, crop_width, crop_height)
    window = crop if picture.crops_file else (left, top, width, height)
    half *= (height + higher) / height
    off = max(abs(2 * abs(pixels) - twice) / 2
              for pixels, twice in zip(shown, (wider, higher), strict=True))
    return Frame((width + wider, height + higher), crop, window, half, off)


def _window(picture: Picture) -> Rect | None:
    return picture.crop if picture.crops_file else None


def _fit(camera: Camera, picture: Picture) -> int:
    """The side of the picture, pixels, that the sensor's size is told for."""
    width, height = picture.size
    if camera.fit == "AUTO":
        return max(width, height)
    return width if camera.fit == "HORIZONTAL" else height


def _film(camera: Camera, picture: Picture) -> float:
    """The film's size along that side: over the focal length, or metres without perspective."""
    if camera.kind == "ORTHO":
        return camera.ortho_scale
    return camera.sensor[1 if camera.fit == "VERTICAL" else 0] / camera.lens


def _shown(camera: Camera, picture: Picture) -> tuple[float, float]:
    """How far the window is moved, pixels, to the right and up."""
    fit = _fit(camera, picture)
    return camera.shift[0] * fit, camera.shift[1] * fit
