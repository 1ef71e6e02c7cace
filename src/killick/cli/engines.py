"""Which engines a command asks: those it is told by `--host`, else the fleet, else this machine's.

This machine's are what docker would use (DOCKER_HOST, its context), else whatever of Docker's and
Podman's usual sockets is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from killick.cli.fleet_file import Added, FleetFile
from killick.errors import NotFound, UsageError

if TYPE_CHECKING:
    from killick.fleet.engines import Engine
    from killick.observation import Snapshot

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

MOST_SECONDS = 3600


def host_options(function: Decorated) -> Decorated:
    """Give a command `--host`, as `hosts`, and `--timeout`, as `seconds`."""
    function = click.option(
        "--timeout",
        "seconds",
        type=click.FloatRange(0, MOST_SECONDS, min_open=True),
        default=30,
        metavar="SECONDS",
        help="How long each engine may take (default: 30).",
    )(function)
    return click.option(
        "--host",
        "hosts",
        multiple=True,
        metavar="URL|NAME",
        help="An engine to ask instead of the added ones; may be repeated.",
    )(function)


def engines_for(hosts: Iterable[str], environment: Mapping[str, str] = os.environ) -> list[Engine]:
    """Return the engines to ask: at least one. `hosts` are addresses, or names of added engines.

    Raises:
        UsageError: an address is wrong, or two engines would have one name.
        NotFound: there is no engine at all, or none of a name.
    """
    added = FleetFile().engines()
    stated = list(dict.fromkeys(hosts))
    if stated:
        found = [_stated(host, added) for host in stated]
    elif added:
        found = [engine_of(name, engine) for name, engine in added.items()]
    else:
        found = _local(environment)
    names = [engine.host for engine in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two engines are called {name!r}", hint="killick fleet add gives them names"
            )
    return found


def snapshots(engines: Iterable[Engine], seconds: float) -> Iterator[Snapshot]:
    """Yield what each engine says, as it comes in; of those that can't be asked, why."""
    from killick.fleet.scan import scan

    return scan(engines, seconds)


def engine_of(name: str, added: Added) -> Engine:
    """Return the engine that was added under a name.

    Raises:
        UsageError: its address, or a file for TLS, is wrong.
    """
    from killick.fleet.engines import Tls, engine_at

    ca_file, cert, key = (
        Path(path).expanduser() if path else None for path in (added.ca_file, added.cert, added.key)
    )
    return engine_at(added.url, name, Tls(ca_file, cert, key) if ca_file or cert else None)


def _stated(host: str, added: Mapping[str, Added]) -> Engine:
    from killick.fleet.engines import engine_at

    if host in added:
        return engine_of(host, added[host])
    if ":" not in host:
        raise NotFound(
            f"there is no engine {host!r}",
            hint="killick fleet ls lists those there are; an address is written as unix:///SOCKET",
        )
    return engine_at(host)


def _local(environment: Mapping[str, str]) -> list[Engine]:
    from killick.fleet.engines import engine_at, from_environment

    if (told := from_environment(environment)) is not None:
        return [told]
    found = [engine_at(f"unix://{path}") for path in _sockets(environment)]
    if not found:
        raise NotFound(
            "there is no container engine here, and none was added",
            hint="killick fleet add NAME URL adds one; --host URL asks one",
        )
    return found


def _sockets(environment: Mapping[str, str]) -> list[Path]:
    """Return the usual sockets that are there, each once: one may be a link to another."""
    mine = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    usual = (
        Path("/var/run/docker.sock"),
        mine / "docker.sock",
        Path("/run/podman/podman.sock"),
        mine / "podman" / "podman.sock",
    )
    by_place: dict[str, Path] = {}
    for path in usual:
        if _is_socket(path):
            by_place.setdefault(os.path.realpath(path), path)
    return list(by_place.values())


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # a folder that is not ours to look into
        return False
