"""Which pieces of a file are sent, by a door that is played."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import tessera
from door import problem_json
from performing import LOST, Performed, Said, answer, perform
from scenes import file
from tessera._core import upload
from tessera._core.effects import Request
from tessera._core.retry import Retry
from tessera._core.scenefile import SceneFiles, Source

POLICY = Retry(attempts=3, first_s=1.0, most_s=1.0)
CONTENT = bytes(range(100))


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PIECE_BYTES", 40)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source("a.bin", file(tmp_path / "a.bin", CONTENT), len(CONTENT))


def state(received: int, *, status: int = 200, size: int = 100) -> Said:
    complete = received == size and status != 202
    return answer(status, {"received_bytes": received, "complete": complete})


NOTHING = answer(404, problem_json("not-found", 404))
UNDER_WAY = answer(409, problem_json("request-under-way", 409, retryable=True), retry_after="1")


def at(received: int) -> Said:
    return answer(409, problem_json("upload-offset", 409, received_bytes=received))


def check(source: Source, said: list[Said], sent: list[tuple[int, int]]) -> Performed:
    """What is said, and which pieces are sent: their offsets and sizes."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    noted: list[int] = []
    done = perform(upload.file(source, sha256, POLICY, noted.append), said)
    puts = [request for request in done.asked if request.method == "PUT"]
    assert [_piece(request) for request in puts] == sent
    for request in done.asked:
        assert request.path == f"/v1/files/{sha256}"
    if done.error is None:
        assert noted[-1] == 100
    return done


def _piece(request: Request) -> tuple[int, int]:
    offset, content = int(request.headers["Upload-Offset"]), request.content or b""
    assert request.headers["Upload-Length"] == "100"
    assert content == CONTENT[offset : offset + len(content)]
    return offset, len(content)


def test_a_file_goes_in_pieces(source: Source) -> None:
    said = [NOTHING, state(40, status=202), state(80, status=202), state(100, status=201)]
    check(source, said, [(0, 40), (40, 40), (80, 20)])


def test_what_is_there_is_not_sent(source: Source) -> None:
    check(source, [state(100)], [])
    check(source, [state(70), state(100, status=201)], [(70, 30)])
    # Somebody else was faster.
    check(source, [NOTHING, state(100)], [(0, 40)])


def test_what_was_cut_goes_on_where_the_door_says(source: Source) -> None:
    said: list[Said] = [NOTHING, LOST, state(13), state(53, status=202), state(93, status=202)]
    check(source, [*said, state(100, status=201)], [(0, 40), (13, 40), (53, 40), (93, 7)])
    # Nothing of it arrived.
    said = [NOTHING, LOST, NOTHING, state(40, status=202), LOST, state(100)]
    check(source, said, [(0, 40), (0, 40), (40, 40)])


def test_another_offset_is_taken_from_the_door(source: Source) -> None:
    said = [NOTHING, at(60), state(60), state(100, status=201)]
    done = check(source, said, [(0, 40), (60, 40)])
    assert done.slept == [0.0]


def test_progress_gives_new_patience_and_none_ends(source: Source) -> None:
    said: list[Said] = [NOTHING]
    for received in (10, 20, 30, 40, 50):
        said += [LOST, state(received)]
    check(source, [*said, state(90, status=202), state(100, status=201)],
          [(0, 40), (10, 40), (20, 40), (30, 40), (40, 40), (50, 40), (90, 10)])  # fmt: skip
    done = check(source, [NOTHING, LOST, NOTHING, LOST, NOTHING, LOST], [(0, 40)] * 3)
    assert done.error is LOST
    done = check(source, [NOTHING, at(0), NOTHING, at(0), NOTHING, at(0)], [(0, 40)] * 3)
    assert isinstance(done.error, tessera.UploadOffset)


def test_a_file_that_is_under_way_is_waited_for(source: Source) -> None:
    # The door may take long to see that the line before has broken.
    said: list[Said] = [NOTHING, LOST, state(20), *[UNDER_WAY, state(20)] * 10]
    check(source, [*said, state(60, status=202), state(100, status=201)],
          [(0, 40), *[(20, 40)] * 11, (60, 40)])  # fmt: skip


def test_a_refusal_is_told(source: Source) -> None:
    refused = answer(422, problem_json("invalid", 422))
    done = check(source, [NOTHING, refused], [(0, 40)])
    assert isinstance(done.error, tessera.Invalid)


def test_an_empty_file_is_sent_once(tmp_path: Path) -> None:
    empty = Source("e", file(tmp_path / "e", b""), 0)
    done = perform(
        upload.file(empty, "0" * 64, POLICY, lambda _sent: None), [NOTHING, state(0, status=201)]
    )
    (_get, put) = done.asked
    assert put.content == b"" and put.headers["Upload-Length"] == "0"


def test_progress_counts_all_files(source: Source, tmp_path: Path) -> None:
    other = Source("b.bin", file(tmp_path / "b.bin", b"b" * 50), 50)
    seen: list[tessera.UploadProgress] = []
    scene = SceneFiles("a.bin", (source, other))
    said = [NOTHING, state(40, status=202), state(80, status=202), state(100, status=201)]
    done = perform(upload.files(scene, POLICY, seen.append), [*said, state(50, size=50)])
    assert done.result["b.bin"] == hashlib.sha256(b"b" * 50).hexdigest()
    told = [(it.path, it.sent_bytes) for it in seen]
    assert told == [("a.bin", 0), ("a.bin", 40), ("a.bin", 80), ("a.bin", 100), ("b.bin", 150)]
    assert seen[-1].share == 1.0 and {it.size_bytes for it in seen} == {150}
