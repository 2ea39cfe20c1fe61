"""What comes before an order, by a door that is played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tessera
from door import job_json, problem_json, scene_json
from performing import Performed, Said, answer, perform
from scenes import glb
from tessera._core import plans
from tessera._core.effects import Request
from tessera._core.read import Fields
from tessera._core.retry import Retry

POLICY = Retry(attempts=3, first_s=1.0, most_s=1.0)


def arriving(received: int) -> dict[str, Any]:
    arrival = {"received_bytes": received, "size_bytes": 100, "whole": received == 100}
    return scene_json(at_farm=arrival)


def check(scene: str | Path | tessera.Scene, said: list[Said], lines: list[str]) -> Performed:
    """What is said, and the requests; the last one is the order."""
    sending = plans.Sending()
    done = perform(plans.submit(POLICY, scene, {}, sending, "5", "k"), [*said, ORDERED])
    assert done.error is None
    assert [f"{it.method} {it.path}" for it in done.asked] == [*lines, "POST /v1/jobs"]
    return done


ORDERED = answer(201, job_json())
LOOK = "GET /v1/scenes/scn_1"


def test_a_scene_that_is_at_the_farm_is_ordered_at_once() -> None:
    scene = tessera.Scene.read(Fields(arriving(100), "scene"))
    check(scene, [], [])
    check("scn_1", [answer(200, arriving(100))], [LOOK])


def test_a_scene_that_comes_on_is_waited_for() -> None:
    scene = tessera.Scene.read(Fields(arriving(0), "scene"))
    said = [answer(200, arriving(received)) for received in range(0, 101, 10)]
    done = check(scene, list(said), [LOOK] * 11)
    assert max(done.slept) == 2.0


def test_a_scene_that_does_not_come_on_is_left_to_the_order() -> None:
    # So it looks at a door that was opened anew, though the farm holds it.
    def door(request: Request) -> Said:
        return answer(200, arriving(0)) if request.method == "GET" else ORDERED

    done = perform(plans.submit(POLICY, "scn_1", {}, plans.Sending(), "5", "k"), door)
    assert done.result.id == "job_1" and 3.0 <= sum(done.slept) <= 8.0


def test_a_scene_that_the_door_has_not_made_may_be_at_the_farm() -> None:
    check("scn_1", [answer(404, problem_json("not-found", 404))], [LOOK])


def test_a_file_is_sent_and_waited_for(tmp_path: Path) -> None:
    path = glb(tmp_path / "shot.glb")
    whole = answer(200, {"received_bytes": 1, "complete": True})
    said = [whole, answer(201, arriving(50)), answer(200, arriving(100))]
    done = perform(plans.submit(POLICY, path, {}, plans.Sending(), "5", "k"), [*said, ORDERED])
    assert done.error is None
    assert [it.method for it in done.asked] == ["GET", "POST", "GET", "POST"]
    assert b'"name":"shot"' in (done.asked[-1].content or b"")
