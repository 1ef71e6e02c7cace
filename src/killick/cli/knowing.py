"""What a command knows of images and tags: the store's knowledge, and what registries add to it.

Registries are asked for manifests, histories and what is attached to images, never for layers. All
that they tell is kept, so that the next time, or `--offline`, has it at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from killick import travel
from killick.errors import KillickError, NotFound, StoreReadOnly, TagUnknown, Unsupported
from killick.fleet.advice import Advice
from killick.fleet.learning import JOBS, Learner
from killick.fleet.lore import Lore
from killick.fleet.past import Held, Past, Records, join
from killick.fleet.running import Finder
from killick.names import DEFAULT_TAG, Tag
from killick.repository import Cause

if TYPE_CHECKING:
    from datetime import datetime

    from killick.cli.context import Session
    from killick.digest import Digest
    from killick.names import Name, Reference
    from killick.repository import Move
    from killick.store import Store

MOST_MOVES = 10_000
"""How far back a registry's history of one tag is read."""

Series = tuple["Name", "Tag"]


class Knowing:
    """What is known in one run. With `offline`, or a store that is read-only, nobody is asked."""

    def __init__(self, session: Session, *, offline: bool) -> None:
        self._session = session
        self.store, writable = _store(session)
        self.offline = offline or not writable
        self.lore = Lore(self.store)
        self.finder = Finder(self.lore)
        self.learner = Learner(self.lore, session.remote)
        self._lock = threading.Lock()
        self._told: dict[Series, list[Move] | None] = {}
        self._gone: set[Series] = set()
        self._pasts: dict[Series, Past] = {}
        self.unanswered: dict[str, KillickError] = {}
        """Why which registry could not be asked for a tag."""

    @property
    def failures(self) -> dict[str, KillickError]:
        """Why which registry could not be asked for something."""
        return self.learner.failed | self.unanswered

    def past(self, name: Name, tag: Tag) -> Past:
        """Return what a tag pointed to, by all that is recorded and was told in this run."""
        series = (name, tag)
        if series not in self._pasts:
            self._pasts[series] = join(name, tag, self._records(series))
        return self._pasts[series]

    def moves(self, name: Name, tag: Tag) -> list[Move]:
        """Return the moves of a tag, newest first: as the registry tells, else as seen from here.

        Of a name that no registry is known to have, those of the local name.
        """
        records = self._records((name, tag))
        return list(records.told or records.seen or records.local)

    def _records(self, series: Series) -> Records:
        name, tag = series
        repository = self.store.repository(str(name))
        return Records(
            self._told.get(series),
            list(islice(repository.history(tag, name.domain), MOST_MOVES)),
            list(islice(repository.history(tag), MOST_MOVES)),
            series in self._gone,
        )

    def ask(self, wanted: Iterable[Series]) -> None:
        """Ask registries where tags point, and what they pointed to; remember what they say."""
        if self.offline:
            return
        series = [s for s in dict.fromkeys(wanted) if s not in self._told]
        if series:
            with ThreadPoolExecutor(min(JOBS, len(series))) as pool:
                list(pool.map(self._ask, series))
        for each in series:
            self._pasts.pop(each, None)
        self.lore.forget()

    def learn(self, wanted: Iterable[Past]) -> None:
        """Learn what the digests of tags hold, for every platform."""
        if not self.offline:
            self.learner.images({h.digest: (past.name,) for past in wanted for h in past.held})

    def advice(self) -> Advice:
        """Return what is said about images, by what it covers."""
        return Advice(self.lore, self.store.advisories())

    def _ask(self, series: Series) -> None:
        name, tag = series
        with self._lock:
            self._told[series] = None
            if name.domain in self.unanswered:
                return
        try:
            self._told[series] = self._history(name, tag)
            self._observe(name, tag)
        except TagUnknown:
            self._gone.add(series)
        except NotFound:
            pass
        except KillickError as error:
            with self._lock:
                self.unanswered.setdefault(name.domain, error)

    def _observe(self, name: Name, tag: Tag) -> None:
        """Record where the registry's tag points, as seen from here."""
        found = self._session.remote(name).resolve(tag)
        cause = Cause("observed", self._session.actor, name.domain, authoritative=False)
        self.store.repository(str(name)).move(tag, found.plain(), cause)

    def _history(self, name: Name, tag: Tag) -> list[Move] | None:
        """Return what the registry tells of a tag's past, and record what is new of it."""
        try:
            told = self._session.registry(name.domain).history(name.path)
        except Unsupported:
            return None
        moves = list(islice(told.history(tag), MOST_MOVES))
        repository = self.store.repository(str(name))
        known = {
            (move.time, move.to and move.to.digest)
            for move in repository.history(tag, name.domain)
            if move.cause.authoritative
        }
        fresh = [m for m in moves if (m.time, m.to and m.to.digest) not in known]
        if fresh:
            repository.recall(reversed(fresh), name.domain, authoritative=True)
        return moves


def find_past(knowing: Knowing, asked: Reference, now: datetime) -> tuple[Past, Digest | None]:
    """Return what the tag in `asked` pointed to, and the one digest that is meant, if any.

    Raises:
        TagUnknown: nothing is recorded of the tag, or of that moment of its past.
    """
    name, tag = asked.name, asked.effective_tag
    if asked.digest is not None:
        tag = tag or _tag_of(knowing, name, asked.digest)
        if tag is not None:
            knowing.ask([(name, tag)])
        past = knowing.past(name, tag) if tag is not None else Past(name, None)
        if past.find(asked.digest) is None:
            alone = Held(asked.digest, None, None, "container", None)
            past = replace(past, held=(*past.held, alone))
        return past, asked.digest
    tag = tag or Tag(DEFAULT_TAG)
    knowing.ask([(name, tag)])
    past = knowing.past(name, tag)
    if not past.held:
        failed = knowing.failures.get(name.domain)
        raise TagUnknown(
            f"nothing is known of {asked}",
            hint=failed.message if failed else "neither its registry nor the local store has it",
        )
    if not asked.travels:
        return past, None
    meant = travel.past(knowing.moves(name, tag), asked, now)
    if meant is None:
        raise TagUnknown(f"{asked} is not recorded", hint=f"see killick where {name.short}:{tag}")
    return past, meant.digest


def _tag_of(knowing: Knowing, name: Name, digest: Digest) -> Tag | None:
    """Return the tag of a repository that had a digest last, None where none is known."""
    stays = knowing.lore.stays(digest)
    return next((stay.tag for stay in stays if stay.repository == str(name)), None)


def _store(session: Session) -> tuple[Store, bool]:
    try:
        return session.store, True
    except StoreReadOnly:
        return session.reading, False
