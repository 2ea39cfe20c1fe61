"""Both clients against a door in a thread, over lines that break."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tessera
from conftest import Connect
from door import FILM, TOKEN, Door, event_json
from scenes import file, glb, gltf, textured
from tessera._core import upload


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene of some pieces."""
    return glb(tmp_path / "shot_010.glb", binary=bytes(range(256)) * 400)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PIECE_BYTES", 40_000)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def order(client: Any, scene: str | Path = "scn_1", **more: Any) -> Any:
    return client.submit(scene, max_cost="5.00", **more)


# The three lines.


def test_the_example_works(door: Door, connect: Connect, scene: Path, tmp_path: Path) -> None:
    client = connect(door.url)
    job = client.submit(str(scene), camera="cam", size=(1920, 1080), samples=256, max_cost="5.00")
    seen = [(event.status, f"{event.tiles_accepted}/{event.tile_count}") for event in job.watch()]
    paths = job.download(tmp_path / "out", format="exr")
    assert seen == [("waiting", "0/4"), ("rendering", "2/4"), ("rendering", "3/4"), ("done", "4/4")]
    assert paths == [tmp_path / "out" / "job_1" / "shot_010" / "cam" / "0000.exr"]
    assert paths[0].read_bytes() == FILM
    (asked,) = door.of("POST", "/v1/jobs")
    assert asked.json() == {
        "scene": "scn_1",
        "name": "shot_010",
        "cameras": ["cam"],
        "size": [1920, 1080],
        "samples": 256,
        "max_cost": "5.000000",
    }
    assert asked.headers["user-agent"] == f"tessera-python/{tessera.__version__}"
    assert {it.headers["authorization"] for it in door.asked} == {f"Bearer {TOKEN}"}


def test_the_example_works_as_it_is_written(
    door: Door, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_API", door.url)
    monkeypatch.setenv("TESSERA_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    with tessera.Client() as client:
        job = client.submit(
            "shot_010.glb", camera="cam", size=(1920, 1080), samples=256, max_cost="5.00"
        )
        for event in job.watch():
            assert event.tile_count == 4
        job.download("out/", format="exr")
    assert len(list((tmp_path / "out").rglob("*.exr"))) == 1


# Events.


def test_a_cut_stream_of_events_goes_on(door: Door, connect: Connect) -> None:
    job = order(connect(door.url))
    door.cuts_of_events = [0, 1, 1, 0, 2]
    assert [event.id for event in job.watch()] == ["1", "2", "3", "4"]
    came_back = [it.headers.get("last-event-id") for it in door.of("GET", ".*/events")]
    assert came_back == [None, None, "1", "2", "2"]


def test_a_door_that_was_away_is_found_again(door: Door, connect: Connect) -> None:
    job = order(connect(door.url))
    door.cuts_of_events = [2]
    watching = job.watch()
    assert next(watching).id == "1"
    door.refuse(503, "farm-away", times=3)
    assert [event.id for event in watching] == ["2", "3", "4"]


def test_a_door_that_stays_away_is_given_up(door: Door, connect: Connect) -> None:
    job = order(connect(door.url))
    door.cuts_of_events = [1]
    watching = job.watch(patience=0.2)
    assert next(watching).id == "1"
    door.close()
    with pytest.raises(tessera.ConnectionLost, match="is `tessera studio serve` running"):
        next(watching)


def test_who_stops_watching_leaves_no_line_open(door: Door, connect: Connect) -> None:
    job = order(connect(door.url))
    door.events, door.stays_open = door.events[:2], True
    watching = job.watch()
    assert [next(watching).id for _ in range(2)] == ["1", "2"]
    until(lambda: door.listeners == 1)
    watching.close()
    until(lambda: door.listeners == 0)
    assert job.refresh().id == "job_1"


def until(holds: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < 10.0
        time.sleep(0.01)


def test_events_of_all_jobs_go_on_without_end(door: Door, connect: Connect) -> None:
    client = connect(door.url)
    events = client.events(after="2")
    assert [next(events).id for _ in range(2)] == ["3", "4"]
    door.events.append(event_json(5, "farm.lost", job=None, status=None))
    last = next(events)
    assert (last.type, last.job) == ("farm.lost", None)
    events.close()


def test_waiting_ends_with_the_job(door: Door, connect: Connect) -> None:
    job = order(connect(door.url))
    with pytest.raises(TimeoutError, match=r"shot_010 \(job_1\) is rendering after 0\.05 s"):
        job.wait(timeout=0.05)
    later = threading.Timer(0.2, lambda: door.job.update(status="done"))
    later.start()
    ended = job.wait(timeout=20.0)
    later.join()
    assert (job.status, ended.status) == ("rendering", "done")


# Uploads.


def test_a_cut_upload_goes_on(
    door: Door, connect: Connect, scene: Path, small_pieces: None
) -> None:
    door.cuts_of_uploads = [10_000, 0, 30_000]
    seen: list[tessera.UploadProgress] = []
    sent = connect(door.url).upload(scene, on_upload=seen.append)
    assert sent.id == "scn_1" and sent.cameras == ("cam",)
    assert bytes(door.files[sha256(scene)].content) == scene.read_bytes()
    offsets = [int(it.headers["upload-offset"]) for it in door.of("PUT", ".*")]
    assert offsets == [0, 10_000, 10_000, 40_000, 80_000]
    told = [it.sent_bytes for it in seen]
    assert told == sorted(told) and told[-1] == scene.stat().st_size == seen[0].size_bytes


def test_what_the_door_has_is_not_sent_again(door: Door, connect: Connect, tmp_path: Path) -> None:
    client = connect(door.url)
    path = gltf(tmp_path / "a.gltf", **textured("t/x.png", "t/y.png"))
    file(tmp_path / "t" / "x.png", b"x" * 100)
    file(tmp_path / "t" / "y.png", b"y" * 100)
    client.upload(path, import_options={"lamps": "watts"})
    assert door.count("PUT", ".*") == 3 and set(door.scene) == {"a.gltf", "t/x.png", "t/y.png"}
    assert door.scene_import == {"lamps": "watts"}
    file(tmp_path / "t" / "y.png", b"z" * 100)
    client.upload(path)
    assert door.count("PUT", ".*") == 4 and door.scene_import is None
    assert door.scene["t/y.png"] == sha256(tmp_path / "t" / "y.png")


def test_a_scene_that_lacks_files_sends_nothing(
    door: Door, connect: Connect, tmp_path: Path
) -> None:
    path = gltf(tmp_path / "a.gltf", **textured("gone.png"))
    with pytest.raises(tessera.MissingFiles) as raised:
        order(connect(door.url), path)
    assert raised.value.missing == ("gone.png",) and door.asked == []


def test_settings_that_cannot_be_send_nothing(door: Door, connect: Connect, scene: Path) -> None:
    client = connect(door.url)
    for settings in ({"sample": 1}, {"frames": range(3)}):
        with pytest.raises(TypeError):
            order(client, scene, **settings)
    with pytest.raises(ValueError, match="six decimals"):
        client.submit(scene, max_cost="0.0000001")
    for key in ("", "a b", "é", "x" * 256):
        with pytest.raises(ValueError, match="visible ASCII"):
            order(client, scene, idempotency_key=key)
    with pytest.raises(ValueError, match="import_options"):
        client.quote("scn_1", import_options={"lamps": "watts"})
    assert door.asked == []


# Orders.


def test_an_order_whose_answer_is_lost_is_given_once(door: Door, connect: Connect) -> None:
    door.cuts_of_answers = 2
    order(connect(door.url))
    keys = [it.headers["idempotency-key"] for it in door.of("POST", "/v1/jobs")]
    assert len(keys) == 3 and len(set(keys)) == 1 and len(door.orders) == 1


def test_each_order_has_a_key_of_its_own_unless_it_is_given(door: Door, connect: Connect) -> None:
    client = connect(door.url)
    for _ in range(2):
        order(client)
    for _ in range(2):
        order(client, idempotency_key="night-7")
    keys = [it.headers["idempotency-key"] for it in door.of("POST", "/v1/jobs")]
    assert len(set(keys)) == 3 and keys[2:] == ["night-7", "night-7"]
    with pytest.raises(tessera.KeyReused):
        order(client, idempotency_key="night-7", samples=1)


def test_an_order_under_way_is_waited_for(door: Door, connect: Connect) -> None:
    door.refuse(409, "request-under-way", times=20, path="/v1/jobs")
    assert order(connect(door.url)).id == "job_1"
    keys = [it.headers["idempotency-key"] for it in door.of("POST", "/v1/jobs")]
    assert len(keys) == 21 and len(set(keys)) == 1


def test_a_price_above_the_limit_is_told(door: Door, connect: Connect) -> None:
    price = {"tokens": "6.000000", "micro": 6_000_000}
    door.refuse(422, "max-cost-exceeded", path="/v1/jobs", retryable=False, price=price)
    with pytest.raises(tessera.MaxCostExceeded) as raised:
        order(connect(door.url))
    assert raised.value.price == tessera.Money.of(6) and door.count("POST", "/v1/jobs") == 1


# Rates.


def test_who_asks_too_often_waits_as_told(door: Door, connect: Connect) -> None:
    client = connect(door.url)
    job = order(client)
    door.refuse(429, "too-many-requests", headers={"Retry-After": "1"})
    begun = time.monotonic()
    assert job.refresh().id == "job_1"
    assert time.monotonic() - begun >= 1.0
    # Also of what is not repeated otherwise: it was not begun.
    door.refuse(429, "too-many-requests", headers={"Retry-After": "0"})
    with pytest.raises(tessera.NotFound):
        job.pause()
    assert door.count("POST", ".*/pause") == 2


def test_steering_is_not_done_twice(door: Door, connect: Connect) -> None:
    job = order(connect(door.url))
    door.refuse(503, "farm-away", times=3)
    with pytest.raises(tessera.FarmAway):
        job.pause()
    assert door.count("POST", ".*/pause") == 1


# Downloads.


def done(door: Door, connect: Connect, **other: Any) -> Any:
    job = order(connect(door.url))
    door.job.update(status="done", **other)
    return job


def test_a_cut_download_goes_on(door: Door, connect: Connect, tmp_path: Path) -> None:
    job = done(door, connect)
    door.cuts_of_downloads = [100_000, 0, 50_000]
    (path,) = job.download(tmp_path, pattern="{name}")
    assert path == tmp_path / "shot_010.exr" and path.read_bytes() == FILM
    asked = door.of("GET", ".*image.exr")
    sizes = [int(it.headers.get("range", "bytes=0-")[6:-1]) for it in asked]
    # What was written before the line broke need not all have arrived.
    assert len(sizes) == 4 and sizes == sorted(sizes) and sizes[-1] > 0
    assert {it.headers.get("if-range") for it in asked[1:]} <= {door.etag, None}
    assert [it.name for it in tmp_path.iterdir()] == ["shot_010.exr"]


def test_a_picture_that_changed_meanwhile_begins_anew(
    door: Door, connect: Connect, tmp_path: Path
) -> None:
    job = done(door, connect)
    other = FILM[::-1]
    door.cuts_of_downloads, door.films = [100_000], [other]
    (path,) = job.download(tmp_path)
    assert path.read_bytes() == other


def test_all_frames_of_all_cameras_come(door: Door, connect: Connect, tmp_path: Path) -> None:
    frames = {"first": 1, "last": 3, "step": 2}
    job = done(door, connect, cameras=["hero", None], frames=frames, frame_count=4)
    seen: list[Path] = []
    paths = job.download(tmp_path, pattern="{camera}.{frame:04}", on_picture=seen.append)
    names = ["hero.0001.exr", "camera1.0001.exr", "hero.0003.exr", "camera1.0003.exr"]
    assert [path.name for path in paths] == names and seen == paths
    asked = door.of("GET", ".*image.exr")
    assert [it.params for it in asked] == [{"camera": "0"}, {"camera": "1"}] * 2
    assert door.count("GET", ".*/frames") == 2
    some = job.download(tmp_path / "some", frames=[3], cameras=["hero"])
    assert [path.name for path in some] == ["0003.exr"]
    with pytest.raises(ValueError, match="no camera 'side'"):
        job.download(tmp_path, cameras=["side"])
    with pytest.raises(ValueError, match=r"no frames \[2\]"):
        job.download(tmp_path, frames=[1, 2])


def test_files_that_are_there_are_kept_unless_told(
    door: Door, connect: Connect, tmp_path: Path
) -> None:
    job = done(door, connect)
    path = file(tmp_path / "shot_010.exr", b"mine")
    with pytest.raises(tessera.OutputExists):
        job.download(tmp_path, pattern="{name}")
    assert job.download(tmp_path, pattern="{name}", overwrite="skip") == [path]
    assert path.read_bytes() == b"mine" and door.count("GET", ".*image.exr") == 0
    job.download(tmp_path, pattern="{name}", overwrite="replace")
    assert path.read_bytes() == FILM


def test_a_png_has_a_view(door: Door, connect: Connect, tmp_path: Path) -> None:
    job = done(door, connect)
    job.download(tmp_path, format="png", view="neutral", exposure=0.5)
    (asked,) = door.of("GET", ".*image.png")
    assert asked.params == {"camera": "0", "view": "neutral", "exposure": "0.5"}
    for odd in ({"view": "agx"}, {"format": "tiff"}, {"overwrite": "ask"}):
        with pytest.raises(ValueError, match=r"EXR|png|overwrite"):
            job.download(tmp_path, **odd)


def test_a_failed_job_has_no_pictures_but_those_that_are_asked_for(
    door: Door, connect: Connect, tmp_path: Path
) -> None:
    job = order(connect(door.url))
    frames = {"first": 1, "last": 3, "step": 1}
    door.job.update(
        status="failed", reason="tile 3 was lost 24 times", frames=frames, frame_count=3
    )
    with pytest.raises(tessera.JobFailed) as raised:
        job.download(tmp_path)
    error = raised.value
    assert (error.status, error.reason) == ("failed", "tile 3 was lost 24 times")
    assert [frame.frame for frame in error.failed_frames] == [1, 2, 3]
    assert str(error) == (
        "shot_010 (job_1) is failed: tile 3 was lost 24 times; 3 of 3 frames are not complete"
    )
    with pytest.raises(tessera.JobFailed):
        job.wait(check=True)
    assert job.wait().status == "failed"
    assert len(job.download(tmp_path, partial=True)) == 3


def test_a_job_that_goes_on_has_no_whole_pictures(
    door: Door, connect: Connect, tmp_path: Path
) -> None:
    job = order(connect(door.url))
    with pytest.raises(tessera.NotComplete):
        job.download(tmp_path)
    assert door.count("GET", ".*image.exr") == 1
    assert len(job.download(tmp_path, partial=True)) == 1


# Doors that are none.


def test_a_door_that_is_not_there_is_told(door: Door, connect: Connect) -> None:
    door.close()
    with pytest.raises(tessera.ConnectionLost, match=door.url) as raised:
        connect(door.url).farm()
    assert not raised.value.sent and raised.value.__cause__ is not None


def test_a_wrong_token_is_told(door: Door, connect: Connect) -> None:
    with pytest.raises(tessera.Unauthorized):
        connect(door.url, token="tes_other").farm()
