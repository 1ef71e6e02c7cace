"""Images that are built on a given one: its layers are the lowest of theirs, or they say so."""

from __future__ import annotations

from collections.abc import Iterable

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
        self._digests = set(digests)
        self._configs: set[Digest] = set()
        self._stacks: set[tuple[Digest, ...]] = set()
        for digest in tuple(self._digests):
            reach = lore.reach(digest)
            self._configs |= reach.configs
            self._digests |= reach.manifests
            self._stacks |= {stack for c in reach.configs if (stack := self._diff_ids(c))}
            self._stacks |= {stack for m in reach.manifests if (stack := self._layers(m))}
        self._known: dict[Digest, bool] = {}

    def is_below(self, running: Running) -> bool:
        """Whether what runs is built on one of the images; False where that can't be told."""
        return bool(running.configs) and all(self._is_below(c) for c in running.configs)

    def _is_below(self, config: Digest) -> bool:
        if config not in self._known:
            manifests = self._lore.parents(config, "config")
            stacks = [self._diff_ids(config), *(self._layers(m) for m in manifests)]
            self._known[config] = config not in self._configs and (
                any(stack[:n] in self._stacks for stack in stacks for n in range(1, len(stack) + 1))
                or any(self._says_so(manifest) for manifest in manifests)
            )
        return self._known[config]

    def _says_so(self, manifest: Digest) -> bool:
        node = self._lore.node(manifest)
        return node is not None and node.base in self._digests

    def _diff_ids(self, config: Digest) -> tuple[Digest, ...]:
        node = self._lore.node(config)
        return node.diff_ids or () if node is not None else ()

    def _layers(self, manifest: Digest) -> tuple[Digest, ...]:
        node = self._lore.node(manifest)
        return tuple(c.digest for c in node.children[1:]) if node and node.children else ()
