"""Small scenes on disk."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

ASSET = {"version": "2.0"}


def gltf(path: Path, **document: Any) -> Path:
    """A `.gltf` of this document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"asset": ASSET, **document}))
    return path


def glb(path: Path, *, binary: bytes = b"\1\2\3\4", **document: Any) -> Path:
    """A `.glb` of this document, and of a binary chunk unless that is empty."""
    text = json.dumps({"asset": ASSET, **document}).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        binary += b"\0" * (-len(binary) % 4)
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


def file(path: Path, content: bytes = b"pixels") -> Path:
    """A file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def textured(*uris: str) -> dict[str, Any]:
    """What a document has that uses these images."""
    return {
        "images": [{"uri": uri} for uri in uris],
        "textures": [{"source": index} for index in range(len(uris))],
    }
