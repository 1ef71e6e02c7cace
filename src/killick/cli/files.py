"""Files that a command was told to read or write, `-` being stdin and stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from killick.errors import UsageError
from killick.files import replace_file, replacing, translating

STANDARD = "-"


def write_text(path: Path, text: str) -> None:
    """Write a small file, whole or not at all.

    Raises:
        StoreError: it can't be written.
    """
    with translating(f"write {path}"):
        replace_file(path, text.encode())


@contextmanager
def output(path: str) -> Iterator[BinaryIO]:
    """Yield a stream to a file that appears when all is written, or to stdout (`-`).

    Raises:
        UsageError: stdout is a terminal.
        StoreError: it can't be written.
    """
    if path == STANDARD:
        if sys.stdout.isatty():
            raise UsageError("an archive does not go to a terminal", hint="name a file by -o")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    with translating(f"write {target}"):
        if target.exists() and not target.is_file():
            # A device or a pipe is written to, not replaced.
            with target.open("wb") as out:
                yield out
        else:
            with replacing(target) as out:
                yield out
