"""How a server runs."""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass

from killick.bounds import bound
from killick.server.certificates import TlsFiles

_log = logging.getLogger(__name__)

SPARE_FILES = 512
"""Open files of a worker beside its connections: the database, content, uploads, the log."""
BACKLOG = bound(1024, "connections", "connections that wait to be taken")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a server runs: how many workers, for how many connections each, and how it speaks.

    `shutdown` is how many seconds calls under way get to end in when it is told to stop; `headers`
    how many a caller may take to send the headers of a request, or to begin the next one; `buffer`
    how many bytes of a connection are read ahead.
    """

    workers: int = 1
    connections: int = 4096
    shutdown: float = 10.0
    headers: float = 30.0
    buffer: int = 1024 * 1024
    tls: TlsFiles | None = None


def files_for(connections: int) -> int:
    """Let each worker have enough open files; return how many connections it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        _log.warning("only %d files may be open: fewer connections are taken", hard)
        needed = hard
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return max(16, min(connections, needed - SPARE_FILES))
