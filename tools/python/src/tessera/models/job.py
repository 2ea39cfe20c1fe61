"""Jobs, their frames and tiles, and what happens to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .._core.read import Fields
from ..money import Money
from .model import Model

ENDED = frozenset({"done", "stopped", "failed", "cancelled"})


@dataclass(frozen=True)
class FrameRange:
    """Frames from the first to the last, both among them."""

    first: int
    last: int
    step: int

    @classmethod
    def read(cls, fields: Fields) -> FrameRange:
        """Reads it."""
        return cls(fields.count("first"), fields.count("last"), fields.count("step"))


@dataclass(frozen=True, kw_only=True)
class JobFacts(Model):
    """A job as it was when it was asked for; `tessera.Job` is one that can be asked again."""

    id: str
    name: str
    status: str
    """waiting, rendering, paused, done, stopped, failed or cancelled."""
    reason: str | None
    scene: str | None
    team: str | None
    submitted_by: str | None
    """Name of the token that ordered it."""
    size: tuple[int, int]
    samples: int
    cameras: tuple[str | None, ...]
    """Their names; none for the scene's first and for one set by hand."""
    frame_range: FrameRange
    frame_count: int
    """Frames of all cameras."""
    tile_count: int
    """Tiles of all frames and cameras."""
    tiles_accepted: int
    units: int
    units_accepted: int
    progress: float
    """0 to 1."""
    price: Money
    """The most that it costs."""
    spent: Money
    refunded: Money
    priority_value: int
    """1 to 100; `Job.priority(80)` changes it."""
    assurance: str | None
    after: tuple[str, ...]
    """Jobs that must be done before it begins."""
    ordered: datetime
    ended: datetime | None
    stops: datetime | None
    wanted_by: datetime | None
    expected_end: datetime | None
    expired: bool
    """Whether the farm keeps its films no longer."""
    would_return: Money | None
    """Of the answer to `stop` and `cancel`: what comes back at most."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in ENDED

    @classmethod
    def read(cls, fields: Fields) -> JobFacts:
        """Reads it."""
        return cls(
            id=fields.text("job"),
            name=fields.text("name"),
            status=fields.text("status"),
            reason=fields.maybe("reason", fields.text),
            scene=fields.maybe("scene", fields.text),
            team=fields.maybe("team", fields.text),
            submitted_by=fields.maybe("submitted_by", fields.text),
            size=fields.size("size"),
            samples=fields.count("samples"),
            cameras=fields.texts_or_none("cameras"),
            frame_range=FrameRange.read(fields.inner("frames")),
            frame_count=fields.count("frame_count"),
            tile_count=fields.count("tile_count"),
            tiles_accepted=fields.count("tiles_accepted"),
            units=fields.count("units"),
            units_accepted=fields.count("units_accepted"),
            progress=fields.number("progress"),
            price=fields.money("price"),
            spent=fields.money("spent"),
            refunded=fields.money("refunded"),
            priority_value=fields.count("priority"),
            assurance=fields.maybe("assurance", fields.word),
            after=fields.maybe("after", fields.texts) or (),
            ordered=fields.time("ordered"),
            ended=fields.maybe("ended", fields.time),
            stops=fields.maybe("stops", fields.time),
            wanted_by=fields.maybe("wanted_by", fields.time),
            expected_end=fields.maybe("expected_end", fields.time),
            expired=fields.flag("expired"),
            would_return=fields.maybe("would_return", fields.money),
            raw=fields.raw,
        )


@dataclass(frozen=True)
class TileCounts:
    """How many of a frame's tiles stand where."""

    waiting: int
    rendering: int
    retrying: int
    received: int
    accepted: int

    @property
    def all(self) -> int:
        """Tiles of the frame."""
        return self.waiting + self.rendering + self.retrying + self.received + self.accepted

    @classmethod
    def read(cls, fields: Fields) -> TileCounts:
        """Reads it."""
        return cls(
            waiting=fields.count("waiting"),
            rendering=fields.count("rendering"),
            retrying=fields.count("retrying"),
            received=fields.count("received"),
            accepted=fields.count("accepted"),
        )


@dataclass(frozen=True, kw_only=True)
class Frame(Model):
    """A frame of one camera."""

    frame: int
    camera: int
    """The camera's place in the job's list."""
    camera_name: str | None
    tiles: TileCounts
    complete: bool

    @classmethod
    def read(cls, fields: Fields) -> Frame:
        """Reads it."""
        return cls(
            frame=fields.count("frame"),
            camera=fields.count("camera"),
            camera_name=fields.maybe("camera_name", fields.text),
            tiles=TileCounts.read(fields.inner("tiles")),
            complete=fields.flag("complete"),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Tile(Model):
    """A tile of a frame: its place in the grid, and in the frame in pixels."""

    tile: int
    column: int
    row: int
    x: int
    y: int
    width: int
    height: int
    status: str
    """waiting, rendering, retrying, received or accepted."""

    @classmethod
    def read(cls, fields: Fields) -> Tile:
        """Reads it."""
        return cls(
            tile=fields.count("tile"),
            column=fields.count("column"),
            row=fields.count("row"),
            x=fields.count("x"),
            y=fields.count("y"),
            width=fields.count("width"),
            height=fields.count("height"),
            status=fields.text("status"),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Event(Model):
    """Something that happened, and how its job stood then.

    What is about no job, as `farm.lost`, has none of the job's facts.
    """

    id: str | None
    """To come back with; none of an event that no stream told."""
    type: str
    """job.ordered, job.progress, job.done, budget.warning, farm.lost …"""
    time: datetime
    job: str | None
    team: str | None
    name: str | None
    status: str | None
    tiles_accepted: int | None
    tile_count: int | None
    progress: float | None
    spent: Money | None
    reason: str | None

    @property
    def is_end(self) -> bool:
        """Whether the job has ended by it."""
        return self.type.startswith("job.") and self.type.removeprefix("job.") in ENDED

    @classmethod
    def read(cls, fields: Fields) -> Event:
        """Reads it."""
        return cls(
            id=fields.maybe("id", fields.word),
            type=fields.text("type"),
            time=fields.time("time"),
            job=fields.maybe("job", fields.text),
            team=fields.maybe("team", fields.text),
            name=fields.maybe("name", fields.text),
            status=fields.maybe("status", fields.text),
            tiles_accepted=fields.maybe("tiles_accepted", fields.count),
            tile_count=fields.maybe("tile_count", fields.count),
            progress=fields.maybe("progress", fields.number),
            spent=fields.maybe("spent", fields.money),
            reason=fields.maybe("reason", fields.text),
            raw=fields.raw,
        )

    @classmethod
    def of_end(cls, job: JobFacts) -> Event:
        """The last event of a job whose stream did not tell it."""
        return cls(
            id=None,
            type=f"job.{job.status}",
            time=job.ended or job.ordered,
            job=job.id,
            team=job.team,
            name=job.name,
            status=job.status,
            tiles_accepted=job.tiles_accepted,
            tile_count=job.tile_count,
            progress=job.progress,
            spent=job.spent,
            reason=job.reason,
            raw={},
        )


@dataclass(frozen=True, kw_only=True)
class LogEntry(Model):
    """A line of a job's log: an event, or a film that was refused."""

    id: str | None
    time: datetime
    level: str
    """info, warning or error."""
    message: str
    node: str | None
    frame: int | None
    tile: int | None

    @classmethod
    def read(cls, fields: Fields) -> LogEntry:
        """Reads it."""
        return cls(
            id=fields.maybe("id", fields.word),
            time=fields.time("time"),
            level=fields.text("level"),
            message=fields.text("message"),
            node=fields.maybe("node", fields.text),
            frame=fields.maybe("frame", fields.count),
            tile=fields.maybe("tile", fields.count),
            raw=fields.raw,
        )
