"""Tokens, teams and webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .._core.read import Fields
from ..money import Money
from .model import Model


@dataclass(frozen=True, kw_only=True)
class Token(Model):
    """What a script holds; `secret` is told once, where the token is made."""

    id: str
    name: str
    role: str
    team: str | None
    created: datetime | None
    expires: datetime | None
    jobs_max: int | None
    """Unfinished jobs that it may have."""
    secret: str | None = field(repr=False)

    @classmethod
    def read(cls, fields: Fields) -> Token:
        """Reads it."""
        secret = fields.maybe("secret", fields.text)
        return cls(
            id=fields.text("id"),
            name=fields.text("name"),
            role=fields.text("role"),
            team=fields.maybe("team", fields.text),
            created=fields.maybe("created", fields.time),
            expires=fields.maybe("expires", fields.time),
            jobs_max=fields.maybe("jobs_max", fields.count),
            secret=secret,
            raw=fields.raw,
        )


@dataclass(frozen=True)
class Budget:
    """What a team may spend, in what time (all, month or day), and what happens at the limit
    (refuse or pause)."""

    amount: Money
    period: str
    warn_percent: int
    at_limit: str

    @classmethod
    def read(cls, fields: Fields) -> Budget:
        """Reads it."""
        return cls(
            amount=fields.money("amount"),
            period=fields.text("period"),
            warn_percent=fields.count("warn_percent"),
            at_limit=fields.text("at_limit"),
        )


@dataclass(frozen=True, kw_only=True)
class Team(Model):
    """Those who share a budget."""

    name: str
    budget: Budget | None
    committed: Money | None
    """What its jobs may cost less what came back, in the budget's time."""

    @classmethod
    def read(cls, fields: Fields) -> Team:
        """Reads it."""
        budget = fields.maybe("budget", fields.inner)
        return cls(
            name=fields.text("team"),
            budget=Budget.read(budget) if budget else None,
            committed=fields.maybe("committed", fields.money),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Webhook(Model):
    """Where events are posted to; `secret` is told once, where the webhook is made."""

    id: str
    url: str
    events: tuple[str, ...]
    team: str | None
    created: datetime | None
    disabled: datetime | None
    """Since when nothing is posted, because its receiver answered 410 Gone."""
    secret: str | None = field(repr=False)

    @classmethod
    def read(cls, fields: Fields) -> Webhook:
        """Reads it."""
        return cls(
            id=fields.text("id"),
            url=fields.text("url"),
            events=fields.texts("events"),
            team=fields.maybe("team", fields.text),
            created=fields.maybe("created", fields.time),
            disabled=fields.maybe("disabled", fields.time),
            secret=fields.maybe("secret", fields.text),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Attempt(Model):
    """One try to post an event."""

    time: datetime
    status: int | None
    """What the receiver answered; none where it did not."""
    error: str | None
    """What was wrong; none of a success."""
    took_ms: int

    @classmethod
    def read(cls, fields: Fields) -> Attempt:
        """Reads it."""
        return cls(
            time=fields.time("time"),
            status=fields.maybe("status", fields.count),
            error=fields.maybe("error", fields.text),
            took_ms=fields.count("took_ms"),
            raw=fields.raw,
        )


@dataclass(frozen=True, kw_only=True)
class Delivery(Model):
    """An event on its way to a webhook."""

    id: str
    """What `webhook-id` says in every try."""
    event: str
    """Which event."""
    type: str
    state: str
    """waiting, delivered or given_up."""
    next: datetime | None
    """When it is tried next."""
    attempts: tuple[Attempt, ...]
    """What was tried, oldest first."""

    @classmethod
    def read(cls, fields: Fields) -> Delivery:
        """Reads it."""
        return cls(
            id=fields.text("id"),
            event=fields.word("event"),
            type=fields.text("type"),
            state=fields.text("state"),
            next=fields.maybe("next", fields.time),
            attempts=tuple(Attempt.read(it) for it in fields.inners("attempts")),
            raw=fields.raw,
        )
