"""`load`: what an archive holds, into the store, under the names that the archive gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick.cli.closure import held_platforms
from killick.cli.progress import COPY, display
from killick.errors import UsageError
from killick.names import Name
from killick.repository import Cause
from killick.transfer import DEFAULT_JOBS, Options, copy, fetch

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.digest import Digest
    from killick.layout import Archive, Entry
    from killick.manifest import Descriptor
    from killick.names import Tag
    from killick.repository import Move

ARCHIVE = "archive"
"""The origin of what the ledger of an archive tells."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image that was loaded, and its name in the store."""

    name: Name
    tag: Tag | None
    root: Descriptor


def load(session: Session, archive: Archive, name: Name | None) -> Iterator[Loaded]:
    """Bring all images of `archive` into the store, yielding each; `name` is for those without.

    What refers to an image (a signature) goes where the image goes.

    Raises:
        UsageError: an image has no name of its own, and `name` is None; nothing was loaded.
        ContentError: an image is damaged.
    """
    entries = [entry for entry in archive.images() if entry.descriptor.is_document]
    places = _Places(archive, entries, name)
    planned = [(entry, places.of(entry)) for entry in entries]
    told = list(archive.moves())
    for entry, place in planned:
        yield _load(session, archive, entry, place)
        _recall(session, told, entry, place)


def _recall(session: Session, told: list[Move], entry: Entry, place: Name) -> None:
    """Keep what the archive tells of the past of a tag that was loaded from it."""
    past = [m for m in told if (m.repository, m.tag) == (entry.repository, entry.tag)]
    if past:
        session.store.repository(str(place)).recall(past, ARCHIVE)


class _Places:
    """Which repository each image of an archive goes to."""

    def __init__(self, archive: Archive, entries: list[Entry], name: Name | None) -> None:
        self._archive = archive
        self._name = name
        self._named: dict[Digest, Name] = {
            e.descriptor.digest: Name.parse(e.repository) for e in entries if e.repository
        }

    def of(self, entry: Entry) -> Name:
        if entry.repository:
            return Name.parse(entry.repository)
        if self._name is not None:
            return self._name
        digest = entry.descriptor.digest
        place = self._named.get(digest) or self._subject(entry)
        if place is None:
            raise UsageError(
                f"the archive does not say what {entry.text} is an image of",
                hint="say it by --name NAME",
            )
        return place

    def _subject(self, entry: Entry) -> Name | None:
        subject = fetch(self._archive, entry.descriptor.plain()).subject
        return self._named.get(subject.digest) if subject else None


def _load(session: Session, archive: Archive, entry: Entry, name: Name) -> Loaded:
    root = entry.descriptor.plain()
    with display(session.progress, COPY) as shown:
        options = Options(
            platforms=held_platforms(archive, root),
            jobs=session.settings.jobs or DEFAULT_JOBS,
            progress=shown,
            cause=Cause("loaded", session.actor),
        )
        target = session.store.repository(str(name))
        copy(archive, target, root, entry.tag, options)
    if entry.tag is None:
        target.keep(root)
    return Loaded(name, entry.tag, root)
