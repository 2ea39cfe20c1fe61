"""Whether a webhook comes from one's own door.

Standard Webhooks, https://www.standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence

from ._core.read import Fields
from .errors import WebhookRefused
from .models import Event

__all__ = ["verify_webhook"]

TOLERANCE_S = 300.0
_PREFIX = "whsec_"


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: float | None = None,
) -> Event:
    """The event that a webhook brings, if one's own door sent it, and lately.

    - `headers`: of the request, upper or lower case
    - `body`: its bytes as they came; JSON that was read and written again is not the same
    - `secret`: `whsec_…`, or several while one takes the place of another
    - `tolerance_s`: how far its time may be from now, so that nobody sends an old one again;
      the same `webhook-id` may come twice within it

    Raises `WebhookRefused`.
    """
    told = {name.lower(): value for name, value in headers.items()}
    try:
        id, timestamp = told["webhook-id"], told["webhook-timestamp"]
        signatures = told["webhook-signature"]
    except KeyError as error:
        raise WebhookRefused(f"the header {error.args[0]} is missing") from None
    _check_time(timestamp, time.time() if now_s is None else now_s, tolerance_s)
    content = body.encode() if isinstance(body, str) else body
    secrets = (secret,) if isinstance(secret, str) else tuple(secret)
    signed = f"{id}.{timestamp}.".encode() + content
    wanted = [hmac.new(_key(one), signed, hashlib.sha256).digest() for one in secrets]
    given = [_signature(one) for one in signatures.split()]
    # All are compared, so that the time it takes tells nothing.
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given if other]
    if not any(matches):
        raise WebhookRefused("no signature is right: another secret, or the body was changed")
    try:
        event = json.loads(content)
    except ValueError:
        raise WebhookRefused("the body is no JSON") from None
    return Event.read(Fields(event, "webhook"))


def _check_time(timestamp: str, now_s: float, tolerance_s: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise WebhookRefused(f"webhook-timestamp is no time: {timestamp[:40]!r}")
    apart_s = now_s - int(timestamp)
    if abs(apart_s) > tolerance_s:
        ago = "ago" if apart_s > 0 else "ahead"
        raise WebhookRefused(f"it was signed {abs(apart_s):.0f} s {ago}; is the clock right?")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a webhook's secret is {_PREFIX} and base64")
    return key


def _signature(text: str) -> bytes | None:
    version, _comma, encoded = text.partition(",")
    if version != "v1":
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
