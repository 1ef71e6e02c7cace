"""What the graph lacks, asked of the registries that the observation names: never any layer.

A manifest, and where it is wanted a config, is fetched by its digest, verified, and kept as
knowledge. A registry that can't be reached is not asked again in the same run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from killick.digest import Digest
from killick.errors import ContentError, Denied, KillickError, NotFound
from killick.fleet.lore import Lore
from killick.manifest import MOST_CONFIG_BYTES, MOST_INDEX_DEPTH, Config
from killick.names import Name
from killick.repository import Repository
from killick.transfer import fetch, fetch_bytes

JOBS = 8
MOST_PLACES = 4
"""In how many repositories one digest is looked for."""
MOST_ASKED = 20_000
"""How many digests one run looks for."""

Wanted = Mapping[Digest, Sequence[Name]]
"""Digests, and the repositories that may have them."""


class Learner:
    """Fills the gaps of `lore` from the repositories that `open_place` opens."""

    def __init__(self, lore: Lore, open_place: Callable[[Name], Repository]) -> None:
        self._lore = lore
        self._open = open_place
        self._lock = threading.Lock()
        self.failed: dict[str, KillickError] = {}
        """Why which registry could not be asked."""
        self._missing: set[tuple[Digest, bool]] = set()
        self._left = MOST_ASKED

    def images(self, wanted: Wanted) -> None:
        """Learn what images are and hold: each digest, and the manifests below it."""
        level = {d: tuple(places) for d, places in wanted.items() if self._lacks_document(d)}
        level |= self._below(wanted)
        for _ in range(MOST_INDEX_DEPTH + 1):
            if not level:
                return
            found = self._each(level, as_document=True)
            level = self._below({digest: (place,) for digest, place in found.items()})

    def configs(self, wanted: Wanted) -> None:
        """Learn which layers images have: what the configs of `wanted` (images) say."""
        self.images(wanted)
        lacking: dict[Digest, tuple[Name, ...]] = {}
        for digest, places in wanted.items():
            for config in self._lore.reach(digest).configs:
                node = self._lore.node(config)
                if node is not None and node.diff_ids is None:
                    lacking[config] = tuple(places)
        self._each(lacking, as_document=False)

    def _lacks_document(self, digest: Digest) -> bool:
        node = self._lore.node(digest)
        return node is None or (node.kind in ("index", "manifest") and node.children is None)

    def _below(self, wanted: Wanted) -> dict[Digest, tuple[Name, ...]]:
        """Return the manifests below what is known that were never seen themselves."""
        return {
            lacking: tuple(places)
            for digest, places in wanted.items()
            for lacking in self._lore.reach(digest).open
            if lacking != digest
        }

    def _each(
        self, wanted: Mapping[Digest, tuple[Name, ...]], *, as_document: bool
    ) -> dict[Digest, Name]:
        """Look for each digest in its places, several at a time; return where they were found."""
        fetch_one = self._fetch_document if as_document else self._fetch_config
        missing = {digest for digest, how in self._missing if how == as_document}
        asked = [(d, p[:MOST_PLACES]) for d, p in wanted.items() if d not in missing and p]
        asked, self._left = asked[: self._left], max(self._left - len(asked), 0)
        if not asked:
            return {}

        def look(entry: tuple[Digest, tuple[Name, ...]]) -> Name | None:
            digest, places = entry
            return next((p for p in places if self._try(p, digest, fetch_one)), None)

        with ThreadPoolExecutor(min(JOBS, len(asked))) as pool:
            places = list(pool.map(look, asked))
        found = {d: place for (d, _), place in zip(asked, places, strict=True) if place is not None}
        self._missing |= {(digest, as_document) for digest, _ in asked if digest not in found}
        if found:
            self._lore.forget()
        return found

    def _try(
        self, place: Name, digest: Digest, fetch_one: Callable[[Repository, Digest], bool]
    ) -> bool:
        with self._lock:
            if place.domain in self.failed:
                return False
        try:
            return fetch_one(self._open(place), digest)
        except (NotFound, ContentError):
            return False
        except KillickError as error:
            if not isinstance(error, Denied):  # it closes one repository
                with self._lock:
                    self.failed.setdefault(place.domain, error)
            return False

    def _fetch_document(self, repository: Repository, digest: Digest) -> bool:
        self._lore.graph.learn(digest, fetch(repository, repository.resolve(digest)))
        return True

    def _fetch_config(self, repository: Repository, digest: Digest) -> bool:
        raw = fetch_bytes(repository, repository.find(digest), MOST_CONFIG_BYTES)
        self._lore.graph.learn(digest, Config.parse(raw))
        return True
