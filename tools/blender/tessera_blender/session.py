# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a render on the farm stands, from the look at the scene to the picture: no Blender.

One session is under way at a time. What it waits for is an errand, and `step` takes what the
errand brought: the interface calls it a few times a second and draws what it finds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from . import exr, farm
from .differences import Difference
from .errand import Errand, Stopped
from .frame import Rect

Json = dict[str, Any]


class Phase(enum.Enum):
    """What is under way."""

    IDLE = "idle"
    PRICING = "pricing"
    PRICED = "priced"
    ORDERING = "ordering"
    RENDERING = "rendering"
    CANCELLING = "cancelling"
    FETCHING = "fetching"
    DONE = "done"
    FAILED = "failed"


BUSY = frozenset({
    Phase.PRICING, Phase.ORDERING, Phase.RENDERING, Phase.CANCELLING, Phase.FETCHING,
})


@dataclass
class Session:
    """The state that the panel draws; `owner` is the scene that it is about."""

    owner: str = ""

    phase: Phase = Phase.IDLE
    differences: list[Difference] = field(default_factory=list)
    has_checked: bool = False
    text: str = ""
    share: float | None = None
    error: str = ""
    price: farm.Price | None = None
    course: farm.Course | None = None
    pictures: list[Path] = field(default_factory=list)

    _door: farm.Door | None = None
    _job: Json = field(default_factory=dict)
    _folder: Path = Path()
    _window: Rect | None = None
    # Key and limit of an order of which it is not known whether it arrived.
    _sent: tuple[str, Decimal] | None = None
    _errand: Errand | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return self.phase in BUSY

    @property
    def errand(self) -> Errand | None:
        """What is waited for."""
        return self._errand

    # What people do.

    def checked(self, differences: list[Difference]) -> None:
        """Takes what a look at the scene found."""
        self.differences, self.has_checked = differences, True

    def ask(
        self, door: farm.Door, root: Path, job: Json, folder: Path, window: Rect | None = None
    ) -> None:
        """Sends a scene and asks for the price.

        Pictures will go to `folder`; `window` is what they are to show of the whole.
        """
        self._door, self._job, self._folder, self._window = door, job, folder, window
        self.price, self.course, self.pictures, self._sent = None, None, [], None
        self._begin(Phase.PRICING, partial(farm.price, door=door, root=root, job=job))

    def order(self, limit: Decimal) -> None:
        """Orders what was priced, for `limit` at most."""
        if self.price is None or self._door is None or self.phase is not Phase.PRICED:
            return
        # After a lost line the same is sent once more, and is still one order.
        key, limit = self._sent = self._sent or (farm.new_key(), limit)
        call = partial(farm.order, door=self._door, scene=self.price.scene, job=self._job,
                       limit=limit, key=key)
        self._begin(Phase.ORDERING, call)

    def discard(self) -> None:
        """Forgets the price, or how it ended."""
        self.stop()
        self.phase, self.text, self.error = Phase.IDLE, "", ""
        self.price = self._sent = None

    def open(self, door: farm.Door, id: str, folder: Path, window: Rect | None = None) -> None:
        """Watches a job that was ordered before."""
        self._door, self._folder, self._window = door, folder, window
        self.course, self.pictures, self.price = farm.Course(id, "", "waiting"), [], None
        self._watch()

    def detach(self) -> None:
        """Stops watching; the farm goes on."""
        self.stop()
        self.phase = Phase.IDLE
        self.text = "The farm goes on without you; open the job to see it again"

    def cancel(self) -> None:
        """Ends the job at once."""
        if self._door is None or self.course is None:
            return
        self.stop()
        self._begin(
            Phase.CANCELLING, partial(farm.cancel, door=self._door, id=self.course.id))

    def stop(self) -> None:
        """Lets go of what is under way."""
        if self._errand is not None:
            self._errand.stop()
        self._errand = None
        if self.is_busy:
            self.phase = Phase.IDLE

    # What comes of it.

    def step(self) -> bool:
        """Takes what the errand brought; whether there is anything new to draw."""
        errand = self._errand
        if errand is None:
            return False
        is_over = errand.is_over
        news = errand.news()
        if news is not None:
            self.text, self.share = news.text, news.share
        if not is_over:
            return news is not None
        self._errand = None
        if errand.error is not None:
            self._fail(errand.error)
        else:
            self._go_on(errand.result)
        return True

    def _go_on(self, result: Any) -> None:
        if self.phase is Phase.PRICING:
            self.price, self.phase, self.text, self.share = result, Phase.PRICED, "", None
        elif self.phase is Phase.ORDERING:
            self.course, self._sent = result, None
            self._watch()
        elif self.phase in (Phase.RENDERING, Phase.CANCELLING):
            self.course = result
            self._fetch()
        elif self.phase is Phase.FETCHING:
            self.pictures = result
            self._end()

    def _fetch(self) -> None:
        assert self.course is not None and self._door is not None
        if self.course.status in ("cancelled", "failed") and not self.course.tiles_accepted:
            self._end()
            return
        fetch = partial(_fetched, door=self._door, id=self.course.id, folder=self._folder,
                        window=self._window)
        self._begin(Phase.FETCHING, fetch)

    def _end(self) -> None:
        assert self.course is not None
        self.share = None
        if self.course.status in ("done", "stopped"):
            self.phase = Phase.DONE
            self.text = f"{self.course.text}, {farm.credits(self.course.spent)} tokens spent"
        else:
            self.phase = Phase.IDLE if self.course.status == "cancelled" else Phase.FAILED
            self.text = self.error = self.course.text

    def _watch(self) -> None:
        assert self.course is not None and self._door is not None
        call = partial(farm.follow, door=self._door, id=self.course.id, seen=self._saw)
        self._begin(Phase.RENDERING, call)

    def _saw(self, course: farm.Course) -> None:
        # From the errand's thread: one reference is put in the place of another.
        self.course = course

    def _fail(self, error: Exception) -> None:
        self.share = None
        if isinstance(error, Stopped):
            self.phase, self.text = Phase.IDLE, ""
            return
        was = self.phase
        self.error = farm.words(error)
        if not farm.is_lost_line(error):
            self._sent = None
        elif was is Phase.ORDERING:
            self.error += ". Whether the order arrived is not known; ordering again sends it once"
        # What was priced can be ordered again, with another limit or when the line is back.
        self.phase = Phase.PRICED if was is Phase.ORDERING else Phase.FAILED
        self.text = self.error

    def _begin(self, phase: Phase, call: Callable[[Errand], Any]) -> None:
        self.phase, self.text, self.share, self.error = phase, "", None, ""
        self._errand = Errand(call).start()


def _fetched(
    errand: Errand, door: farm.Door, id: str, folder: Path, window: Rect | None
) -> list[Path]:
    pictures = farm.fetch(errand, door, id, folder)
    if window is not None:
        for path in pictures:
            exr.show(path, window)
    return pictures
