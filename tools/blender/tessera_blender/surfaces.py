# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's glTF exporter keeps of a material, and what it drops.

The exporter knows the Principled shader, the Emission shader, and a few chains of nodes behind
their inputs; it takes the first image that it finds further up, and drops all other nodes in
silence. This module names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .facts import Material, ShaderNode, Socket, Tree

Source = tuple[int, str]

PRINCIPLED, EMISSION = "BSDF_PRINCIPLED", "EMISSION"
SRGB = ("sRGB", "sRGB EOTF")
DATA = ("Non-Color", "Raw", "Linear Rec.709", "Linear", "Non-Colour Data")
IMAGES = frozenset({"TEX_IMAGE"})
COLOR_ATTRIBUTES = {"VERTEX_COLOR", "ATTRIBUTE"}
CONSTANTS = {"RGB", "VALUE"}
SEPARATE = {"SEPARATE_COLOR", "SEPRGB"}
# What the exporter looks for behind each input of the Principled shader.
COLORS = ("Base Color", "Emission Color", "Specular Tint", "Sheen Tint")
FACTORS = (
    "Metallic", "Roughness", "Alpha", "Specular IOR Level", "Transmission Weight", "Coat Weight",
    "Coat Roughness", "Sheen Roughness", "Emission Strength",
)
NORMALS = ("Normal", "Coat Normal")
# Inputs of which the exporter takes the number typed into them, or nothing.
TYPED = ("IOR", "Sheen Weight")
# Inputs that glTF has no word for, by the values at which they do nothing, and what is lost.
WORDLESS: tuple[tuple[str, tuple[float, ...], str], ...] = (
    ("Subsurface Weight", (0.0,), "subsurface scattering"),
    ("Thin Film Thickness", (0.0,), "thin film"),
    ("Diffuse Roughness", (0.0,), "diffuse roughness"),
    ("Anisotropic", (0.0,), "anisotropy"),
)
COAT = (("Coat IOR", 1.5, "coat IOR"), ("Coat Tint", (1.0, 1.0, 1.0), "coat tint"))


@dataclass(frozen=True)
class Dropped:
    """Nodes that are dropped behind an input, and what stands in for them.

    `image` is the picture that is taken all the same.
    """

    input: str
    nodes: tuple[str, ...]
    image: str = ""


@dataclass(frozen=True)
class Surface:
    """What is known of a material's way into glTF.

    `shader` is empty where the exporter knows none, and `shaders` are those that it does not.
    """

    shader: str = ""
    shaders: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    lost: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    has_displacement: bool = False
    has_volume: bool = False
    sheen: bool = False


def surface(material: Material) -> Surface:
    """Looks at a material."""
    tree = material.tree
    if tree is None:
        return Surface(shader="plain")
    ends = {
        "has_displacement": tree.displacement is not None, "has_volume": tree.volume is not None,
    }
    if tree.surface is None:
        return Surface(shader="plain" if not tree.nodes else "", **ends)
    node = tree.nodes[tree.surface[0]]
    if node.kind == EMISSION:
        dropped = [*_behind(tree, node, ("Color",)), *_behind(tree, node, ("Strength",))]
        return Surface(EMISSION, dropped=tuple(dropped), oddities=tuple(_images(tree)), **ends)
    if node.kind != PRINCIPLED:
        return Surface(shaders=_shaders(tree), **ends)
    dropped = [
        *_behind(tree, node, COLORS), *_behind(tree, node, FACTORS),
        *_behind_normals(tree, node), *_typed(tree, node),
    ]
    return Surface(
        shader=PRINCIPLED,
        dropped=tuple(dropped),
        lost=tuple(_lost(node)),
        oddities=tuple(_images(tree)),
        sheen=_has(node, "Sheen Weight"),
        **ends,
    )


def principled(material: Material) -> ShaderNode | None:
    """The Principled shader that a material is, if it is one."""
    tree = material.tree
    if tree is None or tree.surface is None:
        return None
    node = tree.nodes[tree.surface[0]]
    return node if node.kind == PRINCIPLED else None


def is_clear(node: ShaderNode) -> bool:
    """Whether a Principled shader is all glass of one colour."""
    weight, color = node.inputs.get("Transmission Weight", Socket(0.0)), node.inputs["Base Color"]
    return _is_typed(weight, 1.0) and color.source is None


def is_emission(material: Material) -> bool:
    """Whether a material glows and does nothing else."""
    tree = material.tree
    return bool(tree and tree.surface and tree.nodes[tree.surface[0]].kind == EMISSION)


def _shaders(tree: Tree) -> tuple[str, ...]:
    """Shaders of a tree that glTF has no equal for, as they are called."""
    used = (tree.nodes[index] for index in tree.upstream(tree.surface))
    found = [node.word for node in used if "BSDF" in node.kind or "SHADER" in node.kind
             or node.kind in (EMISSION, "HOLDOUT", "SUBSURFACE_SCATTERING", "BACKGROUND")]
    return tuple(dict.fromkeys(found)) or tuple(
        dict.fromkeys(tree.nodes[index].word for index in tree.upstream(tree.surface)))


# Chains behind inputs.


def _behind(tree: Tree, node: ShaderNode, names: tuple[str, ...]) -> Iterator[Dropped]:
    for name in names:
        socket = node.inputs.get(name)
        if socket is None or socket.source is None:
            continue
        if _is_off(node, name):
            continue
        source: Source | None = socket.source
        if name == "Alpha":
            source = _unclipped(tree, source)
        rest = _without_factors(tree, source)
        if rest is not None:
            yield from _rest(tree, name, rest, _textures(tree, rest))


def _is_off(node: ShaderNode, name: str) -> bool:
    """Whether an input changes nothing, since what it belongs to has no weight."""
    owners = {"Emission Color": "Emission Strength", "Sheen Roughness": "Sheen Weight",
              "Sheen Tint": "Sheen Weight", "Coat Roughness": "Coat Weight",
              "Coat Normal": "Coat Weight"}
    owner = node.inputs.get(owners.get(name, ""))
    return owner is not None and owner.source is None and owner.value == 0


def _without_factors(tree: Tree, source: Source) -> Source | None:
    """What is left behind multiplications by constants and colour attributes.

    `None` where the chain is all of what the exporter understands.
    """
    for _ in range(2):
        node = tree.nodes[source[0]]
        if node.kind in CONSTANTS or node.kind in COLOR_ATTRIBUTES:
            return None
        factors = _factors(node)
        if factors is None:
            return source
        plain = [one for one in factors if _is_plain(tree, one)]
        others = [one for one in factors if not _is_plain(tree, one)]
        if not plain:
            return source
        if not others:
            return None
        assert others[0].source is not None
        source = others[0].source
    node = tree.nodes[source[0]]
    return None if node.kind in CONSTANTS or node.kind in COLOR_ATTRIBUTES else source


def _factors(node: ShaderNode) -> tuple[Socket, Socket] | None:
    """The two sides of a multiplication."""
    if node.kind == "MIX" and node.props.get("data_type") == "RGBA":
        factor = node.inputs.get("Factor_Float", Socket(1.0))
        if node.props.get("blend_type") == "MULTIPLY" and _is_typed(factor, 1.0):
            return node.inputs["A_Color"], node.inputs["B_Color"]
    if node.kind == "MATH" and node.props.get("operation") == "MULTIPLY":
        sides = list(node.inputs.values())
        return sides[0], sides[1]
    return None


def _is_typed(socket: Socket, value: float) -> bool:
    return socket.source is None and socket.value == value


def _is_plain(tree: Tree, socket: Socket) -> bool:
    if socket.source is None:
        return True
    return tree.nodes[socket.source[0]].kind in CONSTANTS | COLOR_ATTRIBUTES


def _unclipped(tree: Tree, source: Source) -> Source:
    """What lies behind a cutoff of alpha: a rounding, or a comparison, as it stands or from 1."""
    node = tree.nodes[source[0]]
    if node.kind != "MATH":
        return source
    sides = list(node.inputs.values())
    operation = node.props.get("operation")
    if operation == "ROUND" and sides[0].source is not None:
        return sides[0].source
    if operation == "SUBTRACT" and _is_typed(sides[0], 1.0) and sides[1].source is not None:
        inner = _unclipped(tree, sides[1].source)
        return inner if inner != sides[1].source else source
    if operation in ("GREATER_THAN", "LESS_THAN"):
        linked = [one.source for one in sides[:2] if one.source is not None]
        if len(linked) == 1:
            return linked[0]
    return source


def _textures(tree: Tree, source: Source) -> set[int]:
    """An image and what places it, and the node that takes a channel of it: what is kept."""
    node = tree.nodes[source[0]]
    if node.kind in SEPARATE:
        inner = next(iter(node.inputs.values())).source
        if inner is not None and tree.nodes[inner[0]].kind == "TEX_IMAGE":
            return {source[0]} | _image(tree, inner[0])
    return _image(tree, source[0]) if node.kind == "TEX_IMAGE" else set()


def _image(tree: Tree, index: int) -> set[int]:
    """An image and the nodes that place it, as far as glTF can."""
    kept = {index}
    vector = tree.nodes[index].inputs.get("Vector", Socket()).source
    if vector is not None and tree.nodes[vector[0]].kind == "MAPPING" and _maps(tree, vector[0]):
        kept.add(vector[0])
        vector = tree.nodes[vector[0]].inputs["Vector"].source
    if vector is not None and _is_uv(tree, vector):
        kept.add(vector[0])
    return kept


def _is_uv(tree: Tree, source: Source) -> bool:
    kind = tree.nodes[source[0]].kind
    return kind == "UVMAP" or (kind == "TEX_COORD" and source[1] == "UV")


def _maps(tree: Tree, index: int) -> bool:
    """Whether a mapping is one of the plane, told as numbers."""
    node = tree.nodes[index]
    if node.props.get("vector_type") == "NORMAL":
        return False
    told = [node.inputs.get(name) for name in ("Location", "Rotation", "Scale")]
    if any(one is not None and one.source is not None for one in told):
        return False
    rotation = node.inputs["Rotation"].value
    return abs(rotation[0]) < 1e-6 and abs(rotation[1]) < 1e-6


def _rest(tree: Tree, name: str, source: Source, kept: set[int]) -> Iterator[Dropped]:
    """Names what the exporter drops of all that is behind an input."""
    used = tree.upstream(source, IMAGES)
    images = [index for index in used if tree.nodes[index].kind == "TEX_IMAGE"]
    if not kept and images:
        kept = {images[0]}
        if tree.nodes[source[0]].kind in SEPARATE:
            kept.add(source[0])
    lost = [tree.nodes[index] for index in used if index not in kept]
    if lost:
        taken = next((tree.nodes[one] for one in kept if tree.nodes[one].kind == "TEX_IMAGE"), None)
        image = str(taken.props.get("image") or "") if taken is not None else ""
        yield Dropped(name, _words(lost), image)


def _behind_normals(tree: Tree, node: ShaderNode) -> Iterator[Dropped]:
    for name in NORMALS:
        socket = node.inputs.get(name)
        if socket is None or socket.source is None or _is_off(node, name):
            continue
        first = tree.nodes[socket.source[0]]
        kept: set[int] = set()
        if first.kind == "NORMAL_MAP" and first.props.get("space") == "TANGENT":
            color = first.inputs["Color"].source
            kept = {socket.source[0]}
            if color is not None and tree.nodes[color[0]].kind == "TEX_IMAGE":
                kept |= _image(tree, color[0])
        elif first.kind in ("NEW_GEOMETRY",) and socket.source[1] == "Normal":
            continue
        used = tree.upstream(socket.source, IMAGES)
        lost = [tree.nodes[one] for one in used if one not in kept]
        if lost:
            yield Dropped(name, _words(lost))


def _typed(tree: Tree, node: ShaderNode) -> Iterator[Dropped]:
    for name in TYPED:
        socket = node.inputs.get(name)
        if socket is not None and socket.source is not None:
            yield Dropped(name, _words([tree.nodes[i] for i in tree.upstream(socket.source)]))


def _words(nodes: list[ShaderNode]) -> tuple[str, ...]:
    """Nodes as an artist finds them: what they are, and their name where it says more."""
    told = (node.word if node.name.split(".")[0] == node.word else f"{node.word} “{node.name}”"
            for node in nodes)
    return tuple(dict.fromkeys(told))


def _lost(node: ShaderNode) -> Iterator[str]:
    for name, harmless, word in WORDLESS:
        socket = node.inputs.get(name)
        if socket is not None and (socket.source is not None or socket.value not in harmless):
            yield word
    if _has(node, "Coat Weight"):
        for name, plain, word in COAT:
            socket = node.inputs.get(name)
            if socket is not None and (socket.source is not None or not _near(socket.value, plain)):
                yield word


def _has(node: ShaderNode, weight: str) -> bool:
    socket = node.inputs.get(weight)
    return socket is not None and (socket.source is not None or bool(socket.value))


def _near(value: object, other: object) -> bool:
    ours = value if isinstance(value, tuple) else (value,)
    theirs = other if isinstance(other, tuple) else (other,)
    return all(abs(a - b) < 1e-4 for a, b in zip(ours, theirs, strict=True))


def _spaces(tree: Tree) -> dict[int, tuple[str, ...]]:
    """Colour spaces that glTF reads each image as, by the first input that it feeds."""
    assert tree.surface is not None
    found: dict[int, tuple[str, ...]] = {}
    for name, socket in tree.nodes[tree.surface[0]].inputs.items():
        for index in tree.upstream(socket.source, IMAGES):
            if tree.nodes[index].kind == "TEX_IMAGE":
                found.setdefault(index, SRGB if name in (*COLORS, "Color") else DATA)
    return found


def _images(tree: Tree) -> Iterator[str]:
    """What is odd about the images that are used."""
    read_as = _spaces(tree)
    for index in tree.upstream(tree.surface):
        node = tree.nodes[index]
        if node.kind != "TEX_IMAGE":
            continue
        image = node.props.get("image")
        if image is None:
            yield f"{node.name} has no image"
            continue
        if node.props.get("source") in ("SEQUENCE", "MOVIE"):
            yield f"{image} does not move"
        if node.props.get("projection") not in (None, "FLAT"):
            yield f"{image} is laid out by UV, not by projection"
        if node.props.get("extension") == "CLIP":
            yield f"{image} repeats where it was clipped"
        if node.props.get("is_float"):
            yield f"{image} has 8 bits a channel"
        elif index in read_as and node.props.get("color_space") not in read_as[index]:
            yield f"{image} is read as {read_as[index][0]}, not {node.props['color_space']}"
        vector = node.inputs.get("Vector", Socket()).source
        odd = _image(tree, index) - {index}
        if vector is not None and vector[0] not in odd:
            words = _words([tree.nodes[one] for one in tree.upstream(vector)])
            yield f"{image} is laid out by UV, not by {', '.join(words)}"
        elif vector is not None and tree.nodes[vector[0]].kind == "MAPPING":
            inner = tree.nodes[vector[0]].inputs["Vector"].source
            if inner is not None and not _is_uv(tree, inner):
                words = _words([tree.nodes[one] for one in tree.upstream(inner)])
                yield f"{image} is laid out by UV, not by {', '.join(words)}"
