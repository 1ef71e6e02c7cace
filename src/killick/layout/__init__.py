"""OCI image layouts as places that hold images: a directory, or a tar that is read in place."""

from killick.layout.directory import Layout, LayoutRepository
from killick.layout.entries import Entries, Entry

__all__ = ["Entries", "Entry", "Layout", "LayoutRepository"]
