from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tessera._core import times


def at(*parts: int) -> datetime:
    year, month, day, hour, minute, second, micro = (*parts, *[0] * (7 - len(parts)))
    return datetime(year, month, day, hour, minute, second, micro, timezone.utc)


def test_times_are_read_in_utc() -> None:
    def check(text: str, expected: datetime) -> None:
        assert times.parse(text) == expected
        assert times.parse(text).utcoffset() == timedelta(0)

    check("2026-12-01T08:00:00.000Z", at(2026, 12, 1, 8))
    check("2026-12-01T08:00:00Z", at(2026, 12, 1, 8))
    check("2026-12-01t08:00:00z", at(2026, 12, 1, 8))
    check("2026-12-01T09:30:00.5+01:30", at(2026, 12, 1, 8, 0, 0, 500_000))
    check("2026-12-01T00:30:00-08:00", at(2026, 12, 1, 8, 30))
    check("2026-12-01T08:00:00.123456789Z", at(2026, 12, 1, 8, 0, 0, 123_456))
    check("2016-12-31T23:59:60Z", at(2016, 12, 31, 23, 59, 59))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-12-01",
        "2026-12-01T08:00:00",
        "2026-13-01T08:00:00Z",
        "now",
        " 2026-12-01T08:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month"):
        times.parse(text)


def test_times_are_written_in_utc() -> None:
    zone = timezone(timedelta(hours=1))
    assert times.write(datetime(2026, 12, 1, 9, tzinfo=zone)) == "2026-12-01T08:00:00.000Z"
    assert times.write("2026-12-01T08:00:00Z") == "2026-12-01T08:00:00Z"
    with pytest.raises(ValueError, match="no time zone"):
        times.write(datetime(2026, 12, 1))
    with pytest.raises(ValueError, match="no time of RFC 3339"):
        times.write("tomorrow")
