"""From snapshots of engines to judged containers, with the help of registries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from killick.cli import attached
from killick.cli.gathering import remembering
from killick.cli.knowing import Knowing
from killick.cli.printing import note
from killick.errors import KillickError
from killick.fleet.derived import Bases
from killick.fleet.view import View
from killick.fleet.where import Report, order, where
from killick.fleet.words import Words, read

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.digest import Digest
    from killick.fleet.past import Past
    from killick.fleet.view import Judged
    from killick.names import Name, Tag
    from killick.observation import Snapshot

_Wanted = dict["Digest", tuple["Name", ...]]

MOST_BACK = 20
"""How many digests of each tag `ps` learns the content of."""


def judge_all(session: Session, seen: Sequence[Snapshot], *, offline: bool) -> list[Judged]:
    """Return all containers, judged by the tags that they were started with."""
    knowing = Knowing(session, offline=offline)
    words = _words(seen)
    tags = _tags(words)
    knowing.ask(tags)
    if not knowing.offline:
        recent: _Wanted = {
            held.digest: (name,)
            for name, tag in tags
            for held in knowing.past(name, tag).held[:MOST_BACK]
        }
        knowing.learner.images(recent)
    seen = _learn_all(knowing, seen, words)
    tell_unreachable(knowing)
    view = View(knowing.lore, knowing.advice(), knowing.past, knowing.finder)
    judged = [view.by_its_own_tag(view.look(s, c)) for s in seen for c in s.containers]
    return sorted(judged, key=order)


def where_all(
    knowing: Knowing, session: Session, past: Past, seen: Sequence[Snapshot], *, derived: bool
) -> Report:
    """Return where the images of a tag run."""
    own: _Wanted = {held.digest: (past.name,) for held in past.held}
    if not knowing.offline:
        knowing.learner.images(own)
        _read_attached(knowing, session, past)
    words = _words(seen)
    concerned = {w for w in words if derived or past.name in w.places or not w.places}
    seen = _learn_all(knowing, seen, concerned, past.name)
    if derived and not knowing.offline:
        knowing.learner.configs(_places(words) | own)
    tell_unreachable(knowing)
    view = View(knowing.lore, knowing.advice(), knowing.past, knowing.finder)
    bases = Bases(knowing.lore, [held.digest for held in past.held]) if derived else None
    return where(view, past, seen, bases)


def _learn_all(
    knowing: Knowing, seen: Sequence[Snapshot], words: set[Words], place: Name | None = None
) -> list[Snapshot]:
    """Learn what containers run; return the snapshots, with earlier words where those help.

    What has no name at all is looked for in `place`.
    """
    _learn_claims(knowing, words, place)

    lacking = [
        container
        for snapshot in seen
        for container in snapshot.containers
        if not knowing.finder.find(read(container), container.platform).configs
    ]
    if not lacking:
        return list(seen)
    found = remembering(knowing.store, seen, lacking)
    _learn_claims(knowing, _words(found) - _words(seen), place)
    return found


def _learn_claims(knowing: Knowing, words: set[Words], place: Name | None) -> None:
    if knowing.offline:
        return
    nameless: _Wanted = {
        digest: (place,) for w in words if place and not w.places for digest in w.digests
    }
    knowing.learner.images(_places(words) | nameless)


def _read_attached(knowing: Knowing, session: Session, past: Past) -> None:
    """Keep what is attached to the images of a tag, where the registry can be asked."""
    if past.name.domain in knowing.failures or not past.series:
        return
    remote = session.remote(past.name)
    try:
        for advisory in attached.read(remote, past.name, [h.digest for h in past.series]):
            knowing.store.advise(advisory)
    except KillickError as error:
        knowing.unanswered.setdefault(past.name.domain, error)


def tell_unreachable(knowing: Knowing) -> None:
    """Say which registries could not be asked, and that the answer goes by what is recorded."""
    for domain, error in sorted(knowing.failures.items()):
        note(f"{domain} could not be asked ({error.message}); this goes by what is recorded here")


def matches(judged: Judged, fail_on: Iterable[str]) -> bool:
    """Whether a container is what a check is to fail on."""
    verdict = judged.verdict
    found = {verdict.status} | ({"affected"} if verdict.is_affected else set[str]())
    return not found.isdisjoint(fail_on)


def _words(seen: Iterable[Snapshot]) -> set[Words]:
    return {read(container) for snapshot in seen for container in snapshot.containers}


def _tags(words: Iterable[Words]) -> list[tuple[Name, Tag]]:
    """Return the tags that containers were started with."""
    found = {
        (w.asked.name, tag) for w in words if w.asked and (tag := w.asked.effective_tag) is not None
    }
    return sorted(found)


def _places(words: Iterable[Words]) -> dict[Digest, tuple[Name, ...]]:
    """Return the digests that are claimed, and where each may be looked for."""
    found: dict[Digest, dict[Name, None]] = defaultdict(dict)
    for each in words:
        for claim in each.claims:
            # The repository that stands with a digest is the likeliest to have it.
            first = [claim.name] if claim.name is not None else []
            found[claim.digest] |= dict.fromkeys([*first, *each.places])
    return {digest: tuple(places) for digest, places in found.items()}
