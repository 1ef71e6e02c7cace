"""Connections to the store's database: SQLite in WAL mode, every commit on disk (`FULL`).

Connections are lent, not bound to threads: whoever reads or writes takes an idle one, so that
short-lived threads cost nothing and leave nothing open.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from killick.errors import StoreDamaged, StoreError, StoreReadOnly
from killick.store import durable, locks, schema

BUSY_SECONDS = 60
_MOST_IDLE = 16
_LOG_PAGES = 1000
"""Pages in the log from which on who commits carries them into the database (SQLite's default)."""
_LOOK_AGAIN = 0.001
"""Seconds between two looks for a chance to write. SQLite itself would sleep for up to 0.1 s, the
longer the longer it has waited, and so be overtaken by all who come later."""
_PRIMARY = 0xFF
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_CANT_OPEN = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """Return the Killick error for what SQLite said about the database `path`."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if code in _DAMAGED:
        return StoreDamaged(
            f"{path} is damaged, or no database ({error})",
            hint="put it back from a backup, or move the store away and pull again",
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and durable.is_full(path)):
        return durable.full(path)
    denied = code in _CANT_OPEN and path.exists() and not os.access(path, os.W_OK)
    if code == sqlite3.SQLITE_READONLY or denied:
        return StoreReadOnly(f"{path} can't be written to", hint=durable.ELSEWHERE)
    if code in _BUSY:
        return _busy(path)
    return StoreError(f"{path}: {error}")


def _busy(path: Path) -> StoreError:
    return StoreError(f"{path} was busy for {BUSY_SECONDS} seconds", hint="try again later")


class Database:
    """The database in file `path`, created if it is missing (unless `read_only`).

    Raises:
        StoreTooNew, StoreDamaged, StoreReadOnly, StoreFull, StoreError: it can't be used.
    """

    def __init__(self, path: Path, lock: Path, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._idle: list[sqlite3.Connection] = []
        self._mutex = threading.Lock()
        self._writer = threading.Lock()
        self._closed = False
        self._safe_log: int | None = None
        self._flags = "mode=ro" if read_only else "mode=rw"
        if not read_only and not path.exists():
            os.close(durable.open_file(path, os.O_RDWR | os.O_CREAT))
            durable.sync_directory(path.parent)
        try:
            self._prepare(lock)
        except BaseException:
            self.close()
            raise

    def _prepare(self, lock: Path) -> None:
        if self.read_only:
            self._choose_read_only()
        with self.reading() as connection:
            ready = schema.version(connection) == schema.VERSION
        if ready:
            return
        if self.read_only:
            raise StoreError(f"{self.path} is not laid out yet")
        with locks.exclusive(lock), self.reading() as connection:
            if schema.version(connection) == 0:
                # SQLite answers with the mode that it stays in where it can't go over to this one.
                if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                    raise StoreError(f"{self.path} can't be laid out", hint="try again")
                schema.create(connection)

    def _choose_read_only(self) -> None:
        """Where SQLite can't make its shared files beside the database, nobody writes to it."""
        if not self.path.exists():
            raise StoreError(
                f"there is no store at {self.path.parent}", hint="killick pull makes one"
            )
        try:
            with self.reading() as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except StoreDamaged:
            raise
        except StoreError:
            self._flags = "mode=ro&immutable=1"

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection on which each statement sees what was committed before it."""
        connection = self._take()
        whole = True
        try:
            yield connection
        except sqlite3.Error as error:
            whole = False
            raise translate(error, self.path) from error
        finally:
            self._give_back(connection, whole)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees the database as it is at the first statement."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction of its own, committed if the block ends well.

        Raises:
            StoreReadOnly: the store was opened read-only.
        """
        self.check_writable()
        with self._turn(), self.reading() as connection:
            _begin(connection)
            with self._committing(connection):
                yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one thread of this process write at a time: only that one looks for its chance."""
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise _busy(self.path)
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def giving_way(self) -> Iterator[sqlite3.Connection]:
        """As `writing`, for chores whose transactions are short, and must hold nobody up.

        Nothing is carried from the log into the database in the end, which may take long:
        `checkpoint` does that.
        """
        self.check_writable()
        with self._turn(), self.reading() as connection:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            try:
                _begin(connection)
                with self._committing(connection):
                    yield connection
            finally:
                connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")

    def checkpoint(self) -> None:
        """Carry what the log holds into the database, as far as nobody has to wait for that."""
        with self.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def _committing(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Commit the transaction that has begun if the block ends well; roll it back if not."""
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        self._name_log()

    def _name_log(self) -> None:
        """See that the log which holds the commit has its name on disk.

        SQLite syncs the directory when it begins a log, but goes on as if nothing were wrong where
        that fails; a power cut would then take the log with all that is in it.

        Raises:
            StoreError: it is not known to be there.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        with durable.translated(log):
            inode = log.stat().st_ino
        if inode != self._safe_log:
            durable.sync_directory(log.parent)
            self._safe_log = inode

    def check_writable(self) -> None:
        """Raise StoreReadOnly if the store was opened for reading only."""
        if self.read_only:
            raise StoreReadOnly("the store was opened for reading only")

    def _take(self) -> sqlite3.Connection:
        with self._mutex:
            if self._closed:
                raise StoreError("the store is closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection, whole: bool) -> None:
        with self._mutex:
            if whole and not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()  # if it was the last one, the log went with it
        self._safe_log = None

    def _connect(self, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
        address = f"file:{quote(str(self.path.absolute()))}?{self._flags}"
        try:
            connection = sqlite3.connect(
                address,
                timeout=timeout,
                isolation_level=None,
                check_same_thread=False,
                uri=True,
            )
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA trusted_schema = OFF")
        except sqlite3.Error as error:
            connection.close()
            raise translate(error, self.path) from error
        return connection

    def hasty(self) -> sqlite3.Connection:
        """Return a connection to read with that never waits for others; the caller closes it.

        Raises:
            StoreError: there is none to be had.
        """
        return self._connect(timeout=0)

    def close(self) -> None:
        """Close the idle connections; those that are lent are closed when they come back."""
        with self._mutex:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _begin(connection: sqlite3.Connection) -> None:
    """Begin to write as soon as no other process does.

    Raises:
        sqlite3.Error: somebody did for too long, or it can't be done.
    """
    end = time.monotonic() + BUSY_SECONDS
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _PRIMARY not in _BUSY or time.monotonic() > end:
                    raise
                time.sleep(_LOOK_AGAIN)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
        connection.execute("ROLLBACK")
