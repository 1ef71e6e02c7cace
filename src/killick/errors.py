"""Every error that Killick raises on purpose.

KillickError                        exit  code
├── UsageError (ValueError)           2   usage
│   ├── BadReference                  2   bad-reference
│   ├── BadDigest                     2   bad-digest
│   └── BadPlatform                   2   bad-platform
├── ContentError                      1   bad-content
│   ├── DigestMismatch                6   digest-mismatch
│   ├── UnverifiableDigest            1   unverifiable-digest
│   ├── Unacceptable                  1   unacceptable (a document of a kind that is refused)
│   ├── HistoryRewritten              1   history-rewritten (not the ledger that was seen before)
│   ├── Incomplete                    1   incomplete (only a part of an image is here)
│   └── LimitExceeded                 1   limit-exceeded
├── NotFound                          4   not-found
│   ├── NameUnknown                   4   name-unknown
│   ├── TagUnknown                    4   tag-unknown
│   ├── ManifestUnknown               4   manifest-unknown
│   ├── BlobUnknown                   4   blob-unknown
│   ├── UploadUnknown                 4   upload-unknown
│   └── PlatformUnknown               4   platform-unknown
├── Denied                            5   denied
│   ├── Immutable                     5   immutable (a tag that a rule keeps where it is)
│   ├── Unauthorized                  5   unauthorized
│   └── Throttled                     5   throttled (too many wrong passwords; `wait` seconds)
├── Conflict                          1   conflict (a compare-and-swap that found something else)
├── Unsupported                       1   unsupported
├── Unreachable                       1   unreachable
│   └── RateLimited                   1   rate-limited
├── ProtocolError                     1   protocol (the other side does not speak the protocol)
└── StoreError                        1   store
    ├── StoreFull                     1   store-full
    ├── StoreReadOnly                 1   store-read-only
    ├── StoreDamaged                  1   store-damaged
    └── StoreTooNew                   1   store-too-new

An error's text is one sentence that says what failed; `hint` says what to do next; `side` says
where it failed. Foreign exceptions are translated at the seam where they arise (files in `store`,
sockets in `client`), so that callers only ever meet this tree. No error carries a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

Side = Literal["local", "remote", "engine", "file"]


class KillickError(Exception):
    """Something that Killick expected might fail.

    `message` is one sentence without a full stop; `side` is where it failed; `hint`, if any, is
    what the user can do about it.
    """

    code: ClassVar[str] = "failed"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, side: Side = "local", hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.side: Side = side
        self.hint = hint

    def at(self, side: Side) -> KillickError:
        """Return this error, now said to have happened on `side`."""
        self.side = side
        return self


class UsageError(KillickError, ValueError):
    """The words of a call are wrong; nothing was done."""

    code = "usage"
    exit_status = 2


class BadReference(UsageError):
    """A text is no image reference."""

    code = "bad-reference"


class BadDigest(UsageError):
    """A text is no digest."""

    code = "bad-digest"


class BadPlatform(UsageError):
    """A text is no platform."""

    code = "bad-platform"


class ContentError(KillickError):
    """Bytes that arrived are not what they should be."""

    code = "bad-content"


class DigestMismatch(ContentError):
    """Bytes differ from their digest or from their stated size."""

    code = "digest-mismatch"
    exit_status = 6


class UnverifiableDigest(ContentError):
    """A digest is well formed, but its algorithm is not one that can be computed here."""

    code = "unverifiable-digest"


class Unacceptable(ContentError):
    """A document is recognised and refused: schema 1, or one that is index and manifest at once."""

    code = "unacceptable"


class HistoryRewritten(ContentError):
    """A registry's ledger does not go on from where it was seen before."""

    code = "history-rewritten"


class Incomplete(ContentError):
    """Only a part of an image is here, where all of it is needed."""

    code = "incomplete"


class LimitExceeded(ContentError):
    """Something from outside is larger, deeper or longer than its stated limit."""

    code = "limit-exceeded"


class NotFound(KillickError):
    """Something that was named does not exist."""

    code = "not-found"
    exit_status = 4


class NameUnknown(NotFound):
    """No such repository."""

    code = "name-unknown"


class TagUnknown(NotFound):
    """No such tag, or it did not point anywhere at that time."""

    code = "tag-unknown"


class ManifestUnknown(NotFound):
    """No such manifest in the repository."""

    code = "manifest-unknown"


class BlobUnknown(NotFound):
    """No such blob in the repository."""

    code = "blob-unknown"


class UploadUnknown(NotFound):
    """No such upload: never begun, finished, cancelled or expired."""

    code = "upload-unknown"


class PlatformUnknown(NotFound):
    """An image has no variant for the platform that was asked for."""

    code = "platform-unknown"


class Denied(KillickError):
    """The other side refuses, whatever the credentials."""

    code = "denied"
    exit_status = 5


class Unauthorized(Denied):
    """Credentials are missing or wrong."""

    code = "unauthorized"


class Immutable(Denied):
    """A rule keeps a tag where it is. `detail` says where that is, since when, and by which rule.

    Its values are texts, or None where nothing is known.
    """

    code = "immutable"

    def __init__(
        self,
        message: str,
        *,
        detail: Mapping[str, str | None] | None = None,
        side: Side = "local",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, side=side, hint=hint)
        self.detail = dict(detail or {})


class Throttled(Denied):
    """Too many tries to get in have failed; the next one has to wait for `wait` seconds."""

    code = "throttled"

    def __init__(
        self, message: str, *, side: Side = "local", hint: str | None = None, wait: int = 1
    ) -> None:
        super().__init__(message, side=side, hint=hint)
        self.wait = wait


class Conflict(KillickError):
    """A name did not point to what the caller expected, so it was not moved.

    `current` is the digest that it points to, where that is known.
    """

    code = "conflict"

    def __init__(
        self,
        message: str,
        *,
        current: str | None = None,
        side: Side = "local",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, side=side, hint=hint)
        self.current = current


class Unsupported(KillickError):
    """The other side, or this build, lacks a capability that the call needs."""

    code = "unsupported"


class Unreachable(KillickError):
    """The other side can't be reached, or stopped answering."""

    code = "unreachable"


class RateLimited(Unreachable):
    """The other side asks to be left alone for longer than Killick was told to wait."""

    code = "rate-limited"


class ProtocolError(KillickError):
    """The other side answers in a way that its protocol does not allow."""

    code = "protocol"


class StoreError(KillickError):
    """The local store can't do its work."""

    code = "store"


class StoreFull(StoreError):
    """No space, or no quota, is left where the store is."""

    code = "store-full"


class StoreReadOnly(StoreError):
    """The store can't be written to."""

    code = "store-read-only"


class StoreDamaged(StoreError):
    """A file of the store is not what was written."""

    code = "store-damaged"


class StoreTooNew(StoreError):
    """The store was written by a newer Killick."""

    code = "store-too-new"
