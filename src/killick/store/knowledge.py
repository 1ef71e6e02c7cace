"""What is known of images, whether or not they are here: rows that nothing ever removes.

The graph in `document` and `edge` says what is here needs, and goes with the content. This one
answers what a digest was when all else is gone: each document that was ever visible here, or was
looked at in a registry, leaves what it lists.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from killick.digest import Digest
from killick.errors import ContentError
from killick.knowledge import Node, NodeKind, Stay
from killick.manifest import OCI_CONFIG, OCI_LAYER, Config, Descriptor, Document, Manifest
from killick.names import Tag
from killick.platforms import Platform
from killick.store.context import Context, from_stamp

MOST_FOUND = 100
_PREFIX = re.compile(r"(?:(sha256|sha512):)?([0-9a-f]{6,128})")
_ALGORITHMS = ("sha256", "sha512")
_AS = ("config", "manifest", "index", "layer", "diff", "blob")
"""What counts first where parents disagree on what a child is."""

_STAYS = """
SELECT move.origin, repository.name, move.tag, move.time, (
    SELECT next.time FROM move AS next WHERE next.repository = move.repository
    AND next.origin = move.origin AND next.tag = move.tag AND next.sequence > move.sequence
    ORDER BY next.sequence LIMIT 1
), move.authoritative
FROM move JOIN repository ON repository.id = move.repository
WHERE move.digest = ? ORDER BY move.time DESC, repository.name, move.tag, move.sequence DESC
"""

_FROM = """
SELECT digest AS found FROM known WHERE digest >= :low AND digest < :high
UNION SELECT child FROM link WHERE child >= :low AND child < :high
ORDER BY found LIMIT :most
"""


def record(connection: sqlite3.Connection, digest: Digest, document: Document) -> None:
    """Keep what a document lists, unless it is known."""
    is_manifest = isinstance(document, Manifest)
    fresh = connection.execute(
        "INSERT OR IGNORE INTO known VALUES (?, ?, ?, ?, NULL, ?)",
        (
            str(digest),
            "manifest" if is_manifest else "index",
            document.media_type,
            len(document.raw),
            str(document.base) if document.base else None,
        ),
    )
    if fresh.rowcount:
        connection.executemany(
            "INSERT INTO link VALUES (?, ?, ?, ?, ?, ?, ?)", _links(digest, document)
        )


def record_config(connection: sqlite3.Connection, digest: str, config: Config) -> None:
    """Keep what a config says of its image's platform and layers, unless it is known."""
    diff_ids: tuple[Digest, ...] = ()
    with suppress(ContentError):  # then it is no image's
        diff_ids = config.diff_ids
    fresh = connection.execute(
        "INSERT OR IGNORE INTO known VALUES (?, 'config', ?, ?, ?, NULL)",
        (digest, OCI_CONFIG, config.size, json.dumps(config.platform.to_json())),
    )
    if fresh.rowcount:
        connection.executemany(
            "INSERT INTO link VALUES (?, ?, ?, 'diff', ?, 0, NULL)",
            [(digest, number, str(diff), OCI_LAYER) for number, diff in enumerate(diff_ids)],
        )


def _links(digest: Digest, document: Document) -> Iterator[tuple[object, ...]]:
    for position, child in enumerate(document.children()):
        if isinstance(document, Manifest):
            kind = "layer" if position else "config"
        else:
            kind = "index" if child.is_index else "manifest" if child.is_document else "blob"
        platform = json.dumps(child.platform.to_json()) if child.platform else None
        row = (str(digest), position, str(child.digest), kind, child.media_type, child.size)
        yield (*row, platform)


def learn(context: Context, digest: Digest, found: Document | Config) -> None:
    """Keep what a document or a config says."""
    with context.database.writing() as connection:
        if isinstance(found, Config):
            record_config(connection, str(digest), found)
        else:
            record(connection, digest, found)


def node(context: Context, digest: Digest) -> Node | None:
    """Return what is known of some content, None where nothing is."""
    with context.database.reading() as connection:
        row = connection.execute(
            "SELECT kind, media_type, size, platform, base FROM known WHERE digest = ?",
            (str(digest),),
        ).fetchone()
        if row is None:
            return _unseen(connection, digest)
        children = connection.execute(
            "SELECT media_type, child, size, platform FROM link WHERE parent = ? ORDER BY position",
            (str(digest),),
        ).fetchall()
    kind, media_type, size, platform, base = row
    if kind == "config":
        diff_ids = tuple(Digest.parse(child) for _, child, _, _ in children)
        return Node(digest, kind, media_type, size, platform=_platform(platform), diff_ids=diff_ids)
    listed = tuple(
        Descriptor(kind_of_child, Digest.parse(child), length, _platform(stated))
        for kind_of_child, child, length, stated in children
    )
    return Node(digest, kind, media_type, size, listed, base=Digest.parse(base) if base else None)


def _unseen(connection: sqlite3.Connection, digest: Digest) -> Node | None:
    """Return what parents say of content that was never seen itself."""
    rows = connection.execute(
        "SELECT DISTINCT kind, media_type, size FROM link WHERE child = ?", (str(digest),)
    ).fetchall()
    if not rows:
        return None
    kind, media_type, size = min(rows, key=lambda row: _AS.index(row[0]))
    return Node(digest, kind, media_type, None if kind == "diff" else size)


def _platform(stated: str | None) -> Platform | None:
    return Platform.from_json(json.loads(stated)) if stated else None


def parents(context: Context, digest: Digest, kind: NodeKind) -> list[Digest]:
    """Return what lists `digest` as its `kind`, by digest."""
    with context.database.reading() as connection:
        rows = connection.execute(
            "SELECT DISTINCT parent FROM link WHERE child = ? AND kind = ? ORDER BY parent",
            (str(digest), kind),
        ).fetchall()
    return [Digest.parse(row[0]) for row in rows]


def stays(context: Context, digest: Digest) -> list[Stay]:
    """Return when which tags pointed to an index or a manifest, newest first."""
    with context.database.reading() as connection:
        rows = connection.execute(_STAYS, (str(digest),)).fetchall()
    return [
        Stay(
            origin,
            repository,
            Tag(tag),
            from_stamp(since),
            None if until is None else from_stamp(until),
            bool(authoritative),
        )
        for origin, repository, tag, since, until, authoritative in rows
    ]


def recognise(context: Context, prefix: str) -> list[Digest]:
    """Return the digests that are known and begin with `prefix` (with or without its algorithm).

    Fewer than six digits find nothing; at most a hundred are returned.
    """
    match = _PREFIX.fullmatch(prefix)
    if match is None:
        return []
    algorithm, digits = match.groups()
    found: list[Digest] = []
    with context.database.reading() as connection:
        for each in (algorithm,) if algorithm else _ALGORITHMS:
            low = f"{each}:{digits}"
            values = {"low": low, "high": low + "g", "most": MOST_FOUND}
            found += [Digest.parse(row[0]) for row in connection.execute(_FROM, values)]
    return found[:MOST_FOUND]
