"""`killick images --tree`: images with the platforms that they are for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from killick.cli import human
from killick.cli.image_filters import shown_tag
from killick.cli.output import NONE, Style, aligned
from killick.cli.printing import write
from killick.digest import Digest
from killick.errors import KillickError
from killick.manifest import Descriptor, Index
from killick.transfer import fetch

if TYPE_CHECKING:
    from killick.repository import Content
    from killick.store import ImageRow, Store


def show_tree(store: Store, rows: Iterable[ImageRow], style: Style) -> None:
    """Print each image with its platforms below it, and whether they are held."""
    cells = [["IMAGE", "DIGEST", "SIZE", "HELD"]]
    for row in rows:
        name = f"{human.familiar(row.repository)}:{shown_tag(row) or NONE}"
        digest = row.descriptor.digest
        cells.append([name, _digest(digest, style), human.size(row.size), ""])
        place = store.repository(row.repository)
        cells += _children(place, row.descriptor, style)
    write(aligned(cells))


def _children(content: Content, root: Descriptor, style: Style) -> Iterator[list[str]]:
    if not root.is_index:
        return
    try:
        document = fetch(content, root)
    except KillickError as error:
        yield [f"└─ {error.message}", "", "", "no"]
        return
    children = document.manifests if isinstance(document, Index) else ()
    for position, child in enumerate(children, 1):
        branch = "└─" if position == len(children) else "├─"
        held = content.has(child)
        what = str(child.platform) if child.platform else child.artifact_type or child.media_type
        size = human.size(_whole_size(content, child)) if held else "-"
        yield [f"{branch} {what}", _digest(child.digest, style), size, "yes" if held else "no"]


def _whole_size(content: Content, d: Descriptor) -> int:
    if not d.is_document:
        return d.size
    try:
        children = fetch(content, d).children()
    except KillickError:
        return d.size
    return sum({child.digest: child.size for child in children}.values())


def _digest(digest: Digest, style: Style) -> str:
    return str(digest) if style.no_trunc else digest.short
