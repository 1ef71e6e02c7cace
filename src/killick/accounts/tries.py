"""Failed tries to get in, and how long the next one has to wait; shared by all workers.

What is slowed is one address asking for one account, and one address whoever it asks for. Nobody is
locked out: an account that strangers hammer is as open as ever to its owner's address. Only this
changes: while an account is under attack from many addresses, an address that never got in has
one try, not five, before it waits.

Names and addresses are kept as keyed hashes: what people type as a name is at times a password.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from killick.accounts.place import MODE, Place
from killick.bounds import bound
from killick.errors import StoreError, Throttled

FREE_TRIES: Final = bound(5, "tries", "wrong passwords for an account without a wait")
FREE_TRIES_OF_ADDRESS: Final = bound(30, "tries", "wrong passwords from an address without a wait")
UNDER_ATTACK: Final = 50
"""Failed tries for one account, from anywhere, that have not been forgotten."""
LONGEST_WAIT: Final = bound(15 * 60, "seconds", "wait after wrong passwords")
FORGOTTEN: Final = 60 * 60
"""Seconds without a failure after which those before are forgotten."""
REMEMBERED: Final = 30 * 24 * 60 * 60
"""Seconds for which an address that got in is known."""
MOST_ROWS: Final = 100_000

_BUSY_SECONDS = 5
_TABLES = """
CREATE TABLE IF NOT EXISTS failures(
    mark BLOB PRIMARY KEY, count INTEGER NOT NULL, last REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS welcome(mark BLOB PRIMARY KEY, last REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret(id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS failures_last ON failures(last);
CREATE INDEX IF NOT EXISTS welcome_last ON welcome(last);
"""


class _Marks(NamedTuple):
    pair: bytes
    address: bytes
    account: bytes


class Tries:
    """The failed tries at one registry. Safe to use from several threads.

    They need not outlive a power cut, so nothing is waited for; where the database can't be used,
    nobody is let in.
    """

    def __init__(self, place: Place, clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._key = b""

    def check(self, name: str, address: str) -> None:
        """See that `address` may try to get in as `name` now.

        Raises:
            Throttled: it has to wait.
            StoreError: the database can't be used.
        """
        now = self._clock()
        with self._open() as connection:
            marks = self._marks(name, address)
            free = FREE_TRIES
            if _count(connection, marks.account, now)[0] >= UNDER_ATTACK and not _is_welcome(
                connection, marks.pair, now
            ):
                free = 1
            waits = (
                _wait(*_count(connection, marks.pair, now), free, now),
                _wait(*_count(connection, marks.address, now), FREE_TRIES_OF_ADDRESS, now),
            )
        wait = math.ceil(max(waits))
        if wait > 0:
            raise Throttled(
                f"too many tries to log in have failed; wait for {wait} seconds", wait=wait
            )

    def failed(self, name: str, address: str) -> None:
        """Count a failure.

        Raises:
            StoreError: it can't be written down.
        """
        now = self._clock()
        with self._open() as connection:
            _forget(connection, now)
            for mark in self._marks(name, address):
                connection.execute(
                    "INSERT INTO failures VALUES (?, 1, ?) ON CONFLICT(mark) DO UPDATE SET"
                    " count = iif(last < ?, 1, count + 1), last = excluded.last",
                    (mark, now, now - FORGOTTEN),
                )

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of `address` as `name`, and know it from now on.

        Raises:
            StoreError: it can't be written down.
        """
        now = self._clock()
        with self._open() as connection:
            marks = self._marks(name, address)
            connection.execute("DELETE FROM failures WHERE mark = ?", (marks.pair,))
            connection.execute("INSERT OR REPLACE INTO welcome VALUES (?, ?)", (marks.pair, now))

    def close(self) -> None:
        """Close the database."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _marks(self, name: str, address: str) -> _Marks:
        network = network_of(address)

        def mark(*parts: str) -> bytes:
            text = "\0".join(parts).encode(errors="surrogatepass")
            return hashlib.blake2b(text, key=self._key, digest_size=16).digest()

        return _Marks(mark("pair", network, name), mark("address", network), mark("account", name))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            try:
                connection = self._connection = self._connection or self._connect()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self._place.tries}: {error}",
                    hint="the file can be removed; it only counts failed tries",
                ) from None

    def _connect(self) -> sqlite3.Connection:
        self._place.make()
        path = self._place.tries
        with suppress(FileExistsError, OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_TABLES)
            connection.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (os.urandom(32),))
            self._key = connection.execute("SELECT key FROM secret").fetchone()[0]
        except BaseException:
            connection.close()
            raise
        return connection


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the first 64 bits, which one customer has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def _count(connection: sqlite3.Connection, mark: bytes, now: float) -> tuple[int, float]:
    row = connection.execute(
        "SELECT count, last FROM failures WHERE mark = ? AND last >= ?", (mark, now - FORGOTTEN)
    ).fetchone()
    return row or (0, now)


def _is_welcome(connection: sqlite3.Connection, mark: bytes, now: float) -> bool:
    found = connection.execute(
        "SELECT 1 FROM welcome WHERE mark = ? AND last >= ?", (mark, now - REMEMBERED)
    ).fetchone()
    return found is not None


def _wait(count: int, last: float, free: int, now: float) -> float:
    """Return the seconds left of the wait: 1 after the last free try, then twice as long each."""
    if count < free:
        return 0.0
    whole = min(2.0 ** min(count - free, 20), LONGEST_WAIT)
    # A clock that was set back must not make anybody wait longer than the longest wait.
    return max(0.0, min(last + whole - now, whole))


def _forget(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("DELETE FROM failures WHERE last < ?", (now - FORGOTTEN,))
    connection.execute("DELETE FROM welcome WHERE last < ?", (now - REMEMBERED,))
    for table in ("failures", "welcome"):
        rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a constant
        if rows > MOST_ROWS:
            connection.execute(
                f"DELETE FROM {table} WHERE mark IN (SELECT mark FROM {table}"  # noqa: S608 - a constant
                " ORDER BY last LIMIT ?)",
                (rows - MOST_ROWS + MOST_ROWS // 10,),
            )
