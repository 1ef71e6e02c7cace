"""Questions to the database that must not wait, and what it answered as long as that holds."""

from __future__ import annotations

from typing import Any

from killick.store import walindex
from killick.store.database import Database
from killick.store.walindex import WalIndex

MOST_ROWS = 8192

Row = tuple[Any, ...]


class Answers:
    """A connection to a database, for one caller at a time.

    Rows are remembered until something is committed to the database, by whomever.

    Raises:
        StoreError: there is no connection to be had.
    """

    def __init__(self, database: Database) -> None:
        self._connection = database.hasty()
        self._index: WalIndex | None = None
        self._has_read = False
        self._path = database.path
        self._state = b""
        self._rows: dict[tuple[str, str, str], Row] = {}

    def row(self, query: str, values: tuple[str, str]) -> Row | None:
        """Return the first row that a query gives now.

        Raises:
            sqlite3.Error: the database is busy, or can't be read.
        """
        state = self._look()
        if state == self._state:
            found = self._rows.get((query, *values))
            if found is not None:
                return found
        rows = self.rows(query, values)
        if not rows:
            return None
        if state is not None and state == self._look():
            self._keep(state, (query, *values), rows[0])
        return rows[0]

    def rows(self, query: str, values: tuple[str, str] | dict[str, Any]) -> list[Row]:
        """Return all rows that a query gives now.

        Raises:
            sqlite3.Error: the database is busy, or can't be read.
        """
        found = self._connection.execute(query, values).fetchall()
        if not self._has_read:
            self._has_read = True
            self._index = walindex.of(self._path)
        return found

    def close(self) -> None:
        """Close the connection; nothing can be asked any more."""
        self._index = None  # its memory goes with the connection
        self._connection.close()

    def _look(self) -> bytes | None:
        return None if self._index is None else self._index.state()

    def _keep(self, state: bytes, key: tuple[str, str, str], row: Row) -> None:
        if state != self._state:
            if not walindex.stands(state):
                return
            self._rows.clear()
            self._state = state
        elif len(self._rows) >= MOST_ROWS:
            del self._rows[next(iter(self._rows))]
        self._rows[key] = row
