"""A registry in dictionaries: the simplest example of every role, and the oracle of the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from secrets import token_hex
from typing import BinaryIO

from killick import immutability
from killick.chain import EMPTY, entry_hash
from killick.digest import CANONICAL, Bytes, Digest, Verifier, chunks, verify
from killick.errors import (
    BlobUnknown,
    Conflict,
    ContentError,
    Incomplete,
    KillickError,
    ManifestUnknown,
    TagUnknown,
    UploadUnknown,
)
from killick.knowledge import Advisory, Node, NodeKind, Stay
from killick.manifest import (
    OCI_CONFIG,
    OCI_LAYER,
    Config,
    Descriptor,
    Document,
    Index,
    Manifest,
    parse_document,
)
from killick.moments import utc_now
from killick.names import Tag
from killick.repository import ANYTHING, BLOB_TYPE, LOCAL, Cause, Expected, Head, Move, Presence
from killick.rules import EASY, Policy
from killick.sightings import MemorySightings

_AS: tuple[NodeKind, ...] = ("config", "manifest", "index", "layer", "diff", "blob")
"""What counts first where parents disagree on what a child is."""


class MemoryRegistry(MemorySightings):
    """Repositories that last as long as the process. `actor` and `clock` go into the ledgers."""

    def __init__(
        self,
        actor: str = "memory",
        clock: Callable[[], datetime] = utc_now,
        policy: Policy = EASY,
    ) -> None:
        super().__init__(clock)
        self.policy = policy
        self._actor = actor
        self._clock = clock
        self._lock = threading.Lock()
        self._repositories: dict[str, MemoryRepository] = {}
        self._known: dict[Digest, Document | Config] = {}
        self._advisories: dict[tuple[str, str], Advisory] = {}

    def repository(self, name: str, /) -> MemoryRepository:
        """Return the repository called `name`, made if it is new."""
        with self._lock:
            return self._repositories.setdefault(
                name, MemoryRepository(name, self, self._actor, self._clock)
            )

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the names (after `after`) of the repositories that hold anything, in order."""
        known = list(self._repositories.items())
        yield from sorted(name for name, each in known if name > after and not each.is_empty)

    def node(self, digest: Digest, /) -> Node | None:
        """Return what is known of some content, None where nothing is."""
        found = self._known.get(digest)
        if isinstance(found, Config):
            diff_ids = _diff_ids(found)
            return Node(digest, "config", OCI_CONFIG, found.size, None, found.platform, diff_ids)
        if found is not None:
            kind: NodeKind = "index" if isinstance(found, Index) else "manifest"
            children = tuple(replace(c.plain(), platform=c.platform) for c in found.children())
            return Node(digest, kind, found.media_type, len(found.raw), children, base=found.base)
        ranked = [
            (_AS.index(kind), kind, child)
            for parent in list(self._known.values())
            for kind, child in _links(parent)
            if child.digest == digest
        ]
        if not ranked:
            return None
        _, kind, child = min(ranked, key=lambda entry: entry[0])
        return Node(digest, kind, child.media_type, None if kind == "diff" else child.size)

    def parents(self, digest: Digest, kind: NodeKind, /) -> list[Digest]:
        """Return the digests of what lists `digest` as its `kind`, in order."""
        return sorted(
            parent
            for parent, document in list(self._known.items())
            if any(k == kind and c.digest == digest for k, c in _links(document))
        )

    def stays(self, digest: Digest, /) -> list[Stay]:
        """Return when which tags pointed to an index or a manifest, newest first."""
        found = [
            stay
            for name in sorted(self._repositories)
            for stay in self._repositories[name].stays_of(digest)
        ]
        return sorted(found, key=lambda stay: stay.since, reverse=True)

    def learn(self, digest: Digest, found: Document | Config, /) -> None:
        """Keep what a document or a config says."""
        self._known.setdefault(digest, found)

    def advisories(self) -> Iterator[Advisory]:
        """Yield the documents that are kept, oldest first."""
        yield from list(self._advisories.values())

    def advise(self, advisory: Advisory, /) -> bool:
        """Keep a document; False where as new a one of that identifier and source is kept."""
        key = (advisory.vex.identifier, advisory.source)
        kept = self._advisories.get(key)
        if kept is not None and kept.vex.version >= advisory.vex.version:
            return False
        self._advisories.pop(key, None)
        self._advisories[key] = advisory
        return True

    def retract(self, advisory: Advisory, /) -> bool:
        """Forget the document of that identifier from that source; False where there is none."""
        return self._advisories.pop((advisory.vex.identifier, advisory.source), None) is not None

    def holders(self, digest: Digest, /) -> Iterator[str]:
        """Yield the names of the repositories that have a blob."""
        for name, repository in list(self._repositories.items()):
            if repository.has(Descriptor(BLOB_TYPE, digest, 0)):
                yield name


class MemoryRepository:
    """Content, tags, a ledger, uploads, mounts, deletes and referrers, in dictionaries."""

    def __init__(
        self, name: str, registry: MemoryRegistry, actor: str, clock: Callable[[], datetime]
    ) -> None:
        self.name = name
        self._registry = registry
        self._actor = actor
        self._clock = clock
        self._lock = threading.RLock()
        self._content: dict[Digest, bytes] = {}
        self._documents: dict[Digest, Document] = {}
        self._tags: dict[tuple[str, Tag], Descriptor] = {}
        self._moves: list[Move] = []
        self._heads = [EMPTY]
        self._uploads: dict[str, MemoryUpload] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever put or tagged here."""
        return not (self._content or self._documents or self._moves)

    def find(self, digest: Digest, /) -> Descriptor:
        """Return the descriptor of a blob."""
        content = self._content.get(digest)
        if content is None:
            raise BlobUnknown(f"{self.name} has no blob {digest}")
        return Descriptor(BLOB_TYPE, digest, len(content))

    def has(self, d: Descriptor, /) -> bool:
        """Return whether the content is here."""
        return d.digest in (self._documents if d.is_document else self._content)

    def open(self, d: Descriptor, /, start: int = 0) -> BinaryIO:
        """Return a stream of the content from byte `start` on."""
        if d.is_document:
            return BytesIO(self._document(d.digest).raw[start:])
        self.find(d.digest)
        return BytesIO(self._content[d.digest][start:])

    def put(self, d: Descriptor, source: BinaryIO, /) -> None:
        """Take the content, verified."""
        verifier = Verifier(d.digest, d.size)
        pieces = []
        for piece in chunks(source):
            verifier.update(piece)
            pieces.append(bytes(piece))
        verifier.finish()
        content = b"".join(pieces)
        if d.is_document:
            document = parse_document(content, d.media_type, d.digest)
            self._documents[d.digest] = document
            self._registry.learn(d.digest, document)
            if isinstance(document, Manifest) and document.is_image:
                self._learn_config(document.config.digest)
        else:
            self._content[d.digest] = content
            if self._registry.parents(d.digest, "config"):
                self._learn_config(d.digest)

    def _learn_config(self, digest: Digest) -> None:
        """Let the registry know what an image's config says, if it is here and is one."""
        if digest in self._content:
            with suppress(ContentError):
                self._registry.learn(digest, Config.parse(self._content[digest]))

    def resolve(self, ref: Tag | Digest, /) -> Descriptor:
        """Return what a tag points to, or the descriptor of a manifest."""
        if isinstance(ref, Digest):
            document = self._document(ref)
            return Descriptor(document.media_type, ref, len(document.raw))
        found = self._tags.get((LOCAL, ref))
        if found is None:
            raise TagUnknown(f"{self.name} has no tag {ref}")
        return found

    def tags(self, after: str = "", /) -> Iterator[Tag]:
        """Yield all tags (after `after`), in ASCII order."""
        local = (tag for origin, tag in list(self._tags) if origin == LOCAL)
        yield from sorted(tag for tag in local if tag > after)

    def tag(self, name: Tag, d: Descriptor, /) -> None:
        """Point a tag at a manifest that is here."""
        self.move(name, d, Cause("tagged", self._actor))

    def untag(self, name: Tag, /) -> None:
        """Remove a tag."""
        self.move(name, None, Cause("deleted", self._actor))

    def history(
        self, tag: Tag | None = None, /, origin: str = LOCAL, before: int | None = None
    ) -> Iterator[Move]:
        """Yield the moves of one tag, or of all, newest first."""
        with self._lock:
            moves = self._moves[: None if before is None else max(before - 1, 0)]
        for move in reversed(moves):
            if move.cause.origin == origin and tag in (None, move.tag):
                yield move

    def head(self) -> Head:
        """Return where the ledger ends."""
        with self._lock:
            return self._heads[-1]

    def entries(self, after: int, /) -> Iterator[Move]:
        """Yield all entries of the ledger after one, oldest first."""
        with self._lock:
            moves = self._moves[after:]
        yield from moves

    def holding(
        self, digest: Digest, /, before: int | None = None
    ) -> Iterator[tuple[Move, Move | None]]:
        """Yield the moves of our own names to a manifest, newest first, with what ended each."""
        ended: dict[Tag, Move] = {}
        for move in self.history():
            is_older = before is None or move.sequence < before
            if move.to is not None and move.to.digest == digest and is_older:
                yield move, ended.get(move.tag)
            ended[move.tag] = move

    def standing(self, after: Tag | None = None, /) -> Iterator[Move]:
        """Yield, for each of our own tags (those after `after`), the move that put it there."""
        newest = {move.tag: move for move in reversed(list(self.history()))}
        for tag in sorted(newest):
            if newest[tag].to is not None and (after is None or tag > after):
                yield newest[tag]

    def move(
        self, tag: Tag, to: Descriptor | None, cause: Cause, /, expected: Expected = ANYTHING
    ) -> Move | None:
        """Move a tag and record it; None if it stands there already."""
        series = (cause.origin, tag)
        with self._lock:
            standing = self._tags.get(series)
            previous = standing.digest if standing else None
            if expected is not ANYTHING and expected != previous:
                raise Conflict(
                    f"{self.name}:{tag} points to {previous or 'nothing'}",
                    current=str(previous) if previous else None,
                )
            if to is None and standing is None:
                raise TagUnknown(f"{self.name} has no tag {tag}")
            if to is not None and cause.origin == LOCAL:
                document = self._document(to.digest)
                if not self._registry.policy.sparse:
                    self._check_whole(document)
            if to is not None and to.digest == previous:
                return None
            cause = replace(cause, overriding=self._overrides(tag, to, cause))
            move = Move(len(self._moves) + 1, self._clock(), self.name, tag, to, previous, cause)
            self._moves.append(move)
            self._heads.append(Head(move.sequence, entry_hash(move, self._heads[-1].hash)))
            if to is None:
                del self._tags[series]
            else:
                self._tags[series] = to
            return move

    def move_all(
        self, tags: Mapping[Tag, Expected], to: Descriptor | None, cause: Cause, /
    ) -> list[Move | None]:
        """Move all of some tags, each as `move` does; or none of them."""
        with self._lock:
            before = dict(self._tags), list(self._moves), list(self._heads)
            try:
                return [self.move(tag, to, cause, wanted) for tag, wanted in tags.items()]
            except KillickError:
                self._tags, self._moves, self._heads = before
                raise

    def _overrides(self, tag: Tag, to: Descriptor | None, cause: Cause) -> bool:
        """Return whether a move overrides a rule; raises Immutable if it must not."""
        asked = (self.name, tag, to.digest if to else None, cause)
        return cause.origin == LOCAL and immutability.overrides(
            self._registry.policy.immutable,
            asked,
            lambda: next((move for move in self.history(tag) if move.to is not None), None),
            stands=(LOCAL, tag) in self._tags,
        )

    def begin(self, algorithm: str = CANONICAL, /) -> MemoryUpload:
        """Start an upload."""
        Digest.of(b"", algorithm)
        upload = MemoryUpload(self._uploads, self._content)
        self._uploads[upload.id] = upload
        return upload

    def upload(self, identifier: str, /) -> MemoryUpload:
        """Return an upload that was begun earlier."""
        with suppress(KeyError):
            return self._uploads[identifier]
        raise UploadUnknown(f"{self.name} has no upload {identifier}")

    def mount(self, d: Descriptor, sister: str, /) -> bool:
        """Make a blob of the repository `sister` visible here."""
        content = self._registry.repository(sister)._content.get(d.digest)
        if content is None:
            return False
        self._content[d.digest] = content
        return True

    def delete(self, d: Descriptor, /, cause: Cause | None = None) -> None:
        """Remove a manifest, with its tags, or a blob."""
        cause = cause or Cause("deleted", self._actor)
        with self._lock:
            if d.is_document:
                self._document(d.digest)
            else:
                self.find(d.digest)
            tags = [tag for origin, tag in self._tags if origin == LOCAL]
            for tag in tags:
                if d.digest in self._below(self._tags[LOCAL, tag].digest):
                    self._overrides(tag, None, cause)
            if not d.is_document:
                del self._content[d.digest]
                return
            for tag in tags:
                if self._tags[LOCAL, tag].digest == d.digest:
                    self.move(tag, None, cause)
            del self._documents[d.digest]

    def _below(self, digest: Digest) -> set[Digest]:
        document = self._documents.get(digest)
        children = () if document is None else document.children()
        return {digest}.union(*(self._below(child.digest) for child in children))

    def referrers(
        self, digest: Digest, /, artifact_type: str | None = None, after: Digest | None = None
    ) -> Iterator[Descriptor]:
        """Yield what refers to `digest` (behind `after`), in the order of digests."""
        for one in sorted(self._documents, key=str):
            document = self._documents[one]
            subject = document.subject
            if subject is None or subject.digest != digest:
                continue
            found = document.as_referrer()
            if (after is None or str(one) > str(after)) and artifact_type in (
                None,
                found.artifact_type,
            ):
                yield found

    def presence(self, digests: Iterable[Digest], /) -> dict[Digest, Presence]:
        """Return, for each digest, whether that manifest is here, and all that it needs too."""
        return {d: self._presence(d) for d in digests}

    def _presence(self, digest: Digest) -> Presence:
        document = self._documents.get(digest)
        if document is None:
            return "removed"
        return "present" if self.complete(document.descriptor) else "incomplete"

    def complete(self, d: Descriptor, /) -> bool:
        """Return whether a manifest and all that it needs are here."""
        if d.is_foreign or not d.is_document:
            return d.is_foreign or d.digest in self._content
        document = self._documents.get(d.digest)
        return document is not None and all(self.complete(c) for c in document.children())

    def stays_of(self, digest: Digest) -> Iterator[Stay]:
        """Yield when which tags, in all series, pointed to `digest`; newest first."""
        ended: dict[tuple[str, Tag], datetime] = {}
        for move in reversed(list(self._moves)):
            origin = move.cause.origin
            if move.to is not None and move.to.digest == digest:
                until = ended.get((origin, move.tag))
                told = move.cause.authoritative
                yield Stay(origin, self.name, move.tag, move.time, until, told)
            ended[origin, move.tag] = move.time

    def _check_whole(self, document: Document) -> None:
        """Refuse a name to an image that lacks a part; children of an index may be elsewhere."""
        for child in document.children():
            if isinstance(document, Index) and child.is_document:
                if child.digest in self._documents:
                    self._check_whole(self._documents[child.digest])
            elif not child.is_foreign and child.digest not in self._content:
                raise Incomplete(
                    f"{self.name} lacks {child.digest}, which {document.digest} needs",
                    hint="bring the image again",
                )

    def _document(self, digest: Digest) -> Document:
        with suppress(KeyError):
            return self._documents[digest]
        raise ManifestUnknown(f"{self.name} has no manifest {digest}")


class MemoryUpload:
    """Content on its way into a `MemoryRepository`, among the uploads that are under way."""

    def __init__(self, others: dict[str, MemoryUpload], target: dict[Digest, bytes]) -> None:
        self.id = token_hex(16)
        self._others = others
        self._target = target
        self._data = bytearray()

    @property
    def size(self) -> int:
        """How many bytes are held."""
        return len(self._data)

    def write(self, data: Bytes, /) -> None:
        """Append `data`."""
        self._data += data

    def commit(self, digest: Digest | None = None, /) -> Descriptor:
        """Verify, make visible, and return the descriptor."""
        self.cancel()
        found = digest or Digest.of(self._data)
        verify(self._data, found)
        self._target[found] = bytes(self._data)
        return Descriptor(BLOB_TYPE, found, self.size)

    def cancel(self) -> None:
        """Forget the upload."""
        self._others.pop(self.id, None)


def _links(found: Document | Config) -> Iterator[tuple[NodeKind, Descriptor]]:
    """Yield what a document or a config lists, and as what."""
    if isinstance(found, Config):
        for diff_id in _diff_ids(found):
            yield "diff", Descriptor(OCI_LAYER, diff_id, 0)
        return
    for position, child in enumerate(found.children()):
        if isinstance(found, Manifest):
            yield ("layer" if position else "config"), child
        else:
            yield "index" if child.is_index else "manifest" if child.is_document else "blob", child


def _diff_ids(config: Config) -> tuple[Digest, ...]:
    with suppress(ContentError):
        return config.diff_ids
    return ()
