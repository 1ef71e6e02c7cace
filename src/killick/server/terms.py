"""How a server runs."""

from __future__ import annotations

from dataclasses import dataclass

from killick.server.certificates import TlsFiles


@dataclass(frozen=True, slots=True)
class Terms:
    """How a server runs: how many workers, for how many connections each, and how it speaks.

    `shutdown` is how many seconds calls under way get to end in when it is told to stop; `headers`
    how many a caller may take to send the headers of a request, or to begin the next one.
    """

    workers: int = 1
    connections: int = 4096
    shutdown: float = 10.0
    headers: float = 30.0
    tls: TlsFiles | None = None
