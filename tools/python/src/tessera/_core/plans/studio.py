"""Money, the farm, people and their scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...models import Block, Delivery, Farm, Node, StatementEntry, Team, Token, Wallet, Webhook
from ...types import TimeLike
from .. import describe
from ..effects import Plan
from ..read import Fields
from ..retry import Retry, call
from .asking import get, listed, post, with_body


def raw(policy: Retry, *path: str) -> Plan[Mapping[str, Any]]:
    """An object as the door tells it."""
    return get(policy, lambda fields: fields.raw, path[-1], *path)


def wallet(policy: Retry) -> Plan[Wallet]:
    """The studio's balances."""
    return get(policy, Wallet.read, "wallet", "wallet")


def statement(policy: Retry) -> Plan[None]:
    """Emits entries of the wallet, newest first."""
    return listed(policy, StatementEntry.read, "entry", "wallet", "statement")


def farm(policy: Retry) -> Plan[Farm]:
    """The farm at a glance."""
    return get(policy, Farm.read, "farm", "farm")


def nodes(policy: Retry) -> Plan[None]:
    """Emits the farm's nodes."""
    return listed(policy, Node.read, "node", "nodes")


def blocks(policy: Retry) -> Plan[None]:
    """Emits whom the studio keeps off its jobs."""
    return listed(policy, Block.read, "block", "blocks")


def block(policy: Retry, who: str) -> Plan[None]:
    """Keeps a node, or an owner's nodes, off the studio's jobs."""
    yield from call(with_body("PUT", describe.path("blocks", who), None), policy)


def create_token(
    policy: Retry,
    name: str,
    role: str,
    team: str | None,
    expires: TimeLike | None,
    jobs_max: int | None,
) -> Plan[Token]:
    """Makes a token."""
    body = {
        "name": name,
        "role": role,
        "team": team,
        "expires": describe.time(expires),
        "jobs_max": jobs_max,
    }
    return post(policy, Token.read, "token", "tokens", body=body)


def put_team(policy: Retry, name: str, budget: Mapping[str, Any] | None) -> Plan[Team]:
    """Makes a team, or gives it another budget."""
    body = {"budget": describe.budget(budget)}
    request = with_body("PUT", describe.path("teams", name), body)
    answer = yield from call(request, policy)
    return Team.read(Fields(answer.json(), "team"))


def create_webhook(
    policy: Retry, url: str, events: Sequence[str], team: str | None
) -> Plan[Webhook]:
    """Makes a webhook."""
    if isinstance(events, str):
        raise TypeError(f"`events` is a list of types, not {events!r}")
    body = {"url": url, "events": list(events), "team": team}
    return post(policy, Webhook.read, "webhook", "webhooks", body=body)


def deliveries(policy: Retry, id: str) -> Plan[None]:
    """Emits what was sent to a webhook."""
    return listed(policy, Delivery.read, "delivery", "webhooks", id, "deliveries")
