"""Marking: the members that some root reaches, found level by level, as numbers in a table.

The table is temporary, of one connection, and of integers only: 20 bytes a member, where the
digests of a million would take a hundred times as much. What was marked is a snapshot, and old by
the time that it is used: whoever removes looks again (`graph.is_live`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from killick.store import graph
from killick.store.context import Context

Letting = Iterable[tuple[int, str, str]]
"""Repository, tag and digest of history that is to be seen as let go of."""

_CLEAR = """
DROP TABLE IF EXISTS temp.live;
DROP TABLE IF EXISTS temp.level;
DROP TABLE IF EXISTS temp.deeper;
DROP TABLE IF EXISTS temp.letting;
"""

_TABLES = """
CREATE TEMP TABLE live (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE level (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE deeper (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE letting (repository INTEGER, tag TEXT, digest TEXT,
    PRIMARY KEY (repository, tag, digest)) WITHOUT ROWID;
"""

_ROOTS = (
    "INSERT OR IGNORE INTO temp.level SELECT member.id FROM tag"
    " CROSS JOIN member USING (repository, digest) WHERE tag.origin = 'local'",
    "INSERT OR IGNORE INTO temp.level SELECT member.id FROM kept"
    " CROSS JOIN member USING (repository, digest)",
    "INSERT OR IGNORE INTO temp.level SELECT member.id FROM move"
    " CROSS JOIN member ON member.repository = move.repository AND member.digest = move.previous"
    " WHERE move.origin = 'local' AND move.previous IS NOT NULL AND move.time > :oldest"
    " AND move.released IS NULL AND NOT EXISTS (SELECT 1 FROM temp.letting"
    "  WHERE letting.repository = move.repository AND letting.tag = move.tag"
    "  AND letting.digest = move.previous)",
)

_DEEPER = (
    "INSERT OR IGNORE INTO temp.deeper SELECT child.id FROM temp.level"
    " CROSS JOIN member ON member.id = level.id"
    " CROSS JOIN edge ON edge.parent = member.digest"
    " CROSS JOIN member AS child ON child.repository = member.repository"
    "  AND child.digest = edge.child"
    " WHERE NOT EXISTS (SELECT 1 FROM temp.live WHERE live.id = child.id)",
    "INSERT OR IGNORE INTO temp.deeper SELECT referrer.id FROM temp.level"
    " CROSS JOIN member ON member.id = level.id"
    " CROSS JOIN document ON document.subject = member.digest"
    " CROSS JOIN member AS referrer ON referrer.repository = member.repository"
    "  AND referrer.digest = document.digest"
    " WHERE NOT EXISTS (SELECT 1 FROM temp.live WHERE live.id = referrer.id)",
)


@contextmanager
def marked(context: Context, letting: Letting = ()) -> Iterator[sqlite3.Connection]:
    """Lend a connection with the table `temp.live`: the ids of the members that are live.

    It holds no transaction. Marking itself sees the database as of one moment.
    """
    with context.database.reading() as connection:
        connection.executescript(_CLEAR + _TABLES)
        try:
            connection.execute("BEGIN")
            connection.executemany("INSERT OR IGNORE INTO temp.letting VALUES (?, ?, ?)", letting)
            _mark(connection, {"oldest": graph.oldest(context.oldest_retained)})
            connection.execute("COMMIT")
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.executescript(_CLEAR)


def _mark(connection: sqlite3.Connection, values: dict[str, int]) -> None:
    for roots in _ROOTS:
        connection.execute(roots, values)
    while True:
        connection.execute("INSERT OR IGNORE INTO temp.live SELECT id FROM temp.level")
        for step in _DEEPER:
            connection.execute(step)
        connection.execute("DELETE FROM temp.level")
        moved = connection.execute("INSERT INTO temp.level SELECT id FROM temp.deeper")
        if moved.rowcount == 0:
            return
        connection.execute("DELETE FROM temp.deeper")
