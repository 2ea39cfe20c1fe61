# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's description (docs/api.md) of a scene, and which frames have to be written for it."""

from __future__ import annotations

from typing import Any

from . import finish, frame, knobs
from .facts import Picture, Scene

Json = dict[str, Any]

STILL, RANGE = "STILL", "RANGE"
FILTERS = {"BLACKMAN_HARRIS": "blackman-harris", "GAUSSIAN": "gaussian", "BOX": "box"}
POSITIONS = {"START": "start", "CENTER": "center", "END": "end"}
# Samples of a pixel before its noise is looked at, where Cycles chooses by itself.
SAMPLES_MIN = 32


def job(known: Scene, span: str, name: str = "", samples: int = 0) -> Json:
    """What is asked of the farm, but for the scene's id and the money.

    `samples` stands in for the scene's, where it is not 0.
    """
    picture, camera = known.picture, known.camera
    samples = samples or picture.samples
    if camera is None:
        raise ValueError("a scene without a camera cannot be described")
    whole = frame.frame(camera, picture)
    first, last, step = frames(picture, span)
    told: Json = {
        "name": name or known.name,
        "cameras": [finish.camera_name(camera)],
        "size": list(whole.size),
        "samples": samples,
        "frames": {"first": first, "last": last, "step": step},
        "fps": picture.fps,
        # Cycles counts what follows the first hit, Tessera what follows the camera.
        "bounces": picture.bounces + 1,
        "shutter": min(picture.shutter, 1.0),
        "shutter_position": POSITIONS.get(picture.shutter_position, "center"),
        "filter": FILTERS.get(picture.filter, "blackman-harris"),
    }
    if picture.threshold > 0:
        least = picture.samples_min or SAMPLES_MIN
        told["noise"] = {
            "threshold": picture.threshold, "min_samples": min(least, samples)
        }
    if whole.crop is not None:
        told["crop"] = dict(zip(("x", "y", "width", "height"), whole.crop, strict=True))
    if camera.kind == "PANO":
        told["panorama"] = True
    if knobs.PASSES_OF_LIGHT.intersection(picture.passes):
        told["passes"] = True
    return told


def frames(picture: Picture, span: str) -> tuple[int, int, int]:
    """First, last and step of what is rendered."""
    return (picture.frame, picture.frame, 1) if span == STILL else picture.frames


def frames_moving(known: Scene, span: str) -> tuple[int, int] | None:
    """First and last frame that keys are written of, `None` where nothing has to move.

    With a shutter one more on either side: what lies between two frames is seen.
    """
    picture = known.picture
    if not known.is_animated or (span == STILL and picture.shutter <= 0):
        return None
    first, last, _step = frames(picture, span)
    more = 1 if picture.shutter > 0 else 0
    return max(first - more, 0), last + more
