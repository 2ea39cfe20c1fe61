"""Performs plans without a network or a clock: a script says what comes of each step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tessera._core.effects import (
    Answer,
    Clock,
    Emit,
    Open,
    Plan,
    Pull,
    Request,
    Send,
    Shut,
    Sleep,
    Work,
)
from tessera.errors import ConnectionLost

T = TypeVar("T")

LOST = ConnectionLost("cut")
UNSENT = ConnectionLost("nobody there", sent=False)


@dataclass(frozen=True)
class Opened:
    """An answer whose body comes in pieces, and may be cut."""

    head: Answer
    pieces: tuple[bytes | ConnectionLost, ...]


Said = Answer | ConnectionLost | Opened
"""What a request is answered with."""


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    """An answer with JSON in it."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, told, b"" if body is None else json.dumps(body).encode())


def stream(*pieces: bytes | ConnectionLost) -> Opened:
    """Events that come in pieces."""
    return Opened(Answer(200, {"content-type": "text/event-stream"}), pieces)


@dataclass
class Performed:
    """What a plan did."""

    result: Any = None
    emitted: list[Any] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    jitters: list[float] = field(default_factory=list)
    extras: list[float] = field(default_factory=list)
    error: Exception | None = None


def perform(plan: Plan[T], said: Iterable[Said] | Callable[[Request], Said]) -> Performed:
    """Performs a plan to its end or its error; time goes on by what it sleeps."""
    script = said if callable(said) else _in_order(said)
    done, now, pieces = Performed(), 0.0, list[bytes | ConnectionLost]()
    reply: Any = None
    error: Exception | None = None
    for _step in range(10_000):
        try:
            effect = plan.throw(error) if error is not None else plan.send(reply)
        except StopIteration as end:
            done.result = end.value
            return done
        except Exception as raised:
            done.error = raised
            return done
        reply = error = None
        match effect:
            case Send(request) | Open(request):
                done.asked.append(request)
                told = script(request)
                if isinstance(told, ConnectionLost):
                    error = told
                elif isinstance(told, Opened):
                    pieces, reply = list(told.pieces), told.head
                else:
                    pieces, reply = [], told
            case Pull():
                piece = pieces.pop(0) if pieces else None
                if isinstance(piece, ConnectionLost):
                    error = piece
                else:
                    reply = piece
            case Sleep(seconds, jitter, extra):
                done.slept.append(seconds)
                done.jitters.append(jitter)
                done.extras.append(extra)
                now += seconds
            case Clock():
                reply = now
            case Work(call):
                try:
                    reply = call()
                except Exception as raised:
                    error = raised
            case Emit(value):
                done.emitted.append(value)
            case Shut():
                pass
            case _:
                raise AssertionError(f"what is {effect!r}?")
    raise AssertionError("the plan does not end")


def _in_order(said: Iterable[Said]) -> Callable[[Request], Said]:
    rest = iter(said)

    def script(request: Request) -> Said:
        told = next(rest, None)
        assert told is not None, f"nothing was said to {request.method} {request.path}"
        return told

    return script
