"""`cp`: an image from any endpoint to any other, under the same digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from killick.cli.closure import check_platform, check_whole, narrowed
from killick.cli.places import Source
from killick.cli.progress import COPY, display
from killick.errors import Conflict, NotFound
from killick.repository import Cause, Kind, Referrers, Repository
from killick.transfer import DEFAULT_JOBS, Options, copy, walk

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.cli.endpoints import Endpoint, Scheme
    from killick.cli.platform import Platforms
    from killick.digest import Digest
    from killick.manifest import Descriptor
    from killick.names import Tag

_KINDS: dict[Scheme, Kind] = {"registry": "pulled", "store": "tagged"}


@dataclass(frozen=True, slots=True)
class Job:
    """A copy to make: from where, to which endpoint and repository, and how much of it."""

    source: Source
    endpoint: Endpoint
    target: Repository
    platforms: Platforms = None
    referrers: bool = False


def copy_image(session: Session, job: Job, root: Descriptor, tag: Tag | None) -> Descriptor:
    """Copy `root` and point `tag` of the target at it; return what the tag points to now.

    Only the store is given an index with just some of its children, because it keeps account of
    them; anywhere else one platform's own image goes instead.

    Raises:
        Incomplete: the source has only a part of the image.
        Conflict: the target was named by a digest, and that is another one.
        KillickError: what else `transfer.copy` raises.
    """
    origin = job.source.repository
    check_platform(origin, root, job.platforms)
    platforms = job.platforms if job.endpoint.scheme == "store" else None
    if platforms is None:
        root = narrowed(origin, root, job.platforms)
        if job.source.endpoint.scheme != "registry":
            check_whole(origin, root, job.source.endpoint.text)
    _check_digest(job.endpoint, root)
    with display(session.progress, COPY) as progress:
        options = Options(
            platforms=platforms,
            jobs=session.settings.jobs or DEFAULT_JOBS,
            progress=progress,
            cause=Cause(_KINDS.get(job.source.endpoint.scheme, "loaded"), session.actor),
            sisters=_sisters(job),
        )
        copy(origin, job.target, root, tag, options)
        if job.referrers:
            _copy_referrers(job, root, replace(options, platforms=None, cause=None))
    return root


def _copy_referrers(job: Job, root: Descriptor, options: Options) -> None:
    """Copy what refers to the image or to a part of it, and what refers to that, and so on."""
    origin = job.source.repository
    if not isinstance(origin, Referrers):
        return
    pending = [d.digest for d in _documents(job, root)]
    seen: set[Digest] = set(pending)
    while pending:
        for found in origin.referrers(pending.pop()):
            if found.digest not in seen:
                copy(origin, job.target, found.plain(), None, options)
                seen.add(found.digest)
                pending.append(found.digest)


def _documents(job: Job, root: Descriptor) -> Iterator[Descriptor]:
    platforms = job.platforms if job.endpoint.scheme == "store" else None
    for document in walk(job.source.repository, root, platforms):
        yield document.descriptor


def _check_digest(endpoint: Endpoint, root: Descriptor) -> None:
    if endpoint.digest is not None and endpoint.digest != root.digest:
        raise Conflict(
            f"the image is {root.digest}, so it can't go to {endpoint.text}",
            hint="leave the digest off",
        )


def _sisters(job: Job) -> Callable[[Descriptor], Iterable[str]]:
    """Return where the target may mount blobs from: the source, if it is the same registry."""
    here, there = job.source.endpoint, job.endpoint
    if here.scheme != there.scheme or here.reference is None or there.reference is None:
        return lambda _: ()
    own, other = here.reference.name, there.reference.name
    if here.scheme == "store":
        return lambda _: (str(own),)
    return lambda _: (own.path,) if own.domain == other.domain and own != other else ()


def tags_of(source: Source) -> list[Tag]:
    """Return the tags of the source's repository.

    Raises:
        NotFound: it has none.
    """
    tags = list(source.repository.tags())
    if not tags:
        raise NotFound(f"{source.endpoint.text} has no tags")
    return tags
