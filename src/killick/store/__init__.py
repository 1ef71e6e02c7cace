"""The local store: a registry in a folder, for many threads and many processes at once.

    store.db       SQLite: who holds what, the graph, tags and their ledger
    blobs/         content, in the form of an OCI layout
    partial/       downloads to be gone on with      uploads/     upload sessions
    temporary/     files being written               quarantine/  damaged content
    gc.lock        shared to make visible, alone to remove
    use.lock       shared by whoever has transfers

Disk is shared among repositories; what each one shows is a row of its own.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.moments import utc_now
from killick.names import Tag
from killick.platforms import Platform
from killick.rules import EASY, Policy, Retention
from killick.store import durable, ledger, listing, retention, search
from killick.store.blobs import Blobs
from killick.store.check import Check, Finding
from killick.store.collect import Collected, Collection
from killick.store.context import Context, Places
from killick.store.database import Database
from killick.store.intake import Intake
from killick.store.leases import Leases
from killick.store.listing import ImageRow
from killick.store.pace import never
from killick.store.repository import Rooms, StoreRepository
from killick.store.retention import Release
from killick.store.scrub import Scrubbed, scrub
from killick.store.search import Known
from killick.store.uploads import UploadSessions

__all__ = [
    "Collected",
    "Finding",
    "ImageRow",
    "Known",
    "Release",
    "Scrubbed",
    "Store",
    "StoreRepository",
]

DEFAULT_LEASE = timedelta(minutes=10)
DEFAULT_RETENTION = timedelta(days=90)
RESERVE = 1024 * 1024


class Store:
    """The store in folder `root`, made if it is missing. A context manager.

    `actor` is who moves tags where a move does not say (default: user@host). `lease` is how long
    content without a root stays after it was last promised to somebody; `retention` how long what a
    tag used to point to is kept (None: for ever); `policy` which moves of tags are refused. With
    `read_only` nothing whatever is written.

    Raises:
        StoreTooNew, StoreDamaged, StoreReadOnly, StoreFull, StoreError: it can't be opened.
    """

    def __init__(
        self,
        root: Path,
        *,
        actor: str | None = None,
        read_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta | None = DEFAULT_RETENTION,
        policy: Policy = EASY,
    ) -> None:
        places = Places(root)
        if not read_only:
            for directory in places.directories:
                durable.make_directory(directory)
        database = Database(places.database, places.commit_lock, read_only=read_only)
        self.root = root
        self._context = Context(places, database, clock, actor or _user(), lease, retention, policy)
        self._blobs = Blobs(self._context)
        self._leases = Leases(self._context)
        intake = Intake(self._context, self._blobs, self._leases)
        if not read_only:
            durable.reserve(places.reserve, RESERVE)
        uploads = UploadSessions(self._context, intake)
        self._rooms = Rooms(self._context, self._blobs, intake, uploads)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database and the locks."""
        self._leases.close()
        self._context.database.close()

    def repository(self, name: str, /) -> StoreRepository:
        """Return the repository called `name`; it need not exist yet."""
        return StoreRepository(self._rooms, name)

    def repositories(self) -> Iterator[str]:
        """Yield the names of the repositories that hold anything or have a ledger, in order."""
        with self._context.database.reading() as connection:
            rows = connection.execute(
                "SELECT name FROM repository WHERE sequence > 0"
                " OR EXISTS (SELECT 1 FROM member WHERE member.repository = repository.id)"
                " ORDER BY name"
            ).fetchall()
        yield from (row[0] for row in rows)

    def images(self, host: Platform, *, past: bool = False) -> Iterator[ImageRow]:
        """Yield one row a tag-digest pair; with `past`, also for what tags used to point to."""
        return listing.images(self._context, host, past=past)

    def lookup(self, prefix: str) -> list[Known]:
        """Return the content whose digest begins with `prefix`: at least six digits."""
        return search.lookup(self._context, prefix)

    def images_with(self, digest: Digest) -> list[Descriptor]:
        """Return the images that a layer, a config or a platform's manifest belongs to."""
        return search.images_with(self._context, digest)

    def sisters(self, d: Descriptor, domain: str) -> list[str]:
        """Return the repositories of registry `domain`, named without it, known to have a blob."""
        return search.sisters(self._context, d, domain)

    def holders(self, digest: Digest, /) -> Iterator[str]:
        """Yield the names of the repositories that have a blob, in the order of its arrival."""
        return search.holders(self._context, digest)

    def purge(self, repository: str, tag: Tag) -> None:
        """Let go of the content that a tag used to point to; the ledger's entries stay."""
        with self._context.database.writing() as connection:
            ledger.purge(connection, self._context, repository, tag)

    def collect(
        self,
        *,
        dry_run: bool = False,
        purge: bool = False,
        stop: Callable[[], bool] = never,
        letting: Iterable[Release] = (),
    ) -> Collected:
        """Remove garbage; with `dry_run`, only tell what would go (if `letting` were let go of).

        With `purge`, what was purged goes without waiting for the lease, unless some store has
        transfers under way. `stop` is asked between batches whether to leave the rest.

        Raises:
            StoreError: the store can't be changed.
        """
        collection = Collection(self._context, self._blobs, self._leases, purge=purge, stop=stop)
        if dry_run:
            return collection.rehearse(retention.keys(letting))
        self._context.database.check_writable()
        durable.remove(self._context.places.reserve)
        try:
            return collection.run()
        finally:
            durable.reserve(self._context.places.reserve, RESERVE)

    def retain(
        self,
        rules: Sequence[Retention],
        *,
        dry_run: bool = False,
        stop: Callable[[], bool] = never,
    ) -> Iterator[Release]:
        """Let go of what the rules say, and yield it; with `dry_run`, only yield it.

        What is let go of is garbage from then on, unless something else needs it; the ledger's
        entries stay. A tag that is deleted gets an entry, by the rule.

        Raises:
            StoreError: the store can't be changed.
        """
        if not dry_run:
            self._context.database.check_writable()
        return retention.retain(self._context, rules, dry_run=dry_run, stop=stop)

    def scrub(
        self, budget: timedelta | None = None, *, stop: Callable[[], bool] = never
    ) -> Scrubbed:
        """Hash what is stored, from where the last call left off, for as long as `budget` says.

        A file that was begun is read to its end. Damaged content goes to quarantine. A round that
        came to its end begins anew with the next call.

        Raises:
            StoreError: the store can't be read or written.
        """
        return scrub(self._context, self._blobs, budget, stop)

    def verify(self, roots: Iterable[Descriptor] | None = None) -> Iterator[Finding]:
        """Hash what is stored (None: everything) and check that images and ledgers are whole.

        Raises:
            StoreError: something can't be read at all.
        """
        return Check(self._context, self._blobs, roots).run()


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode()
