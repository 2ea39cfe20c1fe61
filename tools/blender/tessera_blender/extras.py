# SPDX-License-Identifier: GPL-3.0-or-later
"""What glTF has no word for, as `extras.tessera` (docs/extras.md)."""

from __future__ import annotations

import math
from typing import Any

from . import knobs
from .facts import Camera, Lamp, Picture

Json = dict[str, Any]


def lamp(lamp: Lamp) -> Json:
    """Of an entry of the lights: how large it is."""
    if lamp.kind == "SUN" and lamp.angle > 0:
        return {"angle": math.degrees(lamp.angle)}
    if lamp.kind in ("POINT", "SPOT") and lamp.radius > 0:
        return {"radius": lamp.radius}
    return {}


def area(lamp: Lamp) -> Json:
    """Of a node: a flat lamp.

    Scaling the object changes neither the watts of a lamp nor, where it is not normalized, its
    radiance. The importer takes `power` for the size before the scale, so the radiance is told.
    """
    area = lamp.area if lamp.is_normalized else 1.0
    return {
        "shape": "disk" if lamp.is_round else "rectangle",
        "size": list(lamp.size),
        "color": list(lamp.color),
        "radiance": lamp.energy / (math.pi * area) if area > 0 else 0.0,
    }


def camera(camera: Camera, picture: Picture) -> Json:
    """Of an entry of the cameras: lens and shutter."""
    told: Json = {}
    if camera.has_lens_blur and camera.fstop > 0 and camera.kind != "PANO":
        # Cycles tells the f-stop of a camera without perspective for a focal length of 1 m.
        length = camera.lens if camera.kind == "PERSP" else 1.0
        told["aperture"] = length / (2 * camera.fstop)
        told["focus_distance"] = max(camera.focus, 1e-3)
        if camera.blades > 2:
            told["blades"] = min(camera.blades, 64)
            # Cycles begins the polygon on the other side.
            told["blade_rotation"] = (math.degrees(camera.blade_rotation) + 180.0) % 360.0
    if picture.shutter > 0:
        told["shutter"] = min(picture.shutter, 1.0)
    return told


def view(picture: Picture) -> str | None:
    """The view transform by the name that Tessera knows it by, `None` where it has no equal."""
    if (picture.view, picture.look) in knobs.LOOKS:
        return knobs.LOOKS[picture.view, picture.look]
    return picture.view if picture.view in knobs.VIEWS else None


def wishes(picture: Picture, size: tuple[int, int]) -> Json:
    """Of the scene: what is asked of the picture."""
    told: Json = {"samples": picture.samples, "resolution": list(size)}
    if picture.exposure:
        told["exposure"] = max(-100.0, min(100.0, picture.exposure))
    if (name := view(picture)) is not None:
        told["view"] = name
    return told
