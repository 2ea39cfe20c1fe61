"""Scenes and quotes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .._core.read import Fields
from ..money import Money
from .model import Model


@dataclass(frozen=True)
class Asks:
    """What a scene asks of its pictures."""

    size: tuple[int, int] | None
    samples: int | None
    shutter: float | None
    view: str | None
    exposure: float | None

    @classmethod
    def read(cls, fields: Fields) -> Asks:
        """Reads it."""
        return cls(
            size=fields.maybe("size", fields.size),
            samples=fields.maybe("samples", fields.count),
            shutter=fields.maybe("shutter", fields.number),
            view=fields.maybe("view", fields.text),
            exposure=fields.maybe("exposure", fields.number),
        )


@dataclass(frozen=True)
class Animation:
    """A scene's animation."""

    first_frame: int
    last_frame: int
    fps: float

    @classmethod
    def read(cls, fields: Fields) -> Animation:
        """Reads it."""
        first, last = fields.count("first_frame"), fields.count("last_frame")
        return cls(first, last, fields.number("fps"))


@dataclass(frozen=True)
class Arrival:
    """How far a scene has come from the door to the farm."""

    received_bytes: int
    size_bytes: int
    whole: bool

    @classmethod
    def read(cls, fields: Fields) -> Arrival:
        """Reads it."""
        received, size = fields.count("received_bytes"), fields.count("size_bytes")
        return cls(received, size, fields.flag("whole"))


@dataclass(frozen=True, kw_only=True)
class Scene(Model):
    """A scene at the door; the same content has the same id."""

    id: str
    root: str
    created: datetime
    size_bytes: int
    warnings: tuple[str, ...]
    """What of it was not imported, and what to do."""
    cameras: tuple[str, ...]
    asks: Asks
    animation: Animation | None
    at_farm: Arrival

    @classmethod
    def read(cls, fields: Fields) -> Scene:
        """Reads it."""
        animation = fields.maybe("animation", fields.inner)
        return cls(
            id=fields.text("scene"),
            root=fields.text("root"),
            created=fields.time("created"),
            size_bytes=fields.count("size_bytes"),
            warnings=fields.texts("warnings"),
            cameras=fields.texts("cameras"),
            asks=Asks.read(fields.inner("asks")),
            animation=Animation.read(animation) if animation else None,
            at_farm=Arrival.read(fields.inner("at_farm")),
            raw=fields.raw,
        )


@dataclass(frozen=True)
class Probed:
    """What a price was found by."""

    frames: int
    pixels: int


@dataclass(frozen=True)
class NodeCounts:
    """Nodes that the farm knows; of these, that meet the job's needs; of these, that can hold
    its scene; of these, that are here now."""

    known: int
    meet: int
    hold: int
    here: int


@dataclass(frozen=True)
class Memory:
    """What a scene takes of a node."""

    cpu_bytes: int
    gpu_bytes: int


@dataclass(frozen=True, kw_only=True)
class Quote(Model):
    """A firm price, the most that the job costs; what is not used of it returns."""

    id: str
    price: Money
    work: Money
    fee: Money
    reserve: Money
    setup: Money
    checking: Money
    price_per_gray: Money
    base_per_gray: Money
    assurance: str
    samples: int
    probed: Probed
    nodes: NodeCounts
    memory: Memory
    valid_until: datetime

    @classmethod
    def read(cls, fields: Fields) -> Quote:
        """Reads it."""
        probed, nodes = fields.inner("probed"), fields.inner("nodes")
        memory = fields.inner("memory")
        known, meet = nodes.count("known"), nodes.count("meet")
        return cls(
            id=fields.text("quote"),
            price=fields.money("price"),
            work=fields.money("work"),
            fee=fields.money("fee"),
            reserve=fields.money("reserve"),
            setup=fields.money("setup"),
            checking=fields.money("checking"),
            price_per_gray=fields.money("price_per_gray"),
            base_per_gray=fields.money("base_per_gray"),
            assurance=fields.word("assurance"),
            samples=fields.count("samples"),
            probed=Probed(probed.count("frames"), probed.count("pixels")),
            nodes=NodeCounts(known, meet, nodes.count("hold"), nodes.count("here")),
            memory=Memory(memory.count("cpu_bytes"), memory.count("gpu_bytes")),
            valid_until=fields.time("valid_until"),
            raw=fields.raw,
        )
