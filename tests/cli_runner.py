"""The command line, run in this process: what it printed, and its exit status."""

import contextlib
import io
import json
from dataclasses import dataclass

from killick.cli import main


@dataclass(frozen=True)
class Ran:
    """How a command line went. `raw` is stdout in bytes."""

    status: int
    raw: bytes
    err: str

    @property
    def out(self):
        return self.raw.decode()

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def json(self):
        return json.loads(self.raw)


def run(*words, stdin=b""):
    """Run `killick WORDS…` through its entry point."""
    out, err = _stream(b""), _stream(b"")
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _redirect_stdin(_stream(stdin)),
    ):
        status = main([str(word) for word in words])
    return Ran(status, _written(out), _written(err).decode())


class _redirect_stdin(contextlib._RedirectStream):  # noqa: N801 - as its siblings in contextlib
    _stream = "stdin"


def _stream(content):
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")


def _written(stream):
    stream.flush()
    return stream.buffer.getvalue()
