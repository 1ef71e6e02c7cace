"""What `serve` puts together: a store, the view of it, who may do what, and an address.

The applications are made in worker processes, so what makes them takes plain values only.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from killick.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MOST_PORT = 65535
LEASE = timedelta(hours=1)
"""How long what a registry said it has stays there, whatever happens to its tags."""
_ADDRESS = re.compile(r"(?:(\[[0-9a-fA-F:]+\]|[^:\[\]]*):)?([0-9]{1,5})")


def registry(root: str, actor: str, may_write: bool) -> ASGIApp:
    """Return a registry that keeps what it is given in the folder `root`.

    What its tags used to point to is kept for ever: nobody else may have it.
    """
    from killick.server import OPEN, Everybody, application
    from killick.store import Store

    store = Store(Path(root), actor=actor, lease=LEASE, retention=None)
    why = "anonymous callers may only pull from this registry"
    gate = OPEN if may_write else Everybody("pull", why=why)
    return application(store, gate, on_close=store.close)


def local_store(root: str, actor: str) -> ASGIApp:
    """Return a registry that shows the local store, to be read, as `<host>/<path>`."""
    from killick.server import RenamedRegistry, application, stored_name, visible_name
    from killick.store import Store

    store = Store(Path(root), actor=actor, read_only=True)
    view = RenamedRegistry(store, stored_name, visible_name)
    return application(view, on_close=store.close)


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
