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
from killick.knowledge import Advisory, Node, NodeKind, Stay
from killick.manifest import Config, Descriptor, Document
from killick.moments import utc_now
from killick.names import Tag
from killick.observation import Sighting, Snapshot
from killick.platforms import Platform
from killick.repository import Glimpse
from killick.rules import EASY, Policy, Retention
from killick.store import (
    advisories,
    durable,
    heads,
    knowledge,
    ledger,
    listing,
    reading,
    referring,
    retention,
    search,
    sightings,
    upkeep,
)
from killick.store.blobs import Blobs
from killick.store.check import Check, Finding
from killick.store.collect import Collected, Collection
from killick.store.context import Context, Places
from killick.store.database import Database
from killick.store.glance import Glances
from killick.store.heads import Seen
from killick.store.intake import Intake
from killick.store.leases import Leases
from killick.store.listing import ImageRow
from killick.store.pace import never
from killick.store.repository import Rooms, StoreRepository
from killick.store.retention import Release
from killick.store.search import Known
from killick.store.sightings import Standings
from killick.store.upkeep import Looked
from killick.store.uploads import UploadSessions

__all__ = [
    "Collected",
    "Finding",
    "ImageRow",
    "Known",
    "Looked",
    "Release",
    "Seen",
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
        self._glances = Glances(self._context, self._blobs, self._leases)
        remembered = self._glances.remembered
        self._rooms = Rooms(self._context, self._blobs, intake, uploads, remembered)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def policy(self) -> Policy:
        """Which moves of tags are refused."""
        return self._context.policy

    def close(self) -> None:
        """Let go of the database and the locks."""
        self._glances.close()
        self._leases.close()
        self._context.database.close()

    def repository(self, name: str, /) -> StoreRepository:
        """Return the repository called `name`; it need not exist yet."""
        return StoreRepository(self._rooms, name)

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the names (after `after`) of what holds anything or has a ledger, in order."""
        return reading.repositories(self._context.database, after)

    def glance(self, repository: str, ref: Tag | Digest, /) -> Glimpse | None:
        """Return the manifest that `ref` means now, if it is at hand; nothing is waited for."""
        return self._glances.manifest(repository, ref)

    def glance_blob(self, repository: str, digest: Digest, /) -> Glimpse | None:
        """Return a blob of a repository, if it is at hand; nothing is waited for."""
        return self._glances.blob(repository, digest)

    def glance_tags(self, repository: str, after: str, most: int, /) -> list[str] | None:
        """Return the first `most` tags after `after`; nothing is waited for."""
        return self._glances.tags(repository, after, most)

    def glance_repositories(self, after: str, most: int, /) -> list[str] | None:
        """Return the first `most` names of repositories after `after`; nothing is waited for."""
        return self._glances.repositories(after, most)

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

    def heads(self, repository: str) -> tuple[Seen, ...]:
        """Return where the ledger of a registry's repository was seen to end, oldest first."""
        return heads.seen(self._context, repository)

    def keep_head(self, repository: str, found: Seen) -> None:
        """Remember where the ledger of a registry's repository was seen to end."""
        heads.keep(self._context, repository, found)

    def forget_heads(self, repository: str) -> None:
        """Forget where the ledger of a registry's repository was seen to end."""
        heads.forget(self._context, repository)

    def node(self, digest: Digest, /) -> Node | None:
        """Return what is known of some content, here or not, None where nothing is."""
        return knowledge.node(self._context, digest)

    def parents(self, digest: Digest, kind: NodeKind, /) -> list[Digest]:
        """Return the digests of what lists `digest` as its `kind`, in order."""
        return knowledge.parents(self._context, digest, kind)

    def stays(self, digest: Digest, /) -> list[Stay]:
        """Return when which tags pointed to an index or a manifest, newest first."""
        return knowledge.stays(self._context, digest)

    def learn(self, digest: Digest, found: Document | Config, /) -> None:
        """Keep what a document or a config says, which was seen elsewhere."""
        knowledge.learn(self._context, digest, found)

    def recognise(self, prefix: str) -> list[Digest]:
        """Return the digests, of content here or elsewhere, that begin with `prefix`."""
        return knowledge.recognise(self._context, prefix)

    def advisories(self) -> Iterator[Advisory]:
        """Yield what is said about vulnerabilities in images, oldest first."""
        return advisories.documents(self._context)

    def advise(self, advisory: Advisory, /) -> bool:
        """Keep a document of statements; False where as new a one is kept from that source."""
        return advisories.keep(self._context, advisory)

    def retract(self, advisory: Advisory, /) -> bool:
        """Forget the document of that identifier from that source; False where there is none."""
        return advisories.forget(self._context, advisory)

    def report(self, snapshot: Snapshot, /) -> None:
        """Keep what an engine said."""
        sightings.report(self._context, snapshot)

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the newest snapshot of each host, in the order of their names."""
        return sightings.snapshots(self._context)

    def sightings(self, words: str, /, skip: int = 0) -> Iterator[Sighting]:
        """Yield the sightings of a container ID or of a digest, the last one first."""
        return sightings.sightings(self._context, words, skip)

    def standings(self) -> Standings:
        """Return how many containers of which engines run what our tags point to, or once did."""
        return sightings.standings(self._context)

    def forget(self, host: str, /) -> bool:
        """Forget all about a host; False where nothing is known of it."""
        return sightings.forget(self._context, host)

    def forget_silent(self, span: timedelta) -> int:
        """Forget what hosts reported that have not answered for so long; return how many."""
        return sightings.forget_silent(self._context, span)

    def claim(self, host: str, account: str, /) -> str:
        """Let the name of a host be this account's, if it is nobody's; return whose it is then."""
        return sightings.claim(self._context, host, account)

    def attached(self, artifact_type: str, most: int) -> Iterator[tuple[str, Descriptor]]:
        """Yield the referrers of a type in all repositories, each with its repository."""
        return referring.attached(self._context.database, artifact_type, most)

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

    def verify(self, roots: Iterable[Descriptor] | None = None) -> Iterator[Finding]:
        """Hash what is stored (None: everything) and check that images and ledgers are whole.

        Raises:
            StoreError: something can't be read at all.
        """
        return Check(self._context, self._blobs, roots).run()

    def scrub(self, after: str = "") -> Iterator[Looked]:
        """Hash what is stored, in the order of digests, beginning behind `after`.

        What is damaged goes to quarantine.

        Raises:
            StoreError: something can't be read at all.
        """
        return upkeep.scrub(self._context, self._blobs, after)

    def check_health(self) -> None:
        """See that the database answers, and that files can be written (unless read-only).

        Raises:
            StoreError: the store can't do its work.
        """
        upkeep.check_health(self._context)

    def count_uploads(self) -> int:
        """Return how many upload sessions are open."""
        return upkeep.count_uploads(self._context)

    def expire_uploads(self, age: timedelta) -> int:
        """Remove the upload sessions that nobody has written to for `age`; return how many.

        Raises:
            StoreError: the store can't be changed.
        """
        return upkeep.expire_uploads(self._context, age)


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode()
