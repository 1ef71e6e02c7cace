"""The registry server: an HTTP skin (OCI distribution-spec 1.1) over any `Registry`."""

from killick.server.access import OPEN, READ_ONLY, Caller, Everybody, Gate, Right
from killick.server.app import application
from killick.server.calls import Limits
from killick.server.certificates import TlsFiles
from killick.server.operations import Operations
from killick.server.proxies import BehindProxies, network
from killick.server.run import run
from killick.server.terms import Terms
from killick.server.view import RenamedRegistry, stored_name, visible_name
from killick.server.worker import Worker

__all__ = [
    "OPEN",
    "READ_ONLY",
    "BehindProxies",
    "Caller",
    "Everybody",
    "Gate",
    "Limits",
    "Operations",
    "RenamedRegistry",
    "Right",
    "Terms",
    "TlsFiles",
    "Worker",
    "application",
    "network",
    "run",
    "stored_name",
    "visible_name",
]
