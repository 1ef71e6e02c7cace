"""The registry server: an HTTP skin (OCI distribution-spec 1.1) over any `Registry`."""

from killick.server.access import OPEN, READ_ONLY, Caller, Everybody, Gate, Right
from killick.server.app import application
from killick.server.calls import Limits
from killick.server.run import run
from killick.server.view import RenamedRegistry, stored_name, visible_name

__all__ = [
    "OPEN",
    "READ_ONLY",
    "Caller",
    "Everybody",
    "Gate",
    "Limits",
    "RenamedRegistry",
    "Right",
    "application",
    "run",
    "stored_name",
    "visible_name",
]
