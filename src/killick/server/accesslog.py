"""The access log: a line a request, written by a thread of its own.

Telling it of a request makes a line, in a microsecond, and appends it to a list. (A thread that
made those of thousands of requests one after another would hold the interpreter's lock for
milliseconds, and the slowest requests show it.) The thread writes them in blocks, so that a disk or
a pipe that is slow holds no request up; what is more than `MOST_WAITING` lines behind is dropped,
and counted. Whatever callers choose (paths, names, request IDs) is escaped: a line is always one
line, and always reads back as what was sent.

A file is opened anew when it was renamed or removed (as logrotate does), and by nobody but its
owner to be read.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring_ascii
from pathlib import Path

from killick.bounds import bound
from killick.server.figures import Seen

MOST_WAITING = bound(100_000, "lines", "lines that wait for the access log")
"""Lines that wait to be written; at 200 bytes each, some 20 MB."""

EVERY = 0.2
"""Seconds between two writes."""

_ATOMIC = 4096
"""Bytes that a pipe takes as one piece, even if others write to it (POSIX: at least 512)."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_STDERR = 2

Format = Callable[[float, Seen], str]


def json_line(at: float, seen: Seen) -> str:
    """Return a request as a line of JSON."""
    quote = encode_basestring_ascii
    return (
        f'{{"time":"{_time(at)}","request":{quote(seen.request)},"client":{quote(seen.client)},'
        f'"account":{quote(seen.caller)},"method":{quote(seen.method)},"route":"{seen.route}",'
        f'"path":{quote(seen.path)},"status":{seen.status},"sent":{seen.sent},'
        f'"received":{seen.received},"seconds":{seen.seconds:.6f}}}\n'
    )


def plain_line(at: float, seen: Seen) -> str:
    """Return a request as a line of words; those that callers choose are quoted as in JSON."""
    quote = encode_basestring_ascii
    return (
        f"{_time(at)} {seen.client} {quote(seen.caller)} {quote(f'{seen.method} {seen.path}')} "
        f"{seen.status} {seen.sent} {seen.received} {seen.seconds:.6f} {seen.route} "
        f"{quote(seen.request)}\n"
    )


FORMATS: dict[str, Format] = {"json": json_line, "plain": plain_line}

_second = (0, "")


def _time(at: float) -> str:
    """Return a moment as RFC 3339 in UTC, to the millisecond; the second is kept for the next."""
    global _second
    whole = int(at)
    if _second[0] != whole:
        _second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return f"{_second[1]}.{int((at - whole) * 1000):03d}Z"


class AccessLog:
    """A log to `path` (None: to stderr). `dropped` is told how many lines were dropped.

    Raises:
        OSError: the file can't be opened.
    """

    def __init__(
        self, path: Path | None, line: Format, dropped: Callable[[int], None] = lambda _: None
    ) -> None:
        self._path = path
        self._line = line
        self._dropped = dropped
        self._waiting: list[str] = []
        self._lost = 0
        self._descriptor = _STDERR if path is None else os.open(path, _FLAGS, 0o600)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="access-log", daemon=True)
        self._thread.start()

    def add(self, seen: Seen) -> None:
        """Take a request; it is written soon."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(self._line(time.time(), seen))
        else:
            self._lost += 1

    def close(self) -> None:
        """Write what waits, and end."""
        self._stop.set()
        self._thread.join(5)
        if self._path is not None:
            os.close(self._descriptor)

    def _work(self) -> None:
        while True:
            stopped = self._stop.wait(EVERY)
            waiting, self._waiting = self._waiting, []
            if self._lost:
                self._dropped(self._lost)
                self._lost = 0
            if waiting:
                self._write("".join(waiting).encode())
            if stopped:
                return

    def _write(self, text: bytes) -> None:
        try:
            self._follow()
            whole = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            for block in [text] if whole else _blocks(text):
                left = memoryview(block)
                while left:
                    left = left[os.write(self._descriptor, left) :]
        except OSError:
            self._dropped(text.count(b"\n"))

    def _follow(self) -> None:
        """Open the file anew if its name leads elsewhere now."""
        if self._path is None:
            return
        try:
            named = self._path.stat()
        except FileNotFoundError:
            named = None
        if named is None or not os.path.samestat(named, os.fstat(self._descriptor)):
            opened = os.open(self._path, _FLAGS, 0o600)
            os.close(self._descriptor)
            self._descriptor = opened


def _blocks(text: bytes) -> Iterator[bytes]:
    """Yield whole lines, as many at once as go into a pipe in one piece."""
    start = 0
    while start < len(text):
        end = start + _ATOMIC
        if end < len(text):
            at = text.rfind(b"\n", start, end)
            end = at + 1 if at > 0 else text.index(b"\n", start) + 1
        yield text[start:end]
        start = end


def stderr_is_there() -> bool:
    """Return whether there is a standard error to write to."""
    return sys.stderr is not None
