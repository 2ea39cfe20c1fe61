"""When a request is sent again, and after how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ..errors import (
    ConnectionLost,
    Error,
    NotComplete,
    ProblemError,
    RateLimited,
    UnderWay,
    problem_error,
)
from .effects import Answer, Plan, Request, send, sleep

JITTER = 0.5
LATER = 0.25


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How patient a client is.

    Trouble with the line and problems that are `retryable` are met by asking again, up to
    `attempts` times in all, after `first_s`, twice that, four times, and at most `most_s`, or
    after what `Retry-After` says.
    Who asks too often (429), or asks again while the door is at the same order or file, is not
    counted: waiting goes on for up to `patience_s`.
    """

    attempts: int = 6
    first_s: float = 0.25
    most_s: float = 8.0
    patience_s: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"a request is sent at least once, not {self.attempts} times")

    def backoff_s(self, failure_count: int) -> float:
        """How long to wait after so many failures in a row, one or more."""
        # Far more than any limit that makes sense, and no overflow.
        return float(min(self.most_s, self.first_s * 2 ** min(failure_count - 1, 60)))


NEVER = Retry(attempts=1, patience_s=0.0)


@dataclass
class Tries:
    """What has been tried of one request."""

    failure_count: int = 0
    waited_s: float = 0.0


def wait_s(policy: Retry, request: Request, error: Error, tries: Tries) -> float | None:
    """How long to wait before a request is sent again, or `None`: the error is the answer.

    `tries` counts this failure already.
    """
    if isinstance(error, ConnectionLost):
        if error.sent and not request.is_safe_to_repeat:
            return None
        return policy.backoff_s(tries.failure_count) if _has_attempts(policy, tries) else None
    # A picture gets complete by rendering, which takes longer than anybody waits here.
    if not isinstance(error, ProblemError) or isinstance(error, NotComplete):
        return None
    # What is turned away for its rate was not begun.
    turned_away = isinstance(error, RateLimited)
    if not turned_away and not (error.retryable and request.is_safe_to_repeat):
        return None
    wait = error.retry_after_s
    wait = policy.backoff_s(tries.failure_count) if wait is None else wait
    # An order that is under way may be told by a door that is newer than our words for it.
    under_way = isinstance(error, UnderWay) or (
        error.status == 409 and "Idempotency-Key" in request.headers
    )
    if under_way or (turned_away and error.retry_after_s is not None):
        return wait if tries.waited_s + wait <= policy.patience_s else None
    return wait if _has_attempts(policy, tries) else None


def _has_attempts(policy: Retry, tries: Tries) -> bool:
    return tries.failure_count < policy.attempts


def call(request: Request, policy: Retry) -> Plan[Answer]:
    """Sends a request until it is answered with something else than trouble.

    Raises `ProblemError` or `ConnectionLost`.
    """
    tries = Tries()
    while True:
        try:
            answer = yield from send(request)
            raise_for(answer)
            return answer
        except (ProblemError, ConnectionLost) as error:
            tries.failure_count += 1
            wait = wait_s(policy, request, error, tries)
            if wait is None:
                raise
            failed = error
        tries.waited_s += wait
        yield from rest(wait, failed)


def rest(wait: float, error: Error | None) -> Plan[None]:
    """Waits after a failure, by chance half as long, so that many do not come back at once.

    Whoever was told a time comes back at that time or up to a quarter later, and not before.
    """
    if isinstance(error, ProblemError) and error.retry_after_s is not None:
        yield from sleep(wait, extra=LATER)
    else:
        yield from sleep(wait, jitter=JITTER)


def raise_for(answer: Answer) -> None:
    """Raises the problem that an answer is, if it is one."""
    if answer.is_error:
        after = retry_after_s(answer.headers)
        raise problem_error(answer.status, answer.body, retry_after_s=after)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` says, in seconds or as a date; `None` where it says nothing sensible.

    A date is held against the answer's own, so that no clock of ours has to be right.
    """
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    then, now = _date(told), _date(headers.get("date", ""))
    return None if then is None or now is None else max(0.0, (then - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
