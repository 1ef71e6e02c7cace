"""What stands in the store: one row a tag-digest pair, from one query."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.names import Tag
from killick.platforms import Platform
from killick.store.context import Context, from_stamp

_CURRENT = """
    SELECT repository, name AS tag, digest, media_type, size, moved, 0 AS back
    FROM tag WHERE origin = 'local'
"""

_PAST = """
    SELECT ranked.repository, ranked.tag, ranked.digest, ranked.media_type, ranked.size, at,
        back - (tag.name IS NOT NULL) AS back
    FROM (
        SELECT repository, tag, digest, media_type, size, time AS at, max(sequence),
            row_number() OVER (PARTITION BY repository, tag ORDER BY max(sequence) DESC) AS back
        FROM move WHERE origin = 'local' AND digest IS NOT NULL GROUP BY repository, tag, digest
    ) AS ranked
    LEFT JOIN tag ON tag.repository = ranked.repository AND tag.origin = 'local'
        AND tag.name = ranked.tag
    WHERE back > (tag.name IS NOT NULL) AND EXISTS (
        SELECT 1 FROM member JOIN blob ON blob.digest = member.digest
        WHERE member.repository = ranked.repository AND member.digest = ranked.digest
        AND document = 1 AND damaged = 0)
"""

_UNTAGGED = """
    SELECT member.repository, NULL AS tag, member.digest, member.media_type, blob.size,
        member.arrived AS moved, 0 AS back
    FROM member JOIN blob ON blob.digest = member.digest
    JOIN document ON document.digest = member.digest
    LEFT JOIN kept ON kept.repository = member.repository AND kept.digest = member.digest
    WHERE member.document = 1 AND damaged = 0
    AND NOT EXISTS (SELECT 1 FROM tag WHERE tag.digest = member.digest
        AND tag.repository = member.repository AND tag.origin = 'local')
    AND (kept.digest IS NOT NULL OR subject IS NULL
        AND NOT EXISTS (SELECT 1 FROM move WHERE move.digest = member.digest
            AND move.repository = member.repository AND move.origin = 'local')
        AND NOT EXISTS (SELECT 1 FROM edge JOIN member AS parent
            ON parent.digest = edge.parent AND parent.repository = member.repository
            WHERE edge.child = member.digest))
"""

_ROWS = """
WITH entry AS ({entries})
SELECT repository.name, entry.tag, entry.digest, entry.media_type, entry.size, entry.moved,
    entry.back, pick.created, CASE WHEN pick.image THEN pick.config END,
    coalesce(pick.total, (
        SELECT sum(child.total) FROM edge
        JOIN member ON member.digest = edge.child AND member.repository = entry.repository
        JOIN document AS child ON child.digest = edge.child
        WHERE edge.parent = entry.digest AND member.document = 1), 0),
    EXISTS (SELECT 1 FROM member WHERE member.repository = entry.repository
            AND member.digest = pick.digest AND member.document = 1 AND member.sparse)
        AND EXISTS (SELECT 1 FROM edge WHERE edge.parent = pick.digest AND edge.optional = 0
            AND NOT EXISTS (SELECT 1 FROM member WHERE member.repository = entry.repository
                AND member.digest = edge.child))
FROM entry
JOIN repository ON repository.id = entry.repository
LEFT JOIN document AS own ON own.digest = entry.digest
LEFT JOIN document AS pick ON pick.digest = CASE WHEN own.config IS NOT NULL THEN own.digest ELSE (
    SELECT edge.child FROM edge WHERE edge.parent = entry.digest AND fits(edge.platform) >= 0
    ORDER BY fits(edge.platform), edge.position LIMIT 1) END
ORDER BY repository.name, entry.tag IS NULL, entry.tag, entry.back, entry.moved DESC
"""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image that stands in the store under a tag, or under its digest alone (`tag` None).

    `back` is 0 for what the tag points to, N for what it pointed to as `tag~N`. `image_id` is the
    config's digest of the manifest for the host, else the entry's own; `size` is what config and
    layers of that manifest take, compressed. It is not `complete` where that manifest was taken in
    without a part of its own, which is still not here.
    """

    repository: str
    tag: Tag | None
    descriptor: Descriptor
    image_id: Digest
    created: str | None
    size: int
    moved: datetime
    back: int
    complete: bool = True


def images(context: Context, host: Platform, *, past: bool) -> Iterator[ImageRow]:
    """Yield the images in the store, by repository, tag, and moves ago."""
    parts = [_CURRENT, _PAST, _UNTAGGED] if past else [_CURRENT, _UNTAGGED]
    query = _ROWS.format(entries=" UNION ALL ".join(parts))
    with context.database.reading() as connection:
        connection.create_function("fits", 1, _ranker(host), deterministic=True)
        rows = connection.execute(query).fetchall()
    yield from map(_row, rows)


def _ranker(host: Platform) -> Callable[[str | None], int]:
    known: dict[str | None, int] = {None: -1}

    def rank(platform: str | None) -> int:
        if platform not in known:
            found = host.rank(Platform.from_json(json.loads(platform or "{}")))
            known[platform] = -1 if found is None else found
        return known[platform]

    return rank


def _row(row: sqlite3.Row) -> ImageRow:
    name, tag, digest, media_type, size, moved, back, created, config, total, lacking = row
    own = Digest.parse(digest)
    return ImageRow(
        name,
        None if tag is None else Tag(tag),
        Descriptor(media_type, own, size),
        Digest.parse(config) if config else own,
        created,
        total,
        from_stamp(moved),
        back,
        not lacking,
    )
