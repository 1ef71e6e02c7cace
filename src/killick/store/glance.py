"""The commonest reads, for a caller that must not wait: an event loop that serves thousands.

Nothing here waits for a lock or looks for anything that a query down an index does not find. What
belongs to a repository, and where its tags point, is asked of the database anew after each commit
to it, so that a delete or a move holds at once in every process. What can't change is remembered
for longer: the bytes of manifests, by digest.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

from killick.digest import CHUNK, Digest
from killick.errors import StoreError
from killick.manifest import Descriptor
from killick.names import Tag
from killick.repository import BLOB_TYPE, LOCAL, Glimpse, Head
from killick.store import reading
from killick.store.answers import Answers, Row
from killick.store.blobs import Blobs, Held, Shape
from killick.store.context import Context
from killick.store.leases import Leases

MOST_BYTES = 16 * 1024 * 1024
"""Of remembered manifests, all together."""
MOST_BYTES_EACH = 256 * 1024

_Answer = TypeVar("_Answer")

# Only what needs no promise to be renewed: content that a root reaches, and that is not damaged.
_HELD = """
JOIN member ON member.repository = repository.id AND member.digest = {digest}
    AND member.document = {document} AND member.unreachable IS NULL
JOIN blob ON blob.digest = member.digest AND blob.damaged = 0
WHERE repository.name = ?
"""

_BY_TAG = f"""
SELECT repository.id, tag.media_type, tag.digest, tag.size, repository.sequence, repository.head
FROM repository
JOIN tag ON tag.repository = repository.id AND tag.origin = 'local' AND tag.name = ?
{_HELD.format(digest="tag.digest", document=1)}
"""

_BY_DIGEST = f"""
SELECT repository.id, member.media_type, member.digest, blob.size FROM repository
{_HELD.format(digest="?", document=1)}
"""

_BLOB = f"""
SELECT repository.id, blob.inode, blob.size, blob.mtime, blob.ctime, blob.verified FROM repository
{_HELD.format(digest="?", document=0)}
"""


class Remembered:
    """The bytes of manifests that were read lately; they are those of their digests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes: dict[str, bytes] = {}
        self._total = 0

    def get(self, digest: str) -> bytes | None:
        """Return the content of a digest, if it is remembered."""
        return self._bytes.get(digest)

    def passing(self, d: Descriptor, stream: BinaryIO) -> BinaryIO:
        """Return a stream of the same bytes as `stream`, from its beginning; remember them.

        What does not hash to the digest is not remembered.

        Raises:
            DigestMismatch: (here or from reading) as from `stream`.
        """
        if d.size > MOST_BYTES_EACH:
            return stream
        with closing(stream):
            content = b"".join(iter(lambda: stream.read(CHUNK), b""))
        if d.digest.verifiable and _is(content, d.digest):
            self._keep(str(d.digest), content)
        return BytesIO(content)

    def _keep(self, digest: str, content: bytes) -> None:
        with self._lock:
            if digest in self._bytes:
                return
            self._bytes[digest] = content
            self._total += len(content)
            while self._total > MOST_BYTES:
                self._total -= len(self._bytes.pop(next(iter(self._bytes))))


def _is(content: bytes, digest: Digest) -> bool:
    return hashlib.new(digest.algorithm, content).hexdigest() == digest.encoded


class Glances:
    """Where the store is asked without waiting. None always means: ask the repository itself."""

    def __init__(self, context: Context, blobs: Blobs, leases: Leases) -> None:
        self.remembered = Remembered()
        self._context = context
        self._blobs = blobs
        self._leases = leases
        self._turn = threading.Lock()
        self._answers: Answers | None = None

    def manifest(self, repository: str, ref: Tag | Digest) -> Glimpse | None:
        """Return a manifest whose bytes are remembered."""
        query = _BY_DIGEST if isinstance(ref, Digest) else _BY_TAG
        row = self._row(query, (str(ref), repository))
        if row is None:
            return None
        home, media_type, digest, size, *head = row
        content = self.remembered.get(digest)
        if content is None:
            return None
        self._leases.touch(home, digest)
        return Glimpse(media_type, digest, size, content, head=Head(*head) if head else None)

    def blob(self, repository: str, digest: Digest) -> Glimpse | None:
        """Return a blob in a file that is known to be good."""
        text = str(digest)
        row = self._row(_BLOB, (text, repository))
        if row is None:
            return None
        held = Held(digest, Shape(*row[1:5]), row[5])
        path = self._blobs.locate(held)
        if path is None:
            return None
        self._leases.touch(row[0], text)
        return Glimpse(BLOB_TYPE, text, held.size, path=path)

    def tags(self, repository: str, after: str, most: int) -> list[str] | None:
        """Return the first `most` local tags after `after`, in ASCII order."""
        values = {"name": repository, "origin": LOCAL, "after": after, "page": most}
        return self._names(reading.TAGS, values)

    def repositories(self, after: str, most: int) -> list[str] | None:
        """Return the names of the first `most` repositories after `after`, in ASCII order."""
        return self._names(reading.REPOSITORIES, {"after": after, "page": most})

    def _names(self, query: str, values: dict[str, Any]) -> list[str] | None:
        rows = self._ask(lambda answers: answers.rows(query, values))
        return None if rows is None else [name for (name,) in rows]

    def _row(self, query: str, values: tuple[str, str]) -> Row | None:
        return self._ask(lambda answers: answers.row(query, values))

    def _ask(self, question: Callable[[Answers], _Answer | None]) -> _Answer | None:
        if not self._turn.acquire(blocking=False):
            return None
        try:
            self._leases.use()
            if self._answers is None:
                self._answers = Answers(self._context.database)
            return question(self._answers)
        except (sqlite3.Error, StoreError):  # busy, or worse: the slow way finds out, and says it
            return None
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let go of the connection."""
        with self._turn, suppress(sqlite3.Error):
            if self._answers is not None:
                self._answers.close()
