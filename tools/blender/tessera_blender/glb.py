# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary glTF: the document of a file, and its bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

MAGIC, VERSION = 0x46546C67, 2
JSON, BIN = 0x4E4F534A, 0x004E4942
FLOAT = 5126


class NotGlb(ValueError):
    """A file that is no binary glTF 2.0."""


@dataclass
class Glb:
    """A document, and the bytes of its first buffer."""

    document: Json
    bytes: bytearray

    def add_floats(self, rows: Sequence[Sequence[float]], kind: str) -> int:
        """Adds numbers, a row an element; the index of their accessor."""
        flat = [value for row in rows for value in row]
        self.bytes += b"\0" * (-len(self.bytes) % 4)
        views = self.document.setdefault("bufferViews", [])
        views.append({"buffer": 0, "byteOffset": len(self.bytes), "byteLength": 4 * len(flat)})
        self.bytes += struct.pack(f"<{len(flat)}f", *flat)
        buffers = self.document.setdefault("buffers", [{}])
        buffers[0]["byteLength"] = len(self.bytes)
        accessor = {
            "bufferView": len(views) - 1, "componentType": FLOAT, "count": len(rows), "type": kind,
        }
        if kind == "SCALAR":
            accessor |= {"min": [min(flat)], "max": [max(flat)]}
        accessors = self.document.setdefault("accessors", [])
        accessors.append(accessor)
        return len(accessors) - 1


def read(path: Path) -> Glb:
    """Reads a file."""
    told = path.read_bytes()
    if len(told) < 20 or struct.unpack_from("<II", told) != (MAGIC, VERSION):
        raise NotGlb(f"the exporter wrote no binary glTF 2.0: {path}")
    length, kind = struct.unpack_from("<II", told, 12)
    if kind != JSON:
        raise NotGlb(f"the exporter's file does not begin with its document: {path}")
    document = json.loads(told[20:20 + length])
    rest = told[20 + length:]
    if not rest:
        return Glb(document, bytearray())
    length, kind = struct.unpack_from("<II", rest)
    if kind != BIN:
        raise NotGlb(f"the exporter's file has bytes of a kind we do not know: {path}")
    return Glb(document, bytearray(rest[8:8 + length]))


def write(path: Path, file: Glb) -> None:
    """Writes a file."""
    text = json.dumps(file.document, separators=(",", ":"), allow_nan=False).encode()
    chunks = [(JSON, text + b" " * (-len(text) % 4))]
    if file.bytes:
        chunks.append((BIN, bytes(file.bytes) + b"\0" * (-len(file.bytes) % 4)))
    body = b"".join(struct.pack("<II", len(data), kind) + data for kind, data in chunks)
    path.write_bytes(struct.pack("<III", MAGIC, VERSION, 12 + len(body)) + body)
