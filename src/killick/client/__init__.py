"""A remote registry over HTTP, as a Registry of repositories."""

from killick.client.access import Access
from killick.client.registry import RemoteRegistry

__all__ = ["Access", "RemoteRegistry"]
