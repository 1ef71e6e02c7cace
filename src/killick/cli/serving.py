"""What `serve` puts together: a store, the view of it, who may do what, and an address.

The applications are made in worker processes, so what makes them takes plain values only.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import re
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from killick.cli import guarding
from killick.errors import Unreachable, UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from killick.server import Limits, Operations, Terms, TlsFiles, Worker
    from killick.server.accesslog import AccessLog
    from killick.server.configuration import Configuration
    from killick.server.figures import Figures
    from killick.server.reporters import Reporters
    from killick.store import Store

MOST_PORT = 65535
MOST_WORKERS = 4
"""Workers that are started where nobody says how many: SQLite has one writer at a time."""
PATIENCE = 5.0
"""Seconds to wait for the answer to a ping."""
_ADDRESS = re.compile(r"(?:(\[[0-9a-fA-F:]+\]|[^:\[\]]*):)?([0-9]{1,5})")


def registry(configuration: Configuration, root: str, actor: str, worker: Worker) -> ASGIApp:
    """Return a registry that keeps what it is given in the folder `root`.

    What its tags used to point to is kept for ever: nobody else may have it.
    """
    from killick.server import BehindProxies, application, network
    from killick.store import Store

    store = Store(
        Path(root),
        actor=actor,
        read_only=configuration.read_only,
        lease=configuration.chores.lease,
        retention=None,
        policy=configuration.policy,
    )
    gate = guarding.gate(Path(root), configuration, alone=is_alone(configuration))

    def close() -> None:
        gate.close()
        store.close()

    operations = _operations(configuration, store, worker)
    app = application(store, gate, _limits(configuration), close, operations)
    return BehindProxies(app, map(network, configuration.access.trusted_proxies))


def local_store(configuration: Configuration, root: str, actor: str, worker: Worker) -> ASGIApp:
    """Return a registry that shows the local store, to be read, as `<host>/<path>`."""
    from killick.server import READ_ONLY, RenamedRegistry, application, stored_name, visible_name
    from killick.store import Store

    store = Store(Path(root), actor=actor, read_only=True)
    view = RenamedRegistry(store, stored_name, visible_name)
    operations = _operations(configuration, store, worker)
    return application(view, READ_ONLY, _limits(configuration), store.close, operations)


def _limits(configuration: Configuration) -> Limits:
    from killick.server import Limits

    stated = configuration.limits
    return Limits(
        blob=stated.blob,
        manifest=stated.manifest,
        idle=stated.idle.total_seconds(),
        threads=stated.threads,
        page=stated.page,
        chunk=stated.chunk,
        rate=stated.rate,
        uploads=stated.uploads,
    )


def _operations(configuration: Configuration, store: Store, worker: Worker) -> Operations:
    from killick.cli.chores import chores_of, gauges_of
    from killick.cli.said import said_gauges
    from killick.server import Operations
    from killick.server.recording import Recorder

    figures = worker.figures()
    read_only = configuration.read_only or configuration.store
    chores = None if read_only else chores_of(configuration, store)
    return Operations(
        recorder=Recorder(figures, _access_log(configuration, figures)),
        probe=store.check_health,
        gauges=lambda: [*gauges_of(store), *(said_gauges(chores) if chores else ())],
        show=configuration.metrics.show,
        read_only=read_only,
        chores=chores,
        drain=worker.drain,
        count_uploads=int if configuration.store else store.count_uploads,
        public_url=configuration.access.public_url,
        reporters=_reporters(configuration),
    )


def _reporters(configuration: Configuration) -> Reporters:
    from killick.server.reporters import ReporterRule, Reporters

    stated = configuration.access.reporter
    return Reporters(tuple(ReporterRule(one.hosts, one.accounts) for one in stated))


def _access_log(configuration: Configuration, figures: Figures) -> AccessLog | None:
    from killick.server.accesslog import FORMATS, AccessLog

    to = configuration.log.access
    if to == "off":
        return None
    line = FORMATS[configuration.log.format]
    path = None if to == "stderr" else Path(to).expanduser()
    return AccessLog(path, line, lambda lines: figures.count("log_lines_dropped", "access", lines))


def check(configuration: Configuration, root: Path) -> None:
    """See that a configuration can be served; `root` is where, unless it is the local store.

    Raises:
        UsageError: something in it can't be.
        StoreError: the accounts can't be read.
    """
    alone = is_alone(configuration)
    if not configuration.store:
        guarding.check(root, configuration, alone=alone)
        if not is_loopback(parse_address(configuration.addr)[0]):
            guarding.check_wire(root, configuration)
    elif configuration.access.anonymous is None and not alone:
        raise UsageError(
            f"{configuration.addr} can be reached from other machines",
            hint="say that anybody there may pull, by --anonymous pull",
        )
    if configuration.tls.cert is not None:
        tls_files(configuration).check()
    _check_log(configuration.log.access)


def _check_log(to: str) -> None:
    if to in ("off", "stderr"):
        return
    path = Path(to).expanduser()
    try:
        # By no other mode: whoever may read the log knows who pulls what.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise UsageError(
            f"log.access: {path} can't be written to ({error.strerror})",
            side="file",
            hint="off, stderr, or a file's path",
        ) from None


def ping(configuration: Configuration) -> None:
    """Ask the registry that runs with this configuration whether it is up.

    Where it speaks TLS, it is up if it takes a connection: who asks from within has no name for it.

    Raises:
        Unreachable: it is not.
    """
    host, port = parse_address(configuration.addr)
    place = ("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104 - compared with, not bound
    try:
        if configuration.tls.is_on:
            socket.create_connection(place, timeout=PATIENCE).close()
            return
        connection = http.client.HTTPConnection(*place, timeout=PATIENCE)
        with closing(connection):
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"nothing answers at {configuration.addr} ({error})") from None
    if status != http.HTTPStatus.OK:
        raise Unreachable(f"what answers at {configuration.addr} says {status}")


def terms(configuration: Configuration) -> Terms:
    """Return how the server runs."""
    from killick.server import Terms

    limits = configuration.limits
    return Terms(
        workers=workers(configuration),
        connections=limits.connections,
        shutdown=configuration.shutdown.total_seconds(),
        headers=limits.headers.total_seconds(),
        buffer=limits.buffer,
        tls=tls_files(configuration) if configuration.tls.is_on else None,
    )


def workers(configuration: Configuration) -> int:
    """Return how many worker processes there are."""
    if configuration.workers is not None:
        return configuration.workers
    if is_loopback(parse_address(configuration.addr)[0]):
        return 1
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if _KNOWS_CORES else os.cpu_count() or 1)


_KNOWS_CORES = hasattr(os, "sched_getaffinity")


def tls_files(configuration: Configuration) -> TlsFiles:
    """Return the files for TLS of a configuration that has it on."""
    from killick.server import TlsFiles

    stated = configuration.tls
    if stated.cert is None or stated.key is None:
        raise UsageError("TLS needs tls.cert and tls.key")
    return TlsFiles(stated.cert, stated.key, stated.minimum, stated.client_ca)


def who_may(configuration: Configuration, root: Path) -> str:
    """Return in a few words what callers may do."""
    if configuration.store:
        return "anybody may pull"
    return guarding.announced(root, configuration, alone=is_alone(configuration))


def is_alone(configuration: Configuration) -> bool:
    """Return whether only this machine can reach the registry, and no proxy on it is spoken of."""
    access = configuration.access
    seen_elsewhere = access.public_url is not None or access.trusted_proxies
    return is_loopback(parse_address(configuration.addr)[0]) and not seen_elsewhere


def parse_address(text: str) -> tuple[str, int]:
    """Return the host and the port in `host:port`, `[::1]:port`, `:port` (everywhere) or `port`.

    Raises:
        UsageError: it is no such address.
    """
    match = _ADDRESS.fullmatch(text)
    port = int(match[2]) if match else MOST_PORT + 1
    if match is None or port > MOST_PORT:
        raise UsageError(f"{text!r} is not an address", hint="write it as 127.0.0.1:5000")
    if match[1] is None:
        return "127.0.0.1", port
    return match[1].strip("[]") or "0.0.0.0", port  # noqa: S104 - asked for by leaving the host out


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
