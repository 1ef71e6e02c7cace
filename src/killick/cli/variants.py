"""From an image to its variant for one platform: its manifest, and its config."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from killick.errors import LimitExceeded, ManifestUnknown, PlatformUnknown
from killick.manifest import (
    MOST_CONFIG_BYTES,
    MOST_INDEX_DEPTH,
    Config,
    Descriptor,
    Document,
    Index,
    Manifest,
)
from killick.platforms import Platform
from killick.repository import Content
from killick.transfer import fetch, fetch_bytes


@dataclass(frozen=True, slots=True)
class Variant:
    """One image for one platform. `config` is None where it is an artifact, and no image.

    `root` is the document that was asked for: an index, or the manifest itself.
    """

    root: Document
    manifest: Manifest
    config: Config | None


def variant(content: Content, root: Descriptor, wanted: Platform | None) -> Variant:
    """Return the variant of the image `root` for `wanted`.

    With None, the one for this machine; failing that, the first that is held.

    Raises:
        PlatformUnknown: there is none for `wanted`.
        ManifestUnknown, BlobUnknown: it is not held.
        LimitExceeded: indexes are nested too deep.
    """
    document = fetch(content, root)
    chosen = manifest_for(content, document, wanted)
    config = None
    if chosen.is_image:
        config = Config.parse(fetch_bytes(content, chosen.config, MOST_CONFIG_BYTES))
    found = config.platform if config else None
    if wanted and document is chosen and not (found and wanted.matches(found)):
        raise PlatformUnknown(
            f"{chosen.digest} is not for {wanted}",
            hint=f"it is for {found}" if found else "it is no image, and names no platform",
        )
    return Variant(document, chosen, config)


def manifest_for(content: Content, document: Document, wanted: Platform | None) -> Manifest:
    """Return the manifest in `document` for `wanted` (None: this machine, or the first held).

    Raises:
        PlatformUnknown: an index has none for it.
        ManifestUnknown: it is not held.
        LimitExceeded: indexes are nested too deep.
    """
    if isinstance(document, Manifest):
        return document
    try:
        return _selected(content, document, wanted or Platform.host(), 0)
    except (PlatformUnknown, ManifestUnknown):
        if wanted:
            raise
        for manifest in _held(content, document, 0):
            return manifest
        raise


def _selected(content: Content, index: Index, wanted: Platform, depth: int) -> Manifest:
    _check_depth(index, depth)
    try:
        document = fetch(content, index.select(wanted))
    except PlatformUnknown:
        for nested in index.manifests:
            if nested.is_index and content.has(nested):
                document = fetch(content, nested)
                break
        else:
            raise
    if isinstance(document, Index):
        return _selected(content, document, wanted, depth + 1)
    return document


def _held(content: Content, index: Index, depth: int) -> Iterator[Manifest]:
    """Yield the manifests below `index` that are there, those for real platforms first."""
    _check_depth(index, depth)
    for child in sorted(index.manifests, key=lambda d: "unknown" in str(d.platform)):
        if child.is_document and content.has(child):
            document = fetch(content, child)
            if isinstance(document, Manifest):
                yield document
            else:
                yield from _held(content, document, depth + 1)


def _check_depth(index: Index, depth: int) -> None:
    if depth > MOST_INDEX_DEPTH:
        raise LimitExceeded(f"{index.digest} is nested deeper than {MOST_INDEX_DEPTH} indexes")
