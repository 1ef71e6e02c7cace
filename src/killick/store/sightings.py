"""What engines said they run: the newest of each host, and earlier words that say something else.

A container that is seen again as it was costs no row: its sighting is prolonged. State and times
of a container that starts anew are no reason for a new one; its words and digests are.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from killick import inventory, strictjson
from killick.errors import LimitExceeded
from killick.observation import Container, Sighting, Snapshot, digests_in
from killick.rights import ANONYMOUS
from killick.store.context import Context, from_stamp, to_stamp

MOST_HOSTS = 100_000
_VOLATILE = frozenset({"state", "started"})

_SEEN = """
INSERT INTO sighting (host, identity, container, engine, document, first, last, here)
VALUES (:host, :identity, :container, :engine, :document, :taken, :taken, :here)
ON CONFLICT (host, identity) DO UPDATE SET
    document = iif(excluded.last >= last, excluded.document, document),
    first = min(first, excluded.first), last = max(last, excluded.last), here = max(here, :here)
RETURNING id, first = last
"""
_FOUND = """
SELECT host, engine, document, first, last FROM sighting WHERE id IN (
    SELECT id FROM sighting
    WHERE container = :words OR id IN (SELECT sighting FROM sighted WHERE digest = :words)
    ORDER BY last DESC, id DESC LIMIT :page OFFSET :skip
) ORDER BY last DESC, id DESC
"""
_PAGE = 500
# Who reported while there were no accounts keeps nobody out who has one.
_CLAIM = """
INSERT INTO reporter VALUES (:host, :account)
ON CONFLICT (host) DO UPDATE SET account = :account WHERE account = :nobody
"""

# What a container is said to run, and all that this leads up to: its manifest, its index.
_STANDINGS = """
WITH RECURSIVE claim(sighting, digest) AS (
    SELECT sighted.sighting, sighted.digest FROM sighted
        JOIN sighting ON sighting.id = sighted.sighting WHERE here = 1
    UNION SELECT claim.sighting, edge.parent FROM claim JOIN edge ON edge.child = claim.digest
)
SELECT engine, standing, count(*) FROM (
    SELECT sighting.engine, CASE
        WHEN EXISTS (SELECT 1 FROM claim JOIN tag USING (digest)
            WHERE claim.sighting = sighting.id AND tag.origin = 'local') THEN 'current'
        WHEN EXISTS (SELECT 1 FROM claim JOIN move USING (digest)
            WHERE claim.sighting = sighting.id AND move.origin = 'local') THEN 'superseded'
        ELSE 'unknown' END AS standing
    FROM sighting WHERE here = 1
) GROUP BY engine, standing ORDER BY engine, standing
"""


@dataclass(frozen=True, slots=True)
class Standings:
    """What hosts run, in numbers.

    `containers` are counted by engine and by whether a tag of ours points to what they run
    (`current`), one did once (`superseded`), or none ever (`unknown`), as far as digests tell.
    `oldest` is when the host that has not answered for longest last did.
    """

    hosts: int
    failed: int
    oldest: datetime | None
    containers: tuple[tuple[str, str, int], ...]


def report(context: Context, snapshot: Snapshot) -> None:
    """Keep a snapshot, and let go of what is older than the retention.

    A time that has not come yet is taken for now, so that no clock that is ahead hides what comes
    later.

    Raises:
        LimitExceeded: there are too many hosts.
        StoreError: it can't be kept.
    """
    taken = min(to_stamp(snapshot.taken), context.now())
    with context.database.writing() as connection:
        if snapshot.failure is not None and not snapshot.containers:
            _note_failure(connection, snapshot, taken)
        else:
            _keep(connection, snapshot, taken)
        _let_go(connection, context.oldest_retained)


def snapshots(context: Context) -> Iterator[Snapshot]:
    """Yield the newest snapshot of each host."""
    with context.database.snapshot() as connection:
        hosts = connection.execute("SELECT * FROM host ORDER BY name").fetchall()
        found = [
            Snapshot(
                name,
                engine,
                from_stamp(taken),
                tuple(
                    _container(row[0])
                    for row in connection.execute(
                        "SELECT document FROM sighting WHERE host = ? AND here = 1 ORDER BY id",
                        (name,),
                    )
                ),
                failure,
            )
            for name, engine, taken, failure in hosts
        ]
    yield from found


def standings(context: Context) -> Standings:
    """Return how many containers run what."""
    with context.database.snapshot() as connection:
        hosts, failed, oldest = connection.execute(
            "SELECT count(*), count(failure), min(taken) FROM host"
        ).fetchone()
        rows = connection.execute(_STANDINGS).fetchall()
    return Standings(hosts, failed, None if oldest is None else from_stamp(oldest), tuple(rows))


def sightings(context: Context, words: str, skip: int) -> Iterator[Sighting]:
    """Yield the sightings of a container's ID, or of a digest, the last first, without the first.

    They are read a page at a time: of what comes in between, one may be told twice.
    """
    while True:
        values = {"words": words, "page": _PAGE, "skip": skip}
        with context.database.reading() as connection:
            rows = connection.execute(_FOUND, values).fetchall()
        for host, engine, document, first, last in rows:
            yield Sighting(host, engine, from_stamp(first), from_stamp(last), _container(document))
        if len(rows) < _PAGE:
            return
        skip += _PAGE


def forget(context: Context, host: str) -> bool:
    """Forget all about a host."""
    with context.database.writing() as connection:
        connection.execute("DELETE FROM reporter WHERE host = ?", (host,))
        return connection.execute("DELETE FROM host WHERE name = ?", (host,)).rowcount > 0


def forget_silent(context: Context, span: timedelta) -> int:
    """Forget the hosts that have not answered for so long, and what others said so long ago.

    Returns how many hosts. Their names are free for other reporters.
    """
    before = to_stamp(context.clock() - span)
    with context.database.writing() as connection:
        gone = connection.execute("DELETE FROM host WHERE taken < ?", (before,)).rowcount
        connection.execute("DELETE FROM sighting WHERE here = 0 AND last < ?", (before,))
        connection.execute("DELETE FROM reporter WHERE host NOT IN (SELECT name FROM host)")
    return gone


def claim(context: Context, host: str, account: str) -> str:
    """Let the name of a host be this account's, if it is nobody's; return whose it is then.

    Raises:
        LimitExceeded: there are too many hosts.
    """
    with context.database.writing() as connection:
        _check_room(connection, host)
        connection.execute(_CLAIM, {"host": host, "account": account, "nobody": ANONYMOUS})
        found: tuple[str] = connection.execute(
            "SELECT account FROM reporter WHERE host = ?", (host,)
        ).fetchone()
    return found[0]


def _note_failure(connection: sqlite3.Connection, snapshot: Snapshot, taken: int) -> None:
    _check_room(connection, snapshot.host)
    connection.execute(
        "INSERT INTO host VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET failure = excluded.failure WHERE excluded.taken >= taken",
        (snapshot.host, snapshot.engine, taken, snapshot.failure),
    )


def _keep(connection: sqlite3.Connection, snapshot: Snapshot, taken: int) -> None:
    _check_room(connection, snapshot.host)
    newest = connection.execute(
        "INSERT INTO host VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET engine = excluded.engine, taken = excluded.taken, failure = excluded.failure"
        " WHERE excluded.taken >= taken",
        (snapshot.host, snapshot.engine, taken, snapshot.failure),
    ).rowcount
    if newest:
        connection.execute("UPDATE sighting SET here = 0 WHERE host = ?", (snapshot.host,))
    shared = {"host": snapshot.host, "engine": snapshot.engine, "taken": taken, "here": newest}
    for container in snapshot.containers:
        document = inventory.container_to_json(container)
        row = shared | {
            "identity": _identity(document),
            "container": container.id.rpartition("://")[2],
            "document": strictjson.compact(document).decode(),
        }
        number, may_be_new = connection.execute(_SEEN, row).fetchone()
        if may_be_new:
            connection.executemany(
                "INSERT OR IGNORE INTO sighted VALUES (?, ?)",
                [(digest, number) for digest in digests_in(container)],
            )


def _check_room(connection: sqlite3.Connection, host: str) -> None:
    known = connection.execute("SELECT 1 FROM host WHERE name = ?", (host,)).fetchone()
    if known is None:
        count = connection.execute("SELECT count(*) FROM host").fetchone()[0]
        if count >= MOST_HOSTS:
            raise LimitExceeded(f"there are {MOST_HOSTS} hosts already")


def _let_go(connection: sqlite3.Connection, before: int | None) -> None:
    if before is not None:
        connection.execute("DELETE FROM host WHERE taken < ?", (before,))
        connection.execute("DELETE FROM sighting WHERE here = 0 AND last < ?", (before,))


def _identity(document: dict[str, Any]) -> str:
    kept = {key: value for key, value in document.items() if key not in _VOLATILE}
    return hashlib.sha256(strictjson.compact(kept)).hexdigest()


def _container(document: str) -> Container:
    return inventory.container_from_json(json.loads(document), "a container in the store")
