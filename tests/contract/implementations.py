"""Every implementation of the roles, as a context manager over an empty folder.

A `Place` is an empty registry. `prefix` is what a repository's name begins with there: a layout and
the local store know repositories by full names, a served registry by paths.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from killick.layout import ArchiveWriter, Layout
from killick.memory import MemoryRegistry
from killick.repository import Registry, Repository


@dataclass(frozen=True)
class Place:
    registry: Registry
    prefix: str = ""

    def repository(self, path: str = "team/golftrack") -> Repository:
        return self.registry.repository(self.prefix + path)


@contextmanager
def memory(folder: Path) -> Iterator[Place]:
    yield Place(MemoryRegistry())


@contextmanager
def layout(folder: Path) -> Iterator[Place]:
    yield Place(Layout(folder / "layout", create=True), "registry.example/")


@contextmanager
def archive(folder: Path) -> Iterator[Place]:
    folder.mkdir(exist_ok=True)
    with ArchiveWriter(folder / "archive.tar") as writer:
        yield Place(writer, "registry.example/")


@contextmanager
def store(folder: Path) -> Iterator[Place]:
    if not find_spec("killick.store"):
        pytest.skip("the store has not landed")
    from killick.store import Store

    with Store(folder / "store", actor="tester@here") as opened:
        yield Place(opened, "registry.example/")


IMPLEMENTATIONS: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "memory": memory,
    "layout": layout,
    "archive": archive,
    "store": store,
}
