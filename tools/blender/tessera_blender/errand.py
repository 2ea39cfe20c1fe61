# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on a thread of its own, of which Blender's thread asks how far it is.

Blender may only be touched by its own thread, and must never wait: what is in here is neither.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# What is not fetched by then is replaced by what comes after.
NEWS_MAX = 64


@dataclass(frozen=True)
class Progress:
    """How far the work is: what it does, and a share of it where a total is known."""

    text: str
    share: float | None = None


class Stopped(Exception):
    """The work was told to stop, and has."""


@dataclass
class Errand:
    """One piece of work: `call` gets the errand, tells progress and looks whether to go on."""

    call: Callable[[Errand], Any]
    result: Any = None
    error: Exception | None = None
    _news: queue.Queue[Progress] = field(default_factory=lambda: queue.Queue(NEWS_MAX))
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Errand:
        """Begins."""
        self._thread = threading.Thread(target=self._run, name="tessera", daemon=True)
        self._thread.start()
        return self

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def was_stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tells it to stop, and does not wait for it."""
        self._stop.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Waits for its end: for tests and scripts, never for the interface."""
        assert self._thread is not None
        self._thread.join(timeout_s)

    def news(self) -> Progress | None:
        """The last that it told since somebody asked."""
        last = None
        while True:
            try:
                last = self._news.get_nowait()
            except queue.Empty:
                return last

    # For the work itself.

    def tell(self, text: str, share: float | None = None) -> None:
        """Tells how far it is; raises `Stopped` where it is to stop."""
        self.check()
        try:
            self._news.put_nowait(Progress(text, share))
        except queue.Full:
            self.news()
            self._news.put_nowait(Progress(text, share))

    def check(self) -> None:
        """Raises `Stopped` where it is to stop."""
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Waits, but no longer than until it is to stop."""
        self._stop.wait(seconds)
        self.check()

    def _run(self) -> None:
        try:
            self.result = self.call(self)
        # Whatever it is, it is shown where the work was begun.
        except Exception as error:
            self.error = error
