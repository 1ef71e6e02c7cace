"""kill -9 of a registry at every durable step of each of its chores, while others push to it.

The chore is due at the start, as it is by default. After the kill the registry is started again:
the chore is due again, ends well and has done its work; asked for once more, it does no harm.
"""

import os
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from faults import tracing
from faults.asking import Caller
from faults.crash import kill_at
from faults.machine import need
from faults.processes import CHORE, Served
from faults.promises import Promise, problems, standing
from faults.pushing import Calls, NotAcknowledged, push_image
from faults.results import row
from faults.world import ROTTEN, SERVED
from killick.digest import Digest
from killick.store import Store

ACCEPTED = 202
SHORT = 8
PUSHERS = 2
PATIENCE = 600
"""Seconds within which a chore that has little to do is done, however busy the machine is."""

RULE = """
[[retention]]
name = "old ones"
tags = "old*"
tags_older_than = "90d"
"""
NAMES = ("collect", "retention", "scrub", "uploads")
OLD_TAGS = ("old-1", "old-2", "old-3")


def chores(world, rows, scale):
    """Kill the registry at the durable steps of its chores."""
    need("strace")
    for name in scale.some(list(NAMES)):
        with row(f"kill -9: serve, {name} under pushes", rows) as found:
            kill_at(found, _dry_run(world, name), scale.most(SHORT), partial(_kill, world, name))


def settings_for(name, root):
    """Return settings under which of the chores only `name` is due by itself (and uploads)."""
    Path(f"{root}.toml").write_text(RULE)
    others = {f"chores.{each}": "0s" for each in ("collect", "retention", "scrub") if each != name}
    return others | {"chores.scrub_rate": "0"}


@dataclass
class Load:
    """Callers who push images until the registry goes away, and what they were told."""

    calls: list
    stop: threading.Event

    @property
    def promised(self):
        return [promise for calls in self.calls for promise in calls.promised]

    @property
    def may(self):
        return [promise for calls in self.calls for promise in calls.may]


def push_one(calls, number, turn):
    """Push an image, whose tag has pointed to another one three turns ago."""
    push_image(calls, f"{number}.{turn}".encode(), f"load-{number}-{turn % 3}")


@contextmanager
def pushing(port, callers=PUSHERS, deed=push_one):
    """Yield the load on the registry at `port`; it ends with the block.

    Each caller does `deed` in turns, with its own calls, its number, and that of the turn.
    """
    load = Load([Calls(port) for _ in range(callers)], threading.Event())

    def work(number):
        with suppress(NotAcknowledged):
            for turn in count():
                if load.stop.is_set():
                    return
                deed(load.calls[number], number, turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()


def _dry_run(world, name):
    """Return the durable steps of a chore's own thread."""
    with _tried(world, name) as (root, trace):
        with Served(root, **_gated(name, root)) as server, pushing(server.port):
            trace(None)
            wait_for(server.port, name)
        return tracing.steps(Path(f"{root}.trace"))


def _kill(world, name, step):
    with _tried(world, name) as (root, trace):
        start = world.operated
        with Served(root, **_gated(name, root)) as server:
            half = Half(Calls(server.port))
            with pushing(server.port) as load:
                struck = trace(step)
                server.kill() if struck else load.stop.set()
        may = [*load.may, *(Promise(SERVED, tag, None) for tag in OLD_TAGS)]
        found = list(problems(root, start.before, load.promised, may, start.damaged))
        found += _gone_on(root, name, half)
        promised = [*load.promised, half.promise]
        found += [
            f"after the chore: {problem}"
            for problem in problems(root, start.before, promised, may, start.damaged)
        ]
        found += _undone(world, root, name)
        return struck, found


@contextmanager
def _tried(world, name):
    """Yield a fresh registry, and what traces the thread of its chore; all of it goes."""
    root = world.fresh(world.operated)
    try:
        yield root, partial(_trace, root)
    finally:
        for path in root.parent.glob(f"{root.name}.*"):
            path.unlink()
        shutil.rmtree(root)


def _gated(name, root):
    return {
        "settings": settings_for(name, root),
        "module": "faults.gated",
        "config": f"{root}.toml",
        "more": {CHORE: name},
    }


def _trace(root, step):
    """Let the chore go, killed at `step` if there is one; return whether it was."""
    place, log = Path(f"{root}.thread"), Path(f"{root}.trace")
    _until(place.exists)
    thread = place.read_text()
    inject = None if step is None else tracing.killed(step)
    tracer = subprocess.Popen(tracing.attached(log, thread, inject), stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{thread}/status")
    _until(lambda: "TracerPid:\t0\n" not in status.read_text())
    Path(f"{root}.go").touch()
    tracer.wait(PATIENCE)
    return "+++ exited" not in log.read_text(errors="replace")


def _until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come to that")
        time.sleep(0.01)


def wait_for(port, name):
    """Wait until a chore has ended; return what came of it."""
    caller = Caller(port)
    account = {"outcome": "never"}

    def ended():
        nonlocal account
        account = caller("GET", f"/v2/_killick/chores/{name}").document()
        return account["outcome"] not in ("never", "running", "interrupted")

    _until(ended)
    caller.close()
    return account


def ask_for(port, name):
    """Start a chore as a caller, and wait until it has ended; return what came of it."""
    caller = Caller(port)
    # It is told to be done a moment before its lock is free.
    _until(lambda: caller("POST", f"/v2/_killick/chores/{name}").status == ACCEPTED)
    caller.close()
    return wait_for(port, name)


class Half:
    """An upload half of which was taken before the fault, to be gone on with after it."""

    def __init__(self, calls):
        self._data = os.urandom(100_000)
        self._location = calls.push_part(None, self._data, 0, 50_000)

    @property
    def promise(self):
        return Promise(SERVED, None, str(Digest.of(self._data)))

    def end(self, calls):
        """Push the other half."""
        location = calls.push_part(self._location, self._data, 50_000, 100_000)
        calls.end_upload(location, self._data)


def _gone_on(root, name, half):
    """Yield what is wrong as the registry is started again and its chore goes on."""
    with Served(root, settings=settings_for(name, root), config=f"{root}.toml") as server:
        if server.port is None:
            yield f"it does not start again: {server.said[-300:]}"
            return
        accounts = [wait_for(server.port, name), ask_for(server.port, name)]
        for account in accounts:
            if account["outcome"] != "done":
                yield f"the chore {account['outcome']}: {account['error']}"
        calls = Calls(server.port)
        try:
            half.end(calls)
            calls.push_whole(ROTTEN)  # heals what was put aside
        except NotAcknowledged as error:
            yield f"what came before the kill can't be gone on with: {error}"


def _undone(world, root, name):
    """Yield what the chore should have done in the end, and has not."""
    if name == "collect":
        held = {path.name for path in (root / "blobs" / "sha256").iterdir()}
        if left := world.operated_garbage & held:
            yield f"{len(left)} pieces of garbage are still there"
    elif name == "scrub":
        digest = Digest.of(ROTTEN)
        if (root / "blobs" / "sha256" / digest.encoded).read_bytes() != ROTTEN:
            yield "what was damaged is not healed"
    elif name == "retention":
        with Store(root, read_only=True) as store:
            repository = store.repository(SERVED)
            if left := [tag for tag in OLD_TAGS if standing(repository, tag)]:
                yield f"old tags are still there: {left}"
    elif left := {path.name for path in (root / "uploads").iterdir()} & world.operated_uploads:
        yield f"{len(left)} old uploads are still there"
