"""Times on the wire: RFC 3339 in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)"
)


def parse(text: str) -> datetime:
    """The time that is written, in UTC; what is finer than a microsecond is cut off.

    Raises `ValueError` for anything else.
    """
    # `datetime.fromisoformat` reads neither `Z` nor fractions of any length before Python 3.11.
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of RFC 3339, as 2026-12-01T08:00:00Z")
    year, month, day, hour, minute, second = (int(match[part]) for part in range(1, 7))
    micro = int((match[7] or "0")[:6].ljust(6, "0"))
    # A leap second is the last moment of its minute.
    time = datetime(year, month, day, hour, minute, min(second, 59), micro, timezone.utc)
    if match[8] in "Zz":
        return time
    sign = -1 if match[8][0] == "-" else 1
    hours, minutes = match[8][1:].split(":")
    return time - sign * timedelta(hours=int(hours), minutes=int(minutes))


def write(time: datetime | str) -> str:
    """A time as the door reads it; text is checked and goes as it is.

    Raises `ValueError` for a time without a zone.
    """
    if isinstance(time, str):
        parse(time)
        return time
    if time.tzinfo is None or time.utcoffset() is None:
        raise ValueError(f"{time!r} has no time zone: write datetime.now(timezone.utc), say")
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
