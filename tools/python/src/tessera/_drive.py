"""Performs plans: with threads that block, or in asyncio's loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import httpx

from ._core.effects import Answer, Clock, Emit, Open, Plan, Pull, Request, Send, Shut, Sleep, Work
from ._core.retry import Retry
from ._settings import door_url, is_here, token
from ._version import __version__
from .errors import ConnectionLost, UnexpectedAnswer

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10.0


class Line:
    """What both clients know of the door: its address, the token, and how long to wait."""

    def __init__(
        self,
        url: str | None,
        token_: str | None,
        timeout_s: float,
        retry: Retry,
        environment: Mapping[str, str],
    ) -> None:
        self.url = door_url(url, environment)
        self.retry = retry
        self.timeout_s = timeout_s
        self._token = token(token_, environment)

    def settings(self) -> dict[str, Any]:
        """What httpx's clients are made with."""
        headers = {"User-Agent": f"tessera-python/{__version__}", "Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return {
            "base_url": self.url,
            "headers": headers,
            "timeout": self._timeout(None),
            # The farm's answers are no place to be led elsewhere from, token in hand.
            "follow_redirects": False,
            "trust_env": not is_here(self.url),
        }

    def request(self, client: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
        """A request as httpx sends it."""
        return client.build_request(
            request.method,
            request.path,
            params=list(request.params) or None,
            headers=dict(request.headers),
            content=request.content,
            timeout=self._timeout(request.read_timeout_s),
        )

    def _timeout(self, read_s: float | None) -> httpx.Timeout:
        return httpx.Timeout(
            self.timeout_s if read_s is None else read_s, connect=CONNECT_TIMEOUT_S
        )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Within it, errors of httpx become ours."""
        try:
            yield
        except httpx.HTTPError as error:
            raise self._error(error) from error

    def _error(self, error: httpx.HTTPError) -> ConnectionLost | UnexpectedAnswer:
        if isinstance(error, httpx.DecodingError):
            return UnexpectedAnswer(f"the door's answer cannot be unpacked: {error}")
        unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        if isinstance(error, unsent):
            message = f"no door answers ({_words(error)}); is `tessera studio serve` running?"
            return ConnectionLost(f"{message} {self.url}", sent=False)
        return ConnectionLost(f"the line to the door broke ({_words(error)}): {self.url}")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _answer(response: httpx.Response, body: bytes = b"") -> Answer:
    if response.is_redirect:
        where = response.headers.get("location", "elsewhere")
        raise UnexpectedAnswer(f"the door answers from elsewhere; give its URL: {where}")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, body)


def _pause_s(effect: Sleep) -> float:
    share = effect.extra * random.random() - effect.jitter * random.random()  # noqa: S311
    return effect.seconds * (1.0 + share)


class _Steps(Generic[T]):
    """A plan between its steps."""

    result: T

    def __init__(self, plan: Plan[T]) -> None:
        self._plan = plan
        self._reply: Any = None
        self._error: Exception | None = None

    def go(self) -> object | None:
        """What is to be done next; nothing when there is a result."""
        reply, error = self._reply, self._error
        self._reply, self._error = None, None
        try:
            next_: object = self._plan.throw(error) if error is not None else self._plan.send(reply)
        except StopIteration as end:
            self.result = end.value
            return None
        return next_

    def reply(self, reply: Any) -> None:
        """What came of it."""
        self._reply = reply

    def fail(self, error: Exception) -> None:
        """It failed; the plan says what becomes of that."""
        self._error = error

    def close(self) -> None:
        """Gives up."""
        self._plan.close()


class Shell:
    """Performs plans in the caller's thread."""

    def __init__(self, line: Line, transport: httpx.BaseTransport | None) -> None:
        self.line = line
        self.retry = line.retry
        self._http = httpx.Client(transport=transport, **line.settings())

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def run(self, plan: Plan[T]) -> T:
        """Performs a plan to its end."""
        steps = _Steps(plan)
        for emitted in self._perform_all(steps):
            raise AssertionError(f"a plan with a result emits nothing, not {emitted!r}")
        return steps.result

    def iterate(self, plan: Plan[None]) -> Generator[Any, None, None]:
        """Performs a plan as far as somebody wants what it emits."""
        return self._perform_all(_Steps(plan))

    def _perform_all(self, steps: _Steps[Any]) -> Generator[Any, None, None]:
        stream = _Stream(self.line, self._http)
        try:
            while (effect := steps.go()) is not None:
                if isinstance(effect, Emit):
                    yield effect.value
                    continue
                try:
                    steps.reply(self._perform(effect, stream))
                except Exception as error:
                    steps.fail(error)
        finally:
            steps.close()
            stream.shut()

    def _perform(self, effect: object, stream: _Stream) -> Any:
        match effect:
            case Send(request):
                with self.line.errors():
                    response = self._http.send(self.line.request(self._http, request))
                return _answer(response, response.content)
            case Open(request):
                return stream.open(request)
            case Pull():
                return stream.pull()
            case Shut():
                return stream.shut()
            case Sleep():
                return time.sleep(_pause_s(effect))
            case Clock():
                return time.monotonic()
            case Work(call):
                return call()
        raise AssertionError(f"no plan asks for {effect!r}")


class _Stream:
    """The body that a plan pulls at."""

    def __init__(self, line: Line, http: httpx.Client) -> None:
        self._line = line
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def open(self, request: Request) -> Answer:
        self.shut()
        with self._line.errors():
            sent = self._line.request(self._http, request)
            response = self._response = self._http.send(sent, stream=True)
            body = response.read() if response.is_error else b""
        self._chunks = iter(()) if response.is_error else response.iter_bytes()
        return _answer(response, body)

    def pull(self) -> bytes | None:
        with self._line.errors():
            return next(self._chunks, None)

    def shut(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response, self._chunks = None, iter(())


class AsyncShell:
    """Performs plans in asyncio's loop; what blocks is done by its threads."""

    def __init__(self, line: Line, transport: httpx.AsyncBaseTransport | None) -> None:
        self.line = line
        self.retry = line.retry
        self._http = httpx.AsyncClient(transport=transport, **line.settings())

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def run(self, plan: Plan[T]) -> T:
        """Performs a plan to its end."""
        steps = _Steps(plan)
        async for emitted in self._perform_all(steps):
            raise AssertionError(f"a plan with a result emits nothing, not {emitted!r}")
        return steps.result

    def iterate(self, plan: Plan[None]) -> AsyncGenerator[Any, None]:
        """Performs a plan as far as somebody wants what it emits."""
        return self._perform_all(_Steps(plan))

    async def _perform_all(self, steps: _Steps[Any]) -> AsyncGenerator[Any, None]:
        stream = _AsyncStream(self.line, self._http)
        try:
            while (effect := steps.go()) is not None:
                if isinstance(effect, Emit):
                    yield effect.value
                    continue
                try:
                    steps.reply(await self._perform(effect, stream))
                except Exception as error:
                    steps.fail(error)
        finally:
            steps.close()
            await stream.shut()

    async def _perform(self, effect: object, stream: _AsyncStream) -> Any:
        match effect:
            case Send(request):
                with self.line.errors():
                    response = await self._http.send(self.line.request(self._http, request))
                return _answer(response, response.content)
            case Open(request):
                return await stream.open(request)
            case Pull():
                return await stream.pull()
            case Shut():
                return await stream.shut()
            case Sleep():
                return await asyncio.sleep(_pause_s(effect))
            case Clock():
                return time.monotonic()
            case Work(call):
                return await asyncio.to_thread(call)
        raise AssertionError(f"no plan asks for {effect!r}")


class _AsyncStream:
    """The body that a plan pulls at."""

    def __init__(self, line: Line, http: httpx.AsyncClient) -> None:
        self._line = line
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def open(self, request: Request) -> Answer:
        await self.shut()
        with self._line.errors():
            sent = self._line.request(self._http, request)
            response = self._response = await self._http.send(sent, stream=True)
            body = await response.aread() if response.is_error else b""
        self._chunks = None if response.is_error else response.aiter_bytes()
        return _answer(response, body)

    async def pull(self) -> bytes | None:
        if self._chunks is None:
            return None
        with self._line.errors():
            try:
                return await self._chunks.__anext__()
            except StopAsyncIteration:
                return None

    async def shut(self) -> None:
        if self._response is not None:
            await self._response.aclose()
        self._response, self._chunks = None, None
