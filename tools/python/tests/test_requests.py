"""What each method asks, of a door that is played by httpx's transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

import tessera
from conftest import Connect
from door import TIME, job_json, money, quote_json, scene_json

TOKEN_JSON = {"id": "tok_1", "name": "nightly", "role": "viewer", "created": TIME}
TEAM_JSON = {"team": "light", "budget": None, "committed": money(0)}
HOOK_JSON = {"id": "whk_1", "url": "https://a.example", "events": ["job.done"], "team": None}
WALLET_JSON = {
    "account": "acc_1",
    **{name: money(1) for name in ("balance", "escrowed", "held", "at_risk")},
}
ENTRY_JSON = {
    "transfer": "1",
    "direction": "in",
    "other": "acc_2",
    "other_is": "issuance",
    "job": None,
    "amount": money(1),
    "code": "grant",
    "balance": money(2),
    "time": TIME,
}
MARKET_JSON = {
    **{name: money(1) for name in ("floor", "per_gray", "ceiling", "heading")},
    "line_s": None,
    "nodes_able": 1,
    "nodes_willing": 1,
}
FARM_JSON = {
    "scheduler": "key",
    "jobs_active": 1,
    "nodes": 3,
    "base_per_gray": money(10),
    "market": MARKET_JSON,
}
NODE_JSON = {
    "node": "nod_1",
    "name": "attic",
    "owner": "key",
    "backend": "cpu of 8",
    "backend_kind": "cpu",
    "memory_bytes": None,
    "pools": ["studio"],
    "ask_per_gray": money(0),
    "barred": False,
    "reputation_ppm": 990_000,
    "accepted": 1,
    "refused": 0,
    "dropped": 0,
    "leases": 1,
    "rays_per_second": None,
    "seen": TIME,
}
BLOCK_JSON = {"blocked": "nod_1", "is_node": True, "nodes": ["attic"], "since": TIME}
TILE_JSON = {
    **dict.fromkeys(("tile", "column", "row", "x", "y", "width", "height"), 1),
    "status": "waiting",
}
LOG_JSON = {"id": 1, "time": TIME, "level": "info", "message": "ordered"}
ATTEMPT_JSON = {"time": TIME, "status": 204, "error": None, "took_ms": 12}
DELIVERY_JSON = {
    "id": "msg_1",
    "event": 7,
    "type": "job.done",
    "state": "delivered",
    "next": None,
    "attempts": [ATTEMPT_JSON],
}

Use = Callable[[Any], Any]


@dataclass(frozen=True)
class Raw:
    """An answer that is no JSON of ours."""

    status: int
    content: bytes = b""
    location: str = ""


class Played:
    """A transport for both clients that answers everything alike."""

    def __init__(self, *told: Any) -> None:
        self.told = list(told)
        self.asked: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        told = self.told.pop(0)
        if isinstance(told, Raw):
            headers = {"location": told.location} if told.location else {}
            return httpx.Response(told.status, content=told.content, headers=headers)
        return httpx.Response(200, json=told)


def page(*items: Any, cursor: str | None = None) -> Any:
    return {"items": list(items), "next_cursor": cursor}


def check(connect: Connect, use: Use, told: Any, line: str, body: Any = None) -> Any:
    """What is done, what is answered, and the request's line and body."""
    played = Played(*(told if isinstance(told, list) else [told]))
    client = connect("http://door.example", transport=played.transport)
    result = use(client)
    request = played.asked[-1]
    assert f"{request.method} {request.url.raw_path.decode()}" == line
    assert (json.loads(request.content) if request.content else None) == body
    return result


def job(client: Any) -> Any:
    """A job of this client."""
    return client.job("job_1")


@pytest.mark.parametrize(
    ("use", "line", "body"),
    [
        (lambda job: job.refresh(), "GET /v1/jobs/job_1", None),
        (lambda job: job.pause(), "POST /v1/jobs/job_1/pause", None),
        (lambda job: job.resume(), "POST /v1/jobs/job_1/resume", None),
        (lambda job: job.stop(), "POST /v1/jobs/job_1/stop", None),
        (lambda job: job.stop(dry_run=True), "POST /v1/jobs/job_1/stop?dry_run=true", None),
        (lambda job: job.cancel(), "POST /v1/jobs/job_1/cancel", None),
        (lambda job: job.cancel(dry_run=True), "POST /v1/jobs/job_1/cancel?dry_run=true", None),
        (lambda job: job.retry(), "POST /v1/jobs/job_1/retry", {}),
        (lambda job: job.retry(tile=3), "POST /v1/jobs/job_1/retry", {"tile": 3}),
        (
            lambda job: job.first(frame=0, camera=1),
            "POST /v1/jobs/job_1/first",
            {"frame": 0, "camera": 1},
        ),
        (lambda job: job.priority(80), "POST /v1/jobs/job_1/priority", {"priority": 80}),
    ],
)
def test_jobs_are_steered(connect: Connect, use: Use, line: str, body: Any) -> None:
    told = [job_json(), job_json(name="after", would_return=money(7))]
    after = check(connect, lambda client: use(job(client)), told, line, body)
    assert after.name == "after" and after.would_return == tessera.Money(7)


def test_parts_of_jobs_are_read(connect: Connect) -> None:
    def of(use: Use, told: Any, line: str) -> Any:
        return check(connect, lambda client: list(use(job(client))), [job_json(), told], line)

    # A bare list, and pages.
    line = "GET /v1/jobs/job_1/frames/7/tiles?camera=1"
    (tile,) = of(lambda job: job.tiles(7, camera=1), [TILE_JSON], line)
    assert tile.status == "waiting"
    (entry,) = of(lambda job: job.log(), page(LOG_JSON), "GET /v1/jobs/job_1/log")
    assert (entry.id, entry.message, entry.tile) == ("1", "ordered", None)
    assert of(lambda job: job.frames(), page(), "GET /v1/jobs/job_1/frames?limit=1000") == []


def test_a_receipt_is_the_bytes_that_came(connect: Connect) -> None:
    receipt = Raw(200, b'{"v": 1}')
    line = "GET /v1/jobs/job_1/frames/0/receipt?camera=0"
    got = check(connect, lambda client: job(client).receipt(), [job_json(), receipt], line)
    assert got == b'{"v": 1}'
    many = job_json(frames={"first": 1, "last": 9, "step": 1})
    line = "GET /v1/jobs/job_1/frames/7/receipt?camera=1"
    check(connect, lambda c: job(c).receipt(frame=7, camera=1), [many, receipt], line)
    with pytest.raises(ValueError, match="say which of 1 to 9"):
        check(connect, lambda client: job(client).receipt(), [many], "")


def test_jobs_are_listed_page_by_page_as_they_are_wanted(connect: Connect) -> None:
    told = [page(job_json(job="job_1"), job_json(job="job_2"), cursor="c+1"), page(job_json())]
    played = Played(*told)
    client = connect("http://door.example", transport=played.transport)
    since = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)
    listed = client.jobs(status=["done", "failed"], name="a&b", since=since, page_size=2)
    assert [next(listed).id, next(listed).id] == ["job_1", "job_2"]
    assert len(played.asked) == 1
    assert next(listed, None) is not None and next(listed, None) is None
    first, second = (dict(request.url.params) for request in played.asked)
    wanted = {
        "status": "done,failed",
        "name": "a&b",
        "since": "2026-12-01T08:00:00.000Z",
        "limit": "2",
    }
    assert first == wanted and second == {**wanted, "cursor": "c+1"}


def test_jobs_that_are_listed_can_be_steered(connect: Connect) -> None:
    def use(client: Any) -> Any:
        (listed,) = client.jobs()
        return listed.pause()

    check(connect, use, [page(job_json()), job_json()], "POST /v1/jobs/job_1/pause")


def test_scenes_and_quotes(connect: Connect) -> None:
    scene = check(connect, lambda c: c.scene("scn_1"), scene_json(), "GET /v1/scenes/scn_1")
    check(connect, lambda c: list(c.scenes()), page(scene_json()), "GET /v1/scenes")
    gone = Raw(204)
    check(connect, lambda c: c.delete_scene(scene), gone, "DELETE /v1/scenes/scn_1")
    # What was sent names the job, and an id alone does not.
    body = {"scene": "scn_1", "name": "shot_010", "samples": 4}
    check(connect, lambda c: c.quote(scene, samples=4), quote_json(), "POST /v1/quotes", body)
    body = {"scene": "scn_1", "cameras": ["cam"]}
    told = [scene_json(), quote_json()]
    line = "POST /v1/quotes"
    quote = check(connect, lambda c: c.quote("scn_1", camera="cam"), told, line, body)
    assert quote.price == tessera.Money.of(1)


def test_money_and_farm(connect: Connect) -> None:
    wallet = check(connect, lambda c: c.wallet(), WALLET_JSON, "GET /v1/wallet")
    assert wallet.at_risk == tessera.Money(1)
    (entry,) = check(
        connect, lambda c: list(c.statement()), page(ENTRY_JSON), "GET /v1/wallet/statement"
    )
    assert (entry.direction, entry.amount) == ("in", tessera.Money(1))
    farm = check(connect, lambda c: c.farm(), FARM_JSON, "GET /v1/farm")
    assert farm.market.line_s is None and farm.nodes == 3
    (node,) = check(connect, lambda c: list(c.nodes()), page(NODE_JSON), "GET /v1/nodes")
    assert node.pools == ("studio",)
    (block,) = check(connect, lambda c: list(c.blocks()), page(BLOCK_JSON), "GET /v1/blocks")
    assert (block.id, block.is_node, block.nodes) == ("nod_1", True, ("attic",))
    assert check(connect, lambda c: c.block("nod_1"), None, "PUT /v1/blocks/nod_1") is None
    assert check(connect, lambda c: c.unblock("key_2"), None, "DELETE /v1/blocks/key_2") is None
    assert check(connect, lambda c: c.health(), {"status": "ok"}, "GET /v1/health") == {
        "status": "ok"
    }


def test_tokens_and_teams(connect: Connect) -> None:
    assert check(connect, lambda c: c.whoami(), TOKEN_JSON, "GET /v1/whoami").role == "viewer"
    check(connect, lambda c: list(c.tokens()), page(TOKEN_JSON), "GET /v1/tokens")
    made = {**TOKEN_JSON, "secret": "tes_x"}
    body = {"name": "n", "role": "viewer", "expires": "2026-12-01T08:00:00Z", "jobs_max": 5}
    token = check(
        connect,
        lambda c: c.create_token("n", role="viewer", expires=body["expires"], jobs_max=5),
        made,
        "POST /v1/tokens",
        body,
    )
    assert token.secret == "tes_x"
    gone = Raw(204)
    check(connect, lambda c: c.delete_token("tok_1"), gone, "DELETE /v1/tokens/tok_1")
    check(connect, lambda c: list(c.teams()), page(TEAM_JSON), "GET /v1/teams")
    check(connect, lambda c: c.team("a/b"), TEAM_JSON, "GET /v1/teams/a%2Fb")
    budget = {"amount": 500, "period": "month", "at_limit": "pause"}
    body = {"budget": {**budget, "amount": "500.000000"}}
    check(connect, lambda c: c.put_team("x", budget=budget), TEAM_JSON, "PUT /v1/teams/x", body)
    check(connect, lambda c: c.put_team("x"), TEAM_JSON, "PUT /v1/teams/x", {})
    check(connect, lambda c: c.delete_team("x"), gone, "DELETE /v1/teams/x")


def test_webhooks(connect: Connect) -> None:
    check(connect, lambda c: list(c.webhooks()), page(HOOK_JSON), "GET /v1/webhooks")
    hook = check(connect, lambda c: c.webhook("whk_1"), HOOK_JSON, "GET /v1/webhooks/whk_1")
    assert hook.events == ("job.done",) and hook.secret is None
    body = {"url": "https://a.example", "events": ["job.done"], "team": "light"}
    made = {**HOOK_JSON, "secret": "whsec_x"}
    check(
        connect,
        lambda c: c.create_webhook(body["url"], events=["job.done"], team="light"),
        made,
        "POST /v1/webhooks",
        body,
    )
    with pytest.raises(TypeError, match="list of types"):
        check(connect, lambda c: c.create_webhook("https://a.example", events="job.done"), [], "")
    gone = Raw(204)
    check(connect, lambda c: c.delete_webhook("whk_1"), gone, "DELETE /v1/webhooks/whk_1")
    line = "POST /v1/webhooks/whk_1/test"
    assert check(connect, lambda c: c.test_webhook("whk_1"), ATTEMPT_JSON, line).status == 204
    line = "GET /v1/webhooks/whk_1/deliveries"
    (one,) = check(connect, lambda c: list(c.deliveries("whk_1")), page(DELIVERY_JSON), line)
    assert (one.event, one.state, one.attempts[0].took_ms) == ("7", "delivered", 12)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Raw(200, b"<html>"), "is no JSON; it begins '<html>'"),
        ({"hello": 1}, "lacks `farm.scheduler`"),
        (Raw(302, location="https://b.example"), "https://b.example"),
    ],
)
def test_another_server_is_told(connect: Connect, response: Any, words: str) -> None:
    with pytest.raises(tessera.UnexpectedAnswer, match=words):
        check(connect, lambda client: client.farm(), response, "GET /v1/farm")


def test_a_line_that_breaks_is_no_error_of_httpx(connect: Connect) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    client = connect("http://a.example", transport=httpx.MockTransport(broken), retry=tessera.NEVER)
    with pytest.raises(tessera.ConnectionLost, match="ReadTimeout") as raised:
        client.farm()
    assert raised.value.sent and isinstance(raised.value.__cause__, httpx.ReadTimeout)


def test_a_door_behind_a_path_is_asked_there(connect: Connect) -> None:
    played = Played(FARM_JSON)
    connect("https://farm.example/door/", transport=played.transport).farm()
    assert str(played.asked[0].url) == "https://farm.example/door/v1/farm"
