"""The content graph as the fleet asks it: each digest once, and what an image reaches.

Two images run the same bits where they have the same config: it names every layer by its content.
(A mirror that compresses anew has other manifests with the same configs.) So containers and images
are compared by configs, and by manifests only where a manifest was never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from killick.digest import Digest
from killick.knowledge import Graph, Node, NodeKind, Stay
from killick.manifest import MOST_INDEX_DEPTH, Descriptor
from killick.platforms import Platform


@dataclass(frozen=True, slots=True)
class Reach:
    """What an image holds: its configs, its manifests, and what of it was never seen (`open`)."""

    configs: frozenset[Digest] = frozenset()
    manifests: frozenset[Digest] = frozenset()
    open: frozenset[Digest] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether all that it holds is known."""
        return bool(self.configs) and not self.open

    def __or__(self, other: Reach) -> Reach:
        return Reach(
            self.configs | other.configs, self.manifests | other.manifests, self.open | other.open
        )


class Lore:
    """What a graph knows, remembered, so that a fleet of thousands asks each thing once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lessons = 0
        """How often it was told that the graph has learned something."""

    def forget(self) -> None:
        """Forget what was remembered: the graph has learned something."""
        self.lessons += 1
        for name in ("_nodes", "_reached", "_parents", "_stays"):
            self.__dict__.pop(name, None)

    @cached_property
    def _nodes(self) -> dict[Digest, Node | None]:
        return {}

    @cached_property
    def _reached(self) -> dict[tuple[Digest, Platform | None], Reach]:
        return {}

    @cached_property
    def _parents(self) -> dict[tuple[Digest, NodeKind], tuple[Digest, ...]]:
        return {}

    @cached_property
    def _stays(self) -> dict[Digest, tuple[Stay, ...]]:
        return {}

    def node(self, digest: Digest) -> Node | None:
        """Return what is known of some content, None where nothing is."""
        if digest not in self._nodes:
            self._nodes[digest] = self.graph.node(digest)
        return self._nodes[digest]

    def stays(self, digest: Digest) -> tuple[Stay, ...]:
        """Return when which tags pointed to a manifest or an index, newest first."""
        if digest not in self._stays:
            self._stays[digest] = tuple(self.graph.stays(digest))
        return self._stays[digest]

    def parents(self, digest: Digest, kind: NodeKind) -> tuple[Digest, ...]:
        """Return what lists a digest as its `kind`."""
        key = (digest, kind)
        if key not in self._parents:
            self._parents[key] = tuple(self.graph.parents(digest, kind))
        return self._parents[key]

    def above(self, digest: Digest) -> tuple[Digest, ...]:
        """Return the manifests and indexes that hold a config, a manifest or an index: near first.

        What it holds itself is not among them.
        """
        node = self.node(digest)
        found: dict[Digest, None] = {}
        layer = [(digest, node.kind if node else "manifest")]
        for _ in range(MOST_INDEX_DEPTH + 2):
            parents = [p for d, kind in layer for p in self.parents(d, kind) if p not in found]
            if not parents:
                break
            found |= dict.fromkeys(parents)
            layer = [(p, known.kind) for p in parents if (known := self.node(p)) is not None]
        found.pop(digest, None)
        return tuple(found)

    def reach(self, digest: Digest, platform: Platform | None = None) -> Reach:
        """Return what an image holds for a platform (None: for all of them)."""
        key = (digest, platform)
        if key not in self._reached:
            self._reached[key] = self._reach(digest, platform, 0)
        return self._reached[key]

    def _reach(self, digest: Digest, platform: Platform | None, depth: int) -> Reach:
        node = self.node(digest)
        if node is not None and node.kind == "config":
            return Reach(frozenset({digest}))
        if node is None or node.children is None or depth > MOST_INDEX_DEPTH:
            is_index = node is not None and node.kind == "index"
            manifests = frozenset() if is_index else frozenset({digest})
            return Reach(manifests=manifests, open=frozenset({digest}))
        if node.kind == "manifest":
            return Reach(frozenset({node.children[0].digest}), frozenset({digest}))
        found = Reach()
        for child in suitable(node.children, platform):
            found |= self._reach(child.digest, platform, depth + 1)
        return found


def suitable(children: tuple[Descriptor, ...], platform: Platform | None) -> list[Descriptor]:
    """Return the children of an index that a machine of `platform` may run (None: any machine).

    Attestations, which are listed for the platform `unknown`, never run. Where the machine's own
    architecture is there, the older ones that it could run as well are left out, as engines do.
    """
    images = [
        c for c in children if c.is_document and not (c.platform and c.platform.os == "unknown")
    ]
    if platform is None:
        return images
    fitting = [c for c in images if c.platform is None or platform.matches(c.platform)]
    own = [c for c in fitting if c.platform and c.platform.architecture == platform.architecture]
    if own:
        return own + [c for c in fitting if c.platform is None]
    return fitting
