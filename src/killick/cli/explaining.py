"""What is known of one digest: what it is, where it stands, which tags had it, who runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from killick.cli import human
from killick.cli import judged as forms
from killick.cli.output import aligned
from killick.moments import rfc3339
from killick.repository import LOCAL

if TYPE_CHECKING:
    from killick.digest import Digest
    from killick.fleet.lore import Lore
    from killick.fleet.running import Running
    from killick.fleet.view import Judged
    from killick.knowledge import Node, Stay
    from killick.openvex import Statement

_KINDS = {
    "index": "an index of images",
    "manifest": "the manifest of an image",
    "config": "the config of an image (its image ID)",
    "layer": "a layer",
    "diff": "a layer, by its diff ID (uncompressed)",
    "blob": "a blob",
}
MOST_LINES = 12
"""Of one kind, for people; JSON has all."""


@dataclass(frozen=True)
class Explained:
    """Everything that is known of `digest`. `here` are the repositories that hold it."""

    lore: Lore
    digest: Digest
    node: Node | None
    here: Sequence[str]
    said: Sequence[tuple[str, Statement]]
    containers: Sequence[Judged]
    asked: bool

    @property
    def kind(self) -> str:
        """What it is."""
        return self.node.kind if self.node else "blob"

    @property
    def images(self) -> list[Digest]:
        """The manifests and indexes that it stands in, the nearest first."""
        if self.kind == "diff":
            configs = self.lore.parents(self.digest, "diff")
            return list(dict.fromkeys(d for c in configs for d in self.lore.above(c)))
        return list(self.lore.above(self.digest))

    @property
    def platform(self) -> str | None:
        """The platform that it is for, as configs and indexes say."""
        config = self.node
        if self.kind == "manifest" and self.node and self.node.children:
            config = self.lore.node(self.node.children[0].digest)
        if config is not None and config.platform is not None:
            return str(config.platform)
        for parent in self.images:
            node = self.lore.node(parent)
            for child in (node.children or ()) if node else ():
                if child.digest == self.digest and child.platform:
                    return str(child.platform)
        return None

    @property
    def tags(self) -> list[tuple[Digest, Stay]]:
        """The tags that point or pointed to it, or to an image that it stands in."""
        own = [self.digest, *self.images]
        found = [(digest, stay) for digest in own for stay in self.lore.stays(digest)]
        return sorted(
            found, key=lambda entry: (entry[1].until is not None, -entry[1].since.timestamp())
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON document."""
        node = self.node
        return {
            "digest": str(self.digest),
            "kind": self.kind,
            "media_type": node.media_type if node else None,
            "size": node.size if node else None,
            "platform": self.platform,
            "repositories": list(self.here),
            "images": [self._image(digest) for digest in self.images],
            "children": [
                {
                    "digest": str(child.digest),
                    "media_type": child.media_type,
                    "size": child.size,
                    "platform": str(child.platform) if child.platform else None,
                }
                for child in (node.children or ())
            ]
            if node
            else [],
            "tags": [_stay(digest, stay) for digest, stay in self.tags],
            "advisories": [
                {"id": name, "status": statement.status, "note": statement.note}
                for name, statement in self.said
            ],
            "containers": [forms.document(judged) for judged in self.containers]
            if self.asked
            else None,
        }

    def _image(self, digest: Digest) -> dict[str, Any]:
        node = self.lore.node(digest)
        return {"digest": str(digest), "kind": node.kind if node else None}

    def lines(self) -> Iterator[str]:
        """Yield the text: one screen."""
        node = self.node
        size = f", {human.size(node.size)}" if node and node.size is not None else ""
        place = f" for {self.platform}" if self.platform else ""
        yield str(self.digest)
        yield f"  {_KINDS[self.kind]}{place}{size}"
        if node is not None:
            yield f"  {node.media_type}"
        where = ", ".join(human.familiar(name) for name in self.here)
        yield f"  held here in {where}" if where else "  not held here"
        for name, statement in self.said:
            note = f": {statement.note}" if statement.note else ""
            yield f"  {statement.status.replace('_', ' ')} {name}{note}"
        yield from _section("Holds:", self._children())
        yield from _section("Stands in:", self._parents())
        yield from _section("Tags:", [_cells(self.digest, d, stay) for d, stay in self.tags])
        if self.asked:
            yield from _section("Runs in:", [_container(judged) for judged in self.containers])
            if not self.containers:
                yield "No container of the engines that answered runs it."

    def _children(self) -> list[list[str]]:
        if self.node is None or self.node.children is None:
            return []
        rows = []
        for position, child in enumerate(self.node.children):
            kind = "layer" if position else "config"
            if self.kind == "index":
                kind = str(child.platform) if child.platform else "-"
            rows.append([kind, str(child.digest), human.size(child.size)])
        return rows

    def _parents(self) -> list[list[str]]:
        found = []
        for digest in self.images:
            node = self.lore.node(digest)
            found.append([node.kind if node else "-", str(digest)])
        return found


def runs_it(lore: Lore, digest: Digest, running: Running) -> bool:
    """Whether what runs is, holds, or is held by, some content."""
    if digest in running.claimed:
        return True
    node = lore.node(digest)
    configs = lore.reach(digest).configs
    if node is not None and node.kind == "layer":
        manifests = lore.parents(digest, "layer")
        configs = frozenset(c for m in manifests for c in lore.reach(m).configs)
    elif node is not None and node.kind == "diff":
        configs = frozenset(lore.parents(digest, "diff"))
    return bool(running.configs) and running.configs <= configs


def _stay(digest: Digest, stay: Stay) -> dict[str, Any]:
    return {
        "repository": stay.repository,
        "tag": stay.tag,
        "digest": str(digest),
        "since": rfc3339(stay.since),
        "until": rfc3339(stay.until) if stay.until else None,
        "origin": stay.origin,
        "authoritative": stay.authoritative,
    }


def _cells(own: Digest, digest: Digest, stay: Stay) -> list[str]:
    until = f"to {stay.until:%Y-%m-%dT%H:%M:%SZ}" if stay.until else "now"
    source = "here" if stay.origin == LOCAL else "registry" if stay.authoritative else "observed"
    name = f"{human.familiar(stay.repository)}:{stay.tag}"
    by = "" if digest == own else f"by {digest.short}"
    return [name, f"{stay.since:%Y-%m-%dT%H:%M:%SZ}", until, source, by]


def _container(judged: Judged) -> list[str]:
    cells = forms.fields(judged, full=False)
    return [cells[key] for key in ("Host", "Container", "Image", "State", "Status")]


def _section(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    rows = list(rows)
    if not rows:
        return
    yield title
    yield from (f"  {line.rstrip()}" for line in aligned(rows[:MOST_LINES]))
    if len(rows) > MOST_LINES:
        yield f"  … and {len(rows) - MOST_LINES} more: see --json"
