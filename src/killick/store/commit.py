"""Making content visible: names on disk first, then rows, several arrivals in one go.

Each commit costs the disk a directory fsync and a database fsync. Threads that arrive while one is
being made wait for the next, which takes all of them together (group commit).

The whole of it happens under the shared commit lock. Garbage collection removes under the exclusive
one; so a file without a row, seen under the exclusive lock, belongs to no commit under way.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from killick.digest import Digest, verify
from killick.errors import DigestMismatch, KillickError, StoreError
from killick.manifest import MOST_CONFIG_BYTES, Descriptor, Document, Manifest
from killick.repository import BLOB_TYPE
from killick.store import durable, graph, locks
from killick.store.blobs import Blobs, Shape
from killick.store.context import Context

_MOST_TOGETHER = 64


@dataclass(eq=False)
class Arrival:
    """Verified content that is to become visible in a repository.

    `temporary` is its synced file; None says that the store has the content already. Afterwards
    `gone` tells that it did not, after all, and `member` is the id of the repository.
    """

    repository: str
    descriptor: Descriptor
    document: Document | None = None
    temporary: Path | None = None
    gone: bool = False
    member: int = 0
    settled: bool = field(default=False, init=False)
    failure: KillickError | None = field(default=None, init=False)


class Committer:
    """Where the threads of a process meet to commit."""

    def __init__(self, context: Context, blobs: Blobs) -> None:
        self._context = context
        self._blobs = blobs
        self._mutex = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[Arrival] = []

    def commit(self, arrival: Arrival) -> None:
        """Make content visible and durable, together with whatever else arrives now.

        Raises:
            StoreError: it did not become visible.
        """
        with self._mutex:
            self._waiting.append(arrival)
        try:
            with self._turn:
                while not arrival.settled:
                    self._lead()
        finally:
            self._withdraw(arrival)
        if arrival.failure is not None:
            raise arrival.failure

    def _withdraw(self, arrival: Arrival) -> None:
        """Take an arrival back whose thread was interrupted while it waited."""
        with self._mutex:
            if arrival in self._waiting:
                self._waiting.remove(arrival)

    def _lead(self) -> None:
        """Commit what has waited longest."""
        with self._mutex:
            batch = self._waiting[:_MOST_TOGETHER]
            self._waiting = self._waiting[_MOST_TOGETHER:]
        failure: KillickError | None = StoreError("the commit was interrupted", hint="try again")
        try:
            self._run(batch)
            failure = None
        except KillickError as error:
            failure = error
        finally:
            for arrival in batch:
                arrival.failure = failure
                arrival.settled = True

    def _run(self, batch: Sequence[Arrival]) -> None:
        with locks.shared(self._context.places.commit_lock):
            fresh = [(a, a.temporary) for a in batch if a.temporary is not None]
            durable.publish([(path, self._path(a)) for a, path in fresh])
            shapes = {}
            for arrival, _ in fresh:
                with durable.translated(self._path(arrival)):
                    shapes[arrival] = Shape.of(self._path(arrival).stat())
            with self._context.database.writing() as connection:
                for arrival in batch:
                    self._insert(connection, arrival, shapes.get(arrival))

    def _path(self, arrival: Arrival) -> Path:
        return self._blobs.path(arrival.descriptor.digest)

    def _insert(
        self, connection: sqlite3.Connection, arrival: Arrival, shape: Shape | None
    ) -> None:
        digest = arrival.descriptor.digest
        now = self._context.now()
        if shape is not None:
            _upsert_blob(connection, digest, shape, now)
        elif not _adopt_blob(connection, arrival.descriptor):
            arrival.gone = True
            return
        arrival.member = repository_id(connection, arrival.repository)
        document = arrival.document
        connection.execute(
            "INSERT INTO member (repository, digest, document, media_type, arrived, unreachable)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET media_type = excluded.media_type,"
            " unreachable = CASE WHEN unreachable IS NULL THEN NULL ELSE excluded.unreachable END,"
            " purged = 0",
            (
                arrival.member,
                str(digest),
                int(document is not None),
                document.media_type if document else BLOB_TYPE,
                now,
                now,
            ),
        )
        config: Digest | None = digest
        if document is not None:
            graph.record(connection, digest, document)
            self._mark_sparse(connection, arrival)
            config = document.config.digest if isinstance(document, Manifest) else None
        if config is not None and graph.lacks_summary(connection, str(config)):
            self._summarise(connection, config)

    def _mark_sparse(self, connection: sqlite3.Connection, arrival: Arrival) -> None:
        """Note whether an image comes before all of its parts, which is no damage then."""
        digest = str(arrival.descriptor.digest)
        part = graph.own_lost_part(connection, arrival.member, digest)
        connection.execute(
            "UPDATE member SET sparse = ? WHERE repository = ? AND digest = ? AND document = 1"
            " AND sparse != ?",
            (int(part), arrival.member, digest, int(part)),
        )

    def _summarise(self, connection: sqlite3.Connection, digest: Digest) -> None:
        """Tell the graph what a config says, if the config is here and whole."""
        if not digest.verifiable:
            return
        path = self._blobs.path(digest)
        with suppress(OSError, DigestMismatch):
            if path.stat().st_size <= MOST_CONFIG_BYTES:
                content = path.read_bytes()
                verify(content, digest)
                graph.summarise(connection, str(digest), content)


def repository_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the id of a repository, made if it is new (in a writing transaction)."""
    found = find_repository(connection, name)
    if found is None:
        connection.execute("INSERT INTO repository (name) VALUES (?)", (name,))
        found = find_repository(connection, name)
    return found or 0


def find_repository(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the id of a repository, None where there is none such."""
    row = connection.execute("SELECT id FROM repository WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def _upsert_blob(connection: sqlite3.Connection, digest: Digest, shape: Shape, now: int) -> None:
    connection.execute(
        "INSERT INTO blob (digest, encoded, size, inode, mtime, ctime, verified)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET inode = excluded.inode,"
        " mtime = excluded.mtime, ctime = excluded.ctime, verified = excluded.verified,"
        " damaged = 0, orphaned = NULL",
        (str(digest), digest.encoded, shape.size, shape.inode, shape.mtime, shape.ctime, now),
    )


def _adopt_blob(connection: sqlite3.Connection, d: Descriptor) -> bool:
    found = connection.execute(
        "UPDATE blob SET orphaned = NULL WHERE digest = ? AND size = ? AND damaged = 0",
        (str(d.digest), d.size),
    )
    return found.rowcount == 1
