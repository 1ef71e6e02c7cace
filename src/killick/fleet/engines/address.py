"""From an engine's address to the engine.

    unix:///var/run/docker.sock          Docker or Podman, whichever answers
    tcp://HOST[:PORT]  https://HOST[:PORT]  the same over the network; with TLS where it is set up
    ssh://[USER@]HOST[:PORT][/SOCKET]    the same on another machine, by ssh
    context://NAME                       a context of docker's configuration
    cri:///run/containerd/containerd.sock   containerd, CRI-O, by their CRI socket
    kube://[CONTEXT]                     a cluster, by kubeconfig; or from within a pod
    file://PATH                          an inventory file

Each kind is imported when the first of its engines is named.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from killick.errors import UsageError
from killick.fleet.engines import lines
from killick.fleet.engines.lines import Tls

if TYPE_CHECKING:
    from killick.fleet.engines.http import Dial
    from killick.fleet.engines.protocol import Engine

FORMS = (
    "unix:///SOCKET, tcp://HOST:PORT, ssh://USER@HOST, context://NAME, cri:///SOCKET,"
    " kube://CONTEXT or file://PATH"
)
_PLAIN_PORT, _TLS_PORT = 2375, 2376
_DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
_BY_NAME = ("kube", "context")


def engine_at(url: str, name: str | None = None, tls: Tls | None = None) -> Engine:
    """Return the engine at `url`, called `name` in reports.

    Without a name, it is called by its address, and one of this machine by the machine's name.

    `tls` holds for `tcp://` and `https://`; a `tcp://` without it is plain.

    Raises:
        UsageError: `url` is no address of an engine.
    """
    scheme, separator, rest = url.partition("://")
    if tls and scheme not in ("tcp", "https"):
        raise UsageError(f"certificates are of no use for {url}")
    if separator and scheme in _BY_NAME:
        return _named(scheme, unquote(rest), name)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(url, str(error)) from None
    if parts.query or parts.fragment or parts.password is not None:
        raise _wrong(url, "it may have neither a password nor ? or #")
    if scheme in ("tcp", "http", "https", "ssh"):
        if not parts.hostname:
            raise _wrong(url, "it names no host")
        return _far(parts, port, name, tls)
    if parts.netloc or not parts.path.startswith("/"):
        raise _wrong(url, "its path has to begin with / after the two slashes")
    return _here(url, unquote(parts.path), name)


def _named(scheme: str, words: str, name: str | None) -> Engine:
    """Return the engine that a configuration knows under a name."""
    if scheme == "kube":
        from killick.fleet.engines.kubernetes import KubernetesEngine

        return KubernetesEngine(name or words or "kubernetes", words or None)
    from killick.fleet.engines.contexts import of_context

    found = of_context(words)
    if found.url.startswith("context:"):
        raise _wrong(found.url, "a context can't lead to a context")
    return engine_at(found.url, name or found.name, found.tls)


def _here(url: str, path: str, name: str | None) -> Engine:
    match url.partition(":")[0]:
        case "unix":
            return _over_http(name or _local_name(path), path, lines.unix(path))
        case "cri":
            from killick.fleet.engines.cri import CriEngine

            return CriEngine(name or _local_name(path), path)
        case "file":
            from killick.fleet.engines.inventory import InventoryFile

            return InventoryFile(Path(path), name)
    raise _wrong(url, "such addresses are not known")


def _local_name(path: str) -> str:
    """Return what an engine of this machine is called where other machines report theirs, too."""
    machine = socket.gethostname()
    return machine if path in _DOCKER_SOCKETS else f"{machine}:{path}"


def _far(parts: SplitResult, port: int | None, name: str | None, tls: Tls | None) -> Engine:
    if parts.scheme != "ssh":
        return _over_tcp(parts, port, name, tls)
    destination = parts.netloc.rpartition(":")[0] if port else parts.netloc
    if destination.startswith("-"):
        raise _wrong(parts.geturl(), "no host begins with a dash")
    dial = lines.ssh(destination, port, unquote(parts.path).rstrip("/") or None)
    return _over_http(name or parts.hostname or "", parts.geturl(), dial)


def _over_tcp(parts: SplitResult, port: int | None, name: str | None, tls: Tls | None) -> Engine:
    host = parts.hostname or ""
    if parts.path not in ("", "/") or parts.username is not None:
        raise _wrong(parts.geturl(), "it may have nothing but a host and a port")
    shown = f"[{host}]" if ":" in host else host
    if tls is None and parts.scheme != "https":
        port = port or _PLAIN_PORT
        dial = lines.tcp(host, port)
    else:
        port = port or _TLS_PORT
        dial = lines.tls(host, port, (tls or Tls()).context())
    return _over_http(name or f"{shown}:{port}", f"{shown}:{port}", dial, f"{shown}:{port}")


def _over_http(name: str, where: str, dial: Dial, authority: str = "localhost") -> Engine:
    from killick.fleet.engines.docker import HttpEngine

    return HttpEngine(name, where, dial, authority)


def from_environment(environment: Mapping[str, str]) -> Engine | None:
    """Return the engine that docker's variables or its current context name; None: neither does.

    Raises:
        UsageError: they name none that can be used.
        NotFound: there is no such context.
    """
    from killick.fleet.engines.contexts import of_environment

    found = of_environment(environment)
    return engine_at(found.url, found.name, found.tls) if found else None


def _wrong(url: str, reason: str) -> UsageError:
    return UsageError(f"{url!r} is no address of an engine: {reason}", hint=f"write {FORMS}")
