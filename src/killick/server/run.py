"""Running an application on granian: one address, one worker process or more."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import MPServer
from starlette.types import ASGIApp

from killick.errors import KillickError

BACKLOG = 1024
LAST_CALLS = 10
"""Seconds that calls under way get to end in when the server is told to stop."""

_log = logging.getLogger(__name__)

_LOGGING = {
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


def run(
    make: Callable[[], ASGIApp],
    address: tuple[str, int],
    announce: Callable[[str], None],
    workers: int = 1,
) -> None:
    """Serve until SIGINT or SIGTERM. Calls under way end first, but not for longer than 10 s.

    `make` is called in each worker process and must be picklable (a module's function, or a
    `functools.partial` of one with plain values); what it returns is told by its lifespan when to
    close. `announce` gets the URL, with the real port where 0 was asked for, as soon as
    connections are accepted.

    Raises:
        KillickError: the address can't be had, or the workers stopped by themselves.
    """
    with _listen(address) as listener:
        url = _url(listener)
        server = _Server(listener, workers)
        server.on_startup(partial(announce, url))
        try:
            server.serve(target_loader=partial(_load, make), wrap_loader=False)
        except SystemExit:
            if not server.interrupt_signal:
                raise KillickError(f"the server at {url} stopped by itself") from None


class _Server(MPServer):
    """granian, on a socket that is ours alone.

    granian opens its own with SO_REUSEPORT, so that two servers could share a port without
    noticing, and never says which port it got for 0.
    """

    def __init__(self, listener: socket.socket, workers: int) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            "killick",
            host,
            port,
            interface=Interfaces.ASGI,
            workers=workers,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
            workers_kill_timeout=LAST_CALLS,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        self._listener.set_inheritable(True)
        self._sso = self._listener
        self._sfd = self._listener.fileno()  # type: ignore[assignment]  # set to None at first
        self._shd = SocketHolder(self._sfd, False, BACKLOG)  # type: ignore[call-arg,assignment]  # the stub knows no constructor
        self._ssp = None


def _listen(address: tuple[str, int]) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server(address, family=family, backlog=BACKLOG)
        # Connections have it from here. Without it, a file waits 40 ms behind its own headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "something else listens there",
            errno.EACCES: "ports below 1024 need more rights",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(error.errno or 0, error.strerror or "the name is unknown")
        raise KillickError(
            f"{host}:{port} can't be served: {reason}",
            hint="choose another address; with port 0 a free one is taken",
        ) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _load(make: Callable[[], ASGIApp]) -> ASGIApp:
    """Make the application, in a worker."""
    parent = parent_process()
    if parent is not None:
        # Ctrl-C goes to the whole group; only the parent shall act on it, and end its workers.
        os.setpgid(0, 0)
        threading.Thread(target=_follow, args=(parent.pid,), daemon=True).start()
    try:
        return make()
    except KillickError as error:
        _log.error("%s", error.message)
        sys.exit(1)


def _follow(parent: int | None) -> None:
    """Stop this worker when its parent was killed (a forked worker's sentinel does not tell)."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
