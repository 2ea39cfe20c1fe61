"""Sending a scene's files: what is there is skipped, what was cut goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import ConnectionLost, NotFound, ProblemError, UploadOffset
from ..types import OnUpload, UploadProgress
from . import describe
from .effects import Answer, Plan, Request, send, work
from .read import Fields
from .retry import Retry, Tries, call, raise_for, rest, wait_s
from .scenefile import SceneFiles, Source

PIECE_BYTES = 8 << 20
# The door hashes all of a file before it answers to its last piece.
PUT_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class FileState:
    """How far a file has come."""

    received_bytes: int
    complete: bool

    @classmethod
    def read(cls, told: Any) -> FileState:
        """Reads it."""
        fields = Fields(told, "file")
        return cls(fields.count("received_bytes"), fields.flag("complete"))


def files(scene: SceneFiles, policy: Retry, on_upload: OnUpload | None) -> Plan[dict[str, str]]:
    """Sends a scene's files; their SHA-256 by their names."""
    size_bytes = sum(source.size_bytes for source in scene.sources)
    sent_before = 0
    hashes: dict[str, str] = {}

    def note(source: Source, before: int, received: int) -> None:
        if on_upload is not None:
            on_upload(UploadProgress(source.name, before + received, size_bytes))

    for source in scene.sources:
        sha256 = yield from work(source.sha256)
        yield from file(source, sha256, policy, partial(note, source, sent_before))
        hashes[source.name] = sha256
        sent_before += source.size_bytes
    return hashes


def file(source: Source, sha256: str, policy: Retry, note: Callable[[int], None]) -> Plan[None]:
    """Sends what the door lacks of one file."""
    path = describe.path("files", sha256)
    state = yield from _state(path, policy)
    tries = Tries()
    while not state.complete:
        note(state.received_bytes)
        piece = yield from work(partial(source.read, state.received_bytes, PIECE_BYTES))
        request = _put(path, piece, state.received_bytes, source.size_bytes)
        try:
            answer = yield from send(request)
            raise_for(answer)
            state = _state_after(answer, state.received_bytes + len(piece))
            tries = Tries()
            continue
        except (ConnectionLost, ProblemError) as error:
            tries.failure_count += 1
            wait = _wait_s(policy, request, error, tries)
            if wait is None:
                raise
            failed = error
        tries.waited_s += wait
        yield from rest(wait, failed)
        # What arrived before the line was lost counts, so the door knows where to go on.
        now = yield from _state(path, policy)
        if now.received_bytes > state.received_bytes:
            tries = Tries()
        state = now
    note(source.size_bytes)


def _wait_s(
    policy: Retry, request: Request, error: ConnectionLost | ProblemError, tries: Tries
) -> float | None:
    if isinstance(error, UploadOffset):
        # Somebody else sends the same file: the door says at once where it ends.
        return 0.0 if tries.failure_count < max(policy.attempts, 2) else None
    return wait_s(policy, request, error, tries)


def _put(path: str, piece: bytes, offset: int, size_bytes: int) -> Request:
    headers: Mapping[str, str] = {
        "Content-Type": "application/octet-stream",
        "Upload-Offset": str(offset),
        "Upload-Length": str(size_bytes),
    }
    return Request("PUT", path, headers=headers, content=piece, read_timeout_s=PUT_TIMEOUT_S)


def _state(path: str, policy: Retry) -> Plan[FileState]:
    try:
        answer = yield from call(Request("GET", path), policy)
    except NotFound:
        return FileState(0, False)
    return FileState.read(answer.json())


def _state_after(answer: Answer, sent: int) -> FileState:
    """How far a file is after a piece was taken: 202 asks for more, 201 does not."""
    if answer.status != 202:
        return FileState(sent, True)
    return FileState.read(answer.json()) if answer.body else FileState(sent, False)
