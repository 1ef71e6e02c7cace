"""Tags that a rule keeps where they are, in the transaction that would move them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from killick import immutability
from killick.digest import Digest
from killick.names import Tag
from killick.repository import LOCAL, Cause, Move
from killick.store.columns import COLUMNS, to_move
from killick.store.context import Context

_LAST = f"""
SELECT {COLUMNS} FROM move WHERE repository = ? AND origin = ? AND tag = ? AND digest IS NOT NULL
ORDER BY sequence DESC LIMIT 1
"""

_NAMED = """
WITH RECURSIVE up(digest) AS (
    SELECT :digest
    UNION SELECT edge.parent FROM up
        JOIN edge ON edge.child = up.digest
        JOIN member ON member.repository = :repository AND member.digest = edge.parent
)
SELECT tag.name FROM up JOIN tag ON tag.digest = up.digest
WHERE tag.repository = :repository AND tag.origin = :origin
"""


def overrides(
    connection: sqlite3.Connection,
    context: Context,
    home: tuple[int, str],
    move: tuple[Tag, Digest | None, Cause],
    *,
    stands: bool,
) -> bool:
    """Return whether a move in the repository `home` (id, name) is one that overrides a rule.

    Raises:
        Immutable: a rule forbids the move, and the cause does not override it.
    """
    tag, to, cause = move
    if cause.origin != LOCAL or not context.policy.immutable:
        return False

    def last() -> Move | None:
        row = connection.execute(_LAST, (home[0], LOCAL, tag)).fetchone()
        return None if row is None else to_move(home[1], row)

    asked = (home[1], tag, to, cause)
    return immutability.overrides(context.policy.immutable, asked, last, stands=stands)


def check_content(
    connection: sqlite3.Connection,
    context: Context,
    home: tuple[int, str],
    digest: Digest,
    cause: Cause,
) -> None:
    """See that no tag that never moves names what needs some content, which is to be deleted.

    Raises:
        Immutable: one does, and the cause does not override its rule.
    """
    if context.policy.immutable:
        for tag in _named(connection, home[0], digest):
            overrides(connection, context, home, (tag, None, cause), stands=True)


def _named(connection: sqlite3.Connection, home: int, digest: Digest) -> Iterator[Tag]:
    values = {"repository": home, "digest": str(digest), "origin": LOCAL}
    for row in connection.execute(_NAMED, values).fetchall():
        yield Tag(row[0])
