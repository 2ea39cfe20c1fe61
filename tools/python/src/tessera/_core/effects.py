"""What a plan may ask for, and the words to ask with.

```
def plan() -> Plan[int]:
    answer = yield from send(Request("GET", "/v1/farm"))
    yield from sleep(0.5)
    return answer.status
```
"""

from __future__ import annotations

import json as json_text
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar

from ..errors import UnexpectedAnswer

T = TypeVar("T")

Plan: TypeAlias = Generator[Any, Any, T]
"""Steps that end in a T; those that are iterated over emit on the way, and end in nothing."""


@dataclass(frozen=True)
class Request:
    """One request to the door."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    read_timeout_s: float | None = None
    """How long the door may say nothing; the client's timeout without it."""
    repeatable: bool = False
    """Whether a POST without a key does no harm when it is done twice."""

    @property
    def is_safe_to_repeat(self) -> bool:
        """Whether the door may get it twice and do it once."""
        idempotent = self.method in {"GET", "HEAD", "PUT", "DELETE"}
        return idempotent or self.repeatable or "Idempotency-Key" in self.headers

    def with_headers(self, **headers: str) -> Request:
        """The same with these headers too; `_` in a name stands for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


@dataclass(frozen=True)
class Answer:
    """What the door said: names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_error(self) -> bool:
        """Whether it is a problem."""
        return self.status >= 400

    def json(self) -> Any:
        """The body's JSON."""
        try:
            return json_text.loads(self.body)
        except ValueError as error:
            start = self.body[:80].decode("utf-8", "replace")
            message = f"the door's answer ({self.status}) is no JSON; it begins {start!r}"
            raise UnexpectedAnswer(message) from error


@dataclass(frozen=True)
class Send:
    """Sends a request and reads all of its answer."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Sends a request and reads its answer's head; the body is pulled. One is open at a time."""

    request: Request


@dataclass(frozen=True)
class Pull:
    """The open body's next bytes, `None` at its end."""


@dataclass(frozen=True)
class Shut:
    """Closes what is open, if anything is."""


@dataclass(frozen=True)
class Sleep:
    """Waits; up to the share `jitter` of it is left out at random, and up to `extra` of it added.

    So many do not come at once.
    """

    seconds: float
    jitter: float = 0.0
    extra: float = 0.0


@dataclass(frozen=True)
class Clock:
    """A time in seconds that only goes on."""


@dataclass(frozen=True)
class Work(Generic[T]):
    """Something that blocks, as reading a file."""

    call: Callable[[], T]


@dataclass(frozen=True)
class Emit:
    """Hands something to who iterates."""

    value: Any


def send(request: Request) -> Plan[Answer]:
    """Sends a request once, whatever comes of it; raises `ConnectionLost`."""
    answer = yield Send(request)
    assert isinstance(answer, Answer)
    return answer


def open_stream(request: Request) -> Plan[Answer]:
    """Opens an answer's body; the answer's own is empty, but for an error's, which is read."""
    answer = yield Open(request)
    assert isinstance(answer, Answer)
    return answer


def pull() -> Plan[bytes | None]:
    """Bytes of the open body; raises `ConnectionLost` where it is cut."""
    chunk = yield Pull()
    assert chunk is None or isinstance(chunk, bytes)
    return chunk


def shut() -> Plan[None]:
    """Closes what is open."""
    yield Shut()


def sleep(seconds: float, *, jitter: float = 0.0, extra: float = 0.0) -> Plan[None]:
    """Waits so long."""
    yield Sleep(seconds, jitter, extra)


def clock() -> Plan[float]:
    """Now, in seconds since some moment."""
    now = yield Clock()
    assert isinstance(now, float)
    return now


def work(call: Callable[[], T]) -> Plan[T]:
    """What a call that blocks gives."""
    result: T = yield Work(call)
    return result


def emit(value: object) -> Plan[None]:
    """Hands something out."""
    yield Emit(value)
