"""The folder `access/` in a registry's root, for its owner alone: accounts, keys, tries, the log.

Files in it are replaced whole and durably; who changes one holds the folder's lock, so that no
change is lost between processes. A file belongs to whom the root belongs to, also where an
administrator's command made it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from killick import files
from killick.files import translating

MODE = 0o600
FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Place:
    """The folder `access/` of the registry in `root`, which need not exist."""

    root: Path

    @property
    def folder(self) -> Path:
        """The folder."""
        return self.root / "access"

    @property
    def accounts(self) -> Path:
        """Accounts and access tokens. Once it is there, nobody gets in who is not in it."""
        return self.folder / "accounts.json"

    @property
    def keys(self) -> Path:
        """The keys that bearer tokens are signed with."""
        return self.folder / "keys.json"

    @property
    def tries(self) -> Path:
        """The database of failed tries to get in."""
        return self.folder / "tries.db"

    @property
    def audit(self) -> Path:
        """The audit log, unless it is kept elsewhere."""
        return self.folder / "audit.jsonl"

    def make(self) -> None:
        """Make the folder if it is missing, durably.

        Raises:
            StoreError: it can't be made.
        """
        if self.folder.is_dir():
            return
        with translating(f"make {self.folder}"):
            files.make_dirs(self.root.parent)
            for path in (self.root, self.folder):
                if not path.is_dir():
                    path.mkdir(mode=FOLDER_MODE, exist_ok=True)
                    files.sync_dir(path.parent)
            self.give(self.folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock, which makes the folder if it is missing.

        Raises:
            StoreError: it can't be had.
        """
        self.make()
        path = self.folder / "lock"
        with translating(f"lock {path}"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
            self.give(path)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    def replace(self, path: Path, data: bytes) -> None:
        """Make `data` the content of a file of the folder, all or nothing, durably.

        Raises:
            StoreError: it can't be written.
        """
        with translating(f"write {path}"), files.replacing(path, mode=MODE) as file:
            file.write(data)
            self.give(file.fileno())

    def give(self, what: Path | int) -> None:
        """Give a file (or a descriptor) to the root's owner, where we are somebody who can."""
        if os.geteuid() == 0:
            owner = self.root.stat()
            os.chown(what, owner.st_uid, owner.st_gid)
