"""Every positive answer is a lease: what it was about stays, whatever is collected meanwhile."""

import io
import shutil
import sqlite3
import threading
import time
from contextlib import closing, suppress
from datetime import timedelta

from faults.results import row
from images import image
from killick.errors import Incomplete, KillickError, NotFound
from killick.manifest import Descriptor
from killick.moments import utc_now
from killick.names import Tag
from killick.repository import BLOB_TYPE
from killick.store import Store

LEASE = timedelta(minutes=10)
SHORT_LEASE = timedelta(seconds=0.4)
SLOW_FOR = 2.0
"""Seconds that a slow transfer takes: several leases."""

LOOKS = 14
"""More often than that gc does not look at the clock, with so little to collect."""

NAME = "leased/app"


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self):
        self.now = utc_now()

    def __call__(self):
        return self.now

    def forward(self, part):
        self.now += LEASE * part


def leases(world, rows, scale):
    """Collect garbage at every moment at which something was promised."""
    with row("leases: answers", rows) as found:
        for ask in (_fresh, _has, _find, _locate, _mount, _uploaded):
            found.point(ask.__name__, _promised(world, ask))
    with row("leases: a tag in the middle of gc", rows) as found:
        for look in range(1, LOOKS):
            found.point(f"tagged at look {look} at the clock", _tagged_late(world, look))
    with row("leases: a slow transfer", rows) as found:
        found.point("collected all the time", _slow(world))


def _promised(world, ask):
    """Yield what went within its lease after an answer, or stayed for ever."""
    clock = Clock()
    root = world.fresh(world.empty)
    with Store(root, clock=clock, lease=LEASE) as store, Store(root, clock=clock) as other:
        d = Descriptor.of(BLOB_TYPE, b"promised")
        store.repository(NAME).put(d, io.BytesIO(b"promised"))
        clock.forward(0.9)
        name = ask(store, d)
        for part in (0.5, 0.4):
            clock.forward(part)
            other.collect()
            if not _there(root, name, d):
                yield "it went within its lease"
                break
        clock.forward(3)
        other.collect()
        if _there(root, name, d):
            yield "garbage never goes"
    shutil.rmtree(root)


def _fresh(store, d):
    again = store.repository("leased/again")
    again.put(d, io.BytesIO(b"promised"))
    return "leased/again"


def _has(store, d):
    store.repository(NAME).has(d)
    return NAME


def _find(store, d):
    store.repository(NAME).find(d.digest)
    return NAME


def _locate(store, d):
    store.repository(NAME).locate(d)
    return NAME


def _mount(store, d):
    store.repository("leased/sister").mount(d, NAME)
    return "leased/sister"


def _uploaded(store, d):
    upload = store.repository("leased/uploaded").begin()
    upload.write(b"promised")
    upload.commit(d.digest)
    return "leased/uploaded"


def _there(root, name, d):
    """Return whether content is there; looked at in a way that promises nothing."""
    with Store(root, read_only=True) as store:
        try:
            store.repository(name).find(d.digest)
        except KillickError:
            return False
    return True


def _tagged_late(world, look):
    """Yield a complaint if gc removes what got a tag while it was at work.

    It looks at the clock between its steps: at one of these the image is listed as garbage already.
    """
    clock = Clock()
    root = world.fresh(world.empty)
    with Store(root, clock=clock) as store, Store(root, clock=clock) as collector:
        repository = store.repository(NAME)
        d = image(repository)
        clock.forward(3)
        looks, tagged = [], []

        def late():
            looks.append(None)
            if len(looks) >= look and not tagged and _may_write(root):
                tagged.append(None)
                with suppress(NotFound, Incomplete):  # it may be gone: its lease was over long ago
                    repository.tag(Tag("1"), d)
            return clock()

        with Store(root, clock=late) as slow:
            slow.collect()
        collector.collect()
        if not repository.complete(d) and list(repository.tags()):
            yield "an image with a tag was collected"
        yield from (f"verify: {f.problem}" for f in store.verify() if f.damage)
    shutil.rmtree(root)


def _may_write(root):
    """Return whether nobody is in the middle of a transaction, for which a tag would wait."""
    with closing(sqlite3.connect(root / "store.db", timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
    return True


def _slow(world):
    """Yield what went while a transfer was under way that takes longer than the lease."""
    root = world.fresh(world.empty)
    stop = threading.Event()
    with Store(root, lease=SHORT_LEASE) as store, Store(root, lease=SHORT_LEASE) as other:
        collector = threading.Thread(target=_collect_until, args=(other, stop))
        collector.start()
        try:
            repository = store.repository(NAME)
            first = Descriptor.of(BLOB_TYPE, b"the first layer")
            repository.put(first, io.BytesIO(b"the first layer"))
            second = Descriptor.of(BLOB_TYPE, bytes(20))
            with repository.ingest(second) as ingest:
                ingest.fill(_Drops(20, SLOW_FOR))
            for d in (first, second):
                if not _there(root, NAME, d):
                    yield f"{d.size} bytes went while they were on their way"
        finally:
            stop.set()
            collector.join()
    shutil.rmtree(root)


def _collect_until(store, stop):
    while not stop.wait(0.05):
        store.collect()


class _Drops(io.RawIOBase):
    """A stream of `count` zeros, which takes `seconds`."""

    def __init__(self, count, seconds):
        self._left = count
        self._pause = seconds / count

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self._left:
            return 0
        time.sleep(self._pause)
        self._left -= 1
        buffer[:1] = bytes(1)
        return 1
