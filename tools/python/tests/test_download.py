"""Names of pictures, and bytes that go on, by a door that is played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tessera
from door import job_json, problem_json
from performing import LOST, Opened, Performed, Said, answer, perform
from tessera._core import download
from tessera._core.effects import Answer, Request
from tessera._core.read import Fields
from tessera._core.retry import Retry
from tessera.errors import ConnectionLost
from tessera.types import Overwrite

POLICY = Retry(attempts=3, first_s=1.0, most_s=1.0)
REQUEST = Request("GET", "/v1/jobs/job_1/frames/0/image.exr")


def frame(number: int, camera: int = 0, name: str | None = None) -> tessera.Frame:
    names = ("waiting", "rendering", "retrying", "received", "accepted")
    told = {"frame": number, "camera": camera, "camera_name": name, "complete": True}
    return tessera.Frame.read(Fields({**told, "tiles": dict.fromkeys(names, 0)}, "frame"))


def named(pattern: str, *frames: tessera.Frame, **job: Any) -> list[str]:
    facts = tessera.JobFacts.read(Fields(job_json(**job), "job"))
    found = download.pictures(facts, frames, Path("out"), pattern, "exr")
    return [picture.path.as_posix() for picture in found]


def test_pictures_have_the_names_of_their_pattern() -> None:
    two = {"cameras": ["hero", None]}
    assert named(download.PATTERN, frame(7), frame(7, 1), **two) == [
        "out/job_1/shot_010/hero/0007.exr",
        "out/job_1/shot_010/camera1/0007.exr",
    ]
    assert named("{name}.{frame}", frame(12)) == ["out/shot_010.12.exr"]
    assert named("{camera}-{camera_index}", frame(0, 0, "told")) == ["out/told-0.exr"]
    assert named("still", frame(0)) == ["out/still.exr"]


def test_names_lead_nowhere_else() -> None:
    def check(name: str, expected: str) -> None:
        assert named("{name}/x", frame(0), name=name) == [f"out/{expected}/x.exr"]

    check("../../etc", ".._.._etc")
    check("..", "_")
    check("a/b\\c:d\n", "a_b_c_d_")
    check("", "_")
    check(" . ", "_")
    check("x" * 500, "x" * 120)
    for pattern in ("/etc/{frame}", "../{frame}", "a/../../{frame}"):
        with pytest.raises(ValueError, match="inside the folder"):
            named(pattern, frame(0))


def test_patterns_that_cannot_be_are_refused() -> None:
    for pattern in ("{nam}", "{", "{name!r:", "{frame:x?}", "{job.id}", "{0}", "{}"):
        with pytest.raises(ValueError, match="no pattern"):
            named(pattern, frame(0))
    with pytest.raises(ValueError, match=r"frame 1 of camera 0 and frame 2 of camera 0 would be"):
        named("{name}", frame(1), frame(2))
    with pytest.raises(ValueError, match=r"put \{frame\} and \{camera_index\} into"):
        named("{camera}/{frame}", frame(1, 0, "a"), frame(1, 1, "a"))


# Bytes.


def whole(*pieces: bytes | ConnectionLost, etag: str | None = '"1"', length: int = 7) -> Opened:
    headers = {"content-length": str(length), **({"etag": etag} if etag else {})}
    return Opened(Answer(200, headers), pieces)


def rest(content: bytes, begin: int) -> Opened:
    told = f"bytes {begin}-{begin + len(content) - 1}/7"
    return Opened(Answer(206, {"content-range": told, "etag": '"1"'}), (content,))


def fetch(path: Path, said: list[Said], overwrite: Overwrite = "refuse") -> Performed:
    return perform(download.one(REQUEST, path, overwrite, POLICY), said)


def ranges(done: Performed) -> list[tuple[str | None, str | None]]:
    return [(it.headers.get("Range"), it.headers.get("If-Range")) for it in done.asked]


def test_a_picture_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "0001.exr"
    done = fetch(path, [whole(b"picture")])
    assert done.error is None and path.read_bytes() == b"picture"
    assert [it.name for it in path.parent.iterdir()] == ["0001.exr"]
    assert done.asked[0].headers["Accept-Encoding"] == "identity"


def test_a_cut_goes_on_from_there(tmp_path: Path) -> None:
    path = tmp_path / "p.exr"
    done = fetch(path, [whole(b"p", b"ic", LOST), rest(b"ture", 3)])
    assert path.read_bytes() == b"picture"
    assert ranges(done) == [(None, None), ("bytes=3-", '"1"')]
    # A body that ends too soon is a cut as well.
    path.unlink()
    fetch(path, [whole(b"pic"), rest(b"ture", 3)])
    assert path.read_bytes() == b"picture"


def test_a_later_call_goes_on_too(tmp_path: Path) -> None:
    path = tmp_path / "p.exr"
    done = fetch(path, [whole(b"pic", LOST), LOST, LOST, LOST])
    assert done.error is LOST and not path.exists()
    assert (tmp_path / "p.exr.part").read_bytes() == b"pic"
    done = fetch(path, [rest(b"ture", 3)])
    assert path.read_bytes() == b"picture" and ranges(done) == [("bytes=3-", '"1"')]
    assert [it.name for it in tmp_path.iterdir()] == ["p.exr"]


def test_another_picture_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "p.exr"
    done = fetch(path, [whole(b"pic", LOST), whole(b"other", etag='"2"', length=5)])
    assert path.read_bytes() == b"other" and done.error is None
    # Without a strong tag nobody knows what the bytes are of.
    for etag in (None, 'W/"1"'):
        path.unlink()
        done = fetch(path, [whole(b"pic", LOST, etag=etag), whole(b"picture", etag=etag)])
        assert path.read_bytes() == b"picture" and ranges(done)[1] == (None, None)


def test_a_part_without_a_tag_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "p.exr.part").write_bytes(b"junk")
    done = fetch(tmp_path / "p.exr", [whole(b"picture")])
    assert (tmp_path / "p.exr").read_bytes() == b"picture" and ranges(done) == [(None, None)]


@pytest.mark.parametrize("told", ["bytes */7", "bytes */9", None])
def test_a_range_beyond_the_end_is_looked_into(tmp_path: Path, told: str | None) -> None:
    (tmp_path / "p.exr.part").write_bytes(b"picture")
    (tmp_path / "p.exr.part.etag").write_text('"1"')
    beyond = answer(416, {}, **({"content_range": told} if told else {}))
    done = fetch(tmp_path / "p.exr", [beyond, whole(b"PICTURE")])
    expected = b"picture" if told == "bytes */7" else b"PICTURE"
    assert (tmp_path / "p.exr").read_bytes() == expected and done.error is None


def test_a_range_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.exr.part").write_bytes(b"pic")
    (tmp_path / "p.exr.part.etag").write_text('"1"')
    done = fetch(tmp_path / "p.exr", [rest(b"icture", 1)])
    assert isinstance(done.error, tessera.UnexpectedAnswer)


def test_what_was_packed_on_the_way_is_taken_as_it_unpacks(tmp_path: Path) -> None:
    headers = {"content-length": "3", "etag": '"1"', "content-encoding": "gzip"}
    done = fetch(tmp_path / "p.exr", [Opened(Answer(200, headers), (b"picture",))])
    assert done.error is None and (tmp_path / "p.exr").read_bytes() == b"picture"


def test_a_file_that_has_come_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.exr"
    path.write_bytes(b"mine")
    kept: tuple[Overwrite, ...] = ("refuse", "skip")
    for overwrite in kept:
        done = fetch(path, [whole(b"picture")], overwrite)
        assert isinstance(done.error, tessera.OutputExists) and path.read_bytes() == b"mine"
        assert isinstance(done.error, FileExistsError) and str(path) in str(done.error)
    fetch(path, [whole(b"picture")], "replace")
    assert path.read_bytes() == b"picture"


def test_refusals_are_told_and_leave_the_part(tmp_path: Path) -> None:
    (tmp_path / "p.exr.part").write_bytes(b"pic")
    (tmp_path / "p.exr.part.etag").write_text('"1"')
    done = fetch(tmp_path / "p.exr", [answer(404, problem_json("not-found", 404))])
    assert isinstance(done.error, tessera.NotFound)
    assert (tmp_path / "p.exr.part").read_bytes() == b"pic"
