"""Locks between processes, and between threads: `flock` on files of the store.

Such a lock belongs to the open file, so each taker opens the file anew, and two threads of one
process exclude each other just as two processes do. A process that dies lets go.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from killick.store import durable

_FIRST_WAIT = 0.02
_LONGEST_WAIT = 0.25


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold the lock `path` together with others who share it."""
    with _held(path, fcntl.LOCK_SH):
        yield


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock `path` alone."""
    with _held(path, fcntl.LOCK_EX):
        yield


@contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    descriptor = durable.open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        with durable.translated(path):
            fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def try_exclusive(descriptor: int) -> bool:
    """Lock an open file if nobody has it locked; it is let go when the file is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_alone(path: Path, pulse: Callable[[], None]) -> int:
    """Open the file `path`, created if missing, locked for us alone; waits for who has it.

    While it waits, `pulse` is called now and then. What is returned is the file that has this name
    now, not one that its holder renamed meanwhile.

    Raises:
        StoreError: it can't be opened.
    """
    wait = _FIRST_WAIT
    while True:
        descriptor = durable.open_file(path, os.O_RDWR | os.O_CREAT)
        try:
            if try_exclusive(descriptor) and _is_named(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        pulse()
        time.sleep(wait)
        wait = min(wait * 1.5, _LONGEST_WAIT)


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
