"""Engines: what runs containers, or lists them. They are asked, and never told to do anything."""

from killick.fleet.engines.address import engine_at, from_environment
from killick.fleet.engines.lines import Tls
from killick.fleet.engines.protocol import Engine

__all__ = ["Engine", "Tls", "engine_at", "from_environment"]
