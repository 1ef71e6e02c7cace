"""Killick: container images by digest.

The names below are the library's entry points; modules hold the rest.
"""

from killick.digest import Digest
from killick.names import Name, Reference, Tag
from killick.platforms import Platform

__all__ = ["Digest", "Name", "Platform", "Reference", "Tag"]
__version__ = "0.1.0"
