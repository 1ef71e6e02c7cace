"""`push`: one image from the store to its registry, and what the ledger learns from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick import travel
from killick.cli.closure import check_platform, check_whole, narrowed
from killick.cli.progress import PUSH, display
from killick.errors import Conflict, Unsupported, UsageError
from killick.repository import ANYTHING, Cause, Expected, Repository, Swappable
from killick.transfer import DEFAULT_JOBS, Options, copy

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.cli.platform import Choice
    from killick.digest import Digest
    from killick.manifest import Descriptor
    from killick.names import Name, Reference, Tag


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed: `root`, and the registry's tag that points to it now, if any."""

    reference: Reference
    root: Descriptor
    tag: Tag | None


def push(
    session: Session, reference: Reference, choice: Choice, expected: Expected = ANYTHING
) -> Pushed:
    """Send what `reference` means in the store to its registry, and point the tag there at it.

    With `expected`, the tag moves only if the registry's now points there (None: does not exist).

    Raises:
        NotFound: the store has no such image.
        Incomplete: it has only a part of it; nothing was sent.
        Unsupported: `expected` is given, and the registry does not do compare-and-swap.
        Conflict: the registry's tag points elsewhere.
    """
    local = session.store.repository(str(reference.name))
    remote = session.remote(reference.name)
    root = travel.resolve(local, reference, session.now)
    check_platform(local, root, choice.wanted)
    root = narrowed(local, root, choice.wanted)
    check_whole(local, root, str(reference))
    tag = None if reference.travels else reference.effective_tag
    ledger = None if expected is ANYTHING else _ledger(session, reference, tag)
    if tag is not None and expected is not ANYTHING:
        _check_standing(remote, reference, tag, expected)
    with display(session.progress, PUSH) as shown:
        options = Options(
            jobs=session.settings.jobs or DEFAULT_JOBS,
            progress=shown,
            sisters=_sisters(session, reference.name),
        )
        copy(local, remote, root, None if ledger else tag, options)
    cause = Cause("pushed", session.actor, reference.name.domain, False)
    if tag is not None:
        if ledger is not None and expected is not ANYTHING:
            ledger.swap(tag, root.plain(), expected)
        local.move(tag, root.plain(), cause)
    return Pushed(reference, root, tag)


def _ledger(session: Session, reference: Reference, tag: Tag | None) -> Swappable:
    """Return what moves the registry's tag on a condition, before anything is sent."""
    if tag is None:
        raise UsageError(f"{reference} names no tag that could move on a condition")
    name = reference.name
    try:
        return session.registry(name.domain).ledger(name.path)
    except Unsupported as error:
        raise Unsupported(
            f"{error.message}; nothing was sent",
            side="remote",
            hint="push without --if-digest and --if-absent",
        ) from None


def _check_standing(
    remote: Repository, reference: Reference, tag: Tag, expected: Digest | None
) -> None:
    """Check what the tag points to already now; the registry does, when the tag is to move."""
    standing = travel.standing(remote, tag)
    if standing != expected:
        raise Conflict(
            f"{reference} points to {standing or 'nothing'} in the registry; nothing was sent",
            side="remote",
            hint="look at what it points to now, and decide again",
        )


def _sisters(session: Session, name: Name) -> Callable[[Descriptor], Iterable[str]]:
    """Return where a blob may be mounted from: what other repositories there have it."""

    def sisters(d: Descriptor) -> Iterable[str]:
        return [path for path in session.store.sisters(d, name.domain) if path != name.path]

    return sisters
