"""Which files a scene on this disk needs, and under which names they are sent.

A `.glb`, or a `.gltf` with its buffers, images and environment. Names are as the farm's importer
reads URIs: relative, percent-decoded, `/` between folders, never outside the scene's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from ..errors import MissingFiles, SceneFileError

_GLB_HEADER = struct.Struct("<4sII")
_GLB_CHUNK = struct.Struct("<I4s")
# What the importer takes of a scene's JSON; more is no scene that a person made.
_JSON_BYTES_MAX = 1 << 30
_HASH_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file as it is sent: `head`, and what follows byte `skip_bytes` of the file on disk.

    A scene that names files outside of its folder is sent with a head of its own.
    """

    name: str
    path: Path
    size_bytes: int
    head: bytes = b""
    skip_bytes: int = 0

    def pieces(self, begin: int = 0) -> Iterator[bytes]:
        """The bytes from there on."""
        while begin < self.size_bytes:
            piece = self.read(begin, _HASH_PIECE_BYTES)
            yield piece
            begin += len(piece)

    def read(self, begin: int, size_bytes: int) -> bytes:
        """So many bytes from there on, fewer at the end only.

        Raises `SceneFileError` where the file has become shorter, or cannot be read.
        """
        size_bytes = min(size_bytes, self.size_bytes - begin)
        head = self.head[begin : begin + size_bytes]
        if len(head) == size_bytes:
            return head
        rest_begin = max(0, begin - len(self.head))
        wanted = size_bytes - len(head)
        try:
            with self.path.open("rb") as file:
                file.seek(self.skip_bytes + rest_begin)
                rest = file.read(wanted)
        except OSError as error:
            raise SceneFileError(f"cannot be read ({error.strerror})", path=self.path) from error
        if len(rest) != wanted:
            raise changed(self)
        return head + rest

    def sha256(self) -> str:
        """SHA-256 of what is sent, hexadecimal."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class SceneFiles:
    """A scene's files: the root first, and the import's options with the environment's name."""

    root: str
    sources: tuple[Source, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def changed(source: Source) -> SceneFileError:
    """The error of a file that was written while it was sent."""
    return SceneFileError("it changed while it was being sent; send it again", path=source.path)


def collect(
    path: Path, *, options: Mapping[str, Any] | None = None, allow_outside: bool = False
) -> SceneFiles:
    """Finds all files of a scene.

    Raises `MissingFiles` with all that are not there, and `SceneFileError` for what cannot be
    sent.
    """
    return _Collection(path, dict(options or {}), allow_outside).collect()


class _Collection:
    def __init__(self, path: Path, options: dict[str, Any], allow_outside: bool) -> None:
        self.path = path
        self.folder = path.parent
        self.options = options
        self.allow_outside = allow_outside
        self.sources: dict[str, Source] = {}
        self.missing: list[str] = []
        # New URIs of what lies outside, by the old ones.
        self.moved: dict[str, str] = {}

    def collect(self) -> SceneFiles:
        if not self.path.is_file():
            raise SceneFileError("there is no such scene file", path=self.path)
        text, skip_bytes = _document(self.path)
        document = _parse(text, self.path)
        for uri, needed in _uris(document, self.options):
            self._add(uri, needed=needed)
        self._add_environment()
        if self.missing:
            raise MissingFiles.here(self.path, self.missing)
        name = self.path.name
        if name in self.sources:
            raise SceneFileError("the scene names itself as a buffer or image", path=self.path)
        root = self._root(document, text, skip_bytes)
        return SceneFiles(name, (root, *self.sources.values()), self.options)

    def _add(self, uri: str, *, needed: bool) -> None:
        try:
            name = relative_name(uri)
        except _OutsideError:
            self._add_outside(uri, needed=needed)
            return
        except ValueError as error:
            # The importer shows such an image in magenta, and asks for no file.
            if not needed:
                return
            raise SceneFileError(f"it names {uri[:80]!r}, {error}", path=self.path) from error
        if name in self.sources:
            return
        file = self.folder / name
        if not file.is_file():
            if needed:
                self.missing.append(name)
            return
        if not self.allow_outside and not _is_inside(file, self.folder):
            message = f"a link of the scene leads out of its folder: {name}; {_ALLOW}"
            raise SceneFileError(message, path=self.path)
        self.sources[name] = _source(name, file)

    def _add_outside(self, uri: str, *, needed: bool) -> None:
        """Takes a file from outside under a name inside, or does without."""
        if not self.allow_outside:
            if not needed:
                return
            message = f"it names a file outside of its folder, {uri[:80]!r}; {_ALLOW}"
            raise SceneFileError(message, path=self.path)
        file = self.folder / _decoded(uri)
        if not file.is_file():
            if needed:
                self.missing.append(_decoded(uri))
            return
        self.moved[uri] = self._take_in(file)

    def _take_in(self, file: Path) -> str:
        """Adds a file from outside; the name that it is sent under."""
        file = file.resolve()
        # Files from different folders stay apart, and those whose names are alike when cleaned.
        where = hashlib.sha256(os.fsencode(file)).hexdigest()[:12]
        # The name goes into a URI as it is.
        kept = "".join(c if (c.isalnum() and c.isascii()) or c in "-_." else "_" for c in file.name)
        name = f"outside/{where}/{kept}"
        self.sources[name] = _source(name, file)
        return name

    def _add_environment(self) -> None:
        around = self.options.get("environment")
        if not around:
            return
        # Whoever names a file in code means that file, wherever it lies.
        file = self.folder / around["file"]
        if not file.is_file():
            self.missing.append(str(around["file"]))
            return
        told = Path(around["file"])
        if told.is_absolute() or ".." in told.parts:
            name = self._take_in(file)
        else:
            name = told.as_posix()
            self.sources.setdefault(name, _source(name, file))
        self.options["environment"] = {**around, "file": name}

    def _root(self, document: Any, text: bytes, skip_bytes: int) -> Source:
        if not self.moved:
            return _source(self.path.name, self.path)
        _rename(document, self.moved)
        head = json.dumps(document, separators=(",", ":")).encode()
        size = self.path.stat().st_size
        if skip_bytes == len(text) == size:
            return Source(self.path.name, self.path, len(head), head, size)
        # A chunk is a multiple of four bytes long, filled with blanks.
        head += b" " * (-len(head) % 4)
        rest = size - skip_bytes
        total = _GLB_HEADER.size + _GLB_CHUNK.size + len(head) + rest
        head = _GLB_HEADER.pack(b"glTF", 2, total) + _GLB_CHUNK.pack(len(head), b"JSON") + head
        return Source(self.path.name, self.path, len(head) + rest, head, skip_bytes)


_ALLOW = "say allow_outside=True if it may be sent"


class _OutsideError(ValueError):
    """A path that leads out of the folder."""


def relative_name(uri: str) -> str:
    """The name that a relative URI means, as the importer reads it.

    Raises `ValueError` for anything else, `_OutsideError` where it leads out of the folder.
    """
    text = _decoded(uri)
    if ":" in text.split("/")[0]:
        raise ValueError("which is no file beside it; only relative paths are sent")
    if not text or any(bad in text for bad in "\\\0:"):
        raise ValueError("which is no valid path")
    if text.startswith("/"):
        raise _OutsideError("which is outside of its folder")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _OutsideError("which is outside of its folder")
    if not parts:
        raise ValueError("which is no valid path")
    return "/".join(parts)


def _decoded(uri: str) -> str:
    # `unquote` bears what is no valid escape, which the importer refuses.
    for place in (place for place, letter in enumerate(uri) if letter == "%"):
        try:
            bytes.fromhex(uri[place + 1 : place + 3].ljust(2, "?"))
        except ValueError:
            raise ValueError("which is no valid path") from None
    try:
        return unquote_to_bytes(uri).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("which is no valid path") from None


def _document(path: Path) -> tuple[bytes, int]:
    """A scene's JSON, and the place in the file where it ends."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_GLB_HEADER.size + _GLB_CHUNK.size)
            if start[:4] != b"glTF":
                if size > _JSON_BYTES_MAX:
                    raise SceneFileError(f"{size} bytes are no glTF file", path=path)
                return start + file.read(), size
            if len(start) < _GLB_HEADER.size + _GLB_CHUNK.size:
                raise SceneFileError("it ends in its header; write it again", path=path)
            _magic, version, _total = _GLB_HEADER.unpack_from(start)
            length, kind = _GLB_CHUNK.unpack_from(start, _GLB_HEADER.size)
            if version != 2 or kind != b"JSON" or length > min(size, _JSON_BYTES_MAX):
                message = f"glTF 2.0 is needed, this is of version {version} or damaged"
                raise SceneFileError(message, path=path)
            text = file.read(length)
    except OSError as error:
        raise SceneFileError(f"cannot be read ({error.strerror})", path=path) from error
    if len(text) != length:
        raise SceneFileError("it ends in its JSON; write it again", path=path)
    return text, _GLB_HEADER.size + _GLB_CHUNK.size + length


def _parse(text: bytes, path: Path) -> Any:
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("asset"), dict):
        message = "it is no glTF file, which is all that a farm reads; export it as glTF 2.0"
        raise SceneFileError(message, path=path)
    return document


def _uris(document: Any, options: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """URIs of files, and whether the scene cannot do without."""
    bears_missing = options.get("missing_textures") == "magenta"
    used = _used_images(document)
    for index, image in enumerate(_objects(document.get("images"))):
        yield from _uri(image, needed=index in used and not bears_missing)
    for buffer in _objects(document.get("buffers")):
        # What stands in for compressed data is read by nobody who can unpack it.
        yield from _uri(buffer, needed=not _is_stand_in(buffer))
    for scene in _objects(document.get("scenes")):
        around = _inner(scene, "extras", "tessera", "environment")
        file = around.get("file")
        if isinstance(file, str) and not file.startswith("data:"):
            # Another one that the caller brings stands in for it.
            yield file, not options.get("environment")


def _uri(owner: dict[str, Any], *, needed: bool) -> Iterator[tuple[str, bool]]:
    uri = owner.get("uri")
    if isinstance(uri, str) and not uri.startswith("data:"):
        yield uri, needed


def _used_images(document: Any) -> set[int]:
    used = set[int]()
    for texture in _objects(document.get("textures")):
        extensions = texture.get("extensions")
        inner = extensions.values() if isinstance(extensions, dict) else ()
        for owner in (texture, *inner):
            source = owner.get("source") if isinstance(owner, dict) else None
            if isinstance(source, int):
                used.add(source)
    return used


def _is_stand_in(buffer: dict[str, Any]) -> bool:
    names = ("EXT_meshopt_compression", "KHR_meshopt_compression")
    return any(_inner(buffer, "extensions", name).get("fallback") is True for name in names)


def _inner(owner: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        found = owner.get(name)
        owner = found if isinstance(found, dict) else {}
    return owner


def _objects(told: Any) -> list[dict[str, Any]]:
    # What is something else keeps its place, so that indices stay right.
    return (
        [item if isinstance(item, dict) else {} for item in told] if isinstance(told, list) else []
    )


def _rename(document: Any, moved: Mapping[str, str]) -> None:
    for owner in (*_objects(document.get("images")), *_objects(document.get("buffers"))):
        if owner.get("uri") in moved:
            owner["uri"] = moved[owner["uri"]]
    for scene in _objects(document.get("scenes")):
        around = _inner(scene, "extras", "tessera", "environment")
        if around.get("file") in moved:
            around["file"] = moved[around["file"]]


def _source(name: str, path: Path) -> Source:
    try:
        return Source(name, path, path.stat().st_size)
    except OSError as error:
        raise SceneFileError(f"cannot be read ({error.strerror})", path=path) from error


def _is_inside(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())
