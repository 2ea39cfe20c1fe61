"""The farm, its nodes, and the studio's money there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .._core.read import Fields
from ..money import Money
from .model import Model


@dataclass(frozen=True, kw_only=True)
class Wallet(Model):
    """The studio's tokens: free, in escrow for jobs, pay held back, and at risk."""

    account: str
    balance: Money
    escrowed: Money
    held: Money
    at_risk: Money

    @classmethod
    def read(cls, fields: Fields) -> Wallet:
        """Reads it."""
        return cls(
            account=fields.text("account"),
            balance=fields.money("balance"),
            escrowed=fields.money("escrowed"),
            held=fields.money("held"),
            at_risk=fields.money("at_risk"),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class StatementEntry(Model):
    """An entry of the wallet."""

    transfer: str
    direction: str
    """in or out."""
    other: str
    """The other account."""
    other_is: str = ""
    """What that account is, in words; empty where it is not told."""
    job: str | None = None
    """The job that caused it."""
    amount: Money
    code: str
    """Why, in a word of the ledger."""
    balance: Money
    """After it."""
    time: datetime

    @classmethod
    def read(cls, fields: Fields) -> StatementEntry:
        """Reads it."""
        return cls(
            transfer=fields.word("transfer"),
            direction=fields.text("direction"),
            other=fields.word("other"),
            other_is=fields.maybe("other_is", fields.text) or "",
            job=fields.maybe("job", fields.text),
            amount=fields.money("amount"),
            code=fields.word("code"),
            balance=fields.money("balance"),
            time=fields.time("time"),
            raw=fields.raw,
        )


@dataclass(frozen=True)
class Market:
    """What moves the base price, per billion rays."""

    floor: Money
    per_gray: Money
    ceiling: Money
    heading: Money
    """Where it goes if everything stays as it is."""
    line_s: int | None
    """How long the line of work is; none while no node has shown its speed."""
    nodes_able: int
    nodes_willing: int

    @classmethod
    def read(cls, fields: Fields) -> Market:
        """Reads it."""
        return cls(
            floor=fields.money("floor"),
            per_gray=fields.money("per_gray"),
            ceiling=fields.money("ceiling"),
            heading=fields.money("heading"),
            line_s=fields.maybe("line_s", fields.count),
            nodes_able=fields.count("nodes_able"),
            nodes_willing=fields.count("nodes_willing"),
        )


@dataclass(frozen=True, kw_only=True)
class Farm(Model):
    """The farm at a glance."""

    scheduler: str
    """Its key."""
    jobs_active: int
    """Jobs under way, of everybody."""
    nodes: int
    base_per_gray: Money
    market: Market

    @classmethod
    def read(cls, fields: Fields) -> Farm:
        """Reads it."""
        return cls(
            scheduler=fields.text("scheduler"),
            jobs_active=fields.count("jobs_active"),
            nodes=fields.count("nodes"),
            base_per_gray=fields.money("base_per_gray"),
            market=Market.read(fields.inner("market")),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Node(Model):
    """A node of the farm."""

    id: str
    name: str
    owner: str
    backend: str
    """Its own word on what it renders with."""
    backend_kind: str
    """cpu or gpu."""
    memory_bytes: int | None
    pools: tuple[str, ...]
    ask_per_gray: Money
    barred: bool
    reputation_ppm: int
    accepted: int
    refused: int
    dropped: int
    leases: int
    rays_per_second: int | None
    seen: datetime

    @classmethod
    def read(cls, fields: Fields) -> Node:
        """Reads it."""
        return cls(
            id=fields.text("node"),
            name=fields.text("name"),
            owner=fields.text("owner"),
            backend=fields.text("backend"),
            backend_kind=fields.text("backend_kind"),
            memory_bytes=fields.maybe("memory_bytes", fields.count),
            pools=fields.texts("pools"),
            ask_per_gray=fields.money("ask_per_gray"),
            barred=fields.flag("barred"),
            reputation_ppm=fields.count("reputation_ppm"),
            accepted=fields.count("accepted"),
            refused=fields.count("refused"),
            dropped=fields.count("dropped"),
            leases=fields.count("leases"),
            rays_per_second=fields.maybe("rays_per_second", fields.count),
            seen=fields.time("seen"),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Block(Model):
    """Somebody whom the studio keeps off its jobs."""

    id: str
    """A node's id, nod_…, or an owner's key, key_…."""
    is_node: bool
    """Whether it is one node, and not all of an owner's."""
    nodes: tuple[str, ...]
    """Names of the nodes that it means."""
    since: datetime

    @classmethod
    def read(cls, fields: Fields) -> Block:
        """Reads it."""
        return cls(
            id=fields.text("blocked"),
            is_node=fields.flag("is_node"),
            nodes=fields.texts("nodes"),
            since=fields.time("since"),
            raw=fields.raw,
        )
