"""Ctrl-C during a transfer: it stops at once, and says that nothing is lost.

The store is safe against being killed at any point, so there is nothing to wait for: not for the
threads that sit in a slow connection, and not for Python's own way out, which would join them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from killick.cli.errors import INTERRUPTED

MESSAGE = "killick: interrupted: the same command goes on where this one stopped"


@contextmanager
def stops_at_once(before: Callable[[], None]) -> Iterator[None]:
    """Within this context, Ctrl-C ends the process with status 130.

    `before` is called first; it puts the terminal in order.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        # A second Ctrl-C must not find us here again.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        before()
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.write(f"{MESSAGE}\n")
            sys.stderr.flush()
        os._exit(INTERRUPTED)

    earlier = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
