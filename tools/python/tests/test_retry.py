from __future__ import annotations

import pytest

import tessera
from door import problem_json
from performing import LOST, UNSENT, Said, answer, perform
from tessera._core.effects import Request, Sleep
from tessera._core.retry import NEVER, Retry, call, retry_after_s
from tessera._drive import _pause_s

POLICY = Retry(attempts=4, first_s=1.0, most_s=3.0, patience_s=20.0)
GET = Request("GET", "/v1/farm")
POST = Request("POST", "/v1/jobs/job_1/pause")
KEYED = Request("POST", "/v1/jobs", headers={"Idempotency-Key": "k"})

AWAY = answer(503, problem_json("farm-away", 503, retryable=True))
BUSY = answer(429, problem_json("too-many-requests", 429, retryable=True), retry_after="5")
UNDER_WAY = answer(409, problem_json("request-under-way", 409, retryable=True))
REFUSED = answer(422, problem_json("invalid", 422))
INCOMPLETE = answer(409, problem_json("not-complete", 409, retryable=True))
BROKEN = answer(500, problem_json("internal", 500))
PROXY = answer(502, None)
FINE = answer(200, {})


def check(request: Request, said: list[Said], slept: list[float], end: type | None = None) -> None:
    """What is said, how long is waited between, and the error at the end, if any."""
    done = perform(call(request, POLICY), [*said, FINE])
    assert done.slept == slept
    assert type(done.error) is (end or type(None))
    assert len(done.asked) == len(slept) + 1
    # However often it is sent, it is the same request.
    assert all(it == request for it in done.asked)


def test_trouble_is_met_by_asking_again_after_ever_longer() -> None:
    check(GET, [], [])
    check(GET, [LOST, LOST, LOST], [1.0, 2.0, 3.0])
    check(GET, [AWAY, PROXY, LOST], [1.0, 2.0, 3.0])
    check(GET, [LOST] * 4, [1.0, 2.0, 3.0], tessera.ConnectionLost)
    check(GET, [AWAY] * 4, [1.0, 2.0, 3.0], tessera.FarmAway)
    check(KEYED, [LOST, AWAY], [1.0, 2.0])


def test_what_will_not_change_is_said_at_once() -> None:
    check(GET, [REFUSED], [], tessera.Invalid)
    check(GET, [BROKEN], [], tessera.ProblemError)
    check(GET, [INCOMPLETE], [], tessera.NotComplete)
    check(KEYED, [REFUSED], [], tessera.Invalid)


def test_what_may_have_been_done_is_not_done_twice() -> None:
    check(POST, [LOST], [], tessera.ConnectionLost)
    check(POST, [AWAY], [], tessera.FarmAway)
    # What was not begun may be.
    check(POST, [UNSENT, BUSY], [1.0, 5.0])


def test_who_asks_too_often_waits_as_long_as_is_said() -> None:
    check(GET, [BUSY, BUSY, BUSY, BUSY], [5.0] * 4)
    check(GET, [BUSY] * 5, [5.0] * 4, tessera.RateLimited)
    away = answer(503, problem_json("farm-away", 503, retryable=True), retry_after="7")
    check(GET, [away] * 4, [7.0] * 3, tessera.FarmAway)


def test_who_is_told_a_time_comes_then_or_a_little_later_and_others_apart() -> None:
    done = perform(call(GET, POLICY), [LOST, BUSY, AWAY, FINE])
    assert done.jitters == [0.5, 0.0, 0.5]
    assert done.extras == [0.0, 0.25, 0.0]


def test_pauses_are_as_long_as_is_said() -> None:
    for _again in range(100):
        assert 3.0 <= _pause_s(Sleep(6.0, jitter=0.5)) <= 6.0
        assert 6.0 <= _pause_s(Sleep(6.0, extra=0.25)) <= 7.5
    assert _pause_s(Sleep(6.0)) == 6.0


def test_who_orders_again_waits_for_the_first_order() -> None:
    check(KEYED, [LOST, *[UNDER_WAY] * 6], [1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    check(KEYED, [UNDER_WAY] * 20, [1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0], tessera.UnderWay)


def test_a_client_may_have_no_patience() -> None:
    for said in (LOST, AWAY, BUSY):
        done = perform(call(GET, NEVER), [said])
        assert done.error is not None and done.slept == []
    with pytest.raises(ValueError, match="at least once"):
        Retry(attempts=0)


def test_backoff_does_not_overflow() -> None:
    assert POLICY.backoff_s(10_000) == 3.0


def test_retry_after_is_seconds_or_a_date() -> None:
    def check(told: str, expected: float | None) -> None:
        headers = {"retry-after": told, "date": "Tue, 01 Dec 2026 08:00:00 GMT"}
        assert retry_after_s(headers) == expected

    check("5", 5.0)
    check(" 0 ", 0.0)
    check("Tue, 01 Dec 2026 08:00:30 GMT", 30.0)
    check("Tue, 01 Dec 2026 07:00:00 GMT", 0.0)
    check("soon", None)
    check("-3", None)
    check("", None)
    assert retry_after_s({}) is None
    # A date without a clock to hold it against says nothing.
    assert retry_after_s({"retry-after": "Tue, 01 Dec 2026 08:00:30 GMT"}) is None
