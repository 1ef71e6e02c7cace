"""A fleet under judgement: each container once, and what many have in common once for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from killick.digest import Digest
from killick.fleet.advice import Advice, Finding
from killick.fleet.judge import STANDINGS, Verdict, judge
from killick.fleet.lore import Lore
from killick.fleet.past import Past
from killick.fleet.running import Finder, Running
from killick.fleet.words import Words, read
from killick.names import Name, Tag
from killick.observation import Container, Snapshot
from killick.platforms import Platform

Pasts = Callable[[Name, Tag], Past]
"""Tells what a tag pointed to; remembers what it told."""

MOST_TAGS = 8
"""How many tags a container that was started by a digest or an ID is compared with."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container, where it was seen, what its engine's words come to, and what runs."""

    snapshot: Snapshot
    container: Container
    words: Words
    running: Running
    findings: tuple[Finding, ...]

    @property
    def host(self) -> str:
        """The machine that it runs on, as far as it is known."""
        return self.container.host or self.snapshot.host


@dataclass(frozen=True, slots=True)
class Judged:
    """A container, and what is known of its image.

    `tags` are those that have or had it; `bases` the images that were asked for, and which it is
    built on.
    """

    seen: Seen
    verdict: Verdict
    tags: tuple[str, ...] = ()
    bases: tuple[Digest, ...] = ()


class View:
    """Looks at containers by what is known (`lore`), said (`advice`) and recorded (`pasts`)."""

    def __init__(
        self, lore: Lore, advice: Advice, pasts: Pasts, finder: Finder | None = None
    ) -> None:
        self.lore = lore
        self._finder = finder or Finder(lore)
        self.advice = advice
        self.pasts = pasts
        self._running: dict[tuple[Words, Platform | None], tuple[Running, tuple[Finding, ...]]] = {}
        self._tags: dict[tuple[Digest | None, Digest | None], tuple[tuple[Name, Tag], ...]] = {}

    def look(self, snapshot: Snapshot, container: Container) -> Seen:
        """Return a container, and what it runs."""
        words = read(container)
        key = (words, container.platform)
        if key not in self._running:
            running = self._finder.find(words, container.platform)
            self._running[key] = (running, tuple(self.advice.findings(running)))
        running, findings = self._running[key]
        return Seen(snapshot, container, words, running, findings)

    def against(self, seen: Seen, past: Past) -> Judged:
        """Return the judgement on a container by the past of this very tag."""
        verdict = judge(self.lore, seen.running, past, seen.findings)
        return Judged(seen, verdict, self.tags_of(seen, verdict))

    def by_its_own_tag(self, seen: Seen) -> Judged:
        """Return the judgement by the tag that a container was started with.

        One that was started by a digest or an ID is compared with the tags that have or had what
        it runs; in which of them it stands best decides.
        """
        asked = seen.words.asked
        tag = asked.effective_tag if asked else None
        if asked is not None and tag is not None:
            return self.against(seen, self.pasts(asked.name, tag))
        plain = judge(self.lore, seen.running, None, seen.findings)
        verdicts = [
            judge(self.lore, seen.running, self.pasts(*series), seen.findings)
            for series in self._series(seen, plain)
        ]
        known = [verdict for verdict in verdicts if verdict.held is not None]
        best = max(known, key=_rank, default=plain)
        return Judged(seen, best, self.tags_of(seen, best))

    def tags_of(self, seen: Seen, verdict: Verdict) -> tuple[str, ...]:
        """Return the tags that point or pointed to what runs: `1.5`, `1.5~1`, best first.

        Those of the repository that it was started from, if there are any, stand without its name.
        """
        asked = seen.words.asked
        found: list[tuple[bool, int, str]] = []
        for name, tag in self._series(seen, verdict):
            past = self.pasts(name, tag)
            held = next((h for h in past.held if self._is_it(h.digest, seen.running)), None)
            if held is not None:
                own = asked is not None and asked.name == name
                back = f"~{held.back}" if held.back else ""
                shown = f"{tag}{back}" if own else f"{name.familiar}:{tag}{back}"
                found.append((not own, held.back or 0, shown))
        if any(not foreign for foreign, _, _ in found):
            found = [entry for entry in found if not entry[0]]
        return tuple(shown for _, _, shown in sorted(found))

    def _is_it(self, digest: Digest, running: Running) -> bool:
        return digest in running.claimed or running.is_within(self.lore.reach(digest))

    def _series(self, seen: Seen, verdict: Verdict) -> list[tuple[Name, Tag]]:
        """Return the tags that may have or have had what runs: its own, then those recorded."""
        key = (verdict.digest, verdict.config)
        if key not in self._tags:
            self._tags[key] = self._recorded(seen.running, verdict)
        found = dict.fromkeys(self._tags[key][:MOST_TAGS])
        asked = seen.words.asked
        if asked is not None:
            tag = asked.effective_tag
            own = [series for series in self._tags[key] if series[0] == asked.name]
            found = dict.fromkeys(([(asked.name, tag)] if tag else []) + own[:MOST_TAGS]) | found
        return list(found)

    def _recorded(self, running: Running, verdict: Verdict) -> tuple[tuple[Name, Tag], ...]:
        digests = dict.fromkeys(d for d in (verdict.digest, verdict.manifest) if d is not None)
        digests |= dict.fromkeys(sorted(running.claimed))
        if verdict.config is not None:
            digests |= dict.fromkeys(self.lore.above(verdict.config))
        found: dict[tuple[Name, Tag], None] = {}
        for digest in digests:
            for stay in self.lore.stays(digest):
                domain, _, path = stay.repository.partition("/")
                found[Name(domain, path), stay.tag] = None
        return tuple(found)


def _rank(verdict: Verdict) -> tuple[int, int]:
    """Return how well a container stands in a tag: the present first, then the least behind."""
    return STANDINGS.index(verdict.status), -(verdict.behind_by or 0)
