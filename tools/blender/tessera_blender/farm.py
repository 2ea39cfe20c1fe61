# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on asks of the farm, by way of Tessera's Python package: all of it blocks.

Nothing in here knows Blender. Each function gets the errand that it runs in.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tessera

from .errand import Errand

Json = dict[str, Any]

# How often a job is asked about, and for how long a farm may be away.
ASK_S, PATIENCE_S = 1.0, 600.0
PATTERN = "{name}.{frame:04}"
ENDED = frozenset({"done", "stopped", "failed", "cancelled"})


@dataclass(frozen=True)
class Door:
    """Where `tessera studio serve` is; without a token its environment or file has one."""

    url: str
    token: str = ""

    def client(self) -> tessera.Client:
        """A client; the caller closes it."""
        return tessera.Client(self.url or None, token=self.token or None)

    @property
    def is_open_line(self) -> bool:
        """Whether the token goes unencrypted over a network."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Price:
    """What a job costs at most, and what the door said of its scene."""

    scene: str
    tokens: Decimal
    samples: int
    nodes_here: int
    nodes_hold: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Course:
    """How a job stands."""

    id: str
    name: str
    status: str
    reason: str = ""
    progress: float = 0.0
    tiles_accepted: int = 0
    tile_count: int = 0
    spent: Decimal = Decimal(0)
    frame_count: int = 1

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in ENDED

    @property
    def text(self) -> str:
        """A line about it."""
        word = self.status.capitalize()
        if self.status == "rendering" and self.tile_count:
            return f"{word}, {self.tiles_accepted} of {self.tile_count} tiles"
        return f"{word}: {self.reason}" if self.reason else word


def price(errand: Errand, door: Door, root: Path, job: Json) -> Price:
    """Sends a scene's files and asks for a firm price."""
    with door.client() as client:
        errand.tell("Sending", 0.0)

        def sent(progress: tessera.UploadProgress) -> None:
            errand.tell(f"Sending {mb(progress.size_bytes)}", progress.share)

        scene = client.upload(root, on_upload=sent)
        errand.tell("Asking for the price")
        quote = client.quote(scene, **settings(job))
        errand.check()
    return Price(
        scene=scene.id,
        tokens=quote.price.tokens,
        samples=quote.samples,
        nodes_here=quote.nodes.here,
        nodes_hold=quote.nodes.hold,
        warnings=tuple(scene.warnings),
    )


def order(
    errand: Errand, door: Door, scene: str, job: Json, limit: Decimal, key: str
) -> Course:
    """Orders a job that may cost `limit` at most; the same key orders once."""
    with door.client() as client:
        errand.tell("Ordering")
        told = {"max_cost": money(limit), "idempotency_key": key}
        return course(client.submit(scene, **told, **settings(job)))


def new_key() -> str:
    """A key for one order, however often it is sent."""
    return f"blender-{uuid.uuid4()}"


def follow(
    errand: Errand, door: Door, id: str, seen: Callable[[Course], None] = lambda _course: None
) -> Course:
    """Watches a job until it is over; a farm that is away is waited for."""
    away_s = 0.0
    with door.client() as client:
        while True:
            try:
                now = course(client.job(id))
                away_s = 0.0
                errand.tell(now.text, now.progress)
                seen(now)
                if now.is_over:
                    return now
            except tessera.Error as error:
                if not is_away(error):
                    raise
                away_s += ASK_S
                if away_s > PATIENCE_S:
                    raise
                errand.tell("Not connected; the farm goes on rendering. Trying again")
            errand.wait(ASK_S)


def fetch(errand: Errand, door: Door, id: str, folder: Path, pattern: str = PATTERN) -> list[Path]:
    """Fetches the pictures of a job as far as they are there, into a folder."""
    with door.client() as client:
        errand.tell("Fetching the picture")
        job = client.job(id)
        return job.download(folder, pattern=pattern, overwrite="replace", partial=True)


def cancel(errand: Errand, door: Door, id: str) -> Course:
    """Ends a job at once; what nodes are at is not paid."""
    with door.client() as client:
        errand.tell("Cancelling")
        return course(client.job(id).cancel())


def course(job: Any) -> Course:
    """How a job stands, of what the package tells."""
    return Course(
        id=job.id,
        name=job.name,
        status=job.status,
        reason=job.reason or "",
        progress=job.progress,
        tiles_accepted=job.tiles_accepted,
        tile_count=job.tile_count,
        spent=job.spent.tokens,
        frame_count=job.frame_count,
    )


def settings(job: Json) -> Json:
    """A description as the package's keywords."""
    told = dict(job)
    told["size"] = tuple(job["size"])
    return told


def money(tokens: Decimal) -> str:
    """An amount as the API reads it, never less than was meant."""
    return str(tokens.quantize(Decimal("0.000001"), rounding=ROUND_UP))


def credits(tokens: Decimal) -> str:
    """An amount as people read it: two decimals, and never less than it is."""
    return f"{tokens.quantize(Decimal('0.01'), rounding=ROUND_UP)}"


def mb(size_bytes: int) -> str:
    """A size as people read it."""
    return f"{size_bytes / 1e6:.1f} MB"


def words(error: BaseException) -> str:
    """What an error says to an artist: what happened and what to do, without a trace."""
    if isinstance(error, tessera.MaxCostExceeded) and error.price is not None:
        return f"It would cost {credits(error.price.tokens)}, above the limit; nothing was ordered"
    if isinstance(error, tessera.ConnectionLost):
        return f"The door cannot be reached; is `tessera studio serve` running? {error}"
    return str(error) or type(error).__name__



def is_away(error: BaseException) -> bool:
    """Whether the door, or the farm behind it, may answer later."""
    if isinstance(error, tessera.ProblemError):
        return error.retryable
    return isinstance(error, tessera.ConnectionLost)


def is_lost_line(error: BaseException) -> bool:
    """Whether it is not known what became of a request."""
    return isinstance(error, tessera.ConnectionLost)
