"""Which part of an image is held, and which part of it a command is to take.

An index may be held with only some of its children: that is what pulling one platform leaves. Such
an image is whole for those who run it, but not for those who pass it on.
"""

from __future__ import annotations

from killick.errors import Incomplete, NotFound, PlatformUnknown, Unsupported
from killick.manifest import MOST_CONFIG_BYTES, Config, Descriptor, Document, Index, Manifest
from killick.platforms import Platform
from killick.repository import Content, Knowing, Repository
from killick.transfer import choose, fetch, fetch_bytes, walk


def is_whole(repository: Content, d: Descriptor) -> bool:
    """Return whether `d` and all that it needs are in `repository`."""
    if isinstance(repository, Knowing) and repository.complete(d):
        return True
    try:
        documents = list(walk(repository, d))
    except NotFound:
        return False
    needed = (c for m in documents for c in m.children() if not c.is_foreign)
    return all(repository.has(child) for child in needed)


def check_whole(repository: Repository, root: Descriptor, what: str) -> None:
    """Check that all of `root` is in `repository`, as others must find it where it goes.

    Raises:
        Incomplete: only a part is here.
    """
    if not is_whole(repository, root):
        raise Incomplete(
            f"only a part of {what} ({root.digest}) is here, and no tag must name half an image",
            hint="pull it with --platform all, or choose what is here with --platform",
        )


def holds(repository: Repository, root: Descriptor, platforms: tuple[Platform, ...] | None) -> bool:
    """Return whether what `root` needs for `platforms` (None: all) is in `repository`."""
    if isinstance(repository, Knowing) and repository.complete(root):
        return True
    if platforms is None or not root.is_index or not repository.has(root):
        return False
    index = fetch(repository, root)
    if not isinstance(index, Index):
        return False
    chosen = choose(index, platforms)
    return all(holds(repository, child, platforms) for child in chosen)


def held_platforms(repository: Repository, root: Descriptor) -> tuple[Platform, ...] | None:
    """Return the platforms whose images are in `repository`; None where the image is whole.

    Raises:
        NotFound: not even one is.
    """
    if is_whole(repository, root):
        return None
    index = fetch(repository, root)
    if isinstance(index, Index):
        children = [c for c in index.manifests if c.platform is not None]
        held = tuple(c.platform for c in children if c.platform and is_whole(repository, c))
        if held:
            return held
    raise NotFound(f"of {root.digest} only a part is here", hint="pull it again")


def narrowed(
    source: Repository, root: Descriptor, platforms: tuple[Platform, ...] | None
) -> Descriptor:
    """Return what to pass on so that its tag names nothing incomplete: `root`, or one child.

    Raises:
        PlatformUnknown: there is no image for the platform.
        Unsupported: several platforms, but not all: that would be an index with another digest.
    """
    if platforms is None or not root.is_index:
        return root
    index = fetch(source, root)
    if not isinstance(index, Index):
        return root
    chosen = list(dict.fromkeys(index.select(platform) for platform in platforms))
    if len(chosen) > 1:
        raise Unsupported(
            f"{root.digest} can't be cut to some of its platforms without getting another digest",
            hint="choose one platform, or all",
        )
    return chosen[0]


def check_platform(
    source: Repository, root: Descriptor, platforms: tuple[Platform, ...] | None
) -> None:
    """Check that an image for one platform is for one of those that were asked for.

    Raises:
        PlatformUnknown: it is not.
    """
    if root.is_index or platforms is None:
        return
    manifest: Document = fetch(source, root)
    if not isinstance(manifest, Manifest) or not manifest.is_image:
        return
    offered = Config.parse(fetch_bytes(source, manifest.config, MOST_CONFIG_BYTES)).platform
    for wanted in platforms:
        if not wanted.matches(offered):
            raise PlatformUnknown(
                f"{root.digest} has no image for {wanted}",
                side="remote",
                hint=f"it is for {offered} only",
            )
