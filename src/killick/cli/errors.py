"""How a command line ends: an error becomes one sentence on stderr, and an exit status.

0 done; 1 failed; 2 wrong usage; 3 a check found something; 4 not found; 5 denied; 6 content did not
match its digest; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Protocol, TextIO

import click

from killick.cli.printing import visible
from killick.errors import KillickError

FOUND_SOMETHING = 3
INTERRUPTED = 130


class Debuggable(Protocol):
    """What knows whether `--debug` was given."""

    debug: bool


def guarded(call: Callable[[], int], session: Debuggable, words: Sequence[str]) -> int:
    """Return what `call` returns, or the exit status of what it raised, which is told on stderr.

    This is the outermost frame: nothing leaves it but the status.
    """
    try:
        status = call()
        sys.stdout.flush()
    except KillickError as error:
        return _fail(error, session, words)
    except click.UsageError as error:
        return _usage(error, words)
    except click.ClickException as error:
        _tell("failed", error.format_message(), "local", None, words)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted", "interrupted", "local", None, words)
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as error:
        # click leaves this way where the reader of stdout went away.
        _reader_gone()
        return error.code if isinstance(error.code, int) else 1
    except OSError as error:
        # The store, the client and files translate theirs: what is left is what was printed.
        if error.filename is not None:
            return _unexpected(error, session, words)
        _tell("output", f"the output can't be written ({error.strerror})", "file", None, words)
        return _reader_gone()
    except Exception as error:
        return _unexpected(error, session, words)
    return status


def sentence(error: KillickError) -> str:
    """Return the line that tells an error: what failed, and what to do next."""
    return _line(error.message, error.hint)


def _line(message: str, hint: str | None) -> str:
    return "killick: " + message + (f": {hint}" if hint else "")


def wants_json(words: Sequence[str]) -> bool:
    """Return whether the command line asks for JSON, and so for errors as JSON."""
    before = list(words[: list(words).index("--")] if "--" in words else words)
    if "--json" in before or "--format=json" in before:
        return True
    return any(pair == ("--format", "json") for pair in pairwise(before))


def _fail(error: KillickError, session: Debuggable, words: Sequence[str]) -> int:
    if session.debug:
        _print_trace(error)
    _tell(error.code, error.message, error.side, error.hint, words)
    return error.exit_status


def _usage(error: click.UsageError, words: Sequence[str]) -> int:
    path = error.ctx.command_path if error.ctx else "killick"
    message = error.format_message().rstrip(".")
    _tell("usage", message, "local", f"see {path} --help", words)
    return error.exit_code


def _unexpected(error: Exception, session: Debuggable, words: Sequence[str]) -> int:
    """Report an error that nobody thought of; it is ours."""
    if session.debug:
        _print_trace(error)
    message = f"an error that should not happen, {type(error).__name__}: {error}"
    hint = "run it again with --debug, and report what it prints"
    _tell("internal", message, "local", None if session.debug else hint, words)
    return 1


def _tell(code: str, message: str, side: str, hint: str | None, words: Sequence[str]) -> None:
    if wants_json(words):
        text = json.dumps({"error": code, "message": message, "side": side, "hint": hint})
    else:
        # What an error quotes may come from anywhere, and is to stay one line of plain text.
        text = visible(_line(message, hint)).replace("\n", "\\n")
    try:
        click.echo(text, err=True)
    except OSError:  # who can't be told still gets the status
        _silence(sys.stderr)


def _reader_gone() -> int:
    """End quietly where the reader of stdout went away (`killick images | head`)."""
    _silence(sys.stdout)
    return 1


def _silence(stream: TextIO) -> None:
    """Let what `stream` still holds go nowhere, so that its flush at exit can't fail."""
    with suppress(OSError):  # it is no file: then there is nothing to protect
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


def _print_trace(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)
