"""Images that are built on a given one: its layers are the lowest of theirs, or they say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from killick.digest import Digest
from killick.fleet.lore import Lore
from killick.fleet.running import Running


class Bases:
    """Images that others may be built on.

    Layers are compared by their diff IDs, so that no compression hides them, and by their digests
    where a config was never seen. A base without layers (`scratch`) is none.
    """

    def __init__(self, lore: Lore, digests: Iterable[Digest]) -> None:
        self._lore = lore
        self._configs: set[Digest] = set()
        self._stacks: dict[tuple[Digest, ...], list[Digest]] = defaultdict(list)
        self._named: dict[Digest, list[Digest]] = defaultdict(list)
        for digest in digests:
            reach = lore.reach(digest)
            self._configs |= reach.configs
            for named in {digest, *reach.manifests}:
                self._named[named].append(digest)
            stacks = {self._diff_ids(c) for c in reach.configs}
            stacks |= {self._layers(m) for m in reach.manifests}
            for stack in stacks - {()}:
                self._stacks[stack].append(digest)
        self._known: dict[Digest, frozenset[Digest]] = {}

    def below(self, running: Running) -> tuple[Digest, ...]:
        """Return which of the images what runs is built on; none where that can't be told."""
        if not running.configs:
            return ()
        found = frozenset.intersection(*(self._below(config) for config in running.configs))
        return tuple(sorted(found))

    def _below(self, config: Digest) -> frozenset[Digest]:
        if config not in self._known:
            self._known[config] = frozenset(self._bases_of(config))
        return self._known[config]

    def _bases_of(self, config: Digest) -> Iterator[Digest]:
        if config in self._configs:
            return
        manifests = self._lore.parents(config, "config")
        for stack in (self._diff_ids(config), *(self._layers(m) for m in manifests)):
            for length in range(1, len(stack) + 1):
                yield from self._stacks.get(stack[:length], ())
        for manifest in manifests:
            node = self._lore.node(manifest)
            if node is not None and node.base is not None:
                yield from self._named.get(node.base, ())

    def _diff_ids(self, config: Digest) -> tuple[Digest, ...]:
        node = self._lore.node(config)
        return node.diff_ids or () if node is not None else ()

    def _layers(self, manifest: Digest) -> tuple[Digest, ...]:
        node = self._lore.node(manifest)
        return tuple(c.digest for c in node.children[1:]) if node and node.children else ()
