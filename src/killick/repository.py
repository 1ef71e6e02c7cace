"""What every place that holds images can do: the roles, and the capabilities beyond them.

A `Repository` is `Content` (bytes, by descriptor) and `Tags` (names, to descriptors); a `Registry`
maps names to repositories. The local store, a registry over HTTP, an OCI layout and a dictionary in
memory all have these roles, so that every transfer is one `transfer.copy`. What only some can do is
a capability, tested for with `isinstance` where it is used.

All methods may raise `StoreError` (local) or `Unreachable`, `Denied` and `ProtocolError` (remote)
besides what they name. All are safe to call from several threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple, Protocol, runtime_checkable

from killick.digest import CANONICAL, Bytes, Digest
from killick.manifest import Descriptor
from killick.names import Tag

BLOB_TYPE = "application/octet-stream"
LOCAL: Final = "local"


class Content(Protocol):
    """Bytes, by descriptor. Manifests and blobs alike: the descriptor's media type tells them."""

    def find(self, digest: Digest, /) -> Descriptor:
        """Return the descriptor of a blob of which only the digest is known.

        Its media type is `BLOB_TYPE`. (For a manifest, `Tags.resolve` does this.)

        Raises:
            BlobUnknown: the repository has no such blob.
        """
        ...

    def has(self, d: Descriptor, /) -> bool:
        """Return whether the content is here, whole; children are not looked at."""
        ...

    def open(self, d: Descriptor, /, start: int = 0) -> BinaryIO:
        """Return a stream of the content from byte `start` on; the caller closes it.

        A local repository never hands out wrong bytes whole: content that is not known to be good
        is hashed on the way. What a remote one sends is for the caller to verify.

        Raises:
            ManifestUnknown, BlobUnknown: it is not here.
            DigestMismatch: (from reading) the bytes are damaged.
        """
        ...

    def put(self, d: Descriptor, source: BinaryIO, /) -> None:
        """Take the content from `source`, which is read to its end. Idempotent; all or nothing.

        When this returns, the bytes were verified, are durable and visible.

        Raises:
            DigestMismatch: the bytes are not those of `d`; nothing became visible.
            ContentError: `d` says manifest or index, and the bytes are none that is acceptable.
            UnverifiableDigest: the algorithm can't be computed.
        """
        ...


class Tags(Protocol):
    """Names, to the descriptors of manifests and indexes."""

    def resolve(self, ref: Tag | Digest, /) -> Descriptor:
        """Return the descriptor (media type, digest, size) that a tag points to, or of a digest.

        Raises:
            TagUnknown, ManifestUnknown, NameUnknown: there is no such thing.
        """
        ...

    def tags(self, after: str = "", /) -> Iterator[Tag]:
        """Yield all tags that come after `after` (which need not exist), in ASCII order.

        An unknown repository is `NameUnknown`, or empty.
        """
        ...

    def tag(self, name: Tag, d: Descriptor, /) -> None:
        """Point a tag at content that is here, whatever it pointed to before.

        Raises:
            ManifestUnknown: `d` is not in this repository.
        """
        ...

    def untag(self, name: Tag, /) -> None:
        """Remove a tag; no content goes.

        Raises:
            TagUnknown: there is no such tag.
        """
        ...


@runtime_checkable
class Repository(Content, Tags, Protocol):
    """Content and the tags that name some of it."""


class Registry(Protocol):
    """Repositories, by name (`library/golftrack` in a served one; with a domain in the store)."""

    def repository(self, name: str, /) -> Repository:
        """Return the repository called `name`; it need not exist yet, and nothing is looked up."""
        ...

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the names of all repositories that come after `after`, in ASCII order."""
        ...


Kind = Literal[
    "pushed", "pulled", "tagged", "loaded", "observed", "imported", "rolled-back", "deleted"
]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a name moves: how, by whom (`user@host`, or an account), and in which series.

    `origin` is `LOCAL` for our own names, else the registry whose move was seen; then
    `authoritative` is false unless the registry itself told its history. `overriding` asks for a
    move that a rule forbids; a ledger has it only where a rule was overridden.
    """

    kind: Kind
    actor: str
    origin: str = LOCAL
    authoritative: bool = True
    overriding: bool = False


Change = Literal["create", "overwrite", "no-op", "rollback", "delete"]
Presence = Literal["present", "incomplete", "removed"]


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of the ledger: in series (`origin`, `repository`, `tag`) the name moved.

    `to` is None where the tag was removed; `previous` is None where it did not exist before.
    `sequence` orders the entries of one repository; `time` is what the clock said, in UTC.
    `content` is no part of the entry: whether what the tag was given is still there (None: nobody
    said, or the tag was removed).
    """

    sequence: int
    time: datetime
    repository: str
    tag: Tag
    to: Descriptor | None
    previous: Digest | None
    cause: Cause
    content: Presence | None = field(default=None, compare=False)

    @property
    def change(self) -> Change:
        """What it did to the name. A no-op is told to whoever asked for it, and makes no entry."""
        if self.to is None:
            return "delete"
        if self.cause.kind == "rolled-back":
            return "rollback"
        return "create" if self.previous is None else "overwrite"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ledger ends: its last entry, and the hash that stands for all (see `chain`)."""

    sequence: int
    hash: str


class Anything(Enum):
    """The expectation of a move that does not care what the tag pointed to."""

    ANYTHING = 0


ANYTHING: Final = Anything.ANYTHING
Expected = Digest | None | Literal[Anything.ANYTHING]


@runtime_checkable
class Historic(Protocol):
    """Tags whose past can be told (capability): what a `Ledger` keeps, and some registries tell."""

    def history(self, tag: Tag | None = None, /) -> Iterator[Move]:
        """Yield the moves of one tag, or of all, newest first; none where nothing is known."""
        ...


@runtime_checkable
class Ledger(Protocol):
    """Tags with a past that is kept here (capability)."""

    def history(
        self, tag: Tag | None = None, /, origin: str = LOCAL, before: int | None = None
    ) -> Iterator[Move]:
        """Yield the moves of one tag, or of all, newest first; nothing ever shortens that.

        With `before`, only those of a smaller sequence.
        """
        ...

    def holding(
        self, digest: Digest, /, before: int | None = None
    ) -> Iterator[tuple[Move, Move | None]]:
        """Yield the moves of our own names to a manifest, newest first, with what ended each.

        That is the name's next move; None: it still points there. With `before`, only those of a
        smaller sequence.
        """
        ...

    def standing(self, after: Tag | None = None, /) -> Iterator[Move]:
        """Yield, for each of our own tags (those after `after`), the move that put it there.

        They come in ASCII order of the tags.
        """
        ...

    def move(
        self, tag: Tag, to: Descriptor | None, cause: Cause, /, expected: Expected = ANYTHING
    ) -> Move | None:
        """Move a tag (None: remove it) and record it, in one transaction; None if it stands there.

        Raises:
            Conflict: `expected` was given (None: the tag must not exist), and is not what stands.
            ManifestUnknown: a local tag would point at content that is not here.
            Incomplete: it would point at an image that lacks a config or a layer.
            TagUnknown: a tag to remove does not exist.
            Immutable: a rule keeps the tag where it is, and `cause` does not override it.
        """
        ...


@runtime_checkable
class Together(Protocol):
    """A ledger that moves several tags at once, or none of them (capability)."""

    def move_all(
        self, tags: Mapping[Tag, Expected], to: Descriptor | None, cause: Cause, /
    ) -> list[Move | None]:
        """Move all of some tags, in one transaction, each as `Ledger.move` does; or none of them.

        Raises:
            Conflict, ManifestUnknown, Incomplete, TagUnknown, Immutable: as `Ledger.move`, for the
                first tag that can't be moved.
        """
        ...


@runtime_checkable
class Chained(Protocol):
    """A ledger whose entries are bound to each other by their hashes (capability)."""

    def head(self) -> Head:
        """Return where the ledger ends now; sequence 0 where it has no entry."""
        ...

    def entries(self, after: int, /) -> Iterator[Move]:
        """Yield all entries of a sequence larger than `after`, of whatever origin, oldest first."""
        ...


@runtime_checkable
class Swappable(Protocol):
    """Tags that somebody else keeps, and moves only from where we found them (capability).

    Unlike with a `Ledger`, it is the other side that says who moved a tag, and when.
    """

    def swap(self, tag: Tag, to: Descriptor | None, expected: Digest | None, /) -> None:
        """Point a tag at content that is there (None: remove it), if it now points to `expected`.

        Raises:
            Conflict: it does not (None: it exists).
            ManifestUnknown: `to` is not there.
        """
        ...

    def roll_back(self, tag: Tag, to: Digest, expected: Digest | None, /) -> None:
        """Point a tag at what it pointed to once, if it now points to `expected`.

        Raises:
            Conflict: it does not (None: it exists).
            ManifestUnknown: it never pointed to `to`, or that is not there any more.
        """
        ...


class Ingest(Protocol):
    """Content on its way in. `offset` bytes are held; `done` says that nothing more is needed."""

    offset: int
    done: bool

    def fill(self, source: BinaryIO, /) -> None:
        """Append all of `source`, which starts at `offset`; verify the whole; make it visible.

        If reading fails, what came is kept and `offset` is moved on. Wrong bytes are dropped.

        Raises:
            DigestMismatch: the bytes are not those of the descriptor.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """Content whose transfer in can go on where an earlier one stopped (capability)."""

    def ingest(self, d: Descriptor, /) -> AbstractContextManager[Ingest]:
        """Return the one place where `d` comes in; waits while another process is at it."""
        ...


class Upload(Protocol):
    """Content whose digest is not known until it has all come."""

    @property
    def id(self) -> str:
        """By what `Uploads.upload` finds it again."""
        ...

    @property
    def size(self) -> int:
        """How many bytes are held."""
        ...

    def write(self, data: Bytes, /) -> None:
        """Append `data`."""
        ...

    def commit(self, digest: Digest | None = None, /) -> Descriptor:
        """Verify, make durable and visible (None: as sha256), and return the descriptor.

        Raises:
            DigestMismatch: the bytes are not those of `digest`; the upload is gone.
        """
        ...

    def cancel(self) -> None:
        """Forget the upload."""
        ...


@runtime_checkable
class Uploads(Protocol):
    """A repository that takes uploads in pieces, over several calls and processes (capability)."""

    def begin(self, algorithm: str = CANONICAL, /) -> Upload:
        """Start an upload, whose digest is likely to be of this algorithm."""
        ...

    def upload(self, identifier: str, /) -> Upload:
        """Return an upload that was begun earlier.

        Raises:
            UploadUnknown: there is none such in this repository.
        """
        ...


@runtime_checkable
class Mountable(Protocol):
    """A repository that can take content from a sister without moving bytes (capability)."""

    def mount(self, d: Descriptor, sister: str, /) -> bool:
        """Make the blob `d` of repository `sister` visible here; False if that can't be done."""
        ...


@runtime_checkable
class Located(Protocol):
    """A repository whose content lies in files (capability, for zero-copy sending)."""

    def locate(self, d: Descriptor, /) -> Path | None:
        """Return the file with exactly the content, if it is known to be good; else None."""
        ...


class Glimpse(NamedTuple):
    """Content that is at hand: its bytes, or else a file with them that is known to be good.

    `head` is where the ledger of the repository ended when a tag pointed to the content.
    """

    media_type: str
    digest: str
    size: int
    content: bytes | None = None
    path: Path | None = None
    head: Head | None = None


@runtime_checkable
class Quick(Protocol):
    """A registry that has answers at hand, for callers that must not wait (capability).

    None means that it takes a closer look: at the repository itself, where it may take longer.
    """

    def glance(self, repository: str, ref: Tag | Digest, /) -> Glimpse | None:
        """Return the manifest that `ref` means now in a repository, with its content."""
        ...

    def glance_blob(self, repository: str, digest: Digest, /) -> Glimpse | None:
        """Return a blob that a repository has now, with its path."""
        ...

    def glance_tags(self, repository: str, after: str, most: int, /) -> list[str] | None:
        """Return the first `most` tags after `after`, in ASCII order."""
        ...

    def glance_repositories(self, after: str, most: int, /) -> list[str] | None:
        """Return the names of the first `most` repositories after `after`, in ASCII order."""
        ...


@runtime_checkable
class Deletable(Protocol):
    """A repository that removes content on order (capability)."""

    def delete(self, d: Descriptor, /, cause: Cause | None = None) -> None:
        """Remove a manifest, with the tags that point to it, or a blob, from this repository.

        `cause` is what a ledger that is kept here says of those tags (None: who opened it did it).

        Raises:
            ManifestUnknown, BlobUnknown: it is not here.
            Immutable: a rule keeps a tag whose image needs it, and `cause` does not override it.
        """
        ...


@runtime_checkable
class Referrers(Protocol):
    """A repository that knows which manifests have another as their subject (capability)."""

    def referrers(
        self, digest: Digest, /, artifact_type: str | None = None, after: Digest | None = None
    ) -> Iterator[Descriptor]:
        """Yield the descriptors (with artifact type and annotations) of what refers to `digest`.

        They come in the order of their digests as text; with `after`, only those behind that one.
        """
        ...


@runtime_checkable
class Presences(Protocol):
    """A repository that can tell cheaply of many manifests what is left of them (capability)."""

    def presence(self, digests: Iterable[Digest], /) -> dict[Digest, Presence]:
        """Return, for each digest, whether that manifest is here, and all that it needs too.

        Nothing is promised by that: what is said may be collected.
        """
        ...


@runtime_checkable
class Holders(Protocol):
    """A registry that knows which of its repositories have some blob (capability)."""

    def holders(self, digest: Digest, /) -> Iterator[str]:
        """Yield the names of the repositories that have a blob, in the order of its arrival."""
        ...


@runtime_checkable
class Knowing(Protocol):
    """A repository that can tell cheaply that a whole image is there (capability)."""

    def complete(self, d: Descriptor, /) -> bool:
        """Return whether manifest `d` and all that it needs are here.

        An index is complete when every child is. False may also mean that it takes a walk to know.
        """
        ...
