"""Reading lists and the ledger, a page at a time: a caller that looks at one holds no connection.

What a page costs does not depend on how much there is: each query goes down an index to where the
page begins, and stops where it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from killick.chain import EMPTY
from killick.digest import Digest
from killick.names import Tag
from killick.repository import LOCAL, Head, Move
from killick.store.columns import COLUMNS, to_move
from killick.store.database import Database

_FIRST_PAGE = 50
_PAGE = 500
_NEWEST = 2**62
_HOME = "(SELECT id FROM repository WHERE name = :name)"
_COLUMNS = COLUMNS.split(", ")
_WIDTH = len(_COLUMNS)
_SEQUENCE, _TAG = map(_COLUMNS.index, ("sequence", "tag"))


def _of(table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in _COLUMNS)


_HOLDING = f"""
SELECT {_of("move")}, {_of("ended")} FROM move INDEXED BY move_digest
LEFT JOIN move AS ended ON ended.repository = move.repository AND ended.sequence = (
    SELECT min(later.sequence) FROM move AS later WHERE later.repository = move.repository
    AND later.origin = move.origin AND later.tag = move.tag AND later.sequence > move.sequence)
WHERE move.digest = :digest AND move.repository = {_HOME} AND move.origin = :origin
AND move.sequence < :before ORDER BY move.sequence DESC LIMIT :page
"""

_STANDING = f"""
SELECT {_of("move")} FROM tag
JOIN move ON move.repository = tag.repository AND move.sequence = tag.sequence
WHERE tag.repository = {_HOME} AND tag.origin = :origin AND tag.name > :after
ORDER BY tag.name LIMIT :page
"""


TAGS = f"""
SELECT name FROM tag WHERE repository = {_HOME} AND origin = :origin AND name > :after
ORDER BY name LIMIT :page
"""

REPOSITORIES = """
SELECT name FROM repository WHERE name > :after AND (
    sequence > 0 OR EXISTS (SELECT 1 FROM member WHERE member.repository = repository.id)
) ORDER BY name LIMIT :page
"""


@dataclass(frozen=True, slots=True)
class Series:
    """Whose moves to read: of all tags of a repository (in one origin), or of one."""

    repository: str
    origin: str = LOCAL
    tag: Tag | None = None


def tags(database: Database, repository: str, after: str) -> Iterator[str]:
    """Yield the local tags of a repository after `after`, in ASCII order."""
    return _names(database, TAGS, {"name": repository, "origin": LOCAL, "after": after})


def repositories(database: Database, after: str) -> Iterator[str]:
    """Yield the names after `after` of what holds anything or has a ledger, in ASCII order."""
    return _names(database, REPOSITORIES, {"after": after})


def _names(database: Database, query: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield the names that `query` finds."""
    return (name for (name,) in _rows(database, query, values, ("after", 0)))


def _rows(
    database: Database, query: str, values: dict[str, Any], cursor: tuple[str, int]
) -> Iterator[tuple[Any, ...]]:
    """Yield what `query` finds, page by page: `cursor` is a value of it, and its column."""
    key, column = cursor
    for page in _sizes():
        with database.reading() as connection:
            rows = connection.execute(query, values | {"page": page}).fetchall()
        yield from rows
        if len(rows) < page:
            return
        values[key] = rows[-1][column]


def _sizes() -> Iterator[int]:
    """Yield how many rows to read at once: few at first, as most callers want no more."""
    yield _FIRST_PAGE
    yield from repeat(_PAGE)


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
    return _moves(database, query, values, ("before", _SEQUENCE))


def head(database: Database, repository: str) -> Head:
    """Return where the ledger of a repository ends."""
    with database.reading() as connection:
        row = connection.execute(
            "SELECT sequence, head FROM repository WHERE name = ?", (repository,)
        ).fetchone()
    return Head(*row) if row else EMPTY


def entries(database: Database, repository: str, after: int) -> Iterator[Move]:
    """Yield all entries of a ledger after one, oldest first."""
    query = (
        f"SELECT {COLUMNS} FROM move WHERE repository = {_HOME} AND sequence > :after"
        " ORDER BY sequence LIMIT :page"
    )
    values = {"name": repository, "after": min(after, _NEWEST)}
    return _moves(database, query, values, ("after", _SEQUENCE))


def holding(
    database: Database, repository: str, digest: Digest, before: int | None
) -> Iterator[tuple[Move, Move | None]]:
    """Yield the moves of local tags to a manifest, newest first, with what ended each."""
    values = {
        "name": repository,
        "origin": LOCAL,
        "digest": str(digest),
        "before": _NEWEST if before is None else min(before, _NEWEST),
    }
    for row in _rows(database, _HOLDING, values, ("before", _SEQUENCE)):
        ended = None if row[_WIDTH] is None else to_move(repository, row[_WIDTH:])
        yield to_move(repository, row[:_WIDTH]), ended


def standing(database: Database, repository: str, after: Tag | None) -> Iterator[Move]:
    """Yield the moves that put the local tags where they are, by the names of the tags."""
    values = {"name": repository, "origin": LOCAL, "after": after or ""}
    return _moves(database, _STANDING, values, ("after", _TAG))


def _moves(
    database: Database, query: str, values: dict[str, Any], cursor: tuple[str, int]
) -> Iterator[Move]:
    """Yield the moves that `query` finds; `cursor` is that of `_rows`."""
    return (to_move(values["name"], row) for row in _rows(database, query, values, cursor))
