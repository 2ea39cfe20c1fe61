"""Events over several connections, by a door that is played."""

from __future__ import annotations

import json

import pytest

import tessera
from door import event_json, job_json, problem_json
from performing import LOST, UNSENT, Performed, Said, answer, perform, stream
from tessera._core import watch
from tessera._core.retry import Retry

POLICY = Retry(attempts=3, first_s=1.0, most_s=4.0)
AWAY = answer(503, problem_json("farm-away", 503, retryable=True), retry_after="5")


def told(id: int, type: str = "job.progress") -> bytes:
    return f"id: {id}\nevent: {type}\ndata: {json.dumps(event_json(id, type))}\n\n".encode()


END = told(9, "job.done")
NO_JOB = answer(404, problem_json("not-found", 404))
RUNNING = answer(200, job_json())
ENDED = answer(200, job_json(status="failed", reason="no node"))


def check(said: list[Said], ids: list[str | None], came_back_after: list[str | None]) -> Performed:
    """What is said, the events that are seen, and what each connection begins after."""
    done = perform(watch.job("job_1", None, 60.0, POLICY), said)
    assert [event.id for event in done.emitted] == ids
    streams = [request for request in done.asked if request.path.endswith("/events")]
    assert [it.headers.get("Last-Event-ID") for it in streams] == came_back_after
    return done


def test_events_come_until_the_end() -> None:
    check([stream(told(1), told(2) + END)], ["1", "2", "9"], [None])
    # What follows the end is not waited for.
    check([stream(told(1), END, LOST)], ["1", "9"], [None])


def test_a_lost_line_goes_on_after_the_last_event() -> None:
    said: list[Said] = [stream(told(1), told(2)[:20], LOST), LOST, stream(told(2), END)]
    done = check(said, ["1", "2", "9"], [None, "1", "1"])
    assert done.slept == [1.0, 2.0]
    # Hearing something, be it a comment, is a new beginning.
    said = [stream(LOST), stream(b": hello\n\n", LOST), stream(END)]
    assert check(said, ["9"], [None, None, None]).slept == [1.0, 1.0]


def test_a_stream_that_ends_is_looked_into() -> None:
    done = check([stream(told(1)), ENDED], ["1", None], [None])
    last = done.emitted[-1]
    assert (last.type, last.reason, last.is_end) == ("job.failed", "no node", True)
    check([stream(told(1)), RUNNING, stream(END)], ["1", "9"], [None, "1"])


def test_a_door_that_is_closed_for_a_while_is_waited_for() -> None:
    # It ends its streams when it closes, and is not there for longer than a request is repeated.
    gone: list[Said] = [stream(told(1)), *[UNSENT] * 9]
    check([*gone, stream(END)], ["1", "9"], [None, *["1"] * 9])
    check([stream(told(1)), AWAY, stream(END)], ["1", "9"], [None, "1"])
    done = perform(watch.job("job_1", None, 60.0, POLICY), [stream(), NO_JOB])
    assert isinstance(done.error, tessera.NotFound)


def test_the_door_says_when_to_come_back() -> None:
    said: list[Said] = [stream(b"retry: 7000\n\n", LOST), AWAY, stream(END)]
    assert check(said, ["9"], [None, None, None]).slept == [7.0, 5.0]


def test_patience_ends() -> None:
    done = perform(watch.job("job_1", None, 10.0, POLICY), lambda _request: LOST)
    assert done.error is LOST and sum(done.slept) == 11.0
    done = perform(watch.job("job_1", None, 10.0, POLICY), lambda _request: AWAY)
    assert isinstance(done.error, tessera.FarmAway)


def test_a_job_that_is_not_there_is_told_at_once() -> None:
    done = perform(watch.job("job_1", None, 60.0, POLICY), [NO_JOB])
    assert isinstance(done.error, tessera.NotFound) and done.slept == []


def test_watching_goes_on_from_an_event_of_before() -> None:
    done = perform(watch.job("job_1", "7", 60.0, POLICY), [stream(END)])
    assert done.asked[0].headers["Last-Event-ID"] == "7"


def test_events_of_all_jobs_have_no_end() -> None:
    said: list[Said] = [stream(told(1), END), stream(told(10), LOST)]
    done = perform(watch.everything("job_1", None, 0.0, POLICY), [*said, LOST])
    assert [event.id for event in done.emitted] == ["1", "9", "10"]
    assert done.asked[0].params == (("job", "job_1"),) and done.error is LOST


@pytest.mark.parametrize("data", ["{", "[]", '{"id": 1}'])
def test_what_is_no_event_is_an_error(data: str) -> None:
    done = perform(watch.job("job_1", None, 60.0, POLICY), [stream(f"data: {data}\n\n".encode())])
    assert isinstance(done.error, tessera.UnexpectedAnswer)


def test_what_is_no_stream_is_an_error() -> None:
    done = perform(watch.job("job_1", None, 60.0, POLICY), [answer(200, {})])
    assert isinstance(done.error, tessera.UnexpectedAnswer)
