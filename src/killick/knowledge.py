"""What registries know beyond what they hold: how content hangs together, and what is said of it.

Capabilities of a `killick.repository.Registry`, tested for with `isinstance` as those are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, runtime_checkable

from killick.digest import Digest
from killick.manifest import Config, Descriptor, Document
from killick.names import Tag
from killick.openvex import Vex
from killick.platforms import Platform

NodeKind = Literal["index", "manifest", "config", "layer", "diff", "blob"]
"""What some content is in images; `diff` is a layer's uncompressed tar, named by its diff ID."""


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of some content, from documents that were once seen, here or elsewhere.

    `children` are what an index or a manifest lists; None where it was never seen itself, and only
    a parent names it. `platform` and `diff_ids` are a config's, None where that was never seen.
    `base` is the image that a manifest says it was built on (the annotation
    `org.opencontainers.image.base.digest`).
    """

    digest: Digest
    kind: NodeKind
    media_type: str
    size: int | None
    children: tuple[Descriptor, ...] | None = None
    platform: Platform | None = None
    diff_ids: tuple[Digest, ...] | None = None
    base: Digest | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A time during which a tag pointed to some content; `until` is None where it still does.

    `origin` and `authoritative` are those of the move that began it, as in a `Cause`.
    """

    origin: str
    repository: str
    tag: Tag
    since: datetime
    until: datetime | None
    authoritative: bool


@runtime_checkable
class Graph(Protocol):
    """A registry that knows how content hangs together, also where the content is not (capability).

    What a document says is kept for ever, as the ledger is: whoever asks what an old digest was
    asks when it is gone. It says nothing about what is here.
    """

    def node(self, digest: Digest, /) -> Node | None:
        """Return what is known of some content, None where nothing is."""
        ...

    def parents(self, digest: Digest, kind: NodeKind, /) -> Sequence[Digest]:
        """Return the digests of what lists `digest` as its `kind`, in order (diff IDs: configs)."""
        ...

    def stays(self, digest: Digest, /) -> Sequence[Stay]:
        """Return when which tags pointed to an index or a manifest, in all series, newest first."""
        ...

    def learn(self, digest: Digest, found: Document | Config, /) -> None:
        """Keep what a document or a config says; its bytes were verified against `digest`."""
        ...


@dataclass(frozen=True, slots=True)
class Advisory:
    """A document of statements that is kept, and where it came from.

    `source` is `FLAGGED` where it was made here, `file:NAME` where it was read from a file, and
    `registry:NAME` where it was attached to an image in the repository NAME.
    """

    vex: Vex
    source: str


FLAGGED: Final = "flagged"


@runtime_checkable
class Advising(Protocol):
    """A registry that keeps what is said about vulnerabilities in images (capability)."""

    def advisories(self) -> Iterator[Advisory]:
        """Yield the documents that are kept, oldest first."""
        ...

    def advise(self, advisory: Advisory, /) -> bool:
        """Keep a document, in place of an older one of that identifier from the same source.

        Returns False where one as new or newer is kept already.
        """
        ...

    def retract(self, advisory: Advisory, /) -> bool:
        """Forget the document of that identifier from that source; False where there is none."""
        ...
