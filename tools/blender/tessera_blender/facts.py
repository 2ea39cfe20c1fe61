# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a Blender scene: plain data, without Blender.

`read.py` fills it; everything that decides reads it.
Lengths are metres, angles radians, colours linear Rec.709, unless a name says else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Odd:
    """A setting that Tessera cannot follow: its path in a table of `knobs.py`, and its value."""

    path: str
    value: Any


@dataclass(frozen=True)
class Socket:
    """An input of a shader node: the value typed into it, and what feeds it instead, if anything:
    a node and one of its outputs."""

    value: Any = None
    source: tuple[int, str] | None = None


@dataclass(frozen=True)
class ShaderNode:
    """A node of a flattened tree: groups, reroutes and muted nodes are resolved.

    `kind` is Blender's type, as `TEX_NOISE`; `word` is what people call it.
    """

    name: str
    kind: str
    word: str
    inputs: dict[str, Socket] = field(default_factory=dict)
    props: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """What feeds the active output: indices into `nodes`, with the outputs' names."""

    nodes: tuple[ShaderNode, ...] = ()
    surface: tuple[int, str] | None = None
    volume: tuple[int, str] | None = None
    displacement: tuple[int, str] | None = None

    def upstream(
        self, source: tuple[int, str] | None, ends: frozenset[str] = frozenset()
    ) -> list[int]:
        """All nodes that feed a source, its own included, each once, nearest first.

        It looks no further than nodes of the kinds in `ends`.
        """
        found: dict[int, None] = {}
        waiting = [source[0]] if source is not None else []
        while waiting:
            index = waiting.pop(0)
            if index in found:
                continue
            found[index] = None
            if self.nodes[index].kind in ends:
                continue
            fed = (socket.source for socket in self.nodes[index].inputs.values())
            waiting += [source[0] for source in fed if source is not None]
        return list(found)


@dataclass(frozen=True)
class Material:
    """A material that a rendered object shows; without a tree it is a plain colour."""

    key: int
    name: str
    tree: Tree | None = None
    is_animated: bool = False


@dataclass(frozen=True)
class Lamp:
    """A lamp, as an object shows it.

    `data_key` is the lamp's own, which objects may share.
    `energy` is what Blender shows, watts or W/m², with the lamp's exposure in it. `intensity` is
    W/sr of points and spots and W/m² of suns. `scale` is the object's in the world, along x and y.
    `angle` is a sun's, `cone` a spot's, from edge to edge.
    """

    key: int
    data_key: int
    name: str
    kind: str
    color: Rgb = (1.0, 1.0, 1.0)
    energy: float = 0.0
    intensity: float = 0.0
    radius: float = 0.0
    angle: float = 0.0
    cone: float = 0.0
    blend: float = 0.0
    shape: str = "SQUARE"
    size: tuple[float, float] = (1.0, 1.0)
    scale: tuple[float, float] = (1.0, 1.0)
    is_normalized: bool = True
    is_portal: bool = False
    is_in_frame: bool = False
    is_seen: bool = False
    node_words: tuple[str, ...] = ()
    animated: tuple[str, ...] = ()
    odd: tuple[Odd, ...] = ()

    @property
    def area(self) -> float:
        """Of an area lamp in the world, m²."""
        width, height = self.size[0] * self.scale[0], self.size[1] * self.scale[1]
        return width * height * (0.7853981633974483 if self.is_round else 1.0)

    @property
    def is_round(self) -> bool:
        """Whether an area lamp is a disk or an ellipse."""
        return self.shape in ("DISK", "ELLIPSE")


@dataclass(frozen=True)
class Camera:
    """The camera that is rendered; `focus` is along its view, `lens` its focal length."""

    key: int
    name: str
    kind: str = "PERSP"
    panorama: str = ""
    covers_all: bool = True
    lens: float = 0.05
    sensor: tuple[float, float] = (0.036, 0.024)
    fit: str = "AUTO"
    ortho_scale: float = 6.0
    shift: tuple[float, float] = (0.0, 0.0)
    has_lens_blur: bool = False
    fstop: float = 2.8
    focus: float = 10.0
    blades: int = 0
    blade_rotation: float = 0.0
    clip: tuple[float, float] = (0.1, 1000.0)
    reach: float = 0.0
    animated: tuple[str, ...] = ()
    odd: tuple[Odd, ...] = ()


@dataclass(frozen=True)
class Moment:
    """What moves besides objects, at a frame: lamps, the camera's data and materials."""

    frame: int
    lamps: tuple[Lamp, ...] = ()
    camera: Camera | None = None
    materials: tuple[Material, ...] = ()


@dataclass(frozen=True)
class World:
    """What surrounds the scene; `color` is what a world without nodes shows."""

    name: str
    color: Rgb = (0.0, 0.0, 0.0)
    tree: Tree | None = None
    is_animated: bool = False
    odd: tuple[Odd, ...] = ()


@dataclass(frozen=True)
class Thing:
    """An object that is rendered and is neither lamp nor camera.

    `modifiers` are those that count, as (name, type); `moving_modifiers` the names of those whose
    result changes with time.
    """

    name: str
    kind: str
    modifiers: tuple[tuple[str, str], ...] = ()
    moving_modifiers: tuple[str, ...] = ()
    particles: tuple[str, ...] = ()
    has_instances: bool = False
    has_moving_shape_keys: bool = False
    has_uv: bool = True
    has_images: bool = False
    odd: tuple[Odd, ...] = ()


@dataclass(frozen=True)
class Picture:
    """What the scene asks of the picture.

    `crop` is left, top, width and height, in pixels of the frame. `threshold` ends pixels that
    are quiet enough; 0 takes all samples. `has_fewer_bounces` says that some kinds of bounces end
    before `bounces`. `shutter` is a fraction of a frame.
    """

    engine: str = "CYCLES"
    size: tuple[int, int] = (1920, 1080)
    crop: tuple[int, int, int, int] | None = None
    crops_file: bool = False
    samples: int = 128
    threshold: float = 0.0
    samples_min: int = 0
    bounces: int = 12
    has_fewer_bounces: bool = False
    filter: str = "BLACKMAN_HARRIS"
    filter_width: float = 1.5
    exposure: float = 0.0
    view: str = "AgX"
    look: str = "None"
    is_transparent: bool = False
    frame: int = 1
    frames: tuple[int, int, int] = (1, 250, 1)
    fps: float = 24.0
    shutter: float = 0.0
    shutter_position: str = "CENTER"
    has_shutter_curve: bool = False
    passes: tuple[str, ...] = ()
    view_layers: int = 1


@dataclass(frozen=True)
class Scene:
    """All that is known of the scene that is sent.

    `rendered` are the keys of its objects, `groups` of those that show collections.
    """

    name: str
    picture: Picture = field(default_factory=Picture)
    camera: Camera | None = None
    world: World | None = None
    lamps: tuple[Lamp, ...] = ()
    things: tuple[Thing, ...] = ()
    materials: tuple[Material, ...] = ()
    rendered: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()
    is_animated: bool = False
    compositor: tuple[str, ...] = ()
    strips: tuple[str, ...] = ()
    bound_cameras: tuple[str, ...] = ()
    is_linear_rec709: bool = True
    odd: tuple[Odd, ...] = ()
