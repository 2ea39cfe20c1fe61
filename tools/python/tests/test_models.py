from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

import tessera
from door import TIME, event_json, job_json, money, quote_json, scene_json
from tessera._core.read import Fields, items

EIGHT = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)


def job(**other: Any) -> tessera.JobFacts:
    return tessera.JobFacts.read(Fields(job_json(**other), "job"))


def test_a_job_has_what_is_promised() -> None:
    facts = job(cameras=["cam", None], frames={"first": 1, "last": 9, "step": 2}, ended=TIME)
    assert (facts.id, facts.name, facts.status, facts.size) == (
        "job_1",
        "shot_010",
        "rendering",
        (64, 64),
    )
    assert facts.cameras == ("cam", None)
    assert facts.frame_range == tessera.FrameRange(1, 9, 2)
    assert facts.price == tessera.Money.of("3.2")
    assert (facts.ordered, facts.ended, facts.stops) == (EIGHT, EIGHT, None)
    assert (facts.priority_value, facts.after, facts.would_return) == (50, (), None)
    assert not facts.has_ended and job(status="stopped").has_ended


def test_what_a_newer_door_adds_is_no_trouble() -> None:
    facts = job(mood="good", status="dreaming")
    assert facts.raw["mood"] == "good" and facts.status == "dreaming"
    # What is beside the promise makes two jobs neither more nor less equal.
    assert facts == job(status="dreaming") and hash(facts) == hash(job(status="dreaming"))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"job": None}, r"`job\.job` .* is None and not text"),
        ({"tile_count": "4"}, r"`job\.tile_count` .* is '4' and not a whole number"),
        ({"tile_count": True}, r"`job\.tile_count` .* is True and not a whole number"),
        ({"progress": "half"}, r"`job\.progress` .* not a number"),
        ({"size": [64]}, r"`job\.size` .* not a width and a height"),
        ({"cameras": [1]}, r"`job\.cameras` .* not a list of texts"),
        ({"frames": []}, r"`job\.frames` .* not an object"),
        ({"ordered": "yesterday"}, r"`job\.ordered` .* not a time"),
        ({"expired": 0}, r"`job\.expired` .* not true or false"),
        (
            {"price": {"tokens": "1.000000", "micro": 2}},
            r"`job\.price` .* not twice the same amount",
        ),
        ({"price": {"tokens": "one", "micro": 1}}, r"`job\.price` .* not an amount of tokens"),
        ({"price": {"micro": 1}}, r"lacks `job\.price\.tokens`"),
    ],
)
def test_what_breaks_the_promise_is_named(other: dict[str, Any], words: str) -> None:
    with pytest.raises(tessera.UnexpectedAnswer, match=words):
        job(**other)


def test_what_is_missing_is_named() -> None:
    told = job_json()
    del told["spent"]
    with pytest.raises(tessera.UnexpectedAnswer, match=r"lacks `job\.spent`"):
        tessera.JobFacts.read(Fields(told, "job"))
    with pytest.raises(tessera.UnexpectedAnswer, match="not an object"):
        Fields([], "job")


def test_scenes_and_quotes_are_read() -> None:
    animation = {"first_frame": 1, "last_frame": 48, "fps": 24}
    scene = tessera.Scene.read(Fields(scene_json(animation=animation), "scene"))
    assert scene.animation == tessera.Animation(1, 48, 24.0)
    assert scene.asks.size == (64, 64) and scene.asks.view is None and scene.at_farm.whole
    quote = tessera.Quote.read(Fields(quote_json(assurance=99.9), "quote"))
    assert quote.price == tessera.Money.of(1) and quote.assurance == "99.9"
    assert quote.nodes == tessera.NodeCounts(3, 2, 2, 1) and quote.valid_until == EIGHT


def test_events_of_no_job_have_none_of_its_facts() -> None:
    ping = {"id": None, "type": "ping", "time": TIME, "job": None, "team": None}
    assert tessera.Event.read(Fields(ping, "event")).id is None
    event = tessera.Event.read(Fields({"id": 7, "type": "farm.lost", "time": TIME}, "event"))
    assert (event.id, event.job, event.status, event.is_end) == ("7", None, None, False)
    ends = {
        type: tessera.Event.read(Fields(event_json(1, type), "event")).is_end
        for type in ("job.done", "job.failed", "job.cancelled", "job.stopped", "job.paused")
    }
    assert list(ends.values()) == [True, True, True, True, False]


def test_secrets_are_not_shown() -> None:
    token = {"id": "tok_1", "name": "nightly", "role": "owner", "secret": "tes_s3cret"}
    read = tessera.Token.read(Fields(token, "token"))
    assert read.secret == "tes_s3cret" and "s3cret" not in repr(read)


def test_money_may_be_text_alone() -> None:
    budget = {"amount": "5.00", "period": "month", "warn_percent": 80, "at_limit": "pause"}
    told = {"team": "light", "budget": budget, "committed": money(1)}
    team = tessera.Team.read(Fields(told, "team"))
    assert team.budget == tessera.Budget(tessera.Money.of(5), "month", 80, "pause")
    assert team.committed == tessera.Money(1)
    with pytest.raises(tessera.UnexpectedAnswer, match="amount of tokens"):
        Fields({"amount": "much"}, "budget").money("amount")


def test_lists_are_pages_or_bare() -> None:
    assert items([1, 2], "job") == ([1, 2], None)
    assert items({"items": [1], "next_cursor": "c"}, "job") == ([1], "c")
    assert items({"items": [], "next_cursor": None}, "job") == ([], None)
    for odd in ({}, {"items": 1}, "x"):
        with pytest.raises(tessera.UnexpectedAnswer):
            items(odd, "job")


def test_an_entry_says_of_its_other_account_and_job_what_is_told() -> None:
    told = {
        "transfer": "1",
        "direction": "in",
        "other": "acc_2",
        "amount": money(1),
        "code": "grant",
        "balance": money(2),
        "time": TIME,
    }
    entry = tessera.StatementEntry.read(Fields(told, "entry"))
    assert (entry.other_is, entry.job) == ("", None)
    entry = tessera.StatementEntry.read(Fields({**told, "other_is": "issuance"}, "entry"))
    assert entry.other_is == "issuance"
