"""The limits that Killick has, each stated where it is enforced, and listed in one place.

A module that enforces a limit which nobody can set writes

    MOST_TAGS = bound(100, "tags", "tags that one push can set")

and uses `MOST_TAGS` as the number that it is. `bounds()` lists what the modules stated that are
imported; limits that can be set are settings, and say what they are for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit: its value, its unit (`bytes`, `seconds`, or what is counted), what it is about."""

    value: float
    unit: str
    about: str


_all: dict[str, Bound] = {}


def bound(value: Number, unit: str, about: str) -> Number:
    """State a limit, and return its value."""
    _all[about] = Bound(value, unit, about)
    return value


def bounds() -> list[Bound]:
    """Return all limits that were stated, in the order of what they are about."""
    return [_all[about] for about in sorted(_all)]
