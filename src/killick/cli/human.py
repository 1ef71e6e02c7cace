"""Sizes, times and names in docker's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from killick.names import Name

NOT_AVAILABLE = "N/A"

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_HOUR = 3600
_DAY = 24 * _HOUR


def size(count: int) -> str:
    """Return a number of bytes with three digits that count, units of 1000: `45.2MB`."""
    value = float(count)
    for unit in _UNITS:
        # 999.5 would be rounded to 1000, which three digits can't say.
        if value < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value * 1000:.0f}{_UNITS[-1]}"


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long before `now` the moment was: `2 weeks ago`; `N/A` for None."""
    return NOT_AVAILABLE if moment is None else f"{duration(now - moment)} ago"


def duration(time: timedelta) -> str:
    """Return a length of time: `Less than a second`, `About an hour`, `13 days`."""
    seconds = int(time.total_seconds())
    hours = int(time.total_seconds() / _HOUR + 0.5)
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    if seconds < _HOUR:
        return "About a minute" if seconds < 120 else f"{seconds // 60} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for unit, length, most in (("days", 24, 14), ("weeks", 7 * 24, 60), ("months", 30 * 24, 730)):
        if hours < most * 24:
            return f"{hours // length} {unit}"
    return f"{seconds // _DAY // 365} years"


def parse_created(text: str | None) -> datetime | None:
    """Return the moment that an image's config calls its creation; None where it says nothing.

    Builders that want the same bytes every time write the year 1, or 1970; the former says nothing.
    """
    try:
        moment = datetime.fromisoformat(text) if text else None
        moment = moment and moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment and moment.year > 1 else None


def timestamp(moment: datetime | None) -> str:
    """Return a moment as docker's `CreatedAt` has it: `2026-11-01 12:00:00 +0000 UTC`."""
    if moment is None:
        return NOT_AVAILABLE
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"


@lru_cache(maxsize=1024)
def familiar(repository: str) -> str:
    """Return the short form of a repository's name in the store: `alpine`, `localhost:5000/app`."""
    domain, _, path = repository.partition("/")
    return Name(domain, path).familiar
