"""Clocks that are ten years off, or step in the middle of a collection.

What tags point to stays, whatever a clock says; the ledger is in the order in which moves took
place; an image that lost a part because a clock said that its lease was over gets no name; and what
a wrong clock has stamped goes as other garbage does, when the clock is right again.
"""

import io
import random
import shutil
from datetime import timedelta

from faults.machine import need
from faults.processes import Served, run
from faults.promises import damage, problems
from faults.pushing import Calls, whole
from faults.results import row
from faults.world import KEPT, SERVED
from images import image
from killick import travel
from killick.digest import Digest
from killick.errors import Incomplete, KillickError, NotFound
from killick.manifest import Descriptor
from killick.memory import MemoryRegistry
from killick.moments import utc_now
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import BLOB_TYPE, Cause
from killick.store import Store
from killick.transfer import copy

DECADE = timedelta(days=3652)
STEPS = {"+10 years": DECADE, "-10 years": -DECADE, "-1 hour": -timedelta(hours=1)}
OFFSETS = ("+10y", "-10y")
TURNS = 60
LONG_TURNS = 1000
_NAME = "clocks/app"
_LATER = timedelta(days=200)
_WHO = "clock@here"


class Stepping:
    """A clock that is right, and off by `step` from its `number`th look on."""

    def __init__(self, step, number=0):
        self.step = step
        self.number = number
        self.looks = 0

    def __call__(self):
        self.looks += 1
        return utc_now() + (self.step if self.looks > self.number else timedelta(0))


def clocks(world, rows, scale):
    """Collect, push and move tags by clocks that are wrong."""
    with row("clocks: a step in the middle of gc", rows) as found:
        looks = _looks(world)
        for name, step in STEPS.items():
            for number in range(looks):
                found.point(f"{name} at look {number}", _stepped(world, step, number))
    with row("clocks: the ledger", rows) as found:
        found.point("moves while the clock jumps", _ledger(world))
    with row("clocks: three workers ten years apart", rows) as found:
        turns = LONG_TURNS if scale.long else TURNS
        found.point(f"{turns} turns", _apart(world, turns))
    with row("clocks: garbage that a wrong clock has stamped", rows) as found:
        for name, step in STEPS.items():
            found.point(name, _stamped(world, step))
    need("faketime")
    with row("clocks: commands and a registry, whole processes", rows) as found:
        for offset in OFFSETS:
            found.point(f"commands, {offset}", _commands(world, offset))
            found.point(f"serve, {offset}", _served(world, offset))


def _looks(world):
    """Return how often a collection looks at the clock."""
    root = world.fresh(world.begun)
    clock = Stepping(timedelta(0))
    with Store(root, clock=clock) as store:
        clock.looks = 0
        store.collect()
    shutil.rmtree(root)
    return clock.looks + 1


def _stepped(world, step, number):
    root = world.fresh(world.begun)
    clock = Stepping(step, 10**9)
    with Store(root, clock=clock) as store:
        clock.number, clock.looks = number, 0
        store.collect()
    yield from problems(root, world.begun.before)
    with Store(root) as store:
        store.collect()
        if _held(root, world.needless):
            yield "old garbage is still there when the clock is right"
    yield from problems(root, world.begun.before)
    shutil.rmtree(root)


def _ledger(world):
    """Yield where the order of entries follows the clock, and not the moves."""
    root = world.fresh(world.empty)
    dice, clock = random.Random(1), Stepping(timedelta(0))
    with Store(root, clock=clock) as store:
        repository = store.repository(_NAME)
        builds = [image(repository, {"n": b"%d" % n}) for n in range(20)]
        for d in builds:
            clock.step = dice.choice(list(STEPS.values()))
            repository.move(Tag("1"), d, Cause("tagged", _WHO))
        moves = list(repository.history(Tag("1")))
        if [move.to.digest for move in moves] != [d.digest for d in builds[::-1]]:
            yield "the history is in another order than the moves"
        if travel.back(moves, 3).digest != builds[-4].digest:
            yield "~3 is another image"
        yield from damage(store)
        clock.step = timedelta(0)
        store.collect()
        if not all(repository.has(d) for d in builds[-1:]):
            yield "what the tag points to was collected"
    shutil.rmtree(root)


def _apart(world, turns):
    """Let three stores whose clocks are ten years apart push, move and collect by turns."""
    root = world.fresh(world.empty)
    dice, source = random.Random(2), MemoryRegistry().repository("source")
    steps = (timedelta(0), DECADE, -DECADE)
    stores = [Store(root, clock=Stepping(step)) for step in steps]
    acknowledged = {}
    try:
        for number in range(turns):
            store = dice.choice(stores)
            if number % 3 == 0:
                store.collect()
                continue
            repository, tag = store.repository(_NAME), Tag(dice.choice("abc"))
            d = image(source, {"n": b"%d" % number}, Platform.host(), layers=2)
            copy(source, repository, d)
            if dice.random() < 0.3:
                dice.choice(stores).collect()
            try:
                repository.move(tag, d, Cause("pushed", _WHO))
                acknowledged[tag] = d
            except (Incomplete, NotFound):
                continue  # another clock said that its lease was over
        for store in stores:
            store.collect()
            yield from damage(store)
            for tag, d in acknowledged.items():
                repository = store.repository(_NAME)
                if repository.resolve(tag).digest != d.digest or not repository.complete(d):
                    yield f"{tag} lost what it points to"
    finally:
        for store in stores:
            store.close()
    shutil.rmtree(root)


def _stamped(world, step):
    """Yield what stays for ever: garbage, and what was deleted by digest, by a wrong clock."""
    root = world.fresh(world.empty)
    thrown = Descriptor.of(BLOB_TYPE, b"thrown away")
    with Store(root, clock=Stepping(step), retention=timedelta(0)) as store:
        repository = store.repository(_NAME)
        repository.put(thrown, io.BytesIO(b"thrown away"))
        kept = image(repository, {"n": b"kept"})
        repository.move(Tag("kept"), kept, Cause("pushed", _WHO))
        deleted = image(repository, {"n": b"deleted"})
        repository.delete(deleted)
    with Store(root, retention=timedelta(0)) as store:
        store.collect()  # which notices stamps of the future
    later = Stepping(_LATER)
    with Store(root, clock=later, retention=timedelta(0)) as store:
        store.collect()
        for name, d in (("a blob", thrown), ("a manifest", deleted)):
            if _held(root, d):
                yield f"{name} is still there"
        if not store.repository(_NAME).complete(kept):
            yield "what a tag points to was collected"
        yield from damage(store)
    shutil.rmtree(root)


def _commands(world, offset):
    """Run commands by a clock that is off, then by one that is right."""
    root = world.fresh(world.begun)
    off = ("faketime", "--exclude-monotonic", "-f", offset)
    pulled = f"127.0.0.1:{world.registry.port}/{SERVED}"
    words = [
        *(("pull", f"{pulled}:2"), ("tag", f"{pulled}:2", "new:1"), ("gc",)),
        *(("import", world.tar, "imported:1"), ("gc",), ("verify",)),
    ]
    for number, each in enumerate(words):
        for prefix in (off, ()) if number % 2 else ((), off):
            ended = run(each, root, prefix)
            if not ended.acknowledged:
                yield f"{' '.join(map(str, each))} failed: {ended.err.strip()[-200:]}"
    with Store(root) as store:
        for name, tag in ((pulled, "2"), ("docker.io/library/new", "1"), (KEPT, "1"), (KEPT, "2")):
            yield from _whole(store.repository(name), Tag(tag))
    yield from problems(root, world.begun.before)
    shutil.rmtree(root)


def _served(world, offset):
    """Push to a registry whose clock is off, then to one over the folder whose clock is right."""
    root = world.fresh(world.served)
    promised = []
    for prefix in (("faketime", "--exclude-monotonic", "-f", offset), ()):
        with Served(root, prefix) as server:
            if server.port is None:
                yield f"it does not start: {server.said[-300:]}"
                return
            calls = Calls(server.port)
            whole(calls)
            promised += calls.promised
        yield from problems(root, world.served.before, promised)
    shutil.rmtree(root)


def _whole(repository, tag):
    try:
        if (
            not repository.complete(repository.resolve(tag))
            and not repository.resolve(tag).is_index
        ):
            yield f"{repository.name}:{tag} lacks a part"
    except KillickError as error:
        yield f"{repository.name}:{tag}: {error.message}"


def _held(root, d):
    digest = Digest.parse(str(d.digest))
    return (root / "blobs" / digest.algorithm / digest.encoded).exists()
