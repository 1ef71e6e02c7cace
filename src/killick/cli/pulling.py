"""`pull`: one reference from its registry into the store, and what the ledger learns from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from killick import travel
from killick.cli.closure import check_platform, holds
from killick.cli.heads import sighted
from killick.cli.past import past
from killick.cli.printing import note
from killick.cli.progress import PULL, display
from killick.errors import NotFound
from killick.names import DEFAULT_TAG, Reference, Tag
from killick.repository import Cause
from killick.transfer import DEFAULT_JOBS, Options, copy

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.cli.platform import Choice
    from killick.client.repository import RemoteRepository
    from killick.digest import Digest
    from killick.manifest import Descriptor
    from killick.store import StoreRepository


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought: `root` is what the reference meant, `fresh` whether anything changed."""

    reference: Reference
    root: Descriptor
    fresh: bool


def pull(session: Session, reference: Reference, choice: Choice, progress: str) -> Pulled:
    """Bring what `reference` means into the store, and move the local tag to it.

    A digest, or the past of a tag, moves no tag; nor does `name:tag@digest` if the tag has moved
    on, which is a warning. What the registry's tag points to is recorded as observed.

    Raises:
        NotFound: the registry has no such image, or none for the platform.
        KillickError: what else `transfer.copy` raises.
    """
    return _Pull(session, reference, choice).run(progress)


class _Pull:
    def __init__(self, session: Session, reference: Reference, choice: Choice) -> None:
        self.session = session
        self.reference = reference
        self.choice = choice
        self.local: StoreRepository = session.store.repository(str(reference.name))
        self.remote: RemoteRepository = session.remote(reference.name)

    def run(self, progress: str) -> Pulled:
        root, tag = self._meaning()
        before = travel.standing(self.local, tag) if tag else None
        copied = 0
        if self.choice.stated:
            check_platform(self.remote, root, self.choice.wanted)
        if not holds(self.local, root, self.choice.wanted):
            copied = self._bring(root, progress)
        moved = self._move(tag, root) if tag else False
        if tag is None:
            self.local.keep(root)
        if tag and moved and before is not None and before != root.digest:
            self._tell_move(tag, before, root.digest)
        return Pulled(self.reference, root, bool(copied) or moved)

    def _meaning(self) -> tuple[Descriptor, Tag | None]:
        """Return what the reference means, and the local tag that is to move there, if any."""
        reference = self.reference
        if reference.travels:
            return past(self.session, reference), None
        if reference.digest is None:
            tag = reference.effective_tag or Tag(DEFAULT_TAG)
            return self._observed(tag), tag
        root = self._by_digest(reference.digest)
        if reference.tag is None or not self._still(reference.tag, reference.digest):
            return root, None
        return root, reference.tag

    def _by_digest(self, digest: Digest) -> Descriptor:
        try:
            held = self.local.resolve(digest)
            if holds(self.local, held, self.choice.wanted):
                return held
        except NotFound:
            pass
        return self.remote.resolve(digest)

    def _still(self, tag: Tag, digest: Digest) -> bool:
        """Return whether the registry's tag points to `digest`; warn where it does not."""
        name = replace(self.reference, digest=None)
        try:
            now = self._observed(tag).digest
        except NotFound:
            note(f"warning: {name} is not in the registry any more; pulled by digest")
            return False
        if now != digest:
            note(f"warning: {name} has moved on to {now}; pulled by digest, no tag was moved")
        return now == digest

    def _observed(self, tag: Tag) -> Descriptor:
        """Return what the registry's tag points to, which the ledger remembers."""
        root = sighted(self.session, self.session.store, self.reference.name, tag)
        cause = Cause("observed", self.session.actor, self.reference.name.domain, False)
        self.local.move(tag, root.plain(), cause)
        return root

    def _bring(self, root: Descriptor, progress: str) -> int:
        with display(progress, PULL) as shown:
            options = Options(
                platforms=self.choice.wanted,
                jobs=self.session.settings.jobs or DEFAULT_JOBS,
                progress=shown,
            )
            return len(copy(self.remote, self.local, root, None, options).copied)

    def _move(self, tag: Tag, root: Descriptor) -> bool:
        cause = Cause("pulled", self.session.actor)
        return self.local.move(tag, root.plain(), cause) is not None

    def _tell_move(self, tag: Tag, before: Digest, now: Digest) -> None:
        name = f"{self.reference.name.familiar}:{tag}"
        note(f"{name} moved: {before.short} → {now.short}; the earlier one stays as {name}~1")
