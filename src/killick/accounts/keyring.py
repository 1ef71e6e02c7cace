"""The keys that bearer tokens are signed with: shared by all workers, a new one each week.

A key that no longer signs still checks, until the longest-lived token that it signed has run out.
Removing the file signs everybody out.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from killick import strictjson
from killick.accounts.place import Place
from killick.errors import ContentError, StoreDamaged, UsageError
from killick.files import translating
from killick.moments import parse_moment, rfc3339, utc_now

SIGNS: Final = timedelta(days=7)
LONGEST_LIFE: Final = timedelta(days=90)
"""How long what was signed last with a key may be good for."""
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of 256 random bits, in hexadecimal."""

    id: str
    created: datetime
    secret: str = field(repr=False)


class Keyring:
    """The keys of one registry. Safe to use from several threads.

    The file is looked at again when a key is asked for that is not known, so that what another
    worker signed with a new key is taken at once.
    """

    def __init__(self, place: Place, clock: Callable[[], datetime] = utc_now) -> None:
        self._place = place
        self._clock = clock
        self._mutex = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def signing(self) -> Key:
        """Return the key to sign with, made if there is none that is new enough.

        Raises:
            StoreError: it can't be read or made.
        """
        with self._mutex:
            self._refresh()
            return self._newest() or self._rotate()

    def known(self, key_id: str) -> Key | None:
        """Return the key that a token says it was signed with, if it is one of ours.

        Raises:
            StoreError: the keys can't be read.
        """
        with self._mutex:
            self._refresh()
            oldest = self._clock() - SIGNS - LONGEST_LIFE
            return next((k for k in self._keys if k.id == key_id and k.created > oldest), None)

    def _newest(self) -> Key | None:
        now = self._clock()
        fresh = [key for key in self._keys if now - SIGNS < key.created <= now + SIGNS]
        return max(fresh, key=lambda key: key.created, default=None)

    def _rotate(self) -> Key:
        with self._place.locked():
            self._refresh()
            if made := self._newest():  # by another worker, while we waited
                return made
            now = self._clock()
            key = Key(secrets.token_hex(8), now, secrets.token_hex(32))
            kept = [k for k in self._keys if k.created > now - SIGNS - LONGEST_LIFE]
            self._place.replace(self._place.keys, _written([*kept, key]))
            self._refresh()
        return key

    def _refresh(self) -> None:
        path = self._place.keys
        with translating(f"read {path}"):
            try:
                found = os.stat(path)  # noqa: PTH116 - as in the register
            except FileNotFoundError:
                self._stamp, self._keys = None, ()
                return
            stamp = found.st_ino, found.st_mtime_ns
            if stamp == self._stamp:
                return
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES)
        self._keys, self._stamp = _read(data, str(path)), stamp


def _written(keys: list[Key]) -> bytes:
    entries = [{"id": k.id, "created": rfc3339(k.created), "secret": k.secret} for k in keys]
    return json.dumps({"version": 1, "keys": entries}, indent=1).encode() + b"\n"


def _read(data: bytes, place: str) -> tuple[Key, ...]:
    try:
        match strictjson.loads(data, "it"):
            case {"version": 1, "keys": list(entries)}:
                return tuple(_key(entry) for entry in entries)
    except (ContentError, UsageError):
        pass
    raise StoreDamaged(
        f"{place} is not a file of keys", hint="remove it: everybody has to log in again then"
    )


def _key(entry: object) -> Key:
    match entry:
        case {"id": str(name), "created": str(created), "secret": str(secret)}:
            if len(secret) == 64:
                return Key(name, parse_moment(created, utc_now()), secret)
    raise ContentError("an entry is no key")
