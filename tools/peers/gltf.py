"""A minimal glTF 2.0 reader: what the peers without an importer of their own are fed.

`Gltf` is a static view of a file at time 0 of its first animation, in world space: triangles,
materials and punctual lights. Lengths are metres, y is up, the system is right-handed.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
import struct
import urllib.parse
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray
Json = dict[str, Any]

COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
UNREADABLE = {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"}
# What `material` and `lamps` understand; other extensions of a file are told as notes.
UNDERSTOOD = {
    "KHR_lights_punctual",
    "KHR_materials_clearcoat",
    "KHR_materials_emissive_strength",
    "KHR_materials_ior",
    "KHR_materials_transmission",
    "KHR_mesh_quantization",
}


@dataclass
class Prim:
    """Triangles of one material in world space; `uv` are the sets 0 and 1 where there are any."""

    pos: Array
    nrm: Array | None
    uv: list[Array | None]
    idx: Array
    mat: int | None


@dataclass
class Lamp:
    """A punctual light.

    `intensity` is linear RGB: W/sr for `point` and `spot`, W/m² on a facing surface for
    `directional`. `axis` is the way that the light goes. Cones are half angles in radians.
    """

    kind: str
    intensity: list[float]
    position: list[float]
    axis: list[float]
    inner: float = 0.0
    outer: float = math.pi / 4
    range_m: float | None = None

    def cone(self) -> tuple[float, float]:
        """Scale and offset of the specification's falloff: saturate(cos · scale + offset)²."""
        scale = 1 / max(1e-3, math.cos(self.inner) - math.cos(self.outer))
        return scale, -math.cos(self.outer) * scale


@dataclass
class Material:
    """Factors, and images as linear float arrays that are already multiplied by the factors."""

    base: list[float]
    base_tex: Array | None
    metal: float
    rough: float
    mr_tex: tuple[Array, Array] | None
    normal_tex: Array | None
    emit: list[float]
    emit_tex: Array | None
    opacity_tex: Array | None
    trans: float
    ior: float
    coat: float
    coat_rough: float
    extra: list[str] = field(default_factory=list)


class Gltf:
    """A file, read once: `prims`, `lamps`, bounds `lo` and `hi` in metres, `tris`, `notes`."""

    def __init__(self, path: str) -> None:
        """Reads the file and poses it."""
        self.folder = os.path.dirname(path)
        self.binary: bytes | None = None
        self.json = self._parse(path)
        bad = UNREADABLE.intersection(self.json.get("extensionsRequired", []))
        if bad:
            raise SystemExit(f"{path}: decode {sorted(bad)} first")
        self.buffers = [self._data(one.get("uri")) for one in self.json.get("buffers", [])]
        self.prims: list[Prim] = []
        self.lamps: list[Lamp] = []
        self.notes: list[str] = []
        self._find_gaps()
        self._pose()
        self.world: dict[int, Array] = {}
        roots = self._scene_roots()
        for root in roots:
            self._place(root, np.eye(4))
        for node in self.world:
            self._show(node)
        if not self.prims:
            raise SystemExit(f"{path}: no triangles")
        pos = np.concatenate([prim.pos for prim in self.prims])
        self.lo, self.hi = pos.min(0), pos.max(0)
        self.tris = sum(len(prim.idx) for prim in self.prims)

    # Bytes.

    def _parse(self, path: str) -> Json:
        with open(path, "rb") as file:
            data = file.read()
        if data[:4] != b"glTF":
            return json.loads(data)
        size = struct.unpack("<I", data[12:16])[0]
        if len(data) > 20 + size + 8:
            self.binary = data[20 + size + 8 :]
        return json.loads(data[20 : 20 + size])

    def _data(self, uri: str | None) -> bytes:
        if uri is None:
            return self.binary or b""
        if uri.startswith("data:"):
            return base64.b64decode(uri.split(",", 1)[1])
        with open(os.path.join(self.folder, urllib.parse.unquote(uri)), "rb") as file:
            return file.read()

    def _view(self, index: int) -> tuple[bytes, int | None]:
        view = self.json["bufferViews"][index]
        start = view.get("byteOffset", 0)
        data = self.buffers[view["buffer"]]
        return data[start : start + view["byteLength"]], view.get("byteStride")

    def _values(self, view: int, start: int, count: int, kind: np.dtype, width: int) -> Array:
        data, stride = self._view(view)
        stride = stride or kind.itemsize * width
        return np.ndarray((count, width), kind, data, start, (stride, kind.itemsize)).copy()

    def accessor(self, index: int) -> Array:
        """An accessor's values, [count][width]; normalised integers become floats."""
        acc = self.json["accessors"][index]
        kind, width = np.dtype(COMPONENTS[acc["componentType"]]), WIDTHS[acc["type"]]
        if "bufferView" in acc:
            start = acc.get("byteOffset", 0)
            out = self._values(acc["bufferView"], start, acc["count"], kind, width)
        else:
            out = np.zeros((acc["count"], width), kind)
        if "sparse" in acc:
            sparse = acc["sparse"]
            at, new = sparse["indices"], sparse["values"]
            at_kind = np.dtype(COMPONENTS[at["componentType"]])
            start, count = at.get("byteOffset", 0), sparse["count"]
            where = self._values(at["bufferView"], start, count, at_kind, 1)
            start = new.get("byteOffset", 0)
            out[where[:, 0]] = self._values(new["bufferView"], start, count, kind, width)
        if acc.get("normalized"):
            out = np.maximum(out.astype("f4") / np.iinfo(kind).max, -1)
        return out

    # The tree, posed.

    def _find_gaps(self) -> None:
        unknown = sorted(set(self.json.get("extensionsUsed", [])) - UNDERSTOOD)
        if unknown:
            self.notes.append(f"left out: {', '.join(unknown)}")
        meshes = self.json.get("meshes", [])
        prims = [prim for mesh in meshes for prim in mesh["primitives"]]
        if any("targets" in prim for prim in prims):
            self.notes.append("morph targets are left out")
        if any("COLOR_0" in prim["attributes"] for prim in prims):
            self.notes.append("vertex colours are left out")

    def _pose(self) -> None:
        """Sets animated nodes to the first keys of the file's first animation (time 0)."""
        for animation in self.json.get("animations", [])[:1]:
            for channel in animation["channels"]:
                target, path = channel["target"], channel["target"]["path"]
                if "node" not in target or path == "weights":
                    continue
                sampler = animation["samplers"][channel["sampler"]]
                cubic = sampler.get("interpolation") == "CUBICSPLINE"
                value = self.accessor(sampler["output"])[1 if cubic else 0]
                node = self.json["nodes"][target["node"]]
                node[path] = [float(one) for one in value]

    def _scene_roots(self) -> list[int]:
        if "scenes" in self.json:
            return self.json["scenes"][self.json.get("scene", 0)]["nodes"]
        return list(range(len(self.json["nodes"])))

    def _place(self, index: int, parent: Array) -> None:
        node = self.json["nodes"][index]
        self.world[index] = parent @ local_matrix(node)
        for child in node.get("children", []):
            self._place(child, self.world[index])

    def _show(self, index: int) -> None:
        node = self.json["nodes"][index]
        light = node.get("extensions", {}).get("KHR_lights_punctual", {}).get("light")
        if light is not None:
            lights = self.json["extensions"]["KHR_lights_punctual"]["lights"]
            self.lamps.append(lamp_of(lights[light], self.world[index]))
        if "mesh" not in node:
            return
        for prim in self.json["meshes"][node["mesh"]]["primitives"]:
            if prim.get("mode", 4) == 4 and "POSITION" in prim["attributes"]:
                self._add_prim(prim, index)
            else:
                self.notes.append("points, lines, strips and fans are left out")

    def _joints(self, prim: Json, skin: Json) -> Array:
        """A matrix for each vertex: its joints' matrices, weighted."""
        at = prim["attributes"]
        inverse = np.tile(np.eye(4), (len(skin["joints"]), 1, 1))
        if "inverseBindMatrices" in skin:
            flat = self.accessor(skin["inverseBindMatrices"]).astype("f8")
            inverse = flat.reshape(-1, 4, 4).transpose(0, 2, 1)
        bones = np.stack([self.world[joint] for joint in skin["joints"]]) @ inverse
        total, weight_sum = 0.0, 0.0
        for number in range(2):
            if f"JOINTS_{number}" not in at:
                break
            joints = self.accessor(at[f"JOINTS_{number}"]).astype("i4")
            weights = self.accessor(at[f"WEIGHTS_{number}"]).astype("f8")
            total = total + np.einsum("vj,vjab->vab", weights, bones[joints])
            weight_sum = weight_sum + weights.sum(1)
        return total / np.maximum(weight_sum, 1e-20)[:, None, None]

    def _add_prim(self, prim: Json, index: int) -> None:
        at, node = prim["attributes"], self.json["nodes"][index]
        pos = self.accessor(at["POSITION"]).astype("f8")
        matrix = self.world[index][None]
        if "skin" in node and "JOINTS_0" in at:
            matrix = self._joints(prim, self.json["skins"][node["skin"]])
        linear = matrix[:, :3, :3]
        if "indices" in prim:
            idx = self.accessor(prim["indices"]).astype("i4").reshape(-1, 3)
        else:
            idx = np.arange(len(pos), dtype="i4").reshape(-1, 3)
        nrm = None
        if "NORMAL" in at:
            cofactors = np.linalg.inv(linear).transpose(0, 2, 1)
            nrm = apply(cofactors, self.accessor(at["NORMAL"]).astype("f8"))
            nrm /= np.maximum(np.linalg.norm(nrm, axis=1, keepdims=True), 1e-20)
        if len(matrix) == 1 and np.linalg.det(linear[0]) < 0:
            idx = idx[:, ::-1].copy()
        sets = [f"TEXCOORD_{number}" for number in (0, 1)]
        uv = [self.accessor(at[name]).astype("f4") if name in at else None for name in sets]
        world = (apply(linear, pos) + matrix[:, :3, 3]).astype("f4")
        normals = None if nrm is None else nrm.astype("f4")
        self.prims.append(Prim(world, normals, uv, idx, prim.get("material")))

    # Materials.

    def image(self, info: Json | None) -> Array | None:
        """The picture of a textureInfo, [height][width][4], undecoded values 0..=1."""
        if info is None:
            return None
        from PIL import Image

        texture = self.json["textures"][info["index"]]
        webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
        image = self.json["images"][texture.get("source", webp.get("source"))]
        if "bufferView" in image:
            data = self._view(image["bufferView"])[0]
        else:
            data = self._data(image["uri"])
        pixels = Image.open(io.BytesIO(bytes(data))).convert("RGBA")
        return np.asarray(pixels, dtype="f4") / 255

    def material(self, index: int | None) -> Material:
        """A material's parameters; glTF's default material for none."""
        source = self.json["materials"][index] if index is not None else {}
        pbr, ext = source.get("pbrMetallicRoughness", {}), source.get("extensions", {})
        factor = pbr.get("baseColorFactor", [1, 1, 1, 1])
        base = self.image(pbr.get("baseColorTexture"))
        surface = self.image(pbr.get("metallicRoughnessTexture"))
        normal = self.image(source.get("normalTexture"))
        metal, rough = pbr.get("metallicFactor", 1.0), pbr.get("roughnessFactor", 1.0)
        emit, emit_tex = self._emission(source, ext)
        coat = ext.get("KHR_materials_clearcoat", {})
        return Material(
            base=[float(one) for one in factor[:3]],
            base_tex=None if base is None else linear(base[..., :3]) * np.array(factor[:3], "f4"),
            metal=float(metal),
            rough=float(rough),
            mr_tex=None if surface is None else (surface[..., 2] * metal, surface[..., 1] * rough),
            normal_tex=None if normal is None else normal[..., :3],
            emit=emit,
            emit_tex=emit_tex,
            opacity_tex=opacity(source, base, factor[3]),
            trans=float(ext.get("KHR_materials_transmission", {}).get("transmissionFactor", 0)),
            ior=float(ext.get("KHR_materials_ior", {}).get("ior", 1.5)),
            coat=float(coat.get("clearcoatFactor", 0)),
            coat_rough=float(coat.get("clearcoatRoughnessFactor", 0)),
        )

    def _emission(self, source: Json, ext: Json) -> tuple[list[float], Array | None]:
        strength = ext.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1.0)
        factor = np.array(source.get("emissiveFactor", [0, 0, 0]), "f4") * strength
        image = self.image(source.get("emissiveTexture")) if factor.any() else None
        texture = None if image is None else linear(image[..., :3]) * factor
        return [float(one) for one in factor], texture

    @cached_property
    def has_skins(self) -> bool:
        """Whether any mesh is bent by bones."""
        return bool(self.json.get("skins"))


def apply(matrices: Array, vectors: Array) -> Array:
    """One 3×3 matrix for all vectors, or one for each."""
    if len(matrices) == 1:
        return vectors @ matrices[0].T
    return np.einsum("vab,vb->va", matrices, vectors)


def local_matrix(node: Json) -> Array:
    """The node's own transform, 4×4."""
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", [0, 0, 0, 1]), float)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    out = np.eye(4)
    out[:3, :3] = turn * node.get("scale", [1, 1, 1])
    out[:3, 3] = node.get("translation", [0, 0, 0])
    return out


def lamp_of(light: Json, world: Array) -> Lamp:
    """A light of KHR_lights_punctual where its node stands; it shines along the node's -z."""
    axis = -world[:3, 2] / np.linalg.norm(world[:3, 2])
    color = np.array(light.get("color", [1, 1, 1]), float) * light.get("intensity", 1.0)
    spot = light.get("spot", {})
    return Lamp(
        kind=light["type"],
        intensity=[float(one) for one in color],
        position=[float(one) for one in world[:3, 3]],
        axis=[float(one) for one in axis],
        inner=spot.get("innerConeAngle", 0.0),
        outer=spot.get("outerConeAngle", math.pi / 4),
        range_m=light.get("range"),
    )


def linear(srgb: Array) -> Array:
    """Linear values of sRGB ones."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype("f4")


def opacity(source: Json, base: Array | None, factor: float) -> Array | None:
    """The alpha picture of a material that is not opaque; a mask is cut already."""
    mode = source.get("alphaMode", "OPAQUE")
    if mode == "OPAQUE" or (base is None and factor == 1.0):
        return None
    alpha = np.full((1, 1), factor, "f4") if base is None else base[..., 3] * factor
    if mode == "MASK":
        return (alpha >= source.get("alphaCutoff", 0.5)).astype("f4")
    return alpha.astype("f4")
