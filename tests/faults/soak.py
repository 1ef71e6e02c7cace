"""Garbage is collected every second while others push, half of the time what is garbage.

A positive answer about content (201, or 200 to a HEAD) holds it for the lease. So within that time
a manifest that needs it is taken, and it can be read. And garbage does go.
"""

import random
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from faults.asking import CONFIG, Caller, manifest
from faults.promises import damage
from faults.results import row
from faults.serving import two_servers
from killick.digest import Digest
from killick.errors import KillickError
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE
from killick.store import Store
from killick.transfer import walk

LEASE = 5.0
EVERY = 1.0
SECONDS = 60.0
LONG_SECONDS = 600.0
PUSHERS = 8
LEAST_GONE = 0.95
NAMES = ("soak/a", "soak/b")
_LAYER = 20_000
_SETTLING = LEASE + 3 * EVERY


@dataclass
class Tally:
    """What all pushers saw, together."""

    events: int = 0
    images: int = 0
    said: list = field(default_factory=list)
    garbage: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def promised(self):
        with self.lock:
            self.events += 1

    def complain(self, text):
        with self.lock:
            self.said.append(text)

    def throw_away(self, layers):
        with self.lock:
            self.garbage += layers

    def old_garbage(self, dice):
        with self.lock:
            recent = self.garbage[-400:]
        return dice.choice(recent) if recent else None


def soak(world, rows, scale):
    """Push, delete and collect for a minute; then look what is left."""
    seconds = LONG_SECONDS if scale.long else max(6.0, SECONDS * min(scale.share, 1))
    folder = Path(tempfile.mkdtemp(dir=world.folder))
    root = folder / "store"
    with row(f"gc every {EVERY:g} s, lease {LEASE:g} s, 2 servers", rows) as found:
        tally, rounds = Tally(), []
        with two_servers(root, LEASE) as servers:
            stop = threading.Event()
            collector = threading.Thread(target=_collect, args=(root, stop, rounds, tally))
            pushers = [
                threading.Thread(target=_push, args=(servers[n % 2].port, n, stop, tally))
                for n in range(PUSHERS)
            ]
            for thread in (collector, *pushers):
                thread.start()
            time.sleep(seconds)
            stop.set()
            for thread in (collector, *pushers):
                thread.join()
            said = [line for server in servers for line in server.said.splitlines()]
        said += tally.said
        left, total = _settled(root, tally)
        if left > (1 - LEAST_GONE) * total:
            said.append(f"{left} of {total} layers of garbage are still there")
        with Store(root) as store:
            said += damage(store)
        for _ in range(tally.events - 1):
            found.point("", ())
        found.point("soak", said)
        found.note = (
            f"{tally.events} promises, {tally.images} images, {len(rounds)} collections;"
            f" {total - left} of {total} layers of garbage went"
        )
    shutil.rmtree(folder)


def _collect(root, stop, rounds, tally):
    """Collect garbage, in a process that is neither of the servers."""
    with _opened(root) as store:
        while not stop.wait(EVERY):
            try:
                rounds.append(len(store.collect().removed))
            except KillickError as error:
                tally.complain(f"gc failed: {error.message}")


def _settled(root, tally):
    """Collect until leases are over; return how much of the garbage is there, of how much."""
    time.sleep(_SETTLING)
    with _opened(root) as store:
        store.collect()
        time.sleep(EVERY)
        store.collect()
        held = {path.name for path in (root / "blobs" / "sha256").iterdir()}
        live = {edge.encoded for name in NAMES for edge in _live(store.repository(name))}
    garbage = {Digest.of(layer).encoded for layer in tally.garbage} - live
    return len(garbage & held), len(garbage)


def _live(repository):
    """Yield the digests of what tags point to, or pointed to, which a registry keeps as well."""
    for move in repository.history():
        if move.to is not None:
            for document in walk(repository, move.to):
                yield from (child.digest for child in document.children())


def _opened(root):
    return Store(root, lease=timedelta(seconds=LEASE), retention=None)


def _push(port, number, stop, tally):
    pusher = _Pusher(Caller(port), number, tally)
    while not stop.is_set():
        try:
            pusher.turn()
        except OSError as error:
            tally.complain(f"pusher {number}: {error!r}")


class _Pusher:
    """Pushes images; some get a tag and stay, most are deleted soon after."""

    def __init__(self, caller, number, tally):
        self._caller = caller
        self._number = number
        self._tally = tally
        self._dice = random.Random(number)
        self._turn = 0

    def turn(self):
        """Push one image, of new layers or of what was thrown away, and get rid of it again."""
        self._turn += 1
        name = self._dice.choice(NAMES)
        layers = [self._layer() for _ in range(2)]
        due = min(self._bring(name, data) for data in (CONFIG, *layers))
        if self._dice.random() < 0.3:
            self._look(name, self._dice.choice(layers))
        document = manifest(layers, f"{self._number}.{self._turn}")
        digest = Digest.of(document)
        tag = f"t{self._number}-{self._turn % 5}"
        stays = self._dice.random() < 0.3
        answer = self._caller.put_manifest(name, tag if stays else digest, document)
        if answer.status == 201:
            self._tally.images += 1
            self._tally.promised()
        elif answer.told < due:
            self._tally.complain(
                f"an image was refused, with {due - answer.told:.1f} s of its lease left:"
                f" {answer.status} {answer.body[:200]!r}"
            )
        if not stays:
            if self._dice.random() < 0.5:
                self._caller("DELETE", f"/v2/{name}/manifests/{digest}")
            self._tally.throw_away(layers)

    def _layer(self):
        old = self._tally.old_garbage(self._dice) if self._dice.random() < 0.5 else None
        return old or self._dice.randbytes(_LAYER)

    def _bring(self, name, data):
        """See that a blob is there; return until when it was promised to stay."""
        digest = Digest.of(data)
        asked = self._caller("HEAD", f"/v2/{name}/blobs/{digest}")
        if asked.status == 404:
            asked = self._caller.upload(name, data)
        if asked.status not in (200, 201):
            self._tally.complain(f"a blob was not taken: {asked.status} {asked.body[:200]!r}")
        self._tally.promised()
        return asked.asked + LEASE

    def _look(self, name, data):
        """Read what was promised a moment ago."""
        d = Descriptor.of(BLOB_TYPE, data)
        again = self._caller("HEAD", f"/v2/{name}/blobs/{d.digest}")
        got = self._caller("GET", f"/v2/{name}/blobs/{d.digest}")
        if again.status == 200 and got.told < again.asked + LEASE and got.body != data:
            self._tally.complain(f"a blob went after a 200: {got.status} {got.body[:200]!r}")
        self._tally.promised()
