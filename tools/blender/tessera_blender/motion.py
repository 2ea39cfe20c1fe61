# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of what moves besides objects: lamps, the camera's lens, materials.

They are written as `KHR_animation_pointer`, into the animation that the exporter wrote or into a
new one: Tessera plays the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .facts import Camera, Lamp, Material, Moment
from .glb import Glb

Json = dict[str, Any]
# Values at each moment by the pointer that they are of.
Channels = dict[str, list[Any]]

LIGHTS = "/extensions/KHR_lights_punctual/lights"
POINTER = "KHR_animation_pointer"
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}


def of_lamps(
    moments: Sequence[Moment], places: dict[int, int], tell: Callable[[Lamp], Json]
) -> Channels:
    """Colour, intensity and cones of lamps."""
    found: Channels = {}
    for moment in moments:
        # A lamp that several objects show is told once.
        for lamp in {lamp.data_key: lamp for lamp in moment.lamps}.values():
            place = places.get(lamp.data_key)
            if place is None:
                continue
            told = tell(lamp)
            cones = told.pop("spot", {})
            told |= {f"spot/{name}": value for name, value in cones.items()}
            for name, value in told.items():
                found.setdefault(f"{LIGHTS}/{place}/{name}", []).append(value)
    return found


def of_camera(
    moments: Sequence[Moment], place: int | None, tell: Callable[[Camera], Json]
) -> Channels:
    """The camera's field of view."""
    found: Channels = {}
    for moment in moments:
        if place is None or moment.camera is None:
            continue
        for kind, told in tell(moment.camera).items():
            for name in ("yfov", "ymag"):
                if name in told:
                    found.setdefault(f"/cameras/{place}/{kind}/{name}", []).append(told[name])
    return found


def of_materials(
    moments: Sequence[Moment],
    places: dict[int, int],
    document: Json,
    tell: Callable[[Material], dict[str, Any]],
) -> Channels:
    """Factors of materials; of what moves, the still part is put into the document."""
    found: Channels = {}
    for moment in moments:
        for material in moment.materials:
            place = places.get(material.key)
            if place is not None:
                for name, value in tell(material).items():
                    found.setdefault(f"/materials/{place}/{name}", []).append(value)
    moving = {pointer: values for pointer, values in found.items() if not is_still(values)}
    for pointer, values in moving.items():
        _prepare(document, pointer, values)
    return moving


def _prepare(document: Json, pointer: str, values: list[Any]) -> None:
    """A channel needs an extension to point into, and alpha that is seen."""
    _, _, index, *path = pointer.split("/")
    entry = document["materials"][int(index)]
    if path[0] == "extensions":
        entry.setdefault("extensions", {}).setdefault(path[1], {}).setdefault(path[2], values[0])
        _use(document, path[1])
    if path[-1] == "baseColorFactor" and any(value[3] < 1 for value in values):
        entry.setdefault("alphaMode", "BLEND")


def is_still(values: Sequence[Any]) -> bool:
    """Whether all values are the first."""
    first = _row(values[0])
    return all(abs(a - b) <= 1e-7 * max(1.0, abs(a))
               for value in values for a, b in zip(first, _row(value), strict=True))


def _row(value: Any) -> list[float]:
    return [float(one) for one in value] if isinstance(value, (list, tuple)) else [float(value)]


def write(file: Glb, channels: Channels, moments: Sequence[Moment], fps: float) -> None:
    """Writes the channels of what moves; a frame's key lies at its number over the rate."""
    moving = {pointer: values for pointer, values in channels.items()
              if len(values) == len(moments) and not is_still(values)}
    if not moving:
        return
    times = file.add_floats([[moment.frame / fps] for moment in moments], "SCALAR")
    animations = file.document.setdefault("animations", [])
    if not animations:
        animations.append({"name": "Scene", "channels": [], "samplers": []})
    animation = animations[0]
    for pointer, values in moving.items():
        rows = [_row(value) for value in values]
        output = file.add_floats(rows, TYPES[len(rows[0])])
        animation["samplers"].append({"input": times, "output": output})
        animation["channels"].append({
            "sampler": len(animation["samplers"]) - 1,
            "target": {"path": "pointer", "extensions": {POINTER: {"pointer": pointer}}},
        })
    _use(file.document, POINTER)


def _use(document: Json, extension: str) -> None:
    used = document.setdefault("extensionsUsed", [])
    if extension not in used:
        used.append(extension)
