"""Fields of what an engine answered: those of a wrong type count as absent, and texts are bounded.

An answer comes from outside, and from many versions. What is not as expected is unknown, never a
failed scan; what is longer than an inventory may hold is cut off the lists and left out of labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from killick.inventory import MOST_CHARACTERS, MOST_ITEMS
from killick.observation import Claim
from killick.platforms import Platform

Fields = Mapping[str, Any]

_NOTHING: Fields = {}
_NEVER = 1  # the year in which engines let things happen that did not


def at(value: object, *path: str) -> object:
    """Return what lies at `path` in nested objects, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: object, *path: str) -> str:
    """Return the text at `path`, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) and len(found) <= MOST_CHARACTERS else ""


def mapping(value: object, *path: str) -> Fields:
    """Return the object at `path`, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, dict) else _NOTHING


def objects(value: object, *path: str) -> Iterator[Fields]:
    """Yield the objects in the list at `path`."""
    found = at(value, *path)
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))


def texts(value: object, *path: str) -> Iterator[str]:
    """Yield the texts in the list at `path` that are neither empty nor too long."""
    found = at(value, *path)
    if isinstance(found, list):
        yield from (item for item in found if text({"": item}, ""))


def labels(value: object, *path: str) -> dict[str, str]:
    """Return the labels at `path`, in their order, as many as an inventory may hold."""
    found = mapping(value, *path).items()
    kept = [
        (k, v) for k, v in found if isinstance(v, str) and max(len(k), len(v)) < MOST_CHARACTERS
    ]
    return dict(kept[:MOST_ITEMS])


def moment(value: object, *path: str) -> datetime | None:
    """Return the time at `path` (RFC 3339, or seconds since 1970), or None: absent, or never."""
    found = at(value, *path)
    try:
        if isinstance(found, int | float) and not isinstance(found, bool):
            return datetime.fromtimestamp(found, UTC) if found > 0 else None
        if isinstance(found, str):
            parsed = datetime.fromisoformat(found)
            if parsed.year > _NEVER and parsed.tzinfo is not None:
                return parsed.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def platform(system: str, architecture: str, variant: str = "") -> Platform | None:
    """Return a platform of which both halves are known, or None."""
    if not (system and architecture):
        return None
    return Platform.from_json({"os": system, "architecture": architecture, "variant": variant})


def claims(pairs: Iterable[tuple[str, str]]) -> tuple[Claim, ...]:
    """Return each pair of field and value once, in their order; empty values are left out."""
    found = dict.fromkeys((field, value) for field, value in pairs if value)
    return tuple(Claim(field, value) for field, value in list(found)[:MOST_ITEMS])


def names(values: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, in their order; empty ones and docker's `<none>` are left out."""
    found = dict.fromkeys(value for value in values if value and "<none>" not in value)
    return tuple(found)[:MOST_ITEMS]


_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,128}|\b[0-9a-fA-F]{64}\b")


def looks_like_digest(value: str) -> bool:
    """Return whether a digest, or its 64 digits alone, stand somewhere in `value`."""
    return _DIGEST.search(value) is not None
