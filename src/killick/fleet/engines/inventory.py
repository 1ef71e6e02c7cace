"""An inventory file: containers that another program wrote down, in `killick.inventory`'s form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from killick import inventory, strictjson
from killick.errors import KillickError, LimitExceeded, NotFound, StoreError
from killick.observation import Snapshot

MOST_BYTES = 256 * 1024 * 1024


class InventoryFile:
    """The inventory in file `path`, called `name` in reports (None: what the file says)."""

    kind = "inventory"

    def __init__(self, path: Path, name: str | None = None) -> None:
        self._path = path
        self._name = name

    @property
    def host(self) -> str:
        """What it is called in reports."""
        return self._name or str(self._path)

    def snapshot(self, seconds: float, /) -> Snapshot:  # noqa: ARG002 - a file answers at once
        """Return what the file says.

        `host`, `engine` and `taken` may be absent: then they are the file's name, `inventory`, and
        when the file was written.
        """
        raw, written = self._read()
        try:
            value = strictjson.loads(raw, str(self._path))
            if isinstance(value, dict):
                usual = {"host": self.host, "engine": self.kind, "taken": written.isoformat()}
                value = usual | {key: v for key, v in value.items() if v is not None}
            snapshot = inventory.from_json(value, str(self._path))
        except KillickError as error:
            raise error.at("file") from None
        return replace(snapshot, host=self._name) if self._name else snapshot

    def _read(self) -> tuple[bytes, datetime]:
        try:
            with self._path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
            written = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except FileNotFoundError:
            raise NotFound(f"there is no file {self._path}", side="file") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"{self._path} can't be read ({reason})", side="file") from None
        if len(raw) > MOST_BYTES:
            raise LimitExceeded(f"{self._path} is too large for an inventory", side="file")
        return raw, written
