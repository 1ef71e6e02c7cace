"""The engines that were added: a file of their own, beside the settings.

{"engines": {"web1": {"url": "tcp://web1:2376", "ca_file": "/etc/ssl/web1/ca.pem"}}}
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from killick import strictjson
from killick.cli.settings import settings_file
from killick.errors import KillickError, NotFound, UsageError
from killick.files import make_dirs, replace_file, translating

MOST_BYTES = 16 * 1024 * 1024
MOST_ENGINES = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PATHS = ("ca_file", "cert", "key")


@dataclass(frozen=True, slots=True)
class Added:
    """An engine that was added: its address, and the files for TLS."""

    url: str
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None


class FleetFile:
    """The engines in the file beside the settings (or in `path`)."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or settings_file().with_name("fleet.json")

    def engines(self) -> dict[str, Added]:
        """Return the engines by their names, in the order of these; none where there is no file.

        Raises:
            UsageError: the file can't be read, or is not what it should be.
        """
        try:
            with self.path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise self._wrong(f"can't be read ({error.strerror})") from None
        try:
            value = strictjson.loads(raw, str(self.path))
        except KillickError as error:
            raise UsageError(error.message, side="file") from None
        return dict(sorted(self._parsed(value)))

    def add(self, name: str, engine: Added) -> None:
        """Keep an engine under a name that no other has.

        Raises:
            UsageError: the name is none, or taken.
            StoreError: the file can't be written.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} can't be the name of an engine",
                hint="letters, digits, dots, dashes and underscores make one",
            )
        with self._changing():
            engines = self.engines()
            if name in engines:
                raise UsageError(
                    f"there is an engine {name!r} already, at {engines[name].url}",
                    hint=f"killick fleet rm {name} removes it",
                )
            if len(engines) == MOST_ENGINES:
                raise UsageError(f"there are {MOST_ENGINES} engines already")
            self._write(engines | {name: engine})

    def remove(self, name: str) -> None:
        """Forget an engine.

        Raises:
            NotFound: there is none of that name.
            StoreError: the file can't be written.
        """
        with self._changing():
            engines = self.engines()
            if name not in engines:
                raise NotFound(
                    f"there is no engine {name!r}", hint="killick fleet ls lists those there are"
                )
            del engines[name]
            self._write(engines)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep others who change the file out, so that no change is lost."""
        with translating(f"write {self.path}"):
            make_dirs(self.path.parent)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, engines: Mapping[str, Added]) -> None:
        tables = {
            name: {"url": engine.url}
            | {key: value for key in _PATHS if (value := getattr(engine, key))}
            for name, engine in sorted(engines.items())
        }
        text = json.dumps({"engines": tables}, indent=2, ensure_ascii=False) + "\n"
        with translating(f"write {self.path}"):
            replace_file(self.path, text.encode())

    def _parsed(self, value: object) -> Iterator[tuple[str, Added]]:
        tables = value.get("engines") if isinstance(value, dict) else None
        if not isinstance(tables, dict) or len(tables) > MOST_ENGINES:
            raise self._wrong('is not {"engines": {…}}')
        for name, table in tables.items():
            if not (_NAME.fullmatch(name) and isinstance(table, dict)):
                raise self._wrong(f"has a wrong entry {name!r}")
            values = {key: table.pop(key, None) for key in ("url", *_PATHS)}
            texts = all(isinstance(v, str) or (v is None and k != "url") for k, v in values.items())
            if table or not texts:
                raise self._wrong(f"has a wrong entry {name!r}")
            yield name, Added(**values)

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"{self.path} {what}", side="file", hint="mend it, or move it away")
