"""Points in time as people write them in `name:tag@{…}` and `--since`.

Accepted: `2026-11-01`, `2026-11-01 14:30`, `2026-11-01T14:30:05Z`, with an offset such as `+02:00`
(UTC where none is given); `now`, `yesterday`; `2 hours ago`, and short `2h`, `3d`, `1w`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from killick.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LONG_UNITS = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "day": "d"} | {
    "week": "w"
}
_AGO = re.compile(r"([0-9]{1,9})\s*([a-z]+)(?:\s+ago)?")


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def parse_moment(text: str, now: datetime) -> datetime:
    """Return the moment, in UTC, that `text` means when it is said at `now`.

    Raises:
        UsageError: `text` is none of the accepted forms.
    """
    words = text.strip()
    if words == "now":
        return now
    if words == "yesterday":
        return now - timedelta(days=1)
    if match := _AGO.fullmatch(words):
        return _ago(text, int(match[1]), match[2], now)
    try:
        moment = datetime.fromisoformat(words)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _not_a_moment(text) from None


def _ago(text: str, count: int, unit: str, now: datetime) -> datetime:
    short = _LONG_UNITS.get(unit.removesuffix("s"), unit)
    if short not in _UNITS:
        raise _not_a_moment(text)
    try:
        return now - timedelta(seconds=count * _UNITS[short])
    except OverflowError:
        raise _not_a_moment(text) from None


def _not_a_moment(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a time",
        hint="write it as 2026-11-01, 2026-11-01T14:30:00Z or '2 hours ago'",
    )


def rfc3339(moment: datetime) -> str:
    """Return `moment` as RFC 3339 in UTC, with microseconds: `2026-11-01T14:30:05.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
