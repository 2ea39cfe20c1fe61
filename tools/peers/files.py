"""Files that the peers exchange: EXR pictures, PLY meshes, generated .glb scenes."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from gltf import Array, Prim


def write_exr(path: str, image: Array) -> None:
    """Writes [height][width][3] scene-linear RGB as 32-bit floats."""
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    pixels = np.ascontiguousarray(image[..., :3], dtype="f4")
    OpenEXR.File(header, {"RGB": pixels}).write(path)


def read_exr(path: str) -> Array:
    """[height][width][3] of scene-linear RGB."""
    import OpenEXR

    with OpenEXR.File(path) as file:
        channels = file.channels()
        for name in ("RGB", "RGBA"):
            if name in channels:
                return channels[name].pixels[..., :3].astype("f4")
        return np.stack([channels[name].pixels for name in "RGB"], -1).astype("f4")


def write_png(path: str, image: Array, exposure_ev: float = 0.0) -> None:
    """Writes a picture to look at: clipped sRGB."""
    from PIL import Image

    light = np.clip(image * 2.0**exposure_ev, 0, 1)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    Image.fromarray((coded * 255 + 0.5).astype("u1")).save(path)


def write_ply(path: str, prim: Prim) -> str:
    """Writes a mesh with its normals and first texture coordinates; gives the path back."""
    columns = {"xyz": prim.pos}
    if prim.nrm is not None:
        columns["nx ny nz"] = prim.nrm
    if prim.uv[0] is not None:
        columns["st"] = prim.uv[0]
    names = [name for group in columns for name in (group.split() if " " in group else group)]
    vertices = np.concatenate(list(columns.values()), axis=1).astype("<f4")
    faces = np.zeros(len(prim.idx), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, prim.idx
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {name}" for name in names]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    with open(path, "wb") as file:
        file.write(("\n".join(header) + "\n").encode())
        file.write(np.ascontiguousarray(vertices).tobytes())
        file.write(faces.tobytes())
    return path


def write_glb(path: str, positions: Array, normals: Array, indices: Array, more: dict[str, Any],
              nodes: list[dict[str, Any]]) -> None:
    """Writes one gray mesh, shown by node 0, with `nodes` after it and `more` of glTF's JSON."""
    parts = [positions.astype("<f4"), normals.astype("<f4"), indices.astype("<u4").reshape(-1, 1)]
    views, accessors, start = [], [], 0
    for number, part in enumerate(parts):
        size = part.nbytes
        views.append({"buffer": 0, "byteOffset": start, "byteLength": size})
        kind = {"componentType": 5126, "type": "VEC3"} if number < 2 else \
            {"componentType": 5125, "type": "SCALAR"}
        accessors.append({"bufferView": number, "count": len(part), **kind})
        start += size
    accessors[0] |= {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    data = b"".join(part.tobytes() for part in parts)
    surface = {"baseColorFactor": [0.8, 0.8, 0.8, 1], "metallicFactor": 0, "roughnessFactor": 1}
    mesh = {"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0}
    document = {
        "asset": {"version": "2.0", "generator": "Tessera's peers"},
        "scene": 0,
        "scenes": [{"nodes": list(range(1 + len(nodes)))}],
        "nodes": [{"mesh": 0}, *nodes],
        "meshes": [{"primitives": [mesh]}],
        "materials": [{"pbrMetallicRoughness": surface, "doubleSided": True}],
        "buffers": [{"byteLength": len(data)}],
        "bufferViews": views,
        "accessors": accessors,
        **more,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(data), 0x004E4942) + data
    with open(path, "wb") as file:
        file.write(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
