"""Running an application on granian: one address, one worker process or more."""

from __future__ import annotations

import errno
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from killick.errors import KillickError
from killick.server.supervisor import Supervisor
from killick.server.terms import BACKLOG, Terms
from killick.server.worker import Make


def run(
    make: Make,
    address: tuple[str, int],
    announce: Callable[[str], None],
    terms: Terms | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Calls under way end first, but not for longer than allowed.

    `make` is called in each worker process and must be picklable (a module's function, or a
    `functools.partial` of one with plain values); what it returns is told by its lifespan when to
    close. `announce` gets the URL, with the real port where 0 was asked for, as soon as all workers
    answer. On SIGHUP, and when the files for TLS change, each worker is replaced by a new one, and
    calls don't notice.

    Raises:
        UsageError: the files for TLS are wrong.
        KillickError: the address can't be had, or the workers stopped by themselves.
    """
    terms = terms or Terms()
    if terms.tls is not None:
        terms.tls.check()
    with _listen(address) as listener, tempfile.TemporaryDirectory(prefix="killick-") as folder:
        url = _url(listener, terms.tls is not None)
        supervisor = Supervisor(listener, make, terms, Path(folder, "figures"))
        supervisor.on_ready(lambda: announce(url))
        try:
            supervisor.work()
        except SystemExit:
            if not supervisor.interrupt_signal:
                raise KillickError(f"the server at {url} stopped by itself") from None


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


def _url(listener: socket.socket, has_tls: bool) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if has_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
