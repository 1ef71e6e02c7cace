"""Points in time, as people write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from killick.errors import UsageError
from killick.moments import parse_moment, rfc3339, utc_now

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("yesterday", NOW - timedelta(days=1)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01 14:30", datetime(2026, 11, 1, 14, 30, tzinfo=UTC)),
        ("2026-11-01T14:30:05Z", datetime(2026, 11, 1, 14, 30, 5, tzinfo=UTC)),
        ("2026-11-01T14:30:05+02:00", datetime(2026, 11, 1, 12, 30, 5, tzinfo=UTC)),
        ("2026-11-01T14:30:05.123456Z", datetime(2026, 11, 1, 14, 30, 5, 123456, tzinfo=UTC)),
        (" 2026-11-01 ", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2 hours ago", NOW - timedelta(hours=2)),
        ("1 hour ago", NOW - timedelta(hours=1)),
        ("90 min ago", NOW - timedelta(minutes=90)),
        ("10 secs ago", NOW - timedelta(seconds=10)),
        ("3 days ago", NOW - timedelta(days=3)),
        ("1 week ago", NOW - timedelta(weeks=1)),
        ("30s", NOW - timedelta(seconds=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(weeks=1)),
        ("0s", NOW),
    ],
)
def test_accepted_forms(text, expected):
    found = parse_moment(text, NOW)
    assert found == expected
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "tomorrow",
        "2 fortnights ago",
        "2 parsecs",
        "-2h",
        "2026-13-01",
        "2026-11-31",
        "999999999w",
        "9999999999s",
        "1.5h",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "٣d",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(UsageError):
        parse_moment(text, NOW)


def test_the_present_is_in_utc():
    assert utc_now().utcoffset() == timedelta(0)


def test_rfc3339_is_always_utc_with_microseconds():
    zone = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 11, 1, 2, tzinfo=zone)) == "2026-11-01T00:00:00.000000Z"


def test_rfc3339_of_early_years_has_four_digits():
    assert rfc3339(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000000Z"
