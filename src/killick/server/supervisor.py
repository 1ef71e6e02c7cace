"""The parent of the worker processes: starts them, replaces them, ends them.

granian has a parent of its own, which is used up to the point where it starts processes. What it
does afterwards is not enough here: it can't tell when a worker is ready, replaces workers with a
fixed pause between start and stop, ends when one of them dies, and breaks off what takes long.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from killick.bounds import bound
from killick.errors import UsageError
from killick.server import notify
from killick.server.certificates import TlsFiles, Watch
from killick.server.drain import inode_of
from killick.server.terms import BACKLOG, Terms, files_for
from killick.server.worker import BEGIN_DRAIN, CUT_BODIES, Make, Start, Worker

LOOK = 2.0
"""Seconds between two looks at the files for TLS."""
START = bound(60.0, "seconds", "start of a worker")
"""Seconds that a worker may take to start."""
HANDSHAKES = 5.0
"""Seconds that a worker which is replaced gets for the TLS handshakes that are under way."""
LONGEST_CALL = bound(3600.0, "seconds", "calls of a worker that was replaced")
"""Seconds that calls of a worker which was replaced may still take."""
MOST_DEATHS = bound(5, "deaths", "deaths of workers in a minute")
"""Workers that may die within a minute before the server gives up."""
CUT_AFTER = 0.7
"""The part of the time for shutting down after which bodies that still come are cut off."""

_VERSIONS = {"1.2": SSLProtocols.tls12, "1.3": SSLProtocols.tls13}

_log = logging.getLogger(__name__)

LOGGING = {
    "formatters": {"plain": {"format": "killick: %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {
        "_granian": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "killick": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}


@dataclass
class _Process:
    """A worker process; `ready` tells when it is. `leaving_since` is set when it is replaced."""

    inner: BaseProcess
    ready: Connection
    is_ready: bool = False
    leaving_since: float = 0.0
    was_ended: bool = False

    @property
    def is_alive(self) -> bool:
        return self.inner.is_alive()

    def wait_until_ready(self, seconds: float) -> bool:
        """Return whether it became ready in time; False as soon as it has died."""
        with suppress(EOFError, OSError):
            if not self.is_ready and self.ready.poll(seconds):
                self.is_ready = bool(self.ready.recv())
        return self.is_ready

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, if the worker knows what to do with it."""
        pid = self.inner.pid
        if self.is_ready and self.is_alive and pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        self.was_ended = True
        self.inner.terminate()


@dataclass
class _Deaths:
    """When workers died of late."""

    times: list[float] = field(default_factory=list)

    def are_too_many(self) -> bool:
        now = time.monotonic()
        self.times = [at for at in self.times if now - at < 60] + [now]
        return len(self.times) > MOST_DEATHS


class Supervisor(MPServer):
    """granian, on a socket that is ours alone, with workers that we look after.

    granian opens its own socket with SO_REUSEPORT, so that two servers could share a port without
    noticing, and never says which port it got for 0.
    """

    def __init__(self, listener: socket.socket, make: Make, terms: Terms, figures: Path) -> None:
        host, port = listener.getsockname()[:2]
        tls = terms.tls
        super().__init__(
            "killick",
            host,
            port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            workers=terms.workers,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(terms.headers * 1000), max_buffer_size=terms.buffer
            ),
            websockets=False,
            log_level=LogLevels.error,
            log_dictconfig=LOGGING,
            **({} if tls is None else _tls_settings(tls)),
        )
        self.backpressure = files_for(terms.connections)
        self._listener = listener
        self._make = make
        self._terms = terms
        self._figures = figures
        self._watch = None if tls is None else Watch(tls)
        self._current: dict[int, _Process] = {}
        self._leaving: list[_Process] = []
        self._generations = [0] * terms.workers
        self._deaths = _Deaths()
        self._ready: list[Callable[[], None]] = []

    def on_ready(self, hook: Callable[[], None]) -> None:
        """Have `hook` called when all workers answer."""
        self._ready.append(hook)

    def work(self) -> None:
        """Serve until a signal. Raises SystemExit where the workers stopped by themselves."""
        self.serve(target_loader=_nothing, wrap_loader=False)

    def _init_shared_socket(self) -> None:
        self._listener.set_inheritable(True)
        self._sso = self._listener
        self._sfd = self._listener.fileno()  # type: ignore[assignment]  # set to None at first
        self._shd = SocketHolder(self._sfd, False, BACKLOG)  # type: ignore[call-arg,assignment]  # the stub knows no constructor
        self._ssp = None

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:  # noqa: ANN401, ARG002 - granian's signature
        self._target = spawn_target
        for place in range(self.workers):
            self._current[place] = self._start(place)
        if all(self._until_ready(process) for process in self._current.values()):
            for hook in self._ready:
                hook()
            notify.ready()
        elif not self.interrupt_signal:
            self._give_up()

    def _start(self, place: int) -> _Process:
        """Start a worker. One that replaces another has the other slot of their place."""
        self._generations[place] += 1
        slot = 2 * place + self._generations[place] % 2
        receiving, sending = Pipe(duplex=False)
        worker = Worker(2 * self.workers, slot, self._figures)
        start = Start(self._make, worker, inode_of(self._listener.fileno()), sending)
        made = self._spawn_worker(idx=place, target=self._target, callback_loader=start)
        made.inner.start()
        sending.close()
        process = _Process(cast("BaseProcess", made.inner), receiving)
        threading.Thread(target=self._await_death, args=(process,), daemon=True).start()
        return process

    def _await_death(self, process: _Process) -> None:
        wait([process.inner.sentinel])
        self.main_loop_interrupt.set()

    def _until_ready(self, process: _Process) -> bool:
        end = time.monotonic() + START
        while not self.interrupt_signal and time.monotonic() < end:
            if process.wait_until_ready(0.1):
                return True
            if not process.is_alive:
                return False
        return False

    def _give_up(self) -> None:
        self.interrupt_children.append(0)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:  # noqa: ANN401, ARG002 - granian's signature
        looked = time.monotonic()
        while not self.interrupt_signal and not self.interrupt_children:
            self.main_loop_interrupt.wait(0.2 if self._leaving else LOOK)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                return
            self._replace_the_dead()
            if self.reload_signal or (time.monotonic() - looked >= LOOK and self._has_new_files()):
                self.reload_signal = False
                self._replace_all()
            if time.monotonic() - looked >= LOOK:
                looked = time.monotonic()
            self._see_off()

    def _has_new_files(self) -> bool:
        return self._watch is not None and self._watch.changed()

    def _replace_the_dead(self) -> None:
        for place, process in list(self._current.items()):
            if process.is_alive:
                continue
            _log.error("a worker died (exit status %s)", process.inner.exitcode)
            if self._deaths.are_too_many():
                _log.error("workers die again and again")
                self._give_up()
                return
            self._current[place] = self._start(place)
            self._until_ready(self._current[place])

    def _replace_all(self) -> None:
        """Replace every worker, one after the other; where a new one can't start, all stays."""
        notify.reloading()
        try:
            if self._terms.tls is not None:
                self._terms.tls.check()
            for place in range(self.workers):
                if not self._replace(place):
                    break
        except UsageError as error:
            _log.error("the server goes on as it was: %s", error.message)
        notify.ready()

    def _replace(self, place: int) -> bool:
        made = self._start(place)
        if not self._until_ready(made):
            _log.error("the server goes on as it was: a new worker did not start")
            made.inner.kill()
            return False
        old = self._current[place]
        self._current[place] = made
        old.leaving_since = time.monotonic()
        old.tell(BEGIN_DRAIN)
        self._leaving.append(old)
        return True

    def _see_off(self) -> None:
        """End the workers that were replaced, when their time has come."""
        for process in list(self._leaving):
            age = time.monotonic() - process.leaving_since
            if not process.is_alive:
                self._leaving.remove(process)
            elif age > LONGEST_CALL:
                process.inner.kill()
            elif age > HANDSHAKES and not process.was_ended:
                process.end()

    def _stop_workers(self) -> None:
        notify.stopping()
        everyone = [*self._current.values(), *self._leaving]
        for process in everyone:
            process.tell(BEGIN_DRAIN)
            process.end()
        began = time.monotonic()
        for part, number in ((CUT_AFTER, CUT_BODIES), (1.0, signal.SIGKILL)):
            _wait_for(everyone, began + part * self._terms.shutdown)
            for process in _alive(everyone):
                process.tell(number)
        for process in everyone:
            process.inner.kill()
            process.inner.join()


def _nothing() -> Callable[..., Any]:
    """Stand where granian wants to know how a worker loads its application: `Start` does that."""
    raise NotImplementedError


def _tls_settings(tls: TlsFiles) -> dict[str, Any]:
    return {
        "ssl_cert": tls.cert,
        "ssl_key": tls.key,
        "ssl_protocol_min": _VERSIONS[tls.minimum],
        "ssl_ca": tls.client_ca,
        "ssl_client_verify": tls.client_ca is not None,
    }


def _alive(processes: list[_Process]) -> Iterator[_Process]:
    return (process for process in processes if process.is_alive)


def _wait_for(processes: list[_Process], end: float) -> None:
    for process in processes:
        process.inner.join(max(0.0, end - time.monotonic()))
