"""OCI image layouts as places that hold images: a directory, or a tar that is read in place."""

from killick.layout.archive import Archive, read_archive
from killick.layout.directory import Layout, LayoutRepository
from killick.layout.entries import Entries, Entry
from killick.layout.writer import ArchiveWriter

__all__ = [
    "Archive",
    "ArchiveWriter",
    "Entries",
    "Entry",
    "Layout",
    "LayoutRepository",
    "read_archive",
]
