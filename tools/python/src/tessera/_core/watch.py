"""Following events, over as many connections as it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..errors import ConnectionLost, ProblemError, UnexpectedAnswer
from ..models import Event, JobFacts
from . import describe
from .effects import Plan, Request, clock, emit, open_stream, pull, shut
from .read import Fields
from .retry import NEVER, Retry, call, raise_for, rest
from .sse import Message, Parser

# The door says something every 15 s, be it a comment.
SILENCE_S = 45.0


@dataclass
class _Course:
    """Where a stream is, over its connections."""

    last_id: str | None
    failure_count: int = 0
    lost_since: float | None = None
    retry_s: float | None = None
    has_ended: bool = False
    """Whether the last event was the end of its job."""


def job(id: str, after: str | None, patience_s: float, policy: Retry) -> Plan[None]:
    """Emits a job's events until the one of its end."""
    course = _Course(after)
    request = Request("GET", describe.path("jobs", id, "events"), read_timeout_s=SILENCE_S)
    while True:
        lost = yield from _listen(request, course, until_end=True)
        if course.has_ended:
            return
        if lost is None:
            # The stream ends with the job's end, which may have been before we came, and with the
            # door, which then does not answer for a while.
            try:
                answer = yield from call(Request("GET", describe.path("jobs", id)), NEVER)
            except (ConnectionLost, ProblemError) as error:
                if isinstance(error, ProblemError) and not error.retryable:
                    raise
                lost = error
            else:
                facts = JobFacts.read(Fields(answer.json(), "job"))
                if facts.has_ended:
                    yield from emit(Event.of_end(facts))
                    return
        yield from _come_back(course, lost, patience_s, policy)


def everything(job: str | None, after: str | None, patience_s: float, policy: Retry) -> Plan[None]:
    """Emits events of all jobs, or of one, for ever."""
    course = _Course(after)
    params = describe.params(job=job)
    request = Request("GET", describe.path("events"), params, read_timeout_s=SILENCE_S)
    while True:
        lost = yield from _listen(request, course, until_end=False)
        yield from _come_back(course, lost, patience_s, policy)


def _listen(
    request: Request, course: _Course, *, until_end: bool
) -> Plan[ConnectionLost | ProblemError | None]:
    """Emits what one connection tells; what broke it, `None` where the door has closed it."""
    if course.last_id is not None:
        request = request.with_headers(Last_Event_ID=course.last_id)
    parser = Parser()
    try:
        # Packing would keep events back.
        headers = {"Accept": "text/event-stream", "Accept_Encoding": "identity"}
        answer = yield from open_stream(request.with_headers(**headers))
        raise_for(answer)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise UnexpectedAnswer(f"{request.path} answers with no stream of events")
        while True:
            chunk = yield from pull()
            if chunk is None:
                return None
            # Whoever speaks is there, be it with a comment.
            course.failure_count, course.lost_since = 0, None
            for message in parser.feed(chunk):
                event = parse(message)
                course.last_id = message.id if message.id is not None else course.last_id
                course.has_ended = event.is_end
                yield from emit(event)
                if course.has_ended and until_end:
                    return None
    except ConnectionLost as error:
        return error
    except ProblemError as error:
        if not error.retryable:
            raise
        return error
    finally:
        if parser.retry_ms is not None:
            course.retry_s = parser.retry_ms / 1000


def _come_back(
    course: _Course,
    lost: ConnectionLost | ProblemError | None,
    patience_s: float,
    policy: Retry,
) -> Plan[None]:
    """Waits before the next connection, unless it has been too long."""
    yield from shut()
    now = yield from clock()
    course.failure_count += 1
    course.lost_since = now if course.lost_since is None else course.lost_since
    if lost is not None and now - course.lost_since >= patience_s:
        raise lost
    wait = max(policy.backoff_s(course.failure_count), course.retry_s or 0.0)
    if isinstance(lost, ProblemError) and lost.retry_after_s is not None:
        wait = lost.retry_after_s
    yield from rest(wait, lost)


def parse(message: Message) -> Event:
    """The event that a message tells."""
    try:
        told = json.loads(message.data)
    except ValueError as error:
        raise UnexpectedAnswer(f"an event is no JSON: {message.data[:80]!r}") from error
    return Event.read(Fields(told, "event"))
