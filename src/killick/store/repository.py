"""One repository of the store, in all the roles that `killick.repository` knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from killick.digest import CANONICAL, Digest
from killick.errors import (
    BlobUnknown,
    DigestMismatch,
    ManifestUnknown,
    NotFound,
    StoreFull,
    TagUnknown,
)
from killick.manifest import Descriptor, Index
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import (
    ANYTHING,
    BLOB_TYPE,
    LOCAL,
    Cause,
    Expected,
    Head,
    Ingest,
    Move,
    Presence,
    Upload,
)
from killick.store import graph, immutable, ledger, reading, referring
from killick.store.blobs import Blobs, Held, Shape
from killick.store.commit import find_repository, repository_id
from killick.store.context import Context
from killick.store.glance import Remembered
from killick.store.ingest import ingest
from killick.store.intake import Intake
from killick.store.uploads import UploadSessions
from killick.transfer import walk

_FIND = """
SELECT member.repository, member.media_type, member.unreachable,
    blob.inode, blob.size, blob.mtime, blob.ctime, blob.verified
FROM repository
JOIN member ON member.repository = repository.id
JOIN blob ON blob.digest = member.digest
WHERE repository.name = ? AND member.digest = ? AND member.document = ? AND blob.damaged = 0
"""


@dataclass(frozen=True)
class Rooms:
    """What all repositories of a store share."""

    context: Context
    blobs: Blobs
    intake: Intake
    uploads: UploadSessions
    remembered: Remembered


@dataclass(frozen=True, slots=True)
class _Found:
    home: int
    media_type: str
    unreachable: int | None
    held: Held


class StoreRepository:
    """The repository called `name`. It exists as soon as something is put into it."""

    def __init__(self, rooms: Rooms, name: str) -> None:
        self.name = name
        self._context = rooms.context
        self._database = rooms.context.database
        self._blobs = rooms.blobs
        self._intake = rooms.intake
        self._leases = rooms.intake.leases
        self._uploads = rooms.uploads
        self._remembered = rooms.remembered

    # Content

    def find(self, digest: Digest, /) -> Descriptor:
        """Return the descriptor of a blob; raises BlobUnknown if it is not here."""
        self._leases.use()
        found = self._promised(digest, document=False)
        return Descriptor(BLOB_TYPE, digest, found.held.size)

    def has(self, d: Descriptor, /) -> bool:
        """Return whether the content is here; if so, it stays for at least the lease time."""
        self._leases.use()
        try:
            self._promised(d.digest, document=d.is_document)
        except NotFound:
            return False
        return True

    def open(self, d: Descriptor, /, start: int = 0) -> BinaryIO:
        """Return a stream of the content from byte `start` on.

        Raises:
            ManifestUnknown, BlobUnknown: it is not here.
            DigestMismatch: (here or from reading) it is damaged.
            StoreError: it can't be read.
        """
        found = self._found(d.digest, document=d.is_document)
        stream = self._blobs.open(found.held, start)
        if stream is None:
            raise self._unknown(d.digest, document=d.is_document)
        return self._remembered.passing(d, stream) if d.is_document and not start else stream

    def put(self, d: Descriptor, source: BinaryIO, /) -> None:
        """Take the whole of `source` as the content of `d`; verified, durable and visible after.

        Raises:
            DigestMismatch, ContentError, UnverifiableDigest: it is not, and nothing was kept.
            StoreError: it can't be written.
        """
        self._intake.put(self.name, d, source)

    def locate(self, d: Descriptor, /) -> Path | None:
        """Return the file of the content, if it is known to be good; else None."""
        self._leases.use()
        try:
            found = self._promised(d.digest, document=d.is_document)
        except NotFound:
            return None
        return self._blobs.locate(found.held)

    def ingest(self, d: Descriptor, /) -> AbstractContextManager[Ingest]:
        """Return the one place where `d` comes in; waits while another process is at it."""
        return ingest(self._context, self._intake, self.name, d)

    def begin(self, algorithm: str = CANONICAL, /) -> Upload:
        """Start an upload session, whose digest is likely to be of this algorithm."""
        return self._uploads.begin(self.name, algorithm)

    def upload(self, identifier: str, /) -> Upload:
        """Return an upload session of this repository; raises UploadUnknown."""
        return self._uploads.find(self.name, identifier)

    def mount(self, d: Descriptor, sister: str, /) -> bool:
        """Make the blob `d` of repository `sister` visible here; False if it has it not."""
        self._leases.use()
        with self._database.reading() as connection:
            if connection.execute(_FIND, (sister, str(d.digest), 0)).fetchone() is None:
                return False
        return self._intake.adopt(self.name, d)

    def delete(self, d: Descriptor, /, cause: Cause | None = None) -> None:
        """Remove a manifest, with the tags that point to it, or a blob, from this repository.

        Raises:
            ManifestUnknown, BlobUnknown: it is not here.
            Immutable: a rule keeps a tag whose image needs it.
        """
        digest = str(d.digest)
        cause = cause or Cause("deleted", self._context.actor)
        with self._database.writing() as connection:
            home = find_repository(connection, self.name)
            gone = connection.execute(
                "DELETE FROM member WHERE repository = ? AND digest = ? AND document = ?",
                (home, digest, int(d.is_document)),
            )
            if home is None or gone.rowcount == 0:
                raise self._unknown(d.digest, document=d.is_document)
            immutable.check_content(connection, self._context, (home, self.name), d.digest, cause)
            if d.is_document:
                for tag in ledger.tags_at(connection, home, d.digest):
                    wish = ledger.Wish(tag, None, cause)
                    ledger.move(connection, self._context, self.name, wish)
                connection.execute(
                    "DELETE FROM kept WHERE repository = ? AND digest = ?", (home, digest)
                )
            below = graph.below(connection, digest)
            ledger.stamp_lost(connection, self._context, home, below)
            graph.tidy(connection, digest, self._context.now())

    # Tags and their ledger

    def resolve(self, ref: Tag | Digest, /) -> Descriptor:
        """Return what a tag points to, or the descriptor of a manifest.

        Raises:
            TagUnknown, ManifestUnknown: there is no such thing.
        """
        if isinstance(ref, Digest):
            found = self._found(ref, document=True)
            return Descriptor(found.media_type, ref, found.held.size)
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT media_type, digest, size FROM tag JOIN repository ON id = repository"
                " WHERE repository.name = ? AND origin = ? AND tag.name = ?",
                (self.name, LOCAL, ref),
            ).fetchone()
        if row is None:
            raise TagUnknown(f"{self.name} has no tag {ref}", hint="see killick images")
        return Descriptor(row[0], Digest.parse(row[1]), row[2])

    def tags(self, after: str = "", /) -> Iterator[Tag]:
        """Yield all tags (after `after`), in ASCII order."""
        return map(Tag, reading.tags(self._database, self.name, after))

    def tag(self, name: Tag, d: Descriptor, /) -> None:
        """Point a tag at a manifest that is here; raises ManifestUnknown."""
        self.move(name, d, Cause("tagged", self._context.actor))

    def untag(self, name: Tag, /) -> None:
        """Remove a tag; raises TagUnknown."""
        self.move(name, None, Cause("deleted", self._context.actor))

    def history(
        self, tag: Tag | None = None, /, origin: str = LOCAL, before: int | None = None
    ) -> Iterator[Move]:
        """Yield the moves of one tag, or of all, newest first."""
        return reading.history(self._database, reading.Series(self.name, origin, tag), before)

    def head(self) -> Head:
        """Return where the ledger ends."""
        return reading.head(self._database, self.name)

    def entries(self, after: int, /) -> Iterator[Move]:
        """Yield all entries of the ledger after one, oldest first."""
        return reading.entries(self._database, self.name, after)

    def holding(
        self, digest: Digest, /, before: int | None = None
    ) -> Iterator[tuple[Move, Move | None]]:
        """Yield the moves of our own names to a manifest, newest first, with what ended each."""
        return reading.holding(self._database, self.name, digest, before)

    def standing(self, after: Tag | None = None, /) -> Iterator[Move]:
        """Yield, for each of our own tags (those after `after`), the move that put it there."""
        return reading.standing(self._database, self.name, after)

    def move(
        self, tag: Tag, to: Descriptor | None, cause: Cause, /, expected: Expected = ANYTHING
    ) -> Move | None:
        """Move a tag and record it, in one transaction; None if it stands there already.

        Raises:
            Conflict, ManifestUnknown, TagUnknown, Incomplete, Immutable: as
                `killick.repository.Ledger.move` says.
        """
        return self.move_all({tag: expected}, to, cause)[0]

    def move_all(
        self, tags: Mapping[Tag, Expected], to: Descriptor | None, cause: Cause, /
    ) -> list[Move | None]:
        """Move all of some tags, each as `move` does, in one transaction; or none of them."""
        with self._database.writing() as connection:
            wishes = (ledger.Wish(tag, to, cause, wanted) for tag, wanted in tags.items())
            return [ledger.move(connection, self._context, self.name, wish) for wish in wishes]

    def recall(self, told: Iterable[Move], /, origin: str, *, authoritative: bool = False) -> int:
        """Record what another ledger tells of tags of this name, oldest first, in one transaction.

        It goes into the series of `origin` (never a local one), as told; `authoritative` says that
        it is the registry called so that told it. What was told before is left out. Returns how
        many moves were new.
        """
        with self._database.writing() as connection:
            source = ledger.Teller(origin, authoritative)
            return ledger.recall(connection, self._context, self.name, told, source)

    def keep(self, d: Descriptor, /) -> None:
        """Keep an image that no tag names, until it is deleted by digest.

        Raises:
            ManifestUnknown: it is not here.
            Incomplete: it lacks a config or a layer.
        """
        self._promised(d.digest, document=True)
        with self._database.writing() as connection:
            home = repository_id(connection, self.name)
            ledger.check_whole(connection, home, self.name, d.digest)
            connection.execute(
                "INSERT OR IGNORE INTO kept VALUES (?, ?, ?)",
                (home, str(d.digest), self._context.now()),
            )
            ledger.unstamp(connection, home, d.digest)

    # The graph

    def referrers(
        self, digest: Digest, /, artifact_type: str | None = None, after: Digest | None = None
    ) -> Iterator[Descriptor]:
        """Yield what has `digest` as its subject (behind `after`), in the order of digests."""
        wanted = referring.Wanted(self.name, str(digest), artifact_type)
        return referring.referrers(self._database, wanted, str(after or ""))

    def presence(self, digests: Iterable[Digest], /) -> dict[Digest, Presence]:
        """Return, for each digest, whether that manifest is here, and all that it needs too."""
        with self._database.reading() as connection:
            return {d: graph.presence(connection, self.name, str(d)) for d in digests}

    def complete(self, d: Descriptor, /, platforms: Sequence[Platform] | None = None) -> bool:
        """Return whether a manifest and all that it needs (for `platforms`) are here.

        If so, all of it stays for at least the lease time.
        """
        if d.is_foreign or not d.is_document:
            return d.is_foreign or self.has(d)
        if not self.has(d):
            return False
        if platforms is not None:
            return self._complete_for(d, platforms)
        with self._database.reading() as connection:
            return graph.is_whole(connection, self.name, str(d.digest))

    def _complete_for(self, d: Descriptor, platforms: Sequence[Platform]) -> bool:
        try:
            documents = list(walk(self, d, platforms))
        except (NotFound, DigestMismatch):
            return False
        return all(
            child.is_foreign or self.has(child)
            for document in documents
            for child in document.children()
            if not (isinstance(document, Index) and child.is_document)  # these were walked
        )

    def _found(self, digest: Digest, *, document: bool) -> _Found:
        """Return what is here, promised for the lease time if the disk has room to note it."""
        try:
            return self._promised(digest, document=document)
        except StoreFull:
            return self._look_up(digest, document=document)

    def _promised(self, digest: Digest, *, document: bool) -> _Found:
        """Return what is here, promised for the lease time; raises NotFound's children."""
        found = self._look_up(digest, document=document)
        if self._leases.promise(found.home, str(digest), found.unreachable):
            return self._look_up(digest, document=document)
        return found

    def _look_up(self, digest: Digest, *, document: bool) -> _Found:
        with self._database.reading() as connection:
            row = connection.execute(_FIND, (self.name, str(digest), int(document))).fetchone()
        if row is None:
            raise self._unknown(digest, document=document)
        home, media_type, unreachable, inode, size, mtime, ctime, verified = row
        held = Held(digest, Shape(inode, size, mtime, ctime), verified)
        return _Found(home, media_type, unreachable, held)

    def _unknown(self, digest: Digest, *, document: bool) -> NotFound:
        if document:
            return ManifestUnknown(f"{self.name} has no manifest {digest}")
        return BlobUnknown(f"{self.name} has no blob {digest}")
