# SPDX-License-Identifier: GPL-3.0-or-later
"""The windows of an EXR file.

Of a cropped picture Tessera's file keeps the place in the whole frame, which for a shifted lens is
larger than what Blender would have; so the display window is set to what Blender would have.
"""

from __future__ import annotations

import struct
from pathlib import Path

from .frame import Rect

MAGIC, MULTIPART = 20000630, 0x1000
HEADER_MAX = 1 << 20


class NotExr(ValueError):
    """A file that is no EXR of one part, or is damaged."""


def windows(path: Path) -> dict[str, Rect]:
    """`dataWindow` and `displayWindow`, as left, top, width and height."""
    with path.open("rb") as file:
        head = file.read(HEADER_MAX)
    found = {}
    for name, place in _boxes(head, path).items():
        left, top, right, bottom = struct.unpack_from("<4i", head, place)
        found[name] = (left, top, right - left + 1, bottom - top + 1)
    return found


def show(path: Path, window: Rect) -> None:
    """Sets the display window; no pixel is touched."""
    with path.open("r+b") as file:
        place = _boxes(file.read(HEADER_MAX), path)["displayWindow"]
        left, top, width, height = window
        file.seek(place)
        file.write(struct.pack("<4i", left, top, left + width - 1, top + height - 1))


def _boxes(head: bytes, path: Path) -> dict[str, int]:
    """Where the values of the two windows are."""
    if len(head) < 8 or struct.unpack_from("<I", head)[0] != MAGIC:
        raise NotExr(f"this is no EXR file: {path}")
    if struct.unpack_from("<I", head, 4)[0] & MULTIPART:
        raise NotExr(f"this EXR file has several parts: {path}")
    found: dict[str, int] = {}
    at = 8
    while at < len(head) and head[at]:
        name, at = _word(head, at, path)
        kind, at = _word(head, at, path)
        if at + 4 > len(head):
            break
        size = struct.unpack_from("<i", head, at)[0]
        if kind == "box2i" and size == 16 and at + 20 <= len(head):
            found[name] = at + 4
        if size < 0:
            break
        at += 4 + size
    if not {"dataWindow", "displayWindow"} <= found.keys():
        raise NotExr(f"the header of this EXR file is damaged: {path}")
    return found


def _word(head: bytes, at: int, path: Path) -> tuple[str, int]:
    end = head.find(b"\0", at, at + 256)
    if end < 0:
        raise NotExr(f"the header of this EXR file is damaged: {path}")
    return head[at:end].decode("latin-1"), end + 1
