"""Jobs: how they are, what is done with them, and their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import JobFailed
from ...models import Event, Frame, JobFacts, LogEntry, Tile
from ...types import TimeLike
from .. import describe, watch
from ..effects import Plan, Request, clock, sleep
from ..retry import Retry, call
from .asking import collected, get, listed, post


def job(policy: Retry, id: str) -> Plan[JobFacts]:
    """A job as it is now."""
    return (yield from get(policy, JobFacts.read, "job", "jobs", id))


def jobs(
    policy: Retry,
    status: str | Sequence[str] | None,
    name: str | None,
    team: str | None,
    since: TimeLike | None,
    until: TimeLike | None,
    page_size: int | None,
) -> Plan[None]:
    """Emits jobs, newest first."""
    return listed(
        policy,
        JobFacts.read,
        "job",
        "jobs",
        status=describe.words(status),
        name=name,
        team=team,
        since=describe.time(since),
        until=describe.time(until),
        limit=page_size,
    )


def steer(
    policy: Retry,
    id: str,
    verb: str,
    body: Mapping[str, Any] | None = None,
    *,
    dry_run: bool = False,
) -> Plan[JobFacts]:
    """Has something done with a job; the job after it."""
    params = describe.params(dry_run=True if dry_run else None)
    path = ("jobs", id, verb)
    return post(policy, JobFacts.read, "job", *path, body=body, params=params, repeatable=dry_run)


def pick(frame: int | None, camera: int | None, tile: int | None) -> dict[str, int]:
    """Which part of a job is meant."""
    told = {"frame": frame, "camera": camera, "tile": tile}
    return {name: value for name, value in told.items() if value is not None}


def wait(policy: Retry, id: str, timeout_s: float | None, check: bool) -> Plan[JobFacts]:
    """Asks how a job is until it has ended."""
    begun = yield from clock()
    while True:
        facts = yield from job(policy, id)
        if facts.has_ended:
            break
        waited = (yield from clock()) - begun
        # Soon at first, and the longer it takes the less a moment matters.
        pause = min(max(waited * 0.05, 0.2), 5.0)
        if timeout_s is not None:
            if waited >= timeout_s:
                raise TimeoutError(
                    f"{facts.name} ({facts.id}) is {facts.status} after {timeout_s:g} s"
                )
            pause = min(pause, timeout_s - waited)
        yield from sleep(pause)
    if check and facts.status not in ("done", "stopped"):
        raise (yield from failure(policy, facts))
    return facts


def frames(policy: Retry, id: str) -> Plan[None]:
    """Emits a job's frames."""
    return listed(policy, Frame.read, "frame", "jobs", id, "frames", limit=1000)


def tiles(policy: Retry, id: str, frame: int, camera: int) -> Plan[None]:
    """Emits the tiles of a frame."""
    path = ("jobs", id, "frames", frame, "tiles")
    return listed(policy, Tile.read, "tile", *path, camera=camera)


def log(policy: Retry, id: str) -> Plan[None]:
    """Emits a job's log, oldest first."""
    return listed(policy, LogEntry.read, "log", "jobs", id, "log")


def receipt(policy: Retry, facts: JobFacts, frame: int | None, camera: int) -> Plan[bytes]:
    """The bytes of a frame's receipt."""
    span = facts.frame_range
    if frame is None and span.first != span.last:
        raise ValueError(f"a receipt is of one frame: say which of {span.first} to {span.last}")
    number = span.first if frame is None else frame
    path = describe.path("jobs", facts.id, "frames", number, "receipt")
    answer = yield from call(Request("GET", path, describe.params(camera=camera)), policy)
    return answer.body


def failure(policy: Retry, facts: JobFacts) -> Plan[JobFailed]:
    """The error that a job's end is, with the frames that it lacks."""
    found = yield from collected(frames(policy, facts.id), Frame)
    return JobFailed(facts, failed_frames=tuple(it for it in found if not it.complete))


def job_events(policy: Retry, id: str, after: str | None, patience_s: float) -> Plan[None]:
    """Emits a job's events until its end."""
    return watch.job(id, after, patience_s, policy)


def events(
    policy: Retry, job: str | JobFacts | None, after: str | Event | None, patience_s: float
) -> Plan[None]:
    """Emits events of all jobs, or of one."""
    told = None if job is None else describe.identity(job)
    return watch.everything(told, event_id(after), patience_s, policy)


def event_id(after: str | Event | None) -> str | None:
    """The id of an event to come back after."""
    return after.id if isinstance(after, Event) else after
