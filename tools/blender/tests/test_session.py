# SPDX-License-Identifier: GPL-3.0-or-later
"""A render's course from the price to the picture, against a small door that speaks HTTP."""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conftest import PYTHON
from tessera_blender import exr, farm
from tessera_blender.errand import Errand, Stopped
from tessera_blender.session import Phase, Session

# The Python package's own test door.
sys.path.insert(0, str(PYTHON / "tests"))
doors = pytest.importorskip("door", reason="the Python package's test door is not there")

JOB = {"cameras": ["cam"], "size": [64, 36], "samples": 16,
       "frames": {"first": 1, "last": 1, "step": 1}}
PATIENCE_S = 60.0


@pytest.fixture
def door() -> Iterator[Any]:
    made = doors.Door()
    made.job.update(frames={"first": 1, "last": 1, "step": 1})
    made.film = film()
    try:
        yield made
        assert not made.mistakes, made.mistakes
    finally:
        made.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farm, "ASK_S", 0.02)


def film() -> bytes:
    """The head of an EXR, which is all that is looked at."""
    box = struct.pack("<4i", 0, 0, 63, 35)
    words = b"".join(name + b"\0box2i\0" + struct.pack("<i", 16) + box
                     for name in (b"dataWindow", b"displayWindow"))
    return struct.pack("<II", 20000630, 2) + words + b"\0"


def way(door: Any) -> farm.Door:
    return farm.Door(door.url, doors.TOKEN)


def scene(folder: Path) -> Path:
    """A scene of two files."""
    (folder / "sky.hdr").write_bytes(b"#?RADIANCE")
    text = json.dumps({
        "asset": {"version": "2.0"},
        "scenes": [{"extras": {"tessera": {"environment": {"file": "sky.hdr"}}}}],
    }).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<III", 0x46546C67, 2, 20 + len(text)) + struct.pack("<II", len(text),
                                                                            0x4E4F534A)
    (folder / "scene.glb").write_bytes(head + text)
    return folder / "scene.glb"


def settle(session: Session, *, until: Phase | None = None) -> None:
    """Steps until nothing is under way, or a phase is reached."""
    end = time.monotonic() + PATIENCE_S
    while session.is_busy and session.phase is not until:
        session.step()
        time.sleep(0.005)
        assert time.monotonic() < end, session


def priced(door: Any, folder: Path, **more: Any) -> Session:
    session = Session()
    session.ask(way(door), scene(folder), JOB, folder / "out", **more)
    settle(session)
    return session


def test_a_price_is_told_before_anything_is_ordered(door: Any, tmp_path: Path) -> None:
    session = priced(door, tmp_path)
    assert session.phase is Phase.PRICED, session
    assert session.price is not None and session.price.tokens == 1
    assert set(door.scene) == {"scene.glb", "sky.hdr"}
    assert not door.orders
    session.discard()
    assert session.phase is Phase.IDLE and session.price is None


def test_from_the_price_to_the_picture(door: Any, tmp_path: Path) -> None:
    session = priced(door, tmp_path, window=(4, 2, 8, 6))
    session.order(Decimal("1.5"))
    settle(session, until=Phase.RENDERING)
    settle_seen(session)
    door.job.update(status="done", progress=1.0, tiles_accepted=4, spent=doors.money(900_000))
    settle(session)
    assert session.phase is Phase.DONE, session
    assert session.text == "Done, 0.90 tokens spent"
    (order,) = door.orders.values()
    assert order["max_cost"] == "1.500000" and order["size"] == [64, 36]
    (picture,) = session.pictures
    assert picture.parent == tmp_path / "out" and picture.suffix == ".exr"
    # What Blender is to show of it was set.
    assert exr.windows(picture)["displayWindow"] == (4, 2, 8, 6)


def settle_seen(session: Session) -> None:
    """Steps until the job's course was seen once more."""
    end = time.monotonic() + PATIENCE_S
    while "tiles" not in session.text:
        session.step()
        time.sleep(0.005)
        assert time.monotonic() < end, session
    assert session.share is not None


def test_above_the_limit_nothing_is_ordered(door: Any, tmp_path: Path) -> None:
    session = priced(door, tmp_path)
    door.refuse(422, "max-cost-exceeded", retryable=False, path="/v1/jobs",
                price=doors.money(1_000_001))
    session.order(Decimal("0.5"))
    settle(session)
    assert session.phase is Phase.PRICED and "1.01" in session.error, session
    # Another limit is another order.
    session.order(Decimal("2"))
    settle(session, until=Phase.RENDERING)
    keys = [one.headers["idempotency-key"] for one in door.of("POST", "/v1/jobs")]
    assert len(set(keys)) == 2
    session.detach()


def test_after_a_lost_line_the_same_order_is_sent(door: Any, tmp_path: Path) -> None:
    session = priced(door, tmp_path)
    # More than the package tries by itself.
    door.cuts_of_answers = 6
    session.order(Decimal("1.5"))
    settle(session)
    assert session.phase is Phase.PRICED and "not known" in session.error, session
    session.order(Decimal("9"))
    settle(session, until=Phase.RENDERING)
    assert len(door.orders) == 1
    assert next(iter(door.orders.values()))["max_cost"] == "1.500000"
    session.detach()


def test_a_refused_scene_is_told_with_the_doors_words(door: Any, tmp_path: Path) -> None:
    door.refuse(422, "scene-refused", retryable=False, path="/v1/scenes")
    session = priced(door, tmp_path)
    assert session.phase is Phase.FAILED and session.error == "scene-refused, so it is"


def test_a_wrong_token_and_a_closed_door_are_told(door: Any, tmp_path: Path) -> None:
    session = Session()
    session.ask(farm.Door(door.url, "tes_other"), scene(tmp_path), JOB, tmp_path)
    settle(session)
    assert session.phase is Phase.FAILED and "unauthorized" in session.error


def test_esc_while_it_is_sent_orders_nothing(door: Any, tmp_path: Path) -> None:
    session = Session()
    session.ask(way(door), scene(tmp_path), JOB, tmp_path / "out")
    errand = session.errand
    assert errand is not None
    session.stop()
    assert session.phase is Phase.IDLE and not session.step()
    errand.join(PATIENCE_S)
    assert errand.is_over and isinstance(errand.error, Stopped | type(None))
    assert not door.orders


def test_detached_the_job_goes_on_and_is_opened_again(door: Any, tmp_path: Path) -> None:
    session = priced(door, tmp_path)
    session.order(Decimal("1.5"))
    settle(session, until=Phase.RENDERING)
    session.detach()
    assert not session.is_busy and "open the job" in session.text
    assert not door.of("POST", ".*/cancel")
    door.job.update(status="done", progress=1.0, tiles_accepted=4)
    other = Session()
    other.open(way(door), "job_1", tmp_path / "again")
    settle(other)
    assert other.phase is Phase.DONE and other.pictures[0].is_file()


def test_cancelled_it_asks_the_farm_to(door: Any, tmp_path: Path) -> None:
    session = priced(door, tmp_path)
    session.order(Decimal("1.5"))
    settle(session, until=Phase.RENDERING)
    session.cancel()
    assert session.phase is Phase.CANCELLING
    settle(session)
    assert door.of("POST", "/v1/jobs/job_1/cancel")


def test_a_failed_job_says_why(door: Any, tmp_path: Path) -> None:
    door.job.update(status="failed", reason="no node can hold the scene")
    session = Session()
    session.open(way(door), "job_1", tmp_path)
    settle(session)
    assert session.phase is Phase.FAILED
    assert session.error == "Failed: no node can hold the scene"


def test_what_is_there_of_a_stopped_job_is_fetched(door: Any, tmp_path: Path) -> None:
    door.job.update(status="stopped", tiles_accepted=2)
    session = Session()
    session.open(way(door), "job_1", tmp_path)
    settle(session)
    assert session.phase is Phase.DONE and session.pictures


def test_a_farm_that_is_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A door that is shut and opened again: the watch goes on."""
    import tessera

    answers: list[Any] = [tessera.ConnectionLost("it is shut")] * 3
    told: list[str] = []

    class Client:
        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_error: object) -> None:
            return

        def job(self, _id: str) -> Any:
            if answers:
                raise answers.pop()
            return tessera.JobFacts.read(fields(doors.job_json(status="done")))

    def fields(told: dict[str, Any]) -> Any:
        from tessera._core.read import Fields

        return Fields(told, "job")

    monkeypatch.setattr(farm.Door, "client", lambda _door: Client())
    errand = Errand(lambda one: farm.follow(one, farm.Door(""), "job_1"))
    monkeypatch.setattr(errand, "tell", lambda text, _share=None: told.append(text))
    assert farm.follow(errand, farm.Door(""), "job_1").status == "done"
    assert sum("goes on rendering" in one for one in told) == 3


# Errands and amounts.


def test_an_errand_tells_and_stops() -> None:
    def count(errand: Errand) -> str:
        for step in range(100_000):
            errand.tell(f"step {step}", step / 100_000)
            errand.wait(0.001)
        return "end"

    errand = Errand(count).start()
    end = time.monotonic() + PATIENCE_S
    while (news := errand.news()) is None:
        assert time.monotonic() < end
    assert news.text.startswith("step") and not errand.is_over
    errand.stop()
    errand.join(PATIENCE_S)
    assert errand.is_over and isinstance(errand.error, Stopped)


def test_an_errand_never_waits_for_who_asks() -> None:
    """Nobody looks, and it goes on all the same."""
    def talk(errand: Errand) -> int:
        for step in range(1000):
            errand.tell(str(step))
        return 1000

    errand = Errand(talk).start()
    errand.join(PATIENCE_S)
    news = errand.news()
    assert errand.result == 1000 and news is not None and news.text == "999"


@pytest.mark.parametrize(("tokens", "shown", "sent"), [
    ("3.2", "3.20", "3.200000"), ("0.000001", "0.01", "0.000001"), ("1.005", "1.01", "1.005000"),
    ("12", "12.00", "12.000000"), ("0.0000001", "0.01", "0.000001"),
])
def test_amounts_are_never_shown_lower_than_they_are(tokens: str, shown: str, sent: str) -> None:
    assert farm.credits(Decimal(tokens)) == shown
    assert farm.money(Decimal(tokens)) == sent


@pytest.mark.parametrize(("url", "is_open"), [
    ("http://127.0.0.1:7980", False), ("http://localhost:7980", False), ("http://[::1]:1", False),
    ("https://farm.example", False), ("http://farm.example", True), ("", False),
])
def test_a_token_on_an_open_line_is_noticed(url: str, is_open: bool) -> None:
    assert farm.Door(url).is_open_line == is_open
