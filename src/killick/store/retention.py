"""What rules let go of: the past of tags, by age and count, and tags that nobody moved for long.

Rules are looked at tag by tag, each tag in a moment of its own. What is let go of is marked in the
entries of the ledger, which themselves stay; a tag that is deleted gets an entry, with the rule as
the actor. Nothing is removed here: what no root reaches any more is garbage from now on.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from killick.digest import Digest
from killick.errors import Conflict, Immutable, NotFound
from killick.names import Tag
from killick.repository import LOCAL, Cause
from killick.rules import Retention, covering, deciding, fits_repository
from killick.store import ledger
from killick.store.context import Context, from_stamp, to_stamp
from killick.store.marking import Letting
from killick.store.pace import Paced, never

_PAGE = 500
_MICROSECOND = timedelta(microseconds=1)

_TAGS = """
SELECT DISTINCT tag FROM move
WHERE repository = ? AND origin = 'local' AND tag > ? ORDER BY tag LIMIT ?
"""

_HELD = """
SELECT previous, max(time), min(released IS NOT NULL) FROM move
WHERE repository = ? AND origin = 'local' AND tag = ? AND previous IS NOT NULL
GROUP BY previous ORDER BY max(sequence) DESC
"""

_STANDING = """
SELECT name, digest, moved FROM tag
WHERE repository = ? AND origin = 'local' AND name > ? ORDER BY name LIMIT ?
"""

_REFERRED = """
SELECT 1 FROM document CROSS JOIN member ON member.digest = document.digest
WHERE document.subject = ? AND member.repository = ? LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Release:
    """What a rule lets go of: content that a tag used to point to, or the tag itself.

    `since` is when the tag stopped pointing there, or (for a tag) when it was last moved.
    """

    what: Literal["history", "tag"]
    repository: str
    home: int
    tag: Tag
    digest: Digest
    since: datetime
    rule: Retention

    @property
    def why(self) -> str:
        """The rule's name, and its reason."""
        if self.what == "history":
            old, last = self.rule.history_older_than, self.rule.history_keep_last
        else:
            old, last = self.rule.tags_older_than, self.rule.tags_keep_last
        reasons = [f"older than {_spelled(old)}"] if old is not None else []
        reasons += [f"not among the last {last}"] if last is not None else []
        return f"rule {self.rule.name}: {' and '.join(reasons)}"


def keys(letting: Iterable[Release]) -> Letting:
    """Return the history among what is let go of, as `marking` takes it."""
    return [(r.home, r.tag, str(r.digest)) for r in letting if r.what == "history"]


def retain(
    context: Context,
    rules: Sequence[Retention],
    *,
    dry_run: bool = False,
    stop: Callable[[], bool] = never,
) -> Iterator[Release]:
    """Let go of what the rules say, and yield it; with `dry_run`, only yield it."""
    # History first: the past of a tag that is deleted begins now, as the rehearsal has it.
    for planned in (_old_history, _old_tags):
        found = (r for home in _homes(context, rules) for r in planned(context, rules, *home))
        if dry_run:
            yield from found
            continue
        batches = Paced(found, stop)
        for batch in batches:
            with context.database.writing() as connection:
                done = [r for r in batch if _let_go(connection, context, r)]
            yield from done
        if batches.stopped:
            return


def _let_go(connection: sqlite3.Connection, context: Context, release: Release) -> bool:
    """Do it, unless it is not as it was found any more; return whether that was done."""
    if release.what == "tag":
        cause = Cause("deleted", release.rule.actor)
        wish = ledger.Wish(release.tag, None, cause, release.digest)
        with suppress(Conflict, NotFound, Immutable):
            ledger.move(connection, context, release.repository, wish)
            return True
        return False
    changed = connection.execute(
        "UPDATE move SET released = ? WHERE repository = ? AND origin = ? AND tag = ?"
        " AND previous = ? AND released IS NULL AND NOT EXISTS (SELECT 1 FROM move AS later"
        "  WHERE later.repository = move.repository AND later.origin = move.origin"
        "  AND later.tag = move.tag AND later.previous = move.previous AND later.time > ?)",
        (
            release.rule.actor,
            release.home,
            LOCAL,
            release.tag,
            str(release.digest),
            to_stamp(release.since),
        ),
    )
    return changed.rowcount > 0


def _homes(context: Context, rules: Sequence[Retention]) -> Iterator[tuple[int, str]]:
    """Yield the repositories that some rule may be about."""
    with context.database.reading() as connection:
        homes = connection.execute("SELECT id, name FROM repository ORDER BY name").fetchall()
    for home, name in homes:
        if any(fits_repository(rule.repositories, name) for rule in rules):
            yield home, name


def _old_history(
    context: Context, rules: Sequence[Retention], home: int, name: str
) -> Iterator[Release]:
    last, now = "", context.now()
    while True:
        with context.database.reading() as connection:
            tags = [Tag(r[0]) for r in connection.execute(_TAGS, (home, last, _PAGE))]
            found = [
                Release("history", name, home, tag, digest, from_stamp(since), rule)
                for tag in tags
                if (rule := deciding(rules, name, tag)) is not None and rule.ends_history
                for digest, since in _past(connection, home, tag, (rule, now))
            ]
        yield from found
        if len(tags) < _PAGE:
            return
        last = tags[-1]


def _past(
    connection: sqlite3.Connection, home: int, tag: Tag, by: tuple[Retention, int]
) -> Iterator[tuple[Digest, int]]:
    """Yield the digests that a tag used to have and a rule lets go of, and until when it had them.

    What the tag points to now is no past of it.
    """
    rule, now = by
    row = connection.execute(
        "SELECT digest FROM tag WHERE repository = ? AND origin = ? AND name = ?",
        (home, LOCAL, tag),
    ).fetchone()
    held = [r for r in connection.execute(_HELD, (home, tag)) if row is None or r[0] != row[0]]
    for back, (digest, until, released) in enumerate(held, 1):
        if released or not _is_over(until, now, rule.history_older_than):
            continue
        if rule.history_keep_last is not None and back <= rule.history_keep_last:
            continue
        if not (rule.keep_referenced and _is_referred_to(connection, home, digest)):
            yield Digest.parse(digest), until


def _old_tags(
    context: Context, rules: Sequence[Retention], home: int, name: str
) -> Iterator[Release]:
    now = context.now()
    for rule in rules:
        if not rule.ends_tags or not fits_repository(rule.repositories, name):
            continue
        newest: set[str] = set()
        if rule.tags_keep_last:
            ours = _decided(context, rules, (home, name), rule)
            kept = heapq.nlargest(rule.tags_keep_last, ((moved, tag) for tag, _, moved in ours))
            newest = {tag for _, tag in kept}
        for tag, digest, moved in _decided(context, rules, (home, name), rule):
            if tag in newest or not _is_over(moved, now, rule.tags_older_than):
                continue
            if covering(context.policy.immutable, name, tag) is not None:
                continue
            with context.database.reading() as connection:
                if rule.keep_referenced and _is_referred_to(connection, home, digest):
                    continue
            yield Release("tag", name, home, tag, Digest.parse(digest), from_stamp(moved), rule)


def _decided(
    context: Context, rules: Sequence[Retention], home: tuple[int, str], rule: Retention
) -> Iterator[tuple[Tag, str, int]]:
    """Yield the tags about which `rule` decides: tag, digest, when it was moved."""
    last = ""
    while True:
        with context.database.reading() as connection:
            rows = connection.execute(_STANDING, (home[0], last, _PAGE)).fetchall()
        for text, digest, moved in rows:
            if deciding(rules, home[1], Tag(text)) is rule:
                yield Tag(text), digest, moved
        if len(rows) < _PAGE:
            return
        last = rows[-1][0]


def _is_over(moment: int, now: int, span: timedelta | None) -> bool:
    return span is None or now - moment > span // _MICROSECOND


def _is_referred_to(connection: sqlite3.Connection, home: int, digest: str) -> bool:
    return connection.execute(_REFERRED, (digest, home)).fetchone() is not None


def _spelled(span: timedelta) -> str:
    days = span / timedelta(days=1)
    return f"{days:g} days" if days >= 1 else f"{span / timedelta(hours=1):g} hours"
