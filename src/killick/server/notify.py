"""Telling systemd how the server is (sd_notify): a datagram to what `NOTIFY_SOCKET` names."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress


def ready() -> None:
    """Say that the server serves (also: that it has reloaded)."""
    _tell("READY=1")


def reloading() -> None:
    """Say that the server is about to reload."""
    _tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """Say that the server is on its way out."""
    _tell("STOPPING=1")


def _tell(text: str) -> None:
    """Send `text`; where nobody asked for it or listens, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.connect(address)
        one.sendall(text.encode())
