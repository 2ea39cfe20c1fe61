"""The shapes that most requests have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from .. import describe
from ..effects import Emit, Plan, Request, emit
from ..read import Fields, items
from ..retry import Retry, call

T = TypeVar("T")

Reader: TypeAlias = Callable[[Fields], T]


def get(policy: Retry, read: Reader[T], where: str, *path: str | int, **params: object) -> Plan[T]:
    """Asks for one thing."""
    request = Request("GET", describe.path(*path), describe.params(**params))
    answer = yield from call(request, policy)
    return read(Fields(answer.json(), where))


def listed(
    policy: Retry, read: Reader[Any], where: str, *path: str | int, **params: object
) -> Plan[None]:
    """Emits the items of a list, page by page as they are wanted."""
    cursor: str | None = None
    while True:
        told = describe.params(**params, cursor=cursor)
        answer = yield from call(Request("GET", describe.path(*path), told), policy)
        page, cursor = items(answer.json(), where)
        for item in page:
            yield from emit(read(Fields(item, where)))
        if cursor is None:
            return


def post(
    policy: Retry,
    read: Reader[T],
    where: str,
    *path: str | int,
    body: Mapping[str, Any] | None = None,
    params: tuple[tuple[str, str], ...] = (),
    key: str | None = None,
    repeatable: bool = False,
    timeout_s: float | None = None,
) -> Plan[T]:
    """Has something done."""
    request = with_body("POST", describe.path(*path), body, params, timeout_s, repeatable)
    if key is not None:
        request = request.with_headers(Idempotency_Key=key)
    answer = yield from call(request, policy)
    return read(Fields(answer.json(), where))


def delete(policy: Retry, *path: str | int) -> Plan[None]:
    """Has something removed."""
    yield from call(Request("DELETE", describe.path(*path)), policy)


def with_body(
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    params: tuple[tuple[str, str], ...] = (),
    timeout_s: float | None = None,
    repeatable: bool = False,
) -> Request:
    """A request with JSON in it."""
    headers = {} if body is None else {"Content-Type": "application/json"}
    content = None if body is None else describe.body(body)
    return Request(method, path, params, headers, content, timeout_s, repeatable)


def collected(emitting: Plan[None], kind: type[T]) -> Plan[list[T]]:
    """What a plan emits, as a list."""
    found: list[T] = []
    reply: Any = None
    try:
        while True:
            effect = emitting.send(reply)
            if isinstance(effect, Emit):
                assert isinstance(effect.value, kind)
                found.append(effect.value)
                reply = None
            else:
                reply = yield effect
    except StopIteration:
        return found
