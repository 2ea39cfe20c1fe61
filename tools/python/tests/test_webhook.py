from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

import tessera
from door import event_json

NOW = 1_796_112_000
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = json.dumps(event_json(7, "job.done")).encode()


def signature(secret: str, id: str = "msg_1", time: int = NOW, body: bytes = BODY) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{id}.{time}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(*signatures: str, **other: str) -> dict[str, str]:
    told = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(NOW),
        "Webhook-Signature": " ".join(signatures),
    }
    return {**told, **{name.replace("_", "-"): value for name, value in other.items()}}


def verify(told: dict[str, str], body: Any = BODY, secret: Any = SECRET, **more: Any) -> Any:
    more.setdefault("now_s", float(NOW))
    return tessera.verify_webhook(told, body, secret, **more)


def test_the_example_of_standard_webhooks_verifies() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, spec, "Signature scheme".
    told = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    # It is signed right, and no event of ours.
    with pytest.raises(tessera.UnexpectedAnswer):
        verify(told, b'{"test": 2432232314}', secret, now_s=1614265330.0)
    with pytest.raises(tessera.WebhookRefused):
        verify(told, b'{"test": 2432232315}', secret, now_s=1614265330.0)


def test_what_our_door_signed_is_an_event() -> None:
    event = verify(headers(signature(SECRET)))
    assert (event.id, event.type, event.status) == ("7", "job.done", "rendering")
    assert verify(headers(signature(SECRET)), BODY.decode()) == event
    # One of several signatures, and one of several secrets, while secrets change.
    assert verify(headers("v1a,xx", "v1,!", signature(OTHER), signature(SECRET))) == event
    assert verify(headers(signature(SECRET)), secret=[OTHER, SECRET]) == event


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "webhook-id is missing"),
        (headers(signature(OTHER)), "no signature is right"),
        (headers(signature(SECRET, id="msg_2")), "no signature is right"),
        (headers(signature(SECRET, time=NOW + 1)), "no signature is right"),
        (headers(signature(SECRET, body=b"{}")), "no signature is right"),
        (headers(signature(SECRET).replace("v1,", "v2,")), "no signature is right"),
        (headers(""), "no signature is right"),
        (headers("v1,"), "no signature is right"),
        (headers(signature(SECRET), Webhook_Timestamp="soon"), "is no time"),
        (headers(signature(SECRET), Webhook_Timestamp="-1"), "is no time"),
    ],
)
def test_what_anybody_could_send_is_refused(told: dict[str, str], words: str) -> None:
    with pytest.raises(tessera.WebhookRefused, match=words):
        verify(told)


def test_what_is_old_is_refused() -> None:
    told = headers(signature(SECRET))
    verify(told, now_s=NOW + 300.0)
    verify(told, now_s=NOW - 300.0)
    verify(told, now_s=NOW + 301.0, tolerance_s=600.0)
    with pytest.raises(tessera.WebhookRefused, match="301 s ago"):
        verify(told, now_s=NOW + 301.0)
    with pytest.raises(tessera.WebhookRefused, match="301 s ahead"):
        verify(told, now_s=NOW - 301.0)


def test_a_secret_that_is_none_is_a_mistake_of_ours() -> None:
    for odd in ("", "whsec_", "whsec_!"):
        with pytest.raises(ValueError, match="secret is whsec_"):
            verify(headers(signature(SECRET)), secret=odd)
    with pytest.raises(tessera.WebhookRefused):
        verify(headers(signature(SECRET)), secret=[])
