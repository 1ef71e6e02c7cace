"""`push`: one image from the store to its registry, and what the ledger learns from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick import travel
from killick.cli.closure import check_platform, check_whole, narrowed
from killick.cli.progress import PUSH, display
from killick.errors import Unsupported, UsageError
from killick.repository import ANYTHING, Cause, Expected, Ledger, Repository
from killick.transfer import DEFAULT_JOBS, Options, copy

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.cli.platform import Choice
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
    if expected is not ANYTHING:
        _check_swap(remote, reference, tag)
    with display(session.progress, PUSH) as shown:
        options = Options(
            jobs=session.settings.jobs or DEFAULT_JOBS,
            progress=shown,
            sisters=_sisters(session, reference.name),
        )
        copy(local, remote, root, tag if expected is ANYTHING else None, options)
    cause = Cause("pushed", session.actor, reference.name.domain, False)
    if tag is not None:
        if expected is not ANYTHING and isinstance(remote, Ledger):
            remote.move(tag, root.plain(), cause, expected)
        local.move(tag, root.plain(), cause)
    return Pushed(reference, root, tag)


def _check_swap(remote: Repository, reference: Reference, tag: Tag | None) -> None:
    """Check that a conditional push can work, before anything is sent."""
    if tag is None:
        raise UsageError(f"{reference} names no tag that could move on a condition")
    if not isinstance(remote, Ledger):
        raise Unsupported(
            f"{reference.name.domain} does not announce compare-and-swap; nothing was sent",
            side="remote",
            hint="push without --if-digest and --if-absent",
        )


def _sisters(session: Session, name: Name) -> Callable[[Descriptor], Iterable[str]]:
    """Return where a blob may be mounted from: what other repositories there have it."""

    def sisters(d: Descriptor) -> Iterable[str]:
        return [path for path in session.store.sisters(d, name.domain) if path != name.path]

    return sisters
