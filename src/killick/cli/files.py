"""Files that a command was told to read or write, `-` being stdin and stdout."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from killick.errors import NotFound, UsageError
from killick.files import replace_file, translating

STANDARD = "-"


def write_text(path: Path, text: str) -> None:
    """Write a small file, whole or not at all.

    Raises:
        StoreError: it can't be written.
    """
    with translating(f"write {path}"):
        replace_file(path, text.encode())


@contextmanager
def archive_output(name: str) -> Iterator[Path]:
    """Yield where to write an archive: the file `name`, or one that goes to stdout then (`-`).

    Raises:
        UsageError: stdout is a terminal.
        StoreError: there is no room for a temporary file.
    """
    if name != STANDARD:
        yield Path(name)
        return
    if sys.stdout.isatty():
        raise UsageError("an archive does not go to a terminal", hint="name a file by -o")
    with translating("write a temporary file"):
        folder = TemporaryDirectory(prefix="killick-")
    with folder as inside:
        path = Path(inside) / "archive"
        yield path
        with path.open("rb") as archive:
            shutil.copyfileobj(archive, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def archive_input(name: str) -> Path | BinaryIO:
    """Return where to read an archive: the file `name`, or stdin (`-`).

    Raises:
        UsageError: stdin is a terminal.
    """
    if name != STANDARD:
        return Path(name)
    if sys.stdin.isatty():
        raise UsageError("an archive is expected on stdin", hint="name a file by -i")
    return sys.stdin.buffer


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Yield the stream of the file `name`, or stdin (`-`).

    Raises:
        NotFound: there is no such file.
        StoreError: it can't be read.
    """
    if name == STANDARD:
        yield sys.stdin.buffer
        return
    if not Path(name).exists():
        raise NotFound(f"there is no file {name}", side="file")
    with translating(f"read {name}"), Path(name).open("rb") as stream:
        yield stream
