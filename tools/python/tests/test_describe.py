from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

import tessera
from door import job_json
from tessera._core import describe
from tessera._core.read import Fields


def check(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    body = describe.description("scn_1", settings)
    assert json.loads(describe.body(body)) == {"scene": "scn_1", **expected}


def test_settings_are_said_as_the_door_reads_them() -> None:
    check({}, {})
    check({"camera": "cam"}, {"cameras": ["cam"]})
    check({"cameras": ("a", "b")}, {"cameras": ["a", "b"]})
    check({"size": (1920, 1080), "samples": 256}, {"size": [1920, 1080], "samples": 256})
    check({"noise": 0.01}, {"noise": {"threshold": 0.01}})
    check({"noise": {"threshold": 0.01, "min_samples": 64}},
          {"noise": {"threshold": 0.01, "min_samples": 64}})  # fmt: skip
    check({"frames": (1, 240)}, {"frames": {"first": 1, "last": 240}})
    check({"frames": (1, 240, 2)}, {"frames": {"first": 1, "last": 240, "step": 2}})
    check({"frames": 7}, {"frames": {"first": 7, "last": 7}})
    check({"frames": {"first": 1, "last": 2}}, {"frames": {"first": 1, "last": 2}})
    check({"bid": "15"}, {"bid": "15.000000"})
    check({"bid": Decimal("7.5")}, {"bid": "7.500000"})
    look_at = {"eye": (0, 1, 4), "target": [0, 1, 0]}
    check({"look_at": look_at}, {"look_at": {"eye": [0, 1, 4], "target": [0, 1, 0]}})
    job = tessera.JobFacts.read(Fields(job_json(), "job"))
    check({"after": [job, "job_2"]}, {"after": ["job_1", "job_2"]})
    noon = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
    check({"wanted_by": noon}, {"wanted_by": "2026-12-01T12:00:00.000Z"})
    check({"samples": None, "camera": None}, {})
    check({"paused": False}, {"paused": False})
    check({"extra": {"mood": "warm"}}, {"mood": "warm"})


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"sample": 1}, TypeError, "no setting 'sample'; did you mean 'samples'"),
        ({"qqq": 1}, TypeError, "no setting 'qqq'; newer ones go into `extra`"),
        ({"cameras": "cam"}, TypeError, "say camera='cam'"),
        ({"camera": "a", "cameras": ["b"]}, ValueError, "not both"),
        ({"frames": range(1, 5)}, TypeError, "first, last"),
        ({"frames": (1,)}, TypeError, "first, last"),
        ({"bid": 0.5}, TypeError, "exact"),
        ({"after": "job_1"}, TypeError, "list of jobs"),
        ({"wanted_by": datetime(2026, 12, 1)}, ValueError, "no time zone"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        describe.description("scn_1", settings)


def test_numbers_that_json_has_not_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        describe.body({"fps": float("nan")})


def test_a_path_holds_anything() -> None:
    assert describe.path("jobs", "job_1", "frames", 7) == "/v1/jobs/job_1/frames/7"
    assert describe.path("teams", "a/b?c#d é") == "/v1/teams/a%2Fb%3Fc%23d%20%C3%A9"
    for odd in ("", ".", ".."):
        with pytest.raises(ValueError, match="no name"):
            describe.path("teams", odd)


def test_params_are_those_that_are_there() -> None:
    told = describe.params(status="done,failed", team=None, partial=True, camera=0)
    assert told == (("status", "done,failed"), ("partial", "true"), ("camera", "0"))
    assert describe.words(["done", "failed"]) == "done,failed"
