"""Whether a registry's ledger is still the one that was seen before.

A registry of our kind says, with each tag, where the ledger of the repository ends. This machine
keeps what it was told last for each tag. A later answer has to go on from there: the ledger may
have grown, and the entries in between, hashed one after the other, lead from the old end to the new
one. A registry that was set back, forked or cut short is found so, before any local tag moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from killick.chain import follow, reached
from killick.cli.printing import note
from killick.errors import ContentError, HistoryRewritten, NotFound, StoreFull, StoreReadOnly
from killick.repository import LOCAL, Head, Move
from killick.wire.extensions import is_chained

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.client.documents import Sighting
    from killick.client.registry import RemoteRegistry
    from killick.manifest import Descriptor
    from killick.names import Name, Tag
    from killick.store import Seen, Store

_DIGITS = 12
_DATABASE = "store.db"


def sighted(session: Session, store: Store, name: Name, tag: Tag) -> Descriptor:
    """Return what a registry's tag points to, whose ledger goes on from what was seen of it.

    Raises:
        HistoryRewritten: it does not, or the tag is not where the ledger says.
        NotFound: there is no such tag.
    """
    return _vetted(session, store, name, tag, session.remote(name).sight(tag))


def looked_up(session: Session, name: Name, tag: Tag) -> Descriptor:
    """Return what a registry's tag points to, for a command that needs no store.

    It is checked where there is a store, and where the registry says where its ledger ends; so that
    nobody waits for a store who asks another kind of registry.

    Raises:
        HistoryRewritten, NotFound: as `sighted`.
    """
    found = session.remote(name).sight(tag)
    if found.head is None or not (session.settings.store / _DATABASE).exists():
        return found.descriptor
    return _vetted(session, session.reading, name, tag, found)


def _vetted(session: Session, store: Store, name: Name, tag: Tag, found: Sighting) -> Descriptor:
    from killick.store import Seen

    known = store.heads(str(name))
    if found.head is not None and known and found.head.sequence < known[-1].head.sequence:
        # Somebody else here may have asked later, and been answered earlier: now it can't be less.
        found = session.remote(name).sight(tag)
    if found.head is None:
        if known:
            note(f"warning: {name.domain} does not say any more where its ledger of {name} ends")
        return found.descriptor
    now = Seen(found.head, tag, found.descriptor.digest)
    _check(session.registry(name.domain), name, known, now)
    _keep(store, name, known, now)
    return found.descriptor


def check_ledger(session: Session, name: Name, *, accept: bool) -> None:
    """Check that the ledger that a registry tells goes on from what was seen of it, and keep that.

    With `accept`, what was seen before is forgotten. A registry that does not announce that its
    ledgers can be followed is not asked.

    Raises:
        HistoryRewritten: it does not go on.
    """
    from killick.store import Seen

    registry, store = session.registry(name.domain), session.reading
    if not is_chained(registry.extensions()):
        return
    if accept:
        session.store.forget_heads(str(name))
    known = store.heads(str(name))
    if known:
        end = _followed(registry, name, known[-1].head)
    else:
        end = next(registry.chain(name.path, 0, 0)).head
    _keep(store, name, known, Seen(end))


def _followed(registry: RemoteRegistry, name: Name, start: Head) -> Head:
    """Return where the ledger ends to which `start` leads."""
    head = end = start
    for page in registry.chain(name.path, start.sequence):
        end = page.head
        try:
            head = reached(head, page.entries)
        except HistoryRewritten as error:
            raise _rewritten(name, start, end) from error
    if head != end:
        raise _rewritten(name, start, end)
    return end


def _keep(store: Store, name: Name, known: Sequence[Seen], now: Seen) -> None:
    if now not in known:
        # A store that takes nothing more can't remember either; a disk that fails is no such thing.
        with suppress(StoreReadOnly, StoreFull):
            store.keep_head(str(name), now)


def _check(registry: RemoteRegistry, name: Name, known: Sequence[Seen], now: Seen) -> None:
    """Follow the ledger from where it was seen to end to where it ends now."""
    if not known or now in known:
        return
    newest = known[-1].head
    own = next((each for each in known if each.tag == now.tag), None)
    start = own.head if own else newest
    if now.head.sequence < newest.sequence:
        raise _rewritten(name, newest, now.head)
    ends = {each.head.sequence: each.head for each in known}
    if ends.get(now.head.sequence, now.head) != now.head:
        raise _rewritten(name, ends[now.head.sequence], now.head)
    stands, to = own is not None, own.digest if own else None
    head = start
    for entry, head in _between(registry, name, start, now.head):
        if ends.get(head.sequence, head) != head:
            raise _rewritten(name, ends[head.sequence], now.head)
        if entry.tag == now.tag and entry.cause.origin == LOCAL:
            stands, to = True, entry.to.digest if entry.to else None
    if head != now.head:
        raise _rewritten(name, start, now.head)
    if stands and to != now.digest:
        raise HistoryRewritten(
            f"{name.domain} says that {name.familiar}:{now.tag} is {now.digest}, and by entry"
            f" {now.head.sequence} of its ledger it is {to or 'nothing'}",
            side="remote",
            hint="ask whoever keeps that registry",
        )


def _between(
    registry: RemoteRegistry, name: Name, start: Head, end: Head
) -> Iterator[tuple[Move, Head]]:
    """Yield the entries after `start`, up to `end`, with the heads that they make."""
    if start == end:
        return
    pages = registry.chain(name.path, start.sequence)
    entries = (entry for page in pages for entry in page.entries)
    try:
        for entry, head in follow(start, entries):
            yield entry, head
            if head.sequence >= end.sequence:
                return
    except (NotFound, ContentError) as error:
        raise _rewritten(name, start, end) from error


def _rewritten(name: Name, before: Head, now: Head) -> HistoryRewritten:
    return HistoryRewritten(
        f"the history of {name.familiar} was rewritten: it had entry {before.sequence}"
        f" ({before.hash[:_DIGITS]}…) when it was last seen, and what it ends with now, entry"
        f" {now.sequence} ({now.hash[:_DIGITS]}…), does not go on from there",
        side="remote",
        hint=f"if the registry was set up anew: killick log --remote --accept {name.familiar}",
    )
