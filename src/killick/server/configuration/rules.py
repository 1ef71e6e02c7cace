"""`[[immutable]]` and `[[retention]]`: which tags never move, and what is let go of their past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from killick.errors import UsageError
from killick.rules import EVERYWHERE, SEMVER, Immutable, Retention, check_pattern
from killick.server.configuration.table import Bounds, Wrong, setting

MOST_KEPT = 100_000
_LEAST = Bounds(timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class ImmutableSettings:
    """Tags that never move once they point somewhere."""

    repositories: str = setting(EVERYWHERE, help="a pattern of repositories")
    tags: str = setting(SEMVER, help="a pattern of tags; semver stands for versions such as v1.5.0")

    def __post_init__(self) -> None:
        """Look at the patterns."""
        _check(self.repositories, self.tags)

    def rule(self) -> Immutable:
        """Return the rule."""
        return Immutable(self.repositories, self.tags)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """What is let go of the past of some tags, and which of the tags themselves."""

    name: str = setting(help="what the ledger says of tags that the rule deleted: rule NAME")
    repositories: str = setting(EVERYWHERE, help="a pattern of repositories")
    tags: str = setting("*", help="a pattern of tags")
    history_older_than: timedelta | None = setting(
        None, help="goes: what a tag stopped pointing to so long ago", bounds=_LEAST
    )
    history_keep_last: int | None = setting(
        None, help="stays: so many digests that a tag had last", bounds=Bounds(0, MOST_KEPT)
    )
    tags_older_than: timedelta | None = setting(
        None, help="deleted: tags that nobody moved for so long", bounds=_LEAST
    )
    tags_keep_last: int | None = setting(
        None, help="stay: so many tags that moved last", bounds=Bounds(0, MOST_KEPT)
    )
    keep_referenced: bool = setting(
        True, help="whether what something refers to (a signature, …) stays"
    )

    def __post_init__(self) -> None:
        """Look at the name and the patterns."""
        if not self.name.isprintable() or not 0 < len(self.name) <= 100:
            raise Wrong("name", "must be 1 to 100 printable characters")
        _check(self.repositories, self.tags)

    def rule(self) -> Retention:
        """Return the rule."""
        return Retention(
            self.name,
            self.repositories,
            self.tags,
            self.history_older_than,
            self.history_keep_last,
            self.tags_older_than,
            self.tags_keep_last,
            self.keep_referenced,
        )


def _check(repositories: str, tags: str) -> None:
    for key, pattern in (("repositories", repositories), ("tags", tags)):
        try:
            check_pattern(pattern)
        except UsageError as error:
            raise Wrong(key, f"is no pattern: {error.message}") from None
