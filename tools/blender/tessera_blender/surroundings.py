# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a world: a colour, a picture as it is, or a picture that Cycles makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .facts import Rgb, ShaderNode, Tree, World

# An equirectangular picture's middle shows +x in Blender; in Tessera it shows what is ahead at
# rotation 0. Degrees from the one to the other, seen from above, counter-clockwise.
MIDDLE_DEGREES = 270.0

COORDINATES = "TEX_COORD"

# Blender's sky in units of Tessera's: what a floor under both gets is alike within a few per cent
# for a sun from 17 degrees up. Their colours are not: Tessera's own sky is a stopgap.
SKY_STRENGTH = 39.0


@dataclass(frozen=True)
class Color:
    """The same radiance from everywhere."""

    radiance: Rgb


@dataclass(frozen=True)
class Map:
    """An image around the scene; `turn` is the mapping's, radians about z."""

    image: str
    strength: float
    turn: float


@dataclass(frozen=True)
class SunSky:
    """Tessera's own sky of the same sun: degrees, the azimuth clockwise from Blender's +y."""

    elevation: float
    azimuth: float
    strength: float


@dataclass(frozen=True)
class Baked:
    """Whatever the nodes make, as Cycles' camera sees it; a sky may have a sun in it.

    `instead` stands in for a plain sky where there is no Cycles.
    """

    words: tuple[str, ...]
    is_sky: bool = False
    instead: SunSky | None = None


Plan = Color | Map | Baked


def plan(world: World | None) -> Plan:
    """What is written for a world."""
    if world is None:
        return Color((0.0, 0.0, 0.0))
    tree = world.tree
    if tree is None:
        return Color(world.color)
    if tree.surface is None:
        return Color((0.0, 0.0, 0.0))
    return _background(tree) or Baked(words(tree), has_sky(tree), _sun_sky(tree))


def words(tree: Tree) -> tuple[str, ...]:
    """What the nodes of a world are called, each once."""
    used = (tree.nodes[index].word for index in tree.upstream(tree.surface))
    return tuple(dict.fromkeys(used))


def has_sky(tree: Tree) -> bool:
    """Whether a sky texture is among the nodes of a world."""
    return any(tree.nodes[index].kind == "TEX_SKY" for index in tree.upstream(tree.surface))


def depends_on_ray(tree: Tree) -> bool:
    """Whether a world looks different to the camera than to what it lights."""
    return any(tree.nodes[index].kind == "LIGHT_PATH" for index in tree.upstream(tree.surface))


def _sun_sky(tree: Tree) -> SunSky | None:
    """The sun of a world that is a sky texture and no more."""
    used = [tree.nodes[index] for index in tree.upstream(tree.surface)]
    kinds = {node.kind for node in used}
    if "TEX_SKY" not in kinds or not kinds <= {"TEX_SKY", "BACKGROUND", COORDINATES}:
        return None
    sky = next(node for node in used if node.kind == "TEX_SKY")
    strength = used[0].inputs.get("Strength")
    told = sky.props.get("sun_elevation"), sky.props.get("sun_rotation")
    if None in told or strength is None or strength.source is not None:
        return None
    elevation, rotation = (math.degrees(one) for one in told)
    return SunSky(elevation, rotation % 360.0, SKY_STRENGTH * strength.value)


def _background(tree: Tree) -> Color | Map | None:
    node = tree.nodes[tree.surface[0]]
    if node.kind not in ("BACKGROUND", "EMISSION"):
        return None
    color, strength = node.inputs["Color"], node.inputs["Strength"]
    power = _number(tree, strength.source, strength.value)
    if power is None:
        return None
    if color.source is None or tree.nodes[color.source[0]].kind == "RGB":
        value = color.value if color.source is None else tree.nodes[color.source[0]].props["value"]
        return Color(tuple(max(0.0, one * power) for one in value))
    image = tree.nodes[color.source[0]]
    if image.kind != "TEX_ENVIRONMENT" or image.props.get("projection") != "EQUIRECTANGULAR":
        return None
    if image.props.get("source") not in ("FILE", "GENERATED") or image.props["image"] is None:
        return None
    turn = _turn(tree, image)
    return None if turn is None or power < 0 else Map(image.props["image"], power, turn)


def _number(tree: Tree, source: tuple[int, str] | None, value: float) -> float | None:
    if source is None:
        return value
    node = tree.nodes[source[0]]
    return node.props.get("value") if node.kind == "VALUE" else None


def _turn(tree: Tree, image: ShaderNode) -> float | None:
    """How far a mapping turns the image about z, `None` where it does anything else."""
    source = image.inputs["Vector"].source
    if source is None:
        return 0.0
    node = tree.nodes[source[0]]
    if node.kind == COORDINATES:
        return 0.0 if source[1] == "Generated" else None
    if node.kind != "MAPPING" or node.props.get("vector_type") not in ("POINT", "TEXTURE"):
        return None
    inner = node.inputs["Vector"].source
    if inner is None or tree.nodes[inner[0]].kind != COORDINATES or inner[1] != "Generated":
        return None
    still = {"Location": (0.0, 0.0, 0.0), "Scale": (1.0, 1.0, 1.0)}
    for name, plain in still.items():
        socket = node.inputs.get(name)
        if socket is not None and (socket.source is not None or not _near(socket.value, plain)):
            return None
    rotation = node.inputs["Rotation"]
    if rotation.source is not None or not _near(rotation.value[:2], (0.0, 0.0)):
        return None
    return rotation.value[2] if node.props["vector_type"] == "POINT" else -rotation.value[2]


def _near(value: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(abs(a - b) < 1e-6 for a, b in zip(value, other, strict=True))


def rotation_degrees(turn: float) -> float:
    """The environment's rotation in Tessera for a mapping's turn."""
    # The mapping turns the direction that is looked up, so the picture goes the other way.
    return (MIDDLE_DEGREES - math.degrees(turn)) % 360.0
