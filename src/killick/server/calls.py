"""One call of the API: who asks for what, and what they may."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from killick.digest import Digest
from killick.errors import Denied
from killick.manifest import MOST_DOCUMENT_BYTES
from killick.names import Tag
from killick.repository import Cause, Kind, Registry, Repository
from killick.server.spool import Spool


@dataclass(frozen=True, slots=True)
class Policy:
    """What callers may do. All may read; `refusal` is what those who write are told, if any."""

    refusal: str | None


OPEN = Policy(None)
READ_ONLY = Policy("this registry is read-only")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one call may take: bytes of a blob, seconds between two pieces of a body.

    `threads` is how many calls touch the registry at once; `page` the longest list in one answer.
    """

    blob: int = 2**40
    manifest: int = MOST_DOCUMENT_BYTES
    idle: float = 60.0
    threads: int = 32
    page: int = 10_000


@dataclass(frozen=True, slots=True)
class Site:
    """What every call of one application shares."""

    registry: Registry
    policy: Policy
    limits: Limits
    spool: Spool


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was routed: to repository `name`, and in it `item` (a tag, a digest, …)."""

    request: Request
    site: Site
    name: str
    item: str

    @property
    def repository(self) -> Repository:
        """The repository that is called."""
        return self.site.registry.repository(self.name)

    @property
    def is_head(self) -> bool:
        """Whether only the headers of the answer are wanted."""
        return self.request.method == "HEAD"

    def header(self, name: str) -> str | None:
        """Return a header, or None."""
        return self.request.headers.get(name)

    def query(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None."""
        return self.request.query_params.get(name)

    def cause(self, kind: Kind) -> Cause:
        """Return what the ledger shall say about a move that this call makes."""
        client = self.request.client
        return Cause(kind, f"anonymous@{client.host if client else 'unknown'}")

    def check_may_write(self) -> None:
        """Raise `Denied` unless the caller may change something."""
        if self.site.policy.refusal is not None:
            raise Denied(self.site.policy.refusal)

    def reference(self) -> Tag | Digest:
        """Return the item as a tag or a digest.

        Raises:
            BadDigest, BadReference: it is neither.
        """
        return Digest.parse(self.item) if ":" in self.item else Tag(self.item)
