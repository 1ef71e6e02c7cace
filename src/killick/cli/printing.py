"""Lines and messages, printed so that nothing in them can confuse a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from itertools import islice

import click

_LINES_AT_ONCE = 4096
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def write(lines: Iterable[str]) -> None:
    """Print lines to stdout; what could confuse a terminal is shown as an escape."""
    pending = iter(lines)
    while some := list(islice(pending, _LINES_AT_ONCE)):
        text = visible("\n".join(some)) + "\n"
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def write_bytes(data: bytes) -> None:
    """Print bytes to stdout as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def note(text: str) -> None:
    """Print a message to stderr."""
    click.echo(visible(text), err=True)


def visible(text: str) -> str:
    """Return `text` with control characters, but for tabs and line ends, written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: repr(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return `text` with line ends and tabs as spaces, for a cell of a table."""
    return re.sub(r"[\t\r\n\v\f]", " ", text)
