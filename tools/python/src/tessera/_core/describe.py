"""From what a script says to what the door reads: job descriptions, budgets, paths."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..models import JobFacts
from ..money import Money
from ..types import Settings, TimeLike
from . import times


def description(scene: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A job's description as the door reads it.

    Raises `TypeError` for a setting that there is not, with the one that may be meant, and
    `ValueError` for one that cannot be.
    """
    body: dict[str, Any] = {"scene": scene}
    extra = settings.get("extra") or {}
    for name, value in settings.items():
        if name not in Settings.__annotations__:
            near = difflib.get_close_matches(name, Settings.__annotations__, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "newer ones go into `extra`"
            raise TypeError(f"a job has no setting {name!r}; {meant}")
        if value is None or name == "extra":
            continue
        body.update(_WRITERS[name](value) if name in _WRITERS else {name: plain(value)})
    if settings.get("camera") is not None and settings.get("cameras") is not None:
        raise ValueError("a job has `camera` or `cameras`, not both; leave one out")
    return {**body, **{name: plain(value) for name, value in extra.items()}}


def _camera(name: str) -> dict[str, Any]:
    return {"cameras": [name]}


def _cameras(names: Sequence[str]) -> dict[str, Any]:
    # A text is a sequence too, of letters.
    if isinstance(names, str):
        raise TypeError(f"`cameras` is a list of names; say camera={names!r} for one")
    return {"cameras": list(names)}


def _noise(noise: Mapping[str, Any] | float) -> dict[str, Any]:
    return {"noise": plain(noise) if isinstance(noise, Mapping) else {"threshold": noise}}


def _frames(frames: Mapping[str, int] | tuple[int, ...] | int) -> dict[str, Any]:
    if isinstance(frames, Mapping):
        return {"frames": dict(frames)}
    numbers = (frames, frames) if isinstance(frames, int) else tuple(frames)
    # A `range` leaves out its end and ours does not: it is not guessed what is meant.
    if isinstance(frames, range) or len(numbers) not in (2, 3):
        raise TypeError(f"`frames` is (first, last) or (first, last, step), not {frames!r}")
    return {"frames": dict(zip(("first", "last", "step"), numbers, strict=False))}


def _after(jobs: Sequence[str | JobFacts]) -> dict[str, Any]:
    if isinstance(jobs, (str, JobFacts)):
        raise TypeError(f"`after` is a list of jobs, not {jobs!r}")
    return {"after": [identity(job) for job in jobs]}


_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "after": _after,
    "bid": lambda bid: {"bid": str(Money.of(bid))},
    "camera": _camera,
    "cameras": _cameras,
    "frames": _frames,
    "noise": _noise,
    "wanted_by": lambda time: {"wanted_by": times.write(time)},
}


def identity(job: str | JobFacts) -> str:
    """A job's id."""
    return job.id if isinstance(job, JobFacts) else job


def plain(value: Any) -> Any:
    """The same of what JSON has: tuples are lists, money is text."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Money):
        return str(value)
    return value


def budget(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A team's budget as the door reads it."""
    if told is None:
        return None
    return {**told, "amount": str(Money.of(told["amount"]))}


def body(value: Mapping[str, Any]) -> bytes:
    """JSON without what is `None`, the same bytes each time.

    Raises `ValueError` for numbers that JSON has not.
    """
    there = {name: item for name, item in value.items() if item is not None}
    return json.dumps(there, allow_nan=False, separators=(",", ":")).encode()


def path(*parts: str | int) -> str:
    """A path below `/v1` of parts that may hold anything."""
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError(f"{part!r} is no name of anything at the door")
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def params(**values: object) -> tuple[tuple[str, str], ...]:
    """Parameters of a request but for those that are `None`."""
    return tuple((name, _param(value)) for name, value in values.items() if value is not None)


def _param(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def time(when: TimeLike | None) -> str | None:
    """A time as a parameter."""
    return None if when is None else times.write(when)


def words(value: str | Sequence[str] | None) -> str | None:
    """One word, or several with commas."""
    return value if value is None or isinstance(value, str) else ",".join(value)
