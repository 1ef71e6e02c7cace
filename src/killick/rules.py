"""Rules about names: which tags never move, and what is let go of their past.

A pattern of repositories is a path in which `*` stands for any characters but a slash, and `**` for
any at all; one of tags has `*` for any characters. `semver` as a pattern of tags stands for
versions of three numbers: `1.5.0`, `v1.5.0-rc.1`, but not `1.5`, which moves with every patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, runtime_checkable

from killick.errors import UsageError
from killick.names import Tag
from killick.rights import compiled, fits

SEMVER: Final = "semver"
EVERYWHERE: Final = "**"
MOST_PATTERN_CHARACTERS: Final = 255
MOST_STARS: Final = 3
"""With each star, what a name can cost to compare is multiplied by its length."""

_NUMBER = "(?:0|[1-9][0-9]*)"
_SEMVER = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:[-_][0-9A-Za-z._-]+)?")
_STAR = re.compile(r"(\*\*?)")


@dataclass(frozen=True, slots=True)
class Immutable:
    """Tags that never move once they point somewhere."""

    repositories: str = EVERYWHERE
    tags: str = SEMVER

    def __post_init__(self) -> None:
        """Look at the patterns.

        Raises:
            UsageError: one of them is none.
        """
        check_pattern(self.repositories)
        check_pattern(self.tags)

    def covers(self, repository: str, tag: Tag) -> bool:
        """Return whether the rule is about this tag."""
        return fits_repository(self.repositories, repository) and fits_tag(self.tags, tag)

    def __str__(self) -> str:
        return f"{self.tags} in {self.repositories}"


@dataclass(frozen=True, slots=True)
class Retention:
    """What is let go of the past of some tags, and which of the tags themselves.

    Of the history goes what a tag stopped pointing to longer than `history_older_than` ago, and is
    not among the `history_keep_last` distinct digests that it had last; where only one of the two
    is stated, that decides; where none is, history stays. In the same way `tags_older_than` (since
    the tag last moved) and `tags_keep_last` (of the repository's tags that fit, those that moved
    last) say which tags are deleted. With `keep_referenced`, what something refers to (a signature,
    a list of contents, an advisory) stays in the history and keeps its tags.
    """

    name: str
    repositories: str = EVERYWHERE
    tags: str = "*"
    history_older_than: timedelta | None = None
    history_keep_last: int | None = None
    tags_older_than: timedelta | None = None
    tags_keep_last: int | None = None
    keep_referenced: bool = True

    def __post_init__(self) -> None:
        """Look at the patterns.

        Raises:
            UsageError: one of them is none.
        """
        check_pattern(self.repositories)
        check_pattern(self.tags)

    @property
    def actor(self) -> str:
        """What the ledger says of tags that the rule deleted."""
        return f"rule {self.name}"

    @property
    def ends_history(self) -> bool:
        """Whether the rule lets go of any history."""
        return self.history_older_than is not None or self.history_keep_last is not None

    @property
    def ends_tags(self) -> bool:
        """Whether the rule deletes any tags."""
        return self.tags_older_than is not None or self.tags_keep_last is not None

    def covers(self, repository: str, tag: Tag) -> bool:
        """Return whether the rule is about this tag."""
        return fits_repository(self.repositories, repository) and fits_tag(self.tags, tag)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a place that holds images insists on.

    Tags that `immutable` covers stay where they are. Where `sparse` is true, a tag may name an
    image that lacks a part, as the distribution specification lets registries do.
    """

    immutable: tuple[Immutable, ...] = ()
    sparse: bool = False


EASY: Final = Policy()
"""Tags move as they are told to, but never to an image that lacks a part."""

BY_SPECIFICATION: Final = Policy(sparse=True)
"""As EASY, but parts may be lacking."""


@runtime_checkable
class Governed(Protocol):
    """A registry that has rules of its own (capability)."""

    @property
    def policy(self) -> Policy:
        """What it insists on."""
        ...


def covering(rules: Iterable[Immutable], repository: str, tag: Tag) -> Immutable | None:
    """Return the first rule by which a tag never moves, if there is one."""
    return next((rule for rule in rules if rule.covers(repository, tag)), None)


def deciding(rules: Sequence[Retention], repository: str, tag: Tag) -> Retention | None:
    """Return the rule that decides about a tag, which is the first that covers it."""
    return next((rule for rule in rules if rule.covers(repository, tag)), None)


def fits_repository(pattern: str, repository: str) -> bool:
    """Return whether the name of a repository is one that the pattern stands for."""
    return fits(pattern, repository)


def fits_tag(pattern: str, tag: str) -> bool:
    """Return whether a tag is one that the pattern stands for."""
    form = _SEMVER if pattern == SEMVER else compiled(pattern)
    return form.fullmatch(tag) is not None


def check_pattern(pattern: str) -> None:
    """See that a pattern is one.

    Raises:
        UsageError: it is not.
    """
    if not 0 < len(pattern) <= MOST_PATTERN_CHARACTERS:
        raise UsageError(f"a pattern has 1 to {MOST_PATTERN_CHARACTERS} characters")
    if len(_STAR.findall(pattern)) > MOST_STARS:
        raise UsageError(f"the pattern {pattern} has more than {MOST_STARS} stars")
