"""Fetching pictures: names for them, and bytes that go on where they were cut."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from ..errors import ConnectionLost, OutputExists, ProblemError, UnexpectedAnswer
from ..models import Frame, JobFacts
from ..types import Overwrite
from .effects import Answer, Plan, Request, open_stream, pull, shut, work
from .retry import Retry, Tries, raise_for, rest, wait_s

PATTERN = "{job}/{name}/{camera}/{frame:04}"
# A picture is put together before its first byte.
OPEN_TIMEOUT_S = 300.0

_BAD_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Picture:
    """A picture to be fetched, and where it goes."""

    frame: Frame
    path: Path


def pictures(
    job: JobFacts, frames: Sequence[Frame], folder: Path, pattern: str, extension: str
) -> list[Picture]:
    """Where each frame's picture goes.

    Raises `ValueError` for a pattern that is none, and where two pictures would be one file.
    """
    named = [Picture(frame, folder / _name(job, frame, pattern, extension)) for frame in frames]
    taken: dict[Path, Frame] = {}
    for picture in named:
        other = taken.setdefault(picture.path, picture.frame)
        if other is not picture.frame:
            both = f"frame {other.frame} of camera {other.camera} and frame {picture.frame.frame}"
            message = f"{both} of camera {picture.frame.camera} would be the same file"
            hint = "put {frame} and {camera_index} into the pattern"
            raise ValueError(f"{message}; {hint}: {picture.path}")
    return named


def _name(job: JobFacts, frame: Frame, pattern: str, extension: str) -> Path:
    camera = frame.camera_name
    if camera is None and frame.camera < len(job.cameras):
        camera = job.cameras[frame.camera]
    words: dict[str, object] = {
        "job": clean(job.id),
        "name": clean(job.name),
        "camera": clean(camera or f"camera{frame.camera}"),
        "camera_index": frame.camera,
        "frame": frame.frame,
    }
    try:
        # Only plain fields: `{job.__class__}` is for nobody.
        fields = [name for _text, name, _spec, _how in string.Formatter().parse(pattern)]
        if any(name is not None and name not in words for name in fields):
            raise KeyError(pattern)
        name = pattern.format_map(words)
    except (KeyError, ValueError, IndexError) as error:
        known = ", ".join(f"{{{word}}}" for word in words)
        raise ValueError(f"no pattern for names, which may have {known}: {pattern!r}") from error
    path = Path(f"{name}.{extension}")
    if path.is_absolute() or ".." in path.parts or not path.stem:
        raise ValueError(f"a pattern names files inside the folder: {pattern!r}")
    return path


def clean(name: str) -> str:
    """A name as part of a path: it cannot lead anywhere else."""
    cleaned = _BAD_IN_NAMES.sub("_", name).strip(" ").rstrip(".")
    return cleaned[:120] or "_"


def all_of(
    named: Sequence[Picture],
    request_of: Callable[[Frame], Request],
    overwrite: Overwrite,
    policy: Retry,
    on_picture: Callable[[Path], None] | None,
) -> Plan[list[Path]]:
    """Fetches pictures one after another; their paths."""
    there = yield from work(lambda: [picture.path for picture in named if picture.path.exists()])
    if there and overwrite == "refuse":
        raise OutputExists(there[0])
    for picture in named:
        if picture.path not in there or overwrite == "replace":
            yield from one(request_of(picture.frame), picture.path, overwrite, policy)
        if on_picture is not None:
            on_picture(picture.path)
    return [picture.path for picture in named]


def one(request: Request, path: Path, overwrite: Overwrite, policy: Retry) -> Plan[None]:
    """Fetches one file.

    Bytes go to `NAME.part`, beside which `NAME.part.etag` says what they are of, so that a later
    call goes on from there too; when all are there the file gets its name.
    """
    part = Part(path)
    yield from work(part.open)
    try:
        tries = Tries()
        while True:
            size_before = part.size_bytes
            try:
                yield from _go_on(request, part)
                break
            except (ConnectionLost, ProblemError) as error:
                if part.size_bytes > size_before:
                    tries = Tries()
                tries.failure_count += 1
                wait = wait_s(policy, request, error, tries)
                if wait is None:
                    raise
                failed = error
            yield from shut()
            tries.waited_s += wait
            yield from rest(wait, failed)
        yield from work(partial(part.finish, overwrite))
    finally:
        part.close()


def _go_on(request: Request, part: Part) -> Plan[None]:
    """Fetches what is missing, once."""
    # Bytes of what is packed on the way could not be gone on with.
    asked = request.with_headers(Accept_Encoding="identity")
    if part.size_bytes > 0 and part.etag is not None:
        asked = asked.with_headers(Range=f"bytes={part.size_bytes}-", If_Range=part.etag)
    answer = yield from open_stream(asked)
    if answer.status == 416 and "Range" in asked.headers:
        # All of it was there, or something else is now.
        yield from shut()
        if _range_size(answer) == part.size_bytes:
            return
        yield from work(partial(part.begin, None))
        yield from _go_on(request, part)
        return
    raise_for(answer)
    expected = yield from work(partial(part.take_head, answer))
    while True:
        chunk = yield from pull()
        if chunk is None:
            break
        yield from work(partial(part.write, chunk))
    yield from shut()
    if expected is not None and part.size_bytes != expected:
        lost = f"the picture ended after {part.size_bytes} of {expected} bytes"
        raise ConnectionLost(lost)


def _range_size(answer: Answer) -> int | None:
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    return int(match[3]) if match and match[3] != "*" else None


class Part:
    """A file that is not whole yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.etag")
        self.etag: str | None = None
        self.size_bytes = 0
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Makes its folder and goes on with what an earlier call has left."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.etag = self.note.read_text("ascii") or None
        except (OSError, ValueError):
            self.etag = None
        self._file = self.part.open("ab" if self.etag else "wb")
        self.size_bytes = self._file.seek(0, os.SEEK_END)

    def begin(self, etag: str | None) -> None:
        """Begins at the first byte, of what has this tag."""
        assert self._file is not None
        self.note.unlink(missing_ok=True)
        self._file.truncate(0)
        self._file.seek(0)
        self.size_bytes = 0
        self.etag = etag
        if etag is not None:
            self.note.write_text(etag, "ascii")

    def take_head(self, answer: Answer) -> int | None:
        """Gets ready for the bytes that follow; the file's whole size, where it is told."""
        if answer.status == 206:
            match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
            if match is None or match[1] is None or int(match[1]) != self.size_bytes:
                told = answer.headers.get("content-range")
                raise UnexpectedAnswer(
                    f"bytes from {self.size_bytes} on were asked for, not {told}"
                )
            return int(match[3]) if match[3] != "*" else None
        if answer.headers.get("content-encoding", "identity") != "identity":
            # Something on the way has packed it: neither places nor sizes are the file's.
            self.begin(None)
            return None
        etag = answer.headers.get("etag")
        # A weak tag says that pictures look the same, not that their bytes are.
        self.begin(etag if etag is not None and etag.startswith('"') and etag.isascii() else None)
        length = answer.headers.get("content-length")
        return int(length) if length is not None and length.isdigit() else None

    def write(self, chunk: bytes) -> None:
        """Takes further bytes."""
        assert self._file is not None
        self._file.write(chunk)
        self.size_bytes += len(chunk)

    def finish(self, overwrite: Overwrite) -> None:
        """Gives the file its name."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        if overwrite != "replace" and self.path.exists():
            raise OutputExists(self.path)
        self.part.replace(self.path)
        self.note.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the file; what is there of it stays."""
        if self._file is not None:
            self._file.close()
