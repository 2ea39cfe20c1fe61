"""Both clients can do the same, and say it in the same words."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

import pytest

import tessera

PAIRS = [(tessera.Client, tessera.AsyncClient), (tessera.Job, tessera.AsyncJob)]


def public(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("blocking", "waiting"), PAIRS)
def test_methods_and_their_arguments_are_the_same(blocking: type, waiting: type) -> None:
    ours, theirs = public(blocking), public(waiting)
    assert list(ours) == list(theirs)
    for name in ours:
        left, right = inspect.signature(ours[name]), inspect.signature(theirs[name])
        assert left.parameters == right.parameters, name
        told = re.sub(r"\bAsync", "", str(right.return_annotation))
        told = re.sub(r"Generator\[(\w+), None\]", r"Generator[\1, None, None]", told)
        assert told == left.return_annotation, name
        assert inspect.getdoc(ours[name]) == inspect.getdoc(theirs[name]), name


@pytest.mark.parametrize(("blocking", "waiting"), PAIRS)
def test_all_but_the_first_are_keywords(blocking: type, waiting: type) -> None:
    for kind in (blocking, waiting):
        for name, method in [*public(kind).items(), ("__init__", vars(kind)["__init__"])]:
            if kind in (tessera.Job, tessera.AsyncJob) and name == "__init__":
                continue
            _self, *rest = inspect.signature(method).parameters.values()
            by_place = [it for it in rest if it.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
            assert len(by_place) <= 1, f"{kind.__name__}.{name}"


def test_everything_public_is_documented() -> None:
    for name in tessera.__all__:
        member = getattr(tessera, name)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert inspect.getdoc(member), name
    for kind in (kind for pair in PAIRS for kind in pair):
        for name, method in public(kind).items():
            assert inspect.getdoc(method), f"{kind.__name__}.{name}"


def test_settings_are_those_of_the_contract() -> None:
    told = (
        "name cameras look_at size samples noise frames fps bounces seed crop overscan shutter "
        "shutter_position panorama lens filter roulette passes tile sun sky needs bid assurance "
        "priority after paused progressive stop_after_s wanted_by"
    )
    assert set(typing.get_type_hints(tessera.types.Settings)) == {*told.split(), "camera", "extra"}


def _what_is_wrong_is_found_before_it_runs(client: tessera.Client) -> None:
    """Read by mypy, which says where an ignored error is none."""
    client.submit("a.glb", max_cost="5.00", size=(1920, 1080), noise=0.01, frames=(1, 240, 2))
    client.submit("a.glb", max_cost=5, lens={"fstop": 2.8, "focus": 3.0}, needs={"pool": "x"})
    client.submit("a.glb")  # type: ignore[call-arg]
    client.submit("a.glb", "5.00")  # type: ignore[call-arg]
    client.submit("a.glb", max_cost=5.0)  # type: ignore[arg-type]
    client.submit("a.glb", max_cost="5.00", sample=1)  # type: ignore[call-arg]
    client.submit("a.glb", max_cost="5.00", size="big")  # type: ignore[arg-type]
    client.submit("a.glb", max_cost="5.00", lens={"fstop": 2.8})  # type: ignore[typeddict-item]
    client.job("job_1").download("out", format="tiff")  # type: ignore[arg-type]
