"""Reading the ledger, a page at a time: a caller that looks at one holds no connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from killick.digest import Digest
from killick.names import Tag
from killick.repository import LOCAL, Move
from killick.store.columns import COLUMNS, to_move
from killick.store.database import Database

_PAGE = 500
_NEWEST = 2**62
_HOME = "(SELECT id FROM repository WHERE name = :name)"

_TOUCHING = f"""
SELECT {COLUMNS} FROM move WHERE repository = {_HOME} AND sequence IN (
    SELECT sequence FROM move WHERE digest = :digest AND repository = {_HOME}
    UNION SELECT sequence FROM move WHERE previous = :digest AND repository = {_HOME}
) AND origin = :origin AND +sequence < :before ORDER BY sequence DESC LIMIT :page
"""

_STANDING = f"""
SELECT {", ".join(f"move.{column}" for column in COLUMNS.split(", "))} FROM tag
JOIN move ON move.repository = tag.repository AND move.sequence = tag.sequence
WHERE tag.repository = {_HOME} AND tag.origin = :origin AND tag.name > :after
ORDER BY tag.name LIMIT :page
"""


@dataclass(frozen=True, slots=True)
class Series:
    """Whose moves to read: of all tags of a repository (in one origin), or of one."""

    repository: str
    origin: str = LOCAL
    tag: Tag | None = None


def history(database: Database, series: Series, before: int | None) -> Iterator[Move]:
    """Yield the moves of a series, those before sequence `before`, newest first."""
    of_one = " AND tag = :tag" if series.tag is not None else ""
    query = (
        f"SELECT {COLUMNS} FROM move WHERE repository = {_HOME} AND origin = :origin{of_one}"
        " AND sequence < :before ORDER BY sequence DESC LIMIT :page"
    )
    values = {
        "name": series.repository,
        "origin": series.origin,
        "tag": series.tag,
        "before": _NEWEST if before is None else min(before, _NEWEST),
    }
    return _moves(database, query, values, ("before", lambda move: move.sequence))


def touching(database: Database, repository: str, digest: Digest) -> Iterator[Move]:
    """Yield the moves of local tags to a manifest, or away from it, newest first."""
    values = {"name": repository, "origin": LOCAL, "digest": str(digest), "before": _NEWEST}
    return _moves(database, _TOUCHING, values, ("before", lambda move: move.sequence))


def standing(database: Database, repository: str, after: Tag | None) -> Iterator[Move]:
    """Yield the moves that put the local tags where they are, by the names of the tags."""
    values = {"name": repository, "origin": LOCAL, "after": after or ""}
    return _moves(database, _STANDING, values, ("after", lambda move: move.tag))


def _moves(
    database: Database,
    query: str,
    values: dict[str, Any],
    cursor: tuple[str, Callable[[Move], object]],
) -> Iterator[Move]:
    """Yield what `query` finds, page by page: `cursor` is a value of it, and what it is next."""
    key, following = cursor
    while True:
        with database.reading() as connection:
            rows = connection.execute(query, values | {"page": _PAGE}).fetchall()
        found = [to_move(values["name"], row) for row in rows]
        yield from found
        if len(found) < _PAGE:
            return
        values[key] = following(found[-1])
