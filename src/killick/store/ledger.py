"""The ledger: every move of every tag, appended in the transaction that moves it.

The entries of a repository form a chain (see `killick.chain`). So an entry that was changed,
dropped or put elsewhere is found by whoever computes the chain again (`problems`). Order is by
sequence; the clock's word is kept, but decides nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from killick.chain import entry_hash
from killick.digest import Digest
from killick.errors import Conflict, Incomplete, ManifestUnknown, TagUnknown
from killick.manifest import Descriptor
from killick.names import Tag
from killick.repository import ANYTHING, LOCAL, Cause, Expected, Move
from killick.store import graph, immutable
from killick.store.columns import COLUMNS, to_move, to_row
from killick.store.commit import repository_id
from killick.store.context import Context, from_stamp, to_stamp


@dataclass(frozen=True)
class Wish:
    """A move that somebody asks for; `time` is given for one that happened elsewhere."""

    tag: Tag
    to: Descriptor | None
    cause: Cause
    expected: Expected = ANYTHING
    time: datetime | None = None


@dataclass(frozen=True)
class Teller:
    """Who tells of moves: the series that they go into, and whether that is its own."""

    origin: str
    authoritative: bool


def move(
    connection: sqlite3.Connection, context: Context, repository: str, wish: Wish
) -> Move | None:
    """Move a tag and record it, in the caller's transaction; None if it stands there already.

    Raises:
        Conflict, ManifestUnknown, TagUnknown, Immutable: as `killick.repository.Ledger.move` says.
        Incomplete: the image lacks a config or a layer, so it gets no name (unless the policy is
            that it may).
    """
    tag, to, origin = wish.tag, wish.to, wish.cause.origin
    home = repository_id(connection, repository)
    standing = connection.execute(
        "SELECT digest FROM tag WHERE repository = ? AND origin = ? AND name = ?",
        (home, origin, tag),
    ).fetchone()
    previous = Digest.parse(standing[0]) if standing else None
    if wish.expected is not ANYTHING and wish.expected != previous:
        raise Conflict(
            f"{repository}:{tag} points to {previous or 'nothing'}, not to"
            f" {wish.expected or 'nothing'}, so it was not moved",
            current=str(previous) if previous else None,
            hint="look at what it points to now, and decide again",
        )
    if to is None and previous is None:
        raise TagUnknown(f"{repository} has no tag {tag}", hint="see killick images")
    if to is not None and origin == LOCAL:
        to = _held(connection, home, repository, to)
        if not context.policy.sparse:
            check_whole(connection, home, repository, to.digest)
    if to is not None and to.digest == previous:
        return None
    asked = (tag, to.digest if to else None, wish.cause)
    overriding = immutable.overrides(
        connection, context, (home, repository), asked, stands=previous is not None
    )
    wish = replace(wish, cause=replace(wish.cause, overriding=overriding))
    made = append(connection, home, repository, context, wish, to, previous)
    if origin == LOCAL:
        _restamp(connection, context, home, to, previous)
    return made


def _held(connection: sqlite3.Connection, home: int, repository: str, to: Descriptor) -> Descriptor:
    row = connection.execute(
        "SELECT member.media_type, blob.size FROM member JOIN blob USING (digest)"
        " WHERE repository = ? AND digest = ? AND document = 1 AND damaged = 0",
        (home, str(to.digest)),
    ).fetchone()
    if row is None:
        raise ManifestUnknown(f"{repository} has no manifest {to.digest}")
    return Descriptor(row[0], to.digest, row[1])


def check_whole(connection: sqlite3.Connection, home: int, repository: str, digest: Digest) -> None:
    """Refuse a root to an image that lacks a part.

    Who brings an image may be held up for longer than the lease between its first layer and its
    name (a laptop that sleeps), and others collect garbage meanwhile. In the transaction that gives
    it its root nothing of it can go any more.

    Raises:
        Incomplete: a config or a layer is not in the repository.
    """
    part = graph.lost_part(connection, home, str(digest))
    if part is not None:
        raise Incomplete(
            f"{repository} lacks {part}, which {digest} needs",
            hint="bring the image again: what was not used for long may have been collected",
        )


def append(
    connection: sqlite3.Connection,
    home: int,
    repository: str,
    context: Context,
    wish: Wish,
    to: Descriptor | None,
    previous: Digest | None,
) -> Move:
    """Add an entry to the chain of a repository, and let the tag point where it says."""
    last, before = connection.execute(
        "SELECT sequence, head FROM repository WHERE id = ?", (home,)
    ).fetchone()
    cause, stamp = wish.cause, context.now() if wish.time is None else to_stamp(wish.time)
    made = Move(last + 1, from_stamp(stamp), repository, wish.tag, to, previous, cause)
    head = entry_hash(made, before)
    connection.execute(
        f"INSERT INTO move (repository, {COLUMNS}, hash) VALUES ({', '.join('?' * 14)})",
        (home, *to_row(made), head),
    )
    connection.execute(
        "UPDATE repository SET sequence = ?, head = ? WHERE id = ?", (made.sequence, head, home)
    )
    series = (home, cause.origin, wish.tag)
    if to is None:
        connection.execute(
            "DELETE FROM tag WHERE repository = ? AND origin = ? AND name = ?", series
        )
    else:
        connection.execute(
            "INSERT OR REPLACE INTO tag VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*series, str(to.digest), to.media_type, to.size, made.sequence, stamp),
        )
    return made


def _restamp(
    connection: sqlite3.Connection,
    context: Context,
    home: int,
    to: Descriptor | None,
    previous: Digest | None,
) -> None:
    """Give what the tag points to now its root.

    What it pointed to before has one too, as long as it is retained; gc sees when that ends.
    """
    if to is not None:
        unstamp(connection, home, to.digest)
    if previous is not None and context.retention == timedelta(0):
        stamp_lost(connection, context, home, graph.below(connection, str(previous)))


def recall(
    connection: sqlite3.Connection,
    context: Context,
    repository: str,
    told: Iterable[Move],
    teller: Teller,
) -> int:
    """Append what another ledger tells, oldest first, to the teller's series; return how much.

    Times, kinds and actors are as told. What was told before is left out.
    """
    home = repository_id(connection, repository)
    count = 0
    for move in told:
        digest = str(move.to.digest) if move.to else None
        known = connection.execute(
            "SELECT 1 FROM move WHERE repository = ? AND origin = ? AND tag = ? AND time = ?"
            " AND digest IS ?",
            (home, teller.origin, move.tag, to_stamp(move.time), digest),
        ).fetchone()
        if known is None:
            cause = Cause(move.cause.kind, move.cause.actor, teller.origin, teller.authoritative)
            wish = Wish(move.tag, move.to, cause, time=move.time)
            append(connection, home, repository, context, wish, move.to, move.previous)
            count += 1
    return count


def tags_at(connection: sqlite3.Connection, home: int, digest: Digest) -> list[Tag]:
    """Return the local tags that point at a manifest."""
    rows = connection.execute(
        "SELECT name FROM tag WHERE repository = ? AND origin = ? AND digest = ? ORDER BY name",
        (home, LOCAL, str(digest)),
    )
    return [Tag(row[0]) for row in rows]


def unstamp(connection: sqlite3.Connection, home: int, digest: Digest) -> None:
    """Take the stamps off content that has got a root, and off all below it."""
    connection.execute(
        f"WITH RECURSIVE {graph.DOWN} UPDATE member SET unreachable = NULL, purged = 0"
        " WHERE repository = :repository AND unreachable IS NOT NULL"
        " AND digest IN (SELECT digest FROM down)",
        {"repository": home, "digest": str(digest)},
    )


def stamp_lost(
    connection: sqlite3.Connection,
    context: Context,
    home: int,
    digests: list[str],
    *,
    purged: bool = False,
) -> None:
    """Stamp what of `digests` no root of the repository reaches any more.

    `purged` says that it may go without waiting for the lease.
    """
    for digest in digests:
        if not graph.is_live(connection, home, digest, context.oldest_retained):
            connection.execute(
                "UPDATE member SET unreachable = coalesce(unreachable, ?), purged = ?"
                " WHERE repository = ? AND digest = ?",
                (context.now(), int(purged), home, digest),
            )


def purge(connection: sqlite3.Connection, context: Context, repository: str, tag: Tag) -> None:
    """Let go of the content that a tag used to point to; the entries stay."""
    home = repository_id(connection, repository)
    connection.execute(
        "UPDATE move SET released = ? WHERE repository = ? AND origin = ? AND tag = ?"
        " AND released IS NULL",
        (context.actor, home, LOCAL, tag),
    )
    past = connection.execute(
        "SELECT DISTINCT previous FROM move WHERE repository = ? AND origin = ? AND tag = ?"
        " AND previous IS NOT NULL",
        (home, LOCAL, tag),
    ).fetchall()
    digests = {d for row in past for d in graph.below(connection, row[0])}
    stamp_lost(connection, context, home, sorted(digests), purged=True)


def problems(connection: sqlite3.Connection, home: int, repository: str) -> Iterator[str]:
    """Yield, in words, what is wrong with the ledger of a repository."""
    before, expected = "", 1
    standing: dict[tuple[str, str], str] = {}
    for row in connection.execute(
        f"SELECT {COLUMNS}, hash FROM move WHERE repository = ? ORDER BY sequence", (home,)
    ):
        made = to_move(repository, row[:-1])
        if made.sequence != expected:
            yield f"entries {expected} to {made.sequence - 1} of its ledger are missing"
            expected = made.sequence
        elif entry_hash(made, before) != row[-1]:
            yield f"entry {made.sequence} of its ledger was changed"
        before, expected = row[-1], expected + 1
        series = (made.cause.origin, str(made.tag))
        standing.pop(series, None)
        if made.to is not None:
            standing[series] = str(made.to.digest)
    last, head = connection.execute(
        "SELECT sequence, head FROM repository WHERE id = ?", (home,)
    ).fetchone()
    if (last, head) != (expected - 1, before):
        yield f"its ledger should end with entry {last}, and ends with {expected - 1}"
    tags = connection.execute("SELECT origin, name, digest FROM tag WHERE repository = ?", (home,))
    found = {(origin, tag): digest for origin, tag, digest in tags}
    for key in sorted(found.keys() | standing.keys()):
        if found.get(key) != standing.get(key):
            yield f"its tag {key[1]} does not point where its ledger says"
