"""Looking for damage: files against digests, rows against files, images, ledgers, the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from killick.digest import Digest
from killick.errors import StoreError
from killick.manifest import Descriptor
from killick.store import graph, ledger, locks
from killick.store.blobs import Blobs, Held, Shape
from killick.store.context import Context
from killick.store.marking import marked

_PAGE = 200

_BROKEN = """
SELECT edge.parent, edge.child, edge.kind, min(member.sparse) FROM {}
CROSS JOIN document ON document.digest = member.digest AND document.config IS NOT NULL
CROSS JOIN edge ON edge.parent = document.digest AND edge.optional = 0
LEFT JOIN blob ON blob.digest = edge.child
WHERE member.document = 1 AND blob.digest IS NULL
GROUP BY edge.parent, edge.position ORDER BY edge.parent, edge.position
"""
_OF_LIVE = _BROKEN.format("temp.live CROSS JOIN member ON member.id = live.id")
_OF_CHECKED = _BROKEN.format("temp.checked CROSS JOIN member ON member.digest = checked.digest")

_USERS = """
WITH RECURSIVE up(digest) AS (
    SELECT :digest
    UNION SELECT edge.parent FROM up JOIN edge ON edge.child = up.digest
)
SELECT DISTINCT repository.name || ':' || tag.name FROM up
JOIN tag ON tag.digest = up.digest AND tag.origin = 'local'
JOIN repository ON repository.id = tag.repository
ORDER BY 1 LIMIT 5
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: with which content (None: with the store itself), and what.

    `images` are some of the tags whose images need it. `damage` is False for what is merely untidy.
    """

    digest: Digest | None
    problem: str
    images: tuple[str, ...] = ()
    damage: bool = True


class Check:
    """One look at the whole store, or at all that `roots` need."""

    def __init__(self, context: Context, blobs: Blobs, roots: Iterable[Descriptor] | None) -> None:
        self._context = context
        self._blobs = blobs
        self._roots = None if roots is None else [str(d.digest) for d in roots]

    def run(self) -> Iterator[Finding]:
        """Yield what is wrong. Damaged content goes to quarantine.

        Raises:
            StoreError: something can't be read at all.
        """
        if self._roots is None:
            yield from self._database()
            yield from self._ledgers()
        yield from self._content()
        yield from self._images()
        if self._roots is None:
            yield from self._files()

    def _database(self) -> Iterator[Finding]:
        with self._context.database.reading() as connection:
            said = [row[0] for row in connection.execute("PRAGMA quick_check(20)")]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
        if said != ["ok"]:
            yield from (Finding(None, f"the database is damaged: {text}") for text in said)
        if dangling:
            yield Finding(None, f"{len(dangling)} rows of the database point at nothing")

    def _ledgers(self) -> Iterator[Finding]:
        with self._context.database.snapshot() as connection:
            homes = connection.execute("SELECT id, name FROM repository ORDER BY name").fetchall()
            for home, name in homes:
                for problem in ledger.problems(connection, home, name):
                    yield Finding(None, f"{name}: {problem}", (name,))

    def _content(self) -> Iterator[Finding]:
        """Hash every file; what is good is written down many at a time, for each time is a sync."""
        for digest, _, problem in self.content(""):
            if problem is not None:
                yield self._about(digest, problem)

    def content(self, after: str) -> Iterator[tuple[Digest, int, str | None]]:
        """Hash what comes behind `after`, by digest; yield its size, and what is wrong with it.

        Raises:
            StoreError: something can't be read at all.
        """
        good: dict[Held, Shape] = {}
        try:
            for digest, damaged, shape, verified in self._rows(after):
                problem = (
                    "was found damaged or missing before"
                    if damaged
                    else self._look_at(Held(digest, shape, verified), good.__setitem__)
                )
                yield digest, shape.size, problem
                if len(good) >= _PAGE:
                    self._blobs.note(good.items())
                    good.clear()
        finally:
            if good:
                self._blobs.note(good.items())

    def _look_at(self, held: Held, tell: Callable[[Held, Shape], None]) -> str | None:
        there = self._blobs.path(held.digest).exists()
        try:
            if self._blobs.check(held, tell):
                return None
        except StoreError as error:
            return error.message
        return "its bytes are wrong" if there else "its file is missing"

    def _rows(self, last: str) -> Iterator[tuple[Digest, bool, Shape, int]]:
        """Yield what to look at, in pages, so that no reader is held for as long as it takes."""
        columns = "digest, damaged, inode, size, mtime, ctime, verified"
        names = None if self._roots is None else sorted(self._closure())
        while True:
            with self._context.database.reading() as connection:
                if names is None:
                    rows = connection.execute(
                        f"SELECT {columns} FROM blob WHERE digest > ? ORDER BY digest LIMIT ?",
                        (last, _PAGE),
                    ).fetchall()
                else:
                    page, names = names[:_PAGE], names[_PAGE:]
                    query = f"SELECT {columns} FROM blob WHERE digest = ?"
                    rows = [r for name in page for r in connection.execute(query, (name,))]
            for digest, damaged, *shape, verified in rows:
                yield Digest.parse(digest), bool(damaged), Shape(*shape), verified
            if (names is None and not rows) or names == []:
                return
            last = rows[-1][0] if rows else last

    def _closure(self) -> set[str]:
        with self._context.database.reading() as connection:
            return {d for root in self._roots or () for d in graph.below(connection, root)}

    def _images(self) -> Iterator[Finding]:
        """Look for manifests that are here without their config or a layer."""
        for parent, child, kind, sparse in self._broken():
            if sparse:
                problem = f"{kind} of {parent} never came: the image was taken without it"
            else:
                problem = f"{kind} of {parent} is missing"
            yield self._about(Digest.parse(child), problem, damage=not sparse)
        for root in self._roots or ():
            with self._context.database.reading() as connection:
                row = connection.execute("SELECT 1 FROM blob WHERE digest = ?", (root,)).fetchone()
            if row is None:
                yield self._about(Digest.parse(root), "is not in the store")

    def _broken(self) -> list[tuple[str, str, str, int]]:
        if self._roots is None:
            with marked(self._context) as connection:
                return connection.execute(_OF_LIVE).fetchall()
        with self._context.database.snapshot() as connection:
            connection.execute("DROP TABLE IF EXISTS temp.checked")
            connection.execute("CREATE TEMP TABLE checked (digest TEXT PRIMARY KEY)")
            connection.executemany(
                "INSERT INTO temp.checked VALUES (?)", [(d,) for d in self._closure()]
            )
            return connection.execute(_OF_CHECKED).fetchall()

    def _files(self) -> Iterator[Finding]:
        for directory in sorted(self._context.places.blobs.iterdir()):
            names = sorted(p.name for p in directory.iterdir())
            with self._quiet(), self._context.database.reading() as connection:
                for name in names:
                    text = f"{directory.name}:{name}"
                    row = connection.execute("SELECT 1 FROM blob WHERE digest = ?", (text,))
                    if row.fetchone() is None and (directory / name).exists():
                        yield Finding(None, f"no row names the file {text}", damage=False)

    def _quiet(self) -> AbstractContextManager[None]:
        if self._context.read_only:
            return nullcontext()
        return locks.exclusive(self._context.places.commit_lock)

    def _about(self, digest: Digest, problem: str, *, damage: bool = True) -> Finding:
        return Finding(digest, problem, users(self._context, digest), damage)


def users(context: Context, digest: Digest) -> tuple[str, ...]:
    """Return some of the tags whose images need some content."""
    with context.database.reading() as connection:
        rows = connection.execute(_USERS, {"digest": str(digest)}).fetchall()
    return tuple(row[0] for row in rows)
