"""Every implementation of the roles, as a context manager over an empty folder.

A `Place` is an empty part of a registry: all repositories whose names begin with `prefix`. (A
layout and the local store know repositories by full names, a served registry by paths; and one
served registry is there for all tests.)
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from killick.client import RemoteRegistry
from killick.client.repository import RemoteRepository
from killick.layout import ArchiveWriter, Layout, LayoutRepository
from killick.layout.writer import ArchiveRepository
from killick.memory import MemoryRegistry, MemoryRepository
from killick.repository import Registry, Repository
from killick.store import Store
from killick.store.repository import StoreRepository


@dataclass(frozen=True)
class Surroundings:
    """What an implementation may use: an empty folder, and the domains of two servers."""

    folder: Path
    server: str
    relay: str


@dataclass(frozen=True)
class Place:
    registry: Registry
    prefix: str = ""

    def repository(self, path: str = "team/golftrack") -> Repository:
        return self.registry.repository(self.prefix + path)

    def names(self, after: str = "") -> list[str]:
        """Return the names of the repositories here, without the prefix, in the order given."""
        names = self.registry.repositories(self.prefix + after)
        return [n.removeprefix(self.prefix) for n in names if n.startswith(self.prefix)]


@contextmanager
def memory(_: Surroundings) -> Iterator[Place]:
    yield Place(MemoryRegistry())


@contextmanager
def layout(around: Surroundings) -> Iterator[Place]:
    yield Place(Layout(around.folder / "layout", create=True), "registry.example/")


@contextmanager
def archive(around: Surroundings) -> Iterator[Place]:
    with ArchiveWriter(around.folder / "archive.tar") as writer:
        yield Place(writer, "registry.example/")


@contextmanager
def store(around: Surroundings) -> Iterator[Place]:
    with Store(around.folder / "store", actor="tester@here") as opened:
        yield Place(opened, "registry.example/")


@contextmanager
def remote(around: Surroundings) -> Iterator[Place]:
    """Yield a client's view of a served store."""
    with RemoteRegistry(around.server) as client:
        yield Place(client, f"test-{uuid4()}/")


@contextmanager
def relay(around: Surroundings) -> Iterator[Place]:
    """Yield a client's view of a server in front of a client of the served store."""
    with RemoteRegistry(around.relay) as client:
        yield Place(client, f"test-{uuid4()}/")


@dataclass(frozen=True)
class Implementation:
    make: Callable[[Surroundings], AbstractContextManager[Place]]
    repository: type


IMPLEMENTATIONS = {
    "memory": Implementation(memory, MemoryRepository),
    "layout": Implementation(layout, LayoutRepository),
    "archive": Implementation(archive, ArchiveRepository),
    "store": Implementation(store, StoreRepository),
    "remote": Implementation(remote, RemoteRepository),
    "relay": Implementation(relay, RemoteRepository),
}


def having(capability: type) -> list[str]:
    """Return the names of the implementations that say they have a capability."""
    return [n for n, found in IMPLEMENTATIONS.items() if issubclass(found.repository, capability)]
