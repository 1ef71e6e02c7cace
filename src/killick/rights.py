"""Callers of a registry: who they are, and what they may be allowed to do in which repositories.

A pattern of repositories is a path in which `*` stands for any characters but a slash, and `**` for
any at all: `team-a/**` is everything below `team-a`, `**` everything that there is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol, get_args

from killick.errors import UsageError

Right = Literal["pull", "push", "delete", "report", "admin"]
"""`push` also moves tags and rolls them back; `delete` removes tags and content; `report` tells
what a host runs; `admin` runs the registry's chores."""

Need = Literal["pull", "push", "delete", "report", "admin", "list", "login"]
"""What an endpoint asks for: a right, or `list` (to be shown names, of what may be pulled), or
`login` (to have said who one is, where there are accounts)."""

RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
EVERYWHERE: Final = "**"
REGISTRY: Final = ""
"""In place of a repository: the registry as a whole, which only `**` stands for."""

ANONYMOUS: Final = "anonymous"

MOST_PATTERN_CHARACTERS: Final = 255
MOST_STARS: Final = 8

_PATTERN = re.compile(r"[a-z0-9._/*-]+")
_STAR = re.compile(r"(\*\*?)")


class Caller(Protocol):
    """Whoever sent a request."""

    @property
    def name(self) -> str:
        """The account, or `ANONYMOUS`: what the ledger and the log say."""
        ...

    def may(self, need: Need, repository: str, /) -> bool:
        """Return whether the caller has a right in a repository (which need not exist)."""
        ...


@dataclass(frozen=True, slots=True)
class Who:
    """Whom the audit log names: an account or a user at a shell; the address; the request's id."""

    actor: str
    address: str
    request: str | None = None


def check_pattern(pattern: str) -> str:
    """Return `pattern` if it is a pattern of repositories.

    Raises:
        UsageError: it is none.
    """
    if not _PATTERN.fullmatch(pattern) or len(pattern) > MOST_PATTERN_CHARACTERS:
        raise UsageError(
            f"{pattern[:80]!r} is not a pattern of repositories", hint='write it as "team-a/**"'
        )
    if pattern.count("*") > MOST_STARS:
        raise UsageError(f"the pattern {pattern} has more than {MOST_STARS} stars")
    return pattern


def check_right(word: str) -> Right:
    """Return `word` if it is a right.

    Raises:
        UsageError: it is none.
    """
    for right in RIGHTS:
        if word == right:
            return right
    raise UsageError(f"{word[:80]!r} is not a right", hint=f"there are {', '.join(RIGHTS)}")


def fits(pattern: str, repository: str) -> bool:
    """Return whether a pattern stands for a repository (or for the registry as a whole)."""
    return pattern == EVERYWHERE or compiled(pattern).fullmatch(repository) is not None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the expression that a pattern stands for, to be matched against a whole name."""
    parts = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(parts.get(p) or re.escape(p) for p in _STAR.split(pattern) if p))
