"""A worker process: makes the application, says when it is ready, and leaves when it is told to."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from killick.errors import KillickError
from killick.server.drain import Drain
from killick.server.figures import Figures

BEGIN_DRAIN = signal.SIGUSR1
"""Tells a worker to take no more connections."""
CUT_BODIES = signal.SIGUSR2
"""Tells a worker to break off the bodies that still come."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker, as the application in it knows it. `slots` and `slot` are those of `Figures`."""

    slots: int = 1
    slot: int = 0
    figures_file: Path | None = None
    drain: Drain = field(default_factory=Drain)

    def figures(self) -> Figures:
        """Return the figures that this worker shares with the others."""
        return Figures(self.slots, self.slot, self.figures_file)


Make = Callable[[Worker], ASGIApp]


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker process needs to begin; picklable. `listener` is the inode of its socket."""

    make: Make
    worker: Worker
    listener: int
    ready: Connection

    def __call__(self) -> ASGIApp:
        """Make the application. Called in the worker, by granian."""
        parent = parent_process()
        if parent is not None:
            # Ctrl-C goes to the whole group; only the parent shall act on it, and end its workers.
            os.setpgid(0, 0)
            threading.Thread(target=_follow, args=(parent.pid,), daemon=True).start()
        try:
            application = self.make(self.worker)
        except KillickError as error:
            _log.error("%s", error.message)
            sys.exit(1)
        # What is there now stays. The collector need not go through it again and again.
        gc.collect()
        gc.freeze()
        return _Announced(application, self)

    def begin(self) -> None:
        """Listen to the parent, and tell it that calls are answered."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(BEGIN_DRAIN, self.worker.drain.begin, self.listener)
        loop.add_signal_handler(CUT_BODIES, self.worker.drain.cut)
        try:
            self.ready.send(True)
        except OSError as error:
            # A parent that never hears of a worker would wait for it in vain; one that is gone, it
            # sees at once.
            _log.error("a worker can't say that it is ready (%s)", error.strerror)
            os._exit(1)
        self.ready.close()


class _Announced:
    """An application that says when it is ready."""

    def __init__(self, app: ASGIApp, start: Start) -> None:
        self._app = app
        self._start = start

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a call."""
        if scope["type"] == "lifespan":
            return self._live(scope, receive, send)
        return self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._start.begin()

        await self._app(scope, receive, sending)


def _follow(parent: int | None) -> None:
    """Stop this worker when its parent was killed (a forked worker's sentinel does not tell)."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
