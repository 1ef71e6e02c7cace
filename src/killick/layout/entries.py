"""What `index.json` says: the images of an OCI layout, and what they are called.

The specification gives an image one annotation for a name, `org.opencontainers.image.ref.name`, and
leaves its form to the tools: skopeo, buildah and umoci write a tag there, podman also a full name;
docker, buildkit and containerd write the tag there and the full name in `io.containerd.image.name`.
Killick reads all of them and writes docker's form for a name and skopeo's for a bare tag. So one
layout holds several repositories, by full name, and one more without a name, for bare tags.

An entry without any name keeps an image in the layout: every manifest that no index above it lists
has an entry, and an image whose tag moved on keeps one, so that nothing is out of reach.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from killick import strictjson
from killick.digest import Digest
from killick.errors import (
    BadReference,
    Conflict,
    ContentError,
    KillickError,
    LimitExceeded,
    ManifestUnknown,
    TagUnknown,
)
from killick.manifest import OCI_INDEX, Descriptor, Document, Index
from killick.names import Name, Reference, Tag

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"
MOST_BYTES = 32 * 1024 * 1024
MOST_ENTRIES = 100_000
UNNAMED = ""
"""The repository of the images that have a bare tag, or no name at all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `index.json`: an image, its repository (`UNNAMED`, or a full name) and its tag.

    `label` is the text of the name where it is neither a tag nor a reference.
    """

    descriptor: Descriptor
    repository: str = UNNAMED
    tag: Tag | None = None
    label: str | None = None

    @classmethod
    def of(cls, descriptor: Descriptor) -> Entry:
        """Return the entry that `descriptor`, with its annotations, stands for."""
        short = descriptor.annotations.get(REF_NAME)
        full = _reference(descriptor.annotations.get(IMAGE_NAME))
        tag = _tag(short)
        if full is None and tag is None:
            full = _reference(short)
        if full is not None:
            return cls(descriptor, str(full.name), full.effective_tag)
        return cls(descriptor, UNNAMED, tag, None if tag else short)

    @property
    def is_named(self) -> bool:
        """Whether the image is called anything at all."""
        return self.tag is not None or self.label is not None or self.repository != UNNAMED

    @property
    def text(self) -> str:
        """What to call the image: its full name, its tag, or its digest."""
        if self.repository and self.tag:
            return f"{self.repository}:{self.tag}"
        return self.tag or self.label or str(self.descriptor.digest)

    def renamed(self, repository: str, tag: Tag | None) -> Entry:
        """Return this entry with that name instead of its own."""
        kept = {
            k: v for k, v in self.descriptor.annotations.items() if k not in (REF_NAME, IMAGE_NAME)
        }
        if tag is not None:
            kept[REF_NAME] = str(tag)
            if repository:
                kept[IMAGE_NAME] = f"{repository}:{tag}"
        return Entry(
            replace(self.descriptor, annotations=kept), repository if tag else UNNAMED, tag
        )


@dataclass(frozen=True)
class Entries:
    """All entries, in their order, and the other fields of the file; a value, never changed."""

    entries: tuple[Entry, ...] = ()
    fields: Mapping[str, Any] = field(
        default_factory=lambda: {"schemaVersion": 2, "mediaType": OCI_INDEX}
    )

    @classmethod
    def parse(cls, raw: bytes) -> Entries:
        """Return what the bytes of an `index.json` say.

        Raises:
            LimitExceeded: larger than 32 MiB, or more than 100,000 entries.
            ContentError: not the index of an OCI layout.
        """
        try:
            return cls._parse(raw)
        except KillickError as error:
            raise error.at("file") from None

    @classmethod
    def _parse(cls, raw: bytes) -> Entries:
        if len(raw) > MOST_BYTES:
            raise LimitExceeded(f"index.json has more than {MOST_BYTES} bytes")
        fields = strictjson.loads(raw, "index.json")
        listed = fields.get("manifests") if isinstance(fields, dict) else None
        if not isinstance(listed, list) or fields.get("schemaVersion") != 2:
            raise ContentError("index.json is not an OCI index")
        if fields.get("mediaType", OCI_INDEX) != OCI_INDEX:
            raise ContentError(f"index.json calls itself {fields['mediaType']!r}")
        if len(listed) > MOST_ENTRIES:
            raise LimitExceeded(f"index.json has more than {MOST_ENTRIES} entries")
        found = (
            Descriptor.from_json(v, f"index.json: manifests[{i}]") for i, v in enumerate(listed)
        )
        rest = {k: v for k, v in fields.items() if k != "manifests"}
        return cls(tuple(Entry.of(d) for d in found), rest)

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        listed = [entry.descriptor.to_json() for entry in self.entries]
        return json.dumps({**self.fields, "manifests": listed}, indent=2).encode() + b"\n"

    def repositories(self, after: str) -> list[str]:
        """Return the full names (after `after`) in ASCII order, without the unnamed repository."""
        return sorted({e.repository for e in self.entries if e.repository > after} - {UNNAMED})

    def tags(self, repository: str, after: str) -> list[Tag]:
        """Return the tags of a repository (after `after`) in order; of all, for the unnamed one."""
        return sorted({e.tag for e in self._in(repository) if e.tag is not None and e.tag > after})

    def listed(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor with which `digest` is listed, if it is."""
        return next((e.descriptor for e in self.entries if e.descriptor.digest == digest), None)

    def resolve(self, repository: str, tag: Tag) -> Descriptor:
        """Return what a tag points to.

        In the unnamed repository a bare tag comes first, then the same tag under a full name.

        Raises:
            TagUnknown: there is no such tag.
            Conflict: several images have it.
        """
        found = [e for e in self._in(repository) if e.tag == tag]
        found = [e for e in found if e.repository == repository] or found
        if not found:
            raise TagUnknown(
                f"the layout has no image {_call(repository, tag)}",
                side="file",
                hint=_there_are(self.entries),
            )
        return _only(found, f"the layout has several images {_call(repository, tag)}").plain()

    def named(self, text: str) -> Descriptor:
        """Return the image that `text` names: a tag, a full name, any other label; "" the only one.

        Raises:
            ManifestUnknown, TagUnknown: there is no such image.
            Conflict: several images are meant.
        """
        if not text:
            return self._single()
        labelled = [e for e in self.entries if e.label == text]
        if labelled:
            return _only(labelled, f"the layout has several images {text}").plain()
        if tag := _tag(text):
            return self.resolve(UNNAMED, tag)
        full = Reference.parse(text)
        return self.resolve(str(full.name), full.effective_tag or Tag("latest"))

    def _single(self) -> Descriptor:
        found = [e for e in self.entries if e.is_named] or list(self.entries)
        if not found:
            raise ManifestUnknown("the layout holds no image", side="file")
        return _only(found, "the layout holds several images").plain()

    def with_tag(self, repository: str, tag: Tag, d: Descriptor) -> Entries:
        """Return these entries with the tag pointing to `d`."""
        known = self.listed(d.digest) or d
        named = Entry(known).renamed(repository, tag)
        kept = tuple(
            e
            for e in self._unnamed(repository, tag)
            if e.is_named or e.descriptor.digest != d.digest
        )
        return replace(self, entries=(*kept, named))

    def without_tag(self, repository: str, tag: Tag) -> Entries:
        """Return these entries without the tag; the image stays, without a name.

        Raises:
            TagUnknown: there is no such tag.
        """
        self.resolve(repository, tag)
        own = any(e.tag == tag and e.repository == repository for e in self.entries)
        owner = repository if own else next(e.repository for e in self.entries if e.tag == tag)
        return replace(self, entries=tuple(self._unnamed(owner, tag)))

    def with_document(self, document: Document) -> Entries:
        """Return these entries with one for a manifest that has come, unless it has one.

        What an index lists needs no entry of its own any more, unless it has a name.
        """
        covered = {c.digest for c in document.children()} if isinstance(document, Index) else set()
        found = self.without_unnamed(covered)
        if found.listed(document.digest):
            return found
        described = document.as_referrer() if document.subject else document.descriptor
        entry = Entry(replace(described, annotations={}))
        return replace(found, entries=(*found.entries, entry))

    def without_unnamed(self, digests: Collection[Digest]) -> Entries:
        """Return these entries without those that have no name and one of the digests."""
        kept = (e for e in self.entries if e.is_named or e.descriptor.digest not in digests)
        return replace(self, entries=tuple(kept))

    def _in(self, repository: str) -> Iterator[Entry]:
        return (e for e in self.entries if repository in (UNNAMED, e.repository))

    def _unnamed(self, repository: str, tag: Tag) -> Iterator[Entry]:
        """Yield the entries; who had the tag has no name, or no entry if it has another one."""
        losing = [e for e in self.entries if e.tag == tag and e.repository == repository]
        held = {e.descriptor.digest for e in self.entries if e not in losing}
        for entry in self.entries:
            if entry not in losing:
                yield entry
            elif entry.descriptor.digest not in held:
                held.add(entry.descriptor.digest)
                yield entry.renamed(UNNAMED, None)


def repository_name(text: str) -> str:
    """Return the name under which a layout knows repository `text`: canonical, or `UNNAMED`.

    Raises:
        BadReference: it is no repository name.
    """
    return str(Name.parse(text)) if text else UNNAMED


def _reference(text: str | None) -> Reference | None:
    try:
        found = Reference.parse(text) if text else None
    except BadReference:
        return None
    return None if found is None or found.travels else found


def _tag(text: str | None) -> Tag | None:
    try:
        return Tag(text) if text else None
    except BadReference:
        return None


def _call(repository: str, tag: Tag) -> str:
    return f"{repository}:{tag}" if repository else str(tag)


def _only(entries: list[Entry], complaint: str) -> Descriptor:
    if len({e.descriptor.digest for e in entries}) > 1:
        raise Conflict(complaint, side="file", hint=_there_are(entries))
    return entries[0].descriptor


def _there_are(entries: Iterable[Entry]) -> str:
    names = sorted({e.text for e in entries})
    if not names:
        return "it holds no image"
    return f"it has {', '.join(names[:10])}" + (" …" if len(names) > 10 else "")
