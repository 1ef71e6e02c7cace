"""Stores as operations find them: what they hold was acknowledged before, or is old garbage."""

import os
import random
import shutil
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from faults.processes import Served
from faults.promises import Before
from images import image, multi_platform, put, tar
from killick.layout import ArchiveWriter
from killick.memory import MemoryRegistry
from killick.moments import utc_now
from killick.names import Name, Tag
from killick.platforms import Platform
from killick.repository import BLOB_TYPE, Cause
from killick.store import Store
from killick.transfer import copy

LONG_AGO = timedelta(days=200)
ACTOR = "harness@here"
KEPT = str(Name.parse("kept"))
GARBAGE = str(Name.parse("garbage"))
LOADED = str(Name.parse("loaded"))
SERVED = "team/app"
ROTTEN = b"nobody needs this, and a disk has changed it" * 100


@dataclass(frozen=True)
class Start:
    """A store to begin from, what it promised, and what of it is damaged already."""

    root: Path
    before: Before
    damaged: frozenset = frozenset()


class World:
    """What all operations share: a registry, archives, and the stores that they begin with."""

    def __init__(self):
        self.folder = Path(mkdtemp(prefix="killick-faults-"))
        self.images = MemoryRegistry().repository("source")
        fast = Platform.host()
        self.first = image(self.images, {"app": b"first"}, fast, layers=2)
        self.second = image(self.images, {"app": b"second", "big": _noise(300_000)}, fast, layers=2)
        self.many = multi_platform(self.images, {"app": b"many"})
        self.tar = self.folder / "root.tar"
        self.tar.write_bytes(tar({"etc/motd": b"imported", "data": _noise(200_000)}))
        self._numbers = count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if "registry" in self.__dict__:
            self.registry.stop()
        shutil.rmtree(self.folder)

    @cached_property
    def registry(self):
        """A registry to pull from: `team/app`, with tags 1 and 2."""
        root = self.folder / "registry"
        with Store(root, actor=ACTOR) as store:
            for tag, d in (("1", self.first), ("2", self.second), ("many", self.many)):
                self.place(store, SERVED, tag, d)
        return Served(root)

    @cached_property
    def archive(self):
        """An archive for `load`."""
        path = self.folder / "images.tar"
        with ArchiveWriter(path, None) as archive:
            copy(self.images, archive.repository(LOADED), self.second, Tag("1"))
        return path

    @cached_property
    def empty(self):
        """Where no store is yet."""
        root = self.folder / "empty"
        return Start(root, Before((), frozenset()))

    @cached_property
    def begun(self):
        """A local store: a tag that has moved, another one, and garbage old enough to go."""
        root = self.folder / "begun"
        with Store(root, actor=ACTOR, clock=lambda: utc_now() - LONG_AGO) as store:
            thrown = image(store.repository(GARBAGE), {"app": b"thrown away"}, layers=3)
            store.repository(GARBAGE).move(Tag("1"), thrown, Cause("pulled", ACTOR))
            store.repository(GARBAGE).move(Tag("1"), None, Cause("deleted", ACTOR))
            self.needless = put(store.repository(KEPT), BLOB_TYPE, b"nobody ever needed this")
        with Store(root, actor=ACTOR) as store:
            self.old = image(store.repository(KEPT), {"app": b"old"})
            store.repository(KEPT).move(Tag("1"), self.old, Cause("pulled", ACTOR))
            self.place(store, KEPT, "1", self.first)
            self.place(store, KEPT, "2", self.many)
            self.place(store, f"127.0.0.1:{self.registry.port}/pushed/app", "1", self.first)
        return Start(root, Before.of(root))

    @cached_property
    def rotten(self):
        """The store that is begun, with one blob damaged that nobody needs."""
        root = self.folder / "rotten"
        shutil.copytree(self.begun.root, root)
        digest = self.needless.digest
        path = root / "blobs" / digest.algorithm / digest.encoded
        path.write_bytes(path.read_bytes().swapcase())
        return Start(root, self.begun.before, frozenset({digest}))

    @cached_property
    def served(self):
        """The folder of a registry that others push to."""
        root = self.folder / "served"
        with Store(root, actor=ACTOR) as store:
            self.place(store, SERVED, "kept", self.first)
            self.place(store, SERVED, "moved", self.first)
            self.place(store, SERVED, "deleted", self.first)
        return Start(root, Before.of(root))

    @cached_property
    def operated(self):
        """The folder of a registry with something to do for each chore."""
        root = self.folder / "operated"
        with Store(root, actor=ACTOR, clock=lambda: utc_now() - LONG_AGO) as store:
            repository = store.repository(SERVED)
            image(repository, {"app": b"thrown away"}, layers=3)
            image(repository, {"app": b"thrown away as well"}, layers=3)
            self.operated_garbage = {path.name for path in (root / "blobs" / "sha256").iterdir()}
            for tag in ("kept", "moved", "old-1", "old-2", "old-3"):
                self.place(store, SERVED, tag, self.first)
            for part in (b"an", b"old", b"upload"):
                repository.begin().write(part)
        self.operated_uploads = {path.name for path in (root / "uploads").iterdir()}
        for path in (root / "uploads").iterdir():
            long_ago = (utc_now() - LONG_AGO).timestamp()
            os.utime(path, (long_ago, long_ago))
        with Store(root, actor=ACTOR) as store:
            self.place(store, SERVED, "moved", self.second)
            rotten = put(store.repository(SERVED), BLOB_TYPE, ROTTEN).digest
        before = Before.of(root)
        path = root / "blobs" / rotten.algorithm / rotten.encoded
        path.write_bytes(ROTTEN.swapcase())
        return Start(root, before, frozenset({rotten}))

    def place(self, store, name, tag, d):
        """Copy an image into a store, under a name."""
        target = store.repository(name)
        copy(self.images, target, d)
        target.move(Tag(tag), d, Cause("pulled", ACTOR))

    def fresh(self, start):
        """Return the folder of a copy of a store."""
        root = self.folder / f"try-{next(self._numbers)}"
        if start.root.exists():
            shutil.copytree(start.root, root)
        return root


def _noise(size):
    return random.Random(size).randbytes(size)
