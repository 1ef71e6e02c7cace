"""Garbage collection, while everybody else goes on.

Garbage is what no local tag, no digest that is kept, no history within the retention and no
referrer of such reaches, in the repository that has it, and what was promised to nobody within the
lease time. First everything that is live is marked (`marking`), and what is not gets a stamp. What
has had one for longer than a lease goes, in small batches. Each is one transaction under the
exclusive commit lock, in which stamp and reachability are looked at once more; rows go first, files
after, so that a crash leaves at worst files without rows, which the next collection sweeps. A
collection that was stopped or killed has done what it did: the next one goes on with the rest.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE
from killick.store import durable, graph, locks, sweep
from killick.store.blobs import Blobs
from killick.store.context import Context
from killick.store.leases import Leases, old_enough
from killick.store.marking import Letting, marked
from killick.store.pace import Paced, never

BATCH = 200
MOST_NAMED = 10_000
_PAGE = 1000
_LARGE = 16 * 1024 * 1024
"""Bytes of a file that may take long to remove, so that it is only renamed under the lock."""

_MEDIA_TYPE = """
coalesce((SELECT media_type FROM document WHERE document.digest = blob.digest),
    (SELECT media_type FROM edge WHERE edge.child = blob.digest LIMIT 1), :blob)
"""

_GARBAGE = f"""
SELECT {_MEDIA_TYPE}, digest, size FROM blob WHERE NOT EXISTS (
    SELECT 1 FROM member LEFT JOIN temp.live ON live.id = member.id
    WHERE member.digest = blob.digest AND (live.id IS NOT NULL
        OR coalesce(unreachable >= :before, 1) AND NOT (purged AND :purge)))
AND coalesce(orphaned < :before, 1)
"""

_Candidate = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed (or would remove).

    `removed` names the first 10,000 of the `count` pieces of content; `size` is the bytes of all,
    `kept` how many are left. `finished` is False for a collection that was told to stop.
    """

    removed: tuple[Descriptor, ...]
    size: int
    kept: int
    count: int
    finished: bool = True


@dataclass
class _Tally:
    named: list[Descriptor] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def add(self, d: Descriptor) -> None:
        self.size += d.size
        self.count += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(d)


class Collection:
    """One garbage collection. `purge`: what was purged goes at once, if nobody else is at work.

    `stop` is asked now and then whether to leave the rest for another time.
    """

    def __init__(
        self,
        context: Context,
        blobs: Blobs,
        leases: Leases,
        *,
        purge: bool,
        stop: Callable[[], bool] = never,
    ) -> None:
        self._context = context
        self._blobs = blobs
        self._leases = leases
        self._purge = purge
        self._stop = stop
        self._tally = _Tally()

    def run(self) -> Collected:
        """Remove garbage.

        Raises:
            StoreError: the store can't be changed.
        """
        return self._result(self._steps())

    def _steps(self) -> bool:
        """Do all there is to do; return whether it was not told to stop."""
        if not self._stamp():
            return False
        with self._alone() as alone:
            limits = {"before": old_enough(self._context), "purge": int(self._purge and alone)}
            candidates = Paced(self._candidates(limits), self._stop, BATCH)
            for batch in candidates:
                self._remove_members(batch, limits)
        return (
            not candidates.stopped
            and self._remove_orphans()
            and sweep.sweep(self._context, self._stop)
        )

    def rehearse(self, letting: Letting = ()) -> Collected:
        """Return what `run` would remove, without the history in `letting`; nothing is changed."""
        limits = {"before": old_enough(self._context), "purge": int(self._purge)}
        with marked(self._context, letting) as connection:
            for media_type, digest, size in connection.execute(
                _GARBAGE, limits | {"blob": BLOB_TYPE}
            ):
                self._tally.add(Descriptor(media_type, Digest.parse(digest), size))
        return self._result(True, self._tally.count)

    def _stamp(self) -> bool:
        """Give stamps to what has lost its roots since, and take them off what has got some."""
        with marked(self._context) as connection:
            lost = _ids(connection, "unreachable IS NULL AND live.id IS NULL")
            found = _ids(connection, "unreachable IS NOT NULL AND live.id IS NOT NULL")
            done = (
                self._update("SET unreachable = :now WHERE id = :id AND unreachable IS NULL", lost)
                and self._update("SET unreachable = NULL, purged = 0 WHERE id = :id", found)
                # Stamps from the future are those of a clock that was put back.
                and self._update("SET unreachable = :now WHERE unreachable > :now", iter((0,)))
            )
        if done:
            with self._context.database.writing() as connection:
                now = {"now": self._context.now()}
                connection.execute("UPDATE blob SET orphaned = :now WHERE orphaned > :now", now)
        return done

    def _update(self, what: str, ids: Iterator[int]) -> bool:
        """Change members. What the clock shows is read inside: the lock may be long in coming."""
        batches = Paced(ids, self._stop)
        for batch in batches:
            with self._context.database.giving_way() as connection:
                now = self._context.now()
                for number in batch:
                    connection.execute(f"UPDATE member {what}", {"id": number, "now": now})
            self._context.database.checkpoint()
        return not batches.stopped

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no store, this one included, has promised content to a transfer; it stays so."""
        if not self._purge or self._leases.in_use:
            yield False
            return
        descriptor = durable.open_file(self._context.places.use_lock, os.O_RDWR | os.O_CREAT)
        try:
            yield locks.try_exclusive(descriptor)
        finally:
            os.close(descriptor)

    def _candidates(self, limits: dict[str, int]) -> Iterator[_Candidate]:
        """Yield the members that may be garbage, newest first: parents before what they need."""
        last = 2**62
        while True:
            with self._context.database.reading() as connection:
                rows = connection.execute(
                    "SELECT id, repository, digest FROM member NOT INDEXED WHERE id < :last"
                    " AND (unreachable < :before"
                    "  OR (unreachable IS NOT NULL AND purged AND :purge))"
                    " ORDER BY id DESC LIMIT :page",
                    limits | {"last": last, "page": _PAGE},
                ).fetchall()
            self._look_at(digest for _, _, digest in rows)
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def _remove_members(self, batch: Iterator[_Candidate], limits: dict[str, int]) -> None:
        retained = self._context.oldest_retained
        with self._removing() as gone, self._context.database.giving_way() as connection:
            for member, repository, digest in batch:
                if graph.is_live(connection, repository, digest, retained):
                    continue
                removed = connection.execute(
                    "DELETE FROM member WHERE id = :id AND (unreachable < :before"
                    " OR (unreachable IS NOT NULL AND purged AND :purge))",
                    limits | {"id": member},
                )
                if removed.rowcount:
                    gone += _drop_blob(connection, digest)

    def _remove_orphans(self) -> bool:
        """Remove what was deleted by digest, when whoever still sends it had time to open it."""
        before = old_enough(self._context)
        orphans = Paced(self._orphans(before), self._stop, BATCH)
        for batch in orphans:
            with self._removing() as gone, self._context.database.giving_way() as connection:
                for digest in batch:
                    still = connection.execute(
                        "SELECT 1 FROM blob WHERE digest = ? AND orphaned < ?", (digest, before)
                    ).fetchone()
                    gone += _drop_blob(connection, digest) if still else []
        return not orphans.stopped

    def _orphans(self, before: int) -> Iterator[str]:
        last = ""
        while True:
            with self._context.database.reading() as connection:
                rows = connection.execute(
                    "SELECT digest FROM blob WHERE orphaned < ? AND digest > ?"
                    " ORDER BY digest LIMIT ?",
                    (before, last, _PAGE),
                ).fetchall()
            self._look_at(digest for (digest,) in rows)
            yield from (row[0] for row in rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def _look_at(self, digests: Iterable[str]) -> None:
        """Have the disk looked for files now, and not when they go and others wait for that."""
        for digest in digests:
            with suppress(OSError):
                os.stat(self._blobs.path(Digest.parse(digest)))  # noqa: PTH116 - for each of a million

    @contextmanager
    def _removing(self) -> Iterator[list[Descriptor]]:
        """Give a list for the content whose rows go; then its files go, all under the lock.

        Nobody commits meanwhile, so no file of the same content has just taken its place. What
        takes long to remove gets out of the way at once, and goes when the lock is let go of. Then
        is the time to carry what was written into the database, too: else the next who pushes would
        do that, for a thousand pages from all over it.
        """
        gone: list[Descriptor] = []
        large = []
        with locks.exclusive(self._context.places.commit_lock):
            yield gone
            for d in gone:
                path = self._blobs.path(d.digest)
                if d.size > _LARGE:
                    name = f"{sweep.DOOMED}{d.digest.algorithm}-{d.digest.encoded}"
                    doomed = self._context.places.temporary / name
                    durable.set_aside(path, doomed)
                    large.append(doomed)
                else:
                    durable.remove(path)
                self._tally.add(d)
        for doomed in large:
            durable.remove(doomed)
        self._context.database.checkpoint()

    def _result(self, finished: bool, off: int = 0) -> Collected:
        with self._context.database.reading() as connection:
            count = connection.execute("SELECT count(*) FROM blob WHERE damaged = 0").fetchone()[0]
        tally = self._tally
        return Collected(tuple(tally.named), tally.size, count - off, tally.count, finished)


def _ids(connection: sqlite3.Connection, condition: str) -> Iterator[int]:
    """Yield the ids of the members for which a condition holds, a page at a time."""
    last = 0
    while True:
        rows = connection.execute(
            "SELECT member.id FROM member NOT INDEXED LEFT JOIN temp.live ON live.id = member.id"
            f" WHERE member.id > ? AND {condition} ORDER BY member.id LIMIT ?",
            (last, _PAGE),
        ).fetchall()
        yield from (row[0] for row in rows)
        if len(rows) < _PAGE:
            return
        last = rows[-1][0]


def _drop_blob(connection: sqlite3.Connection, digest: str) -> list[Descriptor]:
    """Remove the rows of content that no repository has any more; return what it was."""
    graph.tidy(connection, digest, 0)
    media_type, size, orphaned = connection.execute(
        f"SELECT {_MEDIA_TYPE}, size, orphaned FROM blob WHERE digest = :digest",
        {"digest": digest, "blob": BLOB_TYPE},
    ).fetchone()
    if orphaned is None:
        return []
    connection.execute("DELETE FROM blob WHERE digest = ?", (digest,))
    return [Descriptor(media_type, Digest.parse(digest), size)]
