"""Doors, and clients of both kinds for the same tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tessera
from door import TOKEN, Door

# As patient as any other, and quick.
QUICK = tessera.Retry(attempts=6, first_s=0.001, most_s=0.01, patience_s=5.0)


@pytest.fixture
def door() -> Iterator[Door]:
    """A door in a thread."""
    door = Door()
    yield door
    door.close()
    assert door.mistakes == []


@pytest.fixture(autouse=True)
def _nobodys(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No token and no door of whoever runs the tests."""
    for name in ("TESSERA_API", "TESSERA_TOKEN", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


Connect = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients of one kind; asyncio's is dressed up as the other, so that tests are one."""
    runner = _Runner()
    made: list[Any] = []

    def connect(url: str, *, token: str = TOKEN, **more: Any) -> Any:
        more.setdefault("retry", QUICK)
        kind = tessera.Client if request.param == "sync" else tessera.AsyncClient
        client: Any = kind(url, token=token, **more)
        made.append(client)
        return client if request.param == "sync" else _Blocking(client, runner)

    yield connect
    for client in made:
        closing = client.close()
        if inspect.isawaitable(closing):
            runner.run(_awaited(closing))
    runner.close()


async def _awaited(told: Any) -> Any:
    return await told


class _Runner:
    """`asyncio.Runner`, which Python 3.10 has not, as much as is needed of it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, told: Any) -> Any:
        return self._loop.run_until_complete(told)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class _Blocking:
    """An object of asyncio's client whose methods block."""

    def __init__(self, inner: Any, runner: _Runner) -> None:
        self.inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return self._wrapped(found) if inspect.ismethod(found) else found

    def _wrapped(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            bare = [it.inner if isinstance(it, _Blocking) else it for it in args]
            told = method(*bare, **named)
            if inspect.isasyncgen(told):
                return self._iterated(told)
            if inspect.isawaitable(told):
                told = self._runner.run(_awaited(told))
            return _Blocking(told, self._runner) if isinstance(told, tessera.AsyncJob) else told

        return call

    def _iterated(self, told: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self._runner.run(_awaited(told.__anext__()))
                except StopAsyncIteration:
                    return
                yield _Blocking(item, self._runner) if isinstance(item, tessera.AsyncJob) else item
        finally:
            self._runner.run(_awaited(told.aclose()))
