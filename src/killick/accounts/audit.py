"""The audit log: who did what, from where, as one JSON object a line, only ever appended to.

A line has `time`, `event`, `actor`, `from`, `request` (its id, or null) and what belongs to the
event. No line holds a secret: not a password, not a token, not what was typed as an unknown name.
A file that was moved away (by a log rotation) is begun anew.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from killick.accounts.place import MODE, Place
from killick.errors import StoreError
from killick.moments import rfc3339, utc_now
from killick.rights import Who

_log = logging.getLogger(__name__)
_MOST_CHARACTERS = 1024


class Sink(Protocol):
    """Where lines go."""

    def __call__(self, line: bytes, /) -> None:
        """Take one line, whole."""
        ...


class Audit:
    """An audit log. An event that can't be written down is told to the program's log instead."""

    def __init__(self, sink: Sink, clock: Callable[[], datetime] = utc_now) -> None:
        self._sink = sink
        self._clock = clock

    def record(self, event: str, who: Who, details: Mapping[str, object]) -> None:
        """Write down an event. May block."""
        entry: dict[str, object] = {
            "time": rfc3339(self._clock()),
            "event": event,
            "actor": who.actor,
            "from": who.address,
            "request": who.request,
        }
        entry |= {key: _bounded(value) for key, value in details.items()}
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            self._sink(line)
        except (OSError, StoreError) as error:
            _log.error("the audit log can't be written (%s): %s", error, event)


class FileSink:
    """Appends to a file, for its owner alone; each line is one write, so that workers can share.

    In the folder of a registry (`place`), which is made, the file belongs to whom that belongs to.
    """

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self._path = path
        self._place = place

    def __call__(self, line: bytes, /) -> None:
        """Append a line."""
        if self._place is not None:
            self._place.make()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, MODE)
        try:
            if self._place is not None:
                self._place.give(descriptor)
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def to_stderr(line: bytes, /) -> None:
    """Write a line to standard error."""
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line)


def to_nowhere(line: bytes, /) -> None:
    """Drop a line."""


def _bounded(value: object) -> object:
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        return value[:_MOST_CHARACTERS] + "…"
    return value
