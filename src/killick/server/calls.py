"""One call of the API: who asks for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from killick.digest import Digest
from killick.manifest import MOST_DOCUMENT_BYTES
from killick.names import Tag
from killick.repository import Cause, Change, Kind, Move, Registry, Repository
from killick.server.access import Auditor, Caller, Gate
from killick.server.admission import Admission, who_calls
from killick.server.operations import Operations
from killick.server.spool import Spool
from killick.wire.extensions import OVERRIDE, WHOLE


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one call may take: bytes of a blob, seconds between two pieces of a body.

    `threads` is how many calls touch the registry at once; `page` the longest list in one answer;
    `rate` the least bytes a second that a body must have (0: any); `uploads` how many of them may
    be under way; `chunk` how long the pieces of an upload had better be (0: nothing is said).
    """

    blob: int = 2**40
    manifest: int = MOST_DOCUMENT_BYTES
    idle: float = 60.0
    threads: int = 32
    page: int = 10_000
    rate: int = 1024
    uploads: int = 10_000
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """What every call of one application shares."""

    registry: Registry
    gate: Gate
    limits: Limits
    spool: Spool
    operations: Operations
    admission: Admission


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was routed: to repository `name`, and in it `item` (a tag, a digest, …).

    `caller` has the right that the endpoint takes.
    """

    request: Request
    site: Site
    caller: Caller
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

    @property
    def wants_whole(self) -> bool:
        """Whether the caller wants to hear of whole images only, and to leave no others."""
        return self._says(WHOLE)

    def cause(self, kind: Kind) -> Cause:
        """Return what the ledger shall say about a move that this call makes.

        Raises:
            Denied, Unauthorized: the caller wants to override a rule, and may not.
        """
        client = self.request.client
        overriding = self._says(OVERRIDE)
        if overriding and not self.caller.may("admin", self.name):
            raise self.site.gate.refusal(self.caller, "admin", self.name)
        actor = f"{self.caller.name}@{client.host if client else 'unknown'}"
        return Cause(kind, actor, overriding=overriding)

    def _says(self, header: Mapping[str, str]) -> bool:
        return all(self.header(name) == value for name, value in header.items())

    def audit(self, event: str, **details: object) -> None:
        """Write into the audit log, if there is one, what the caller has done. May block."""
        gate = self.site.gate
        if isinstance(gate, Auditor):
            who = who_calls(self.request, self.caller.name)
            gate.record(event, who, {"repository": self.name or None, **details})

    def audit_move(self, move: Move) -> None:
        """Count a move of a tag, and write into the audit log from where to where. May block."""
        self.count_move(move.change)
        before = None if move.previous is None else str(move.previous)
        after = None if move.to is None else str(move.to.digest)
        self.audit("tag-moved", tag=move.tag, how=move.cause.kind, before=before, after=after)

    def count_move(self, change: Change) -> None:
        """Count what was done to a tag."""
        self.site.operations.recorder.figures.count("tag_moves", change)

    def reference(self) -> Tag | Digest:
        """Return the item as a tag or a digest.

        Raises:
            BadDigest, BadReference: it is neither.
        """
        return reference_of(self.item)


def reference_of(text: str) -> Tag | Digest:
    """Return a tag or a digest.

    Raises:
        BadDigest, BadReference: it is neither.
    """
    return Digest.parse(text) if ":" in text else Tag(text)
