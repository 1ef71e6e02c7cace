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
from pathlib import Path

from faults.asking import CONFIG, Caller, manifest
from faults.processes import Served
from faults.promises import damage
from faults.results import row
from killick.digest import Digest
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
PATIENCE = 300
"""Seconds within which garbage has gone, however busy the machine is."""

SETTINGS = {
    "workers": 2,
    "require_complete": "true",
    "chores.lease": f"{LEASE:g}s",
    "chores.collect": f"{EVERY:g}s",
}


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
    with row(f"gc every {EVERY:g} s, lease {LEASE:g} s, 2 workers", rows) as found:
        tally, rounds = Tally(), set()
        with Served(root, settings=SETTINGS) as server:
            stop = threading.Event()
            watcher = threading.Thread(target=_watch, args=(server.port, stop, rounds, tally))
            pushers = [
                threading.Thread(target=_push, args=(server.port, n, stop, tally))
                for n in range(PUSHERS)
            ]
            for thread in (watcher, *pushers):
                thread.start()
            time.sleep(seconds)
            stop.set()
            for thread in (watcher, *pushers):
                thread.join()
            left, total = _settled(root, tally)
            said = server.said.splitlines()
        said += tally.said
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


def _watch(port, stop, rounds, tally):
    """Note when a collection of the server ended, as its chore tells it."""
    caller = Caller(port)
    while not stop.wait(EVERY / 4):
        account = caller("GET", "/v2/_killick/chores/collect").document()
        if account["outcome"] == "failed":
            tally.complain(f"gc failed: {account['error']}")
        if account["finished"] is not None:
            rounds.add(account["finished"])
    caller.close()


def _settled(root, tally):
    """Wait until leases are over and all has gone; return how much garbage is left, of how much."""
    with Store(root, read_only=True) as store:
        live = {edge.encoded for name in NAMES for edge in _live(store.repository(name))}
    garbage = {Digest.of(layer).encoded for layer in tally.garbage} - live
    end = time.monotonic() + PATIENCE
    while True:
        held = {path.name for path in (root / "blobs" / "sha256").iterdir()}
        if not garbage & held or time.monotonic() > end:
            return len(garbage & held), len(garbage)
        time.sleep(EVERY)


def _live(repository):
    """Yield the digests of what tags point to, or pointed to, which a registry keeps as well."""
    for move in repository.history():
        if move.to is not None:
            for document in walk(repository, move.to):
                yield from (child.digest for child in document.children())


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
