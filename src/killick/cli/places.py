"""Endpoints, opened: the repository behind each, and what in it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick.cli.endpoints import Endpoint
from killick.cli.local import find_image
from killick.cli.looking import look_up
from killick.errors import UsageError
from killick.layout import Archive, ArchiveWriter, Layout
from killick.platforms import Platform

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.manifest import Descriptor
    from killick.repository import Repository


@dataclass(frozen=True, slots=True)
class Source:
    """Where images are read: `root` is the one that is meant, None if all tags are."""

    endpoint: Endpoint
    repository: Repository
    root: Descriptor | None


def source(session: Session, endpoint: Endpoint, *, all_tags: bool = False) -> Source:
    """Return the place that `endpoint` names, and the image in it.

    Raises:
        NotFound: there is no such image.
        UsageError: a tag or a digest is named, and all tags are wanted.
    """
    if all_tags and (endpoint.tag or endpoint.digest):
        raise UsageError(f"{endpoint.text} has a tag or a digest, and --all-tags takes neither")
    if endpoint.scheme == "registry":
        return _in_registry(session, endpoint, all_tags=all_tags)
    if endpoint.scheme == "store":
        return _in_store(session, endpoint, all_tags=all_tags)
    return _in_files(session, endpoint, all_tags=all_tags)


@contextmanager
def target(
    session: Session, endpoint: Endpoint, platform: Platform | None = None
) -> Iterator[Repository]:
    """Yield the place that `endpoint` names, made if it is in files that do not exist.

    An archive is there when the block ends well. `platform` is the one whose images a docker
    archive offers to old dockers (None: this machine's).

    Raises:
        StoreError: it can't be made or written to.
        UsageError: it is what a tag used to point to.
    """
    if endpoint.reference is not None and endpoint.reference.travels:
        raise UsageError(
            f"{endpoint.text!r} is the past, which can't be written",
            hint="name the tag to write, or leave it off",
        )
    if endpoint.scheme == "registry":
        yield session.remote(endpoint.name.name)
        return
    if endpoint.scheme == "store":
        yield session.store.repository(str(endpoint.name.name))
        return
    name = str(endpoint.reference.name) if endpoint.reference else ""
    if endpoint.scheme == "oci":
        yield Layout(endpoint.file, create=True).repository(name)
        return
    docker = (platform or Platform.host()) if endpoint.scheme == "docker-archive" else None
    with ArchiveWriter(endpoint.file, docker) as archive:
        yield archive.repository(name)


def _in_files(session: Session, endpoint: Endpoint, *, all_tags: bool) -> Source:
    place: Layout | Archive
    if endpoint.scheme == "oci":
        place = Layout(endpoint.file)
    else:
        place = session.enter(Archive(endpoint.file))
    if all_tags:
        return Source(endpoint, place, None)
    if endpoint.digest is not None:
        return Source(endpoint, place, place.resolve(endpoint.digest))
    return Source(endpoint, place, place.named(endpoint.label))


def _in_registry(session: Session, endpoint: Endpoint, *, all_tags: bool) -> Source:
    reference = endpoint.name
    remote = session.remote(reference.name)
    if all_tags:
        return Source(endpoint, remote, None)
    return Source(endpoint, remote, look_up(session, remote, reference))


def _in_store(session: Session, endpoint: Endpoint, *, all_tags: bool) -> Source:
    if all_tags:
        name = str(endpoint.name.name)
        return Source(endpoint, session.reading.repository(name), None)
    found = find_image(session, endpoint.text.partition(":")[2])
    return Source(endpoint, found.repository, found.descriptor)
