"""Garbage collection.

Garbage is what no local tag, no digest that is kept, no history within the retention and no
referrer of such reaches, in the repository that has it, and what was promised to nobody within the
lease time. It goes in small batches. Each is one transaction under the exclusive commit lock, in
which stamp and reachability are looked at once more; rows go first, files after, so that a crash
leaves at worst files without rows, which the next collection sweeps.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE
from killick.store import durable, graph, locks
from killick.store.blobs import Blobs
from killick.store.context import Context
from killick.store.leases import Leases, old_enough

BATCH = 100
STALE_AFTER = timedelta(days=7)
"""Age at which partial downloads, uploads, and what is in quarantine are given up."""

_Item = TypeVar("_Item")

_MEDIA_TYPE = """
coalesce((SELECT media_type FROM document WHERE document.digest = blob.digest),
    (SELECT media_type FROM edge WHERE edge.child = blob.digest LIMIT 1), :blob)
"""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed (or would remove), its bytes, and how much content is left."""

    removed: tuple[Descriptor, ...]
    size: int
    kept: int


class Collection:
    """One garbage collection. `purge`: what was purged goes at once, if nobody else is at work."""

    def __init__(self, context: Context, blobs: Blobs, leases: Leases, *, purge: bool) -> None:
        self._context = context
        self._blobs = blobs
        self._leases = leases
        self._purge = purge
        self._removed: list[Descriptor] = []

    def run(self) -> Collected:
        """Remove garbage.

        Raises:
            StoreError: the store can't be changed.
        """
        self._stamp()
        with self._alone() as alone:
            limits = {"before": old_enough(self._context), "purge": int(self._purge and alone)}
            for batch in _batches(self._candidates(limits)):
                self._remove_members(batch, limits)
        self._remove_orphans()
        self._sweep()
        return self._result(self._removed)

    def rehearse(self) -> Collected:
        """Return what `run` would remove; nothing is changed."""
        limits = {"before": old_enough(self._context), "purge": int(self._purge)}
        with self._context.database.snapshot() as connection:
            self._find_live(connection)
            rows = connection.execute(
                f"SELECT {_MEDIA_TYPE}, digest, size FROM blob WHERE NOT EXISTS ("
                "  SELECT 1 FROM member LEFT JOIN temp.live USING (repository, digest)"
                "  WHERE member.digest = blob.digest AND (live.digest IS NOT NULL"
                "   OR coalesce(unreachable >= :before, 1) AND NOT (purged AND :purge)))"
                " AND coalesce(orphaned < :before, 1)",
                limits | {"blob": BLOB_TYPE},
            ).fetchall()
        return self._result([Descriptor(m, Digest.parse(d), s) for m, d, s in rows], len(rows))

    def _stamp(self) -> None:
        """Give stamps to what has lost its roots since, and take them off what has got some."""
        with self._context.database.snapshot() as connection:
            self._find_live(connection)
            lost = connection.execute(
                "SELECT id FROM member LEFT JOIN temp.live USING (repository, digest)"
                " WHERE live.digest IS NULL AND unreachable IS NULL"
            ).fetchall()
            found = connection.execute(
                "SELECT id FROM member JOIN temp.live USING (repository, digest)"
                " WHERE unreachable IS NOT NULL"
            ).fetchall()
        self._update("SET unreachable = :now WHERE id = :id AND unreachable IS NULL", lost)
        self._update("SET unreachable = NULL, purged = 0 WHERE id = :id", found)
        # Stamps from the future are those of a clock that was put back.
        self._update("SET unreachable = :now WHERE unreachable > :now", [(0,)])
        with self._context.database.writing() as connection:
            now = {"now": self._context.now()}
            connection.execute("UPDATE blob SET orphaned = :now WHERE orphaned > :now", now)

    def _update(self, what: str, rows: Sequence[tuple[int]]) -> None:
        """Change members. What the clock shows is read inside: the lock may be long in coming."""
        for batch in _batches(rows, 1000):
            with self._context.database.writing() as connection:
                now = self._context.now()
                values = [{"id": row[0], "now": now} for row in batch]
                connection.executemany(f"UPDATE member {what}", values)

    def _find_live(self, connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE IF EXISTS temp.live")
        connection.execute(
            "CREATE TEMP TABLE live (repository INTEGER, digest TEXT,"
            " PRIMARY KEY (repository, digest)) WITHOUT ROWID"
        )
        connection.execute(
            f"INSERT INTO temp.live WITH RECURSIVE {graph.LIVE} SELECT * FROM live",
            {"oldest": graph.oldest(self._context.oldest_retained)},
        )

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

    def _candidates(self, limits: dict[str, int]) -> list[tuple[int, int, str]]:
        with self._context.database.reading() as connection:
            return connection.execute(
                "SELECT id, repository, digest FROM member WHERE unreachable < :before"
                " OR (unreachable IS NOT NULL AND purged AND :purge) ORDER BY id DESC",
                limits,
            ).fetchall()

    def _remove_members(
        self, batch: Sequence[tuple[int, int, str]], limits: dict[str, int]
    ) -> None:
        retained = self._context.oldest_retained
        with locks.exclusive(self._context.places.commit_lock):
            gone: list[Descriptor] = []
            with self._context.database.writing() as connection:
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
            self._unlink(gone)

    def _remove_orphans(self) -> None:
        """Remove what was deleted by digest, when whoever still sends it had time to open it."""
        before = old_enough(self._context)
        query = "SELECT digest FROM blob WHERE orphaned < ?"
        with self._context.database.reading() as connection:
            found = [row[0] for row in connection.execute(query, (before,))]
        for batch in _batches(found):
            with locks.exclusive(self._context.places.commit_lock):
                gone: list[Descriptor] = []
                with self._context.database.writing() as connection:
                    for digest in batch:
                        still = connection.execute(
                            "SELECT 1 FROM blob WHERE digest = ? AND orphaned < ?",
                            (digest, before),
                        ).fetchone()
                        gone += _drop_blob(connection, digest) if still else []
                self._unlink(gone)

    def _unlink(self, gone: Sequence[Descriptor]) -> None:
        for d in gone:
            durable.remove(self._blobs.path(d.digest))
        self._removed += gone

    def _sweep(self) -> None:
        """Remove files that belong to nothing: after crashes, and what nobody came back for."""
        places = self._context.places
        for directory in (places.blobs / "sha256", places.blobs / "sha512"):
            for batch in _batches(self._without_rows(directory, _names(directory))):
                with locks.exclusive(places.commit_lock):
                    for name in self._without_rows(directory, batch):
                        durable.remove(directory / name)
        for directory in (places.partial, places.uploads, places.temporary):
            for name in _names(directory):
                _remove_stale(directory / name)
        for name in _names(places.quarantine):
            if _age(places.quarantine / name) > STALE_AFTER.total_seconds():
                durable.remove(places.quarantine / name)

    def _without_rows(self, directory: Path, names: Sequence[str]) -> list[str]:
        with self._context.database.reading() as connection:
            return [
                name
                for name in names
                if connection.execute(
                    "SELECT 1 FROM blob WHERE digest = ? AND damaged = 0",
                    (f"{directory.name}:{name}",),
                ).fetchone()
                is None
            ]

    def _result(self, removed: Sequence[Descriptor], off: int = 0) -> Collected:
        with self._context.database.reading() as connection:
            count = connection.execute("SELECT count(*) FROM blob WHERE damaged = 0").fetchone()[0]
        return Collected(tuple(removed), sum(d.size for d in removed), count - off)


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


def _batches(items: Sequence[_Item], size: int = BATCH) -> Iterator[list[_Item]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _names(directory: Path) -> list[str]:
    with durable.translated(directory):
        return [path.name for path in directory.iterdir()]


def _age(path: Path) -> float:
    """Return the seconds since a file was last written to, by the file system's own clock."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _remove_stale(path: Path) -> None:
    """Remove a file that nobody has written to for long, and nobody has locked."""
    if _age(path) <= STALE_AFTER.total_seconds():
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if locks.try_exclusive(descriptor):
                durable.remove(path)
        finally:
            os.close(descriptor)
