"""Many callers at once of a `killick serve` with two workers: one blob, and one tag.

What each was told, and when, is a history; a tag is a register, so it has to be linearizable. All
the time garbage is collected every second, with the shortest lease that there is.
"""

import random
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults.asking import CONFIG, Caller, manifest
from faults.processes import Served
from faults.promises import damage
from faults.results import row
from killick.digest import Digest
from killick.names import Tag
from killick.store import Store
from linearizable import Call, by_search, by_zones

CALLERS = 200
SWAPPERS = 64
ROUNDS = 4
LONG_ROUNDS = 20
TURNS = 12
LONG_TURNS = 60
SWAPS = 12
LONG_SWAPS = 60
LEASE = 1.0
SETTINGS = {
    "workers": 2,
    "require_complete": "true",
    "chores.lease": f"{LEASE:g}s",
    "chores.collect": "1s",
}
NAME = "contest/app"
_LAYER = b"a layer that all share"


def contest(world, rows, scale):
    """Let callers push one blob, move one tag, and swap one tag."""
    folder = Path(tempfile.mkdtemp(dir=world.folder))
    root = folder / "store"
    with Served(root, settings=SETTINGS) as server:
        _prepare(server.port)
        with row(f"races: {CALLERS} pushers of one blob, 2 workers, gc", rows) as found:
            for number in range(LONG_ROUNDS if scale.long else ROUNDS):
                found.point(f"round {number}", list(_one_blob(root, server.port, number)))
        with row(f"races: {CALLERS} movers of one tag, 2 workers, gc", rows) as found:
            _moved(root, server.port, found, LONG_TURNS if scale.long else TURNS)
        with row(f"races: {SWAPPERS} swappers of one tag, 2 workers, gc", rows) as found:
            _swapped(root, server.port, found, LONG_SWAPS if scale.long else SWAPS)
        said = server.said.splitlines()
    with row("races: the store after them", rows) as found:
        with Store(root) as store:
            found.point("verify", [*damage(store), *said])
    shutil.rmtree(folder)


def _together(port, deed, callers=CALLERS):
    """Let all callers do `deed(caller, number)` at once; return what each returned."""
    gate = threading.Barrier(callers)

    def one(number):
        caller = Caller(port)
        try:
            gate.wait(600)
            return deed(caller, number)
        finally:
            caller.close()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(one, range(callers)))


def _one_blob(root, port, number):
    """Yield what goes wrong as all push the same bytes, and an image of them each."""
    data = random.Random(number).randbytes(300_000)

    def deed(caller, who):
        taken = caller.upload(NAME, data)
        if taken.status != 201:
            return f"{taken.status}: {taken.body[:200]!r}"
        answer = caller.put_manifest(NAME, f"r{number}-{who}", manifest([data], f"{who}"))
        if answer.status != 201 and answer.told < taken.asked + LEASE:
            return f"an image was refused within the lease: {answer.body[:200]!r}"
        return None if answer.status == 201 else "late"

    said = _together(port, deed)
    yield from (each for each in said if each not in (None, "late"))
    digest = Digest.of(data)
    caller = Caller(port)
    # Who waited for longer than the lease, as all crowd at the door, was not promised anything.
    if None in said:
        got = caller("GET", f"/v2/{NAME}/blobs/{digest}")
        if got.body != data:
            yield f"the blob is {len(got.body)} other bytes, {got.status}"
    for who in (who for who, each in enumerate(said) if each is None):
        if caller("HEAD", f"/v2/{NAME}/manifests/r{number}-{who}").status != 200:
            yield f"the image of caller {who} is lost"
    caller.close()
    if left := [path.name for path in (root / "uploads").iterdir()]:
        yield f"{len(left)} uploads are left behind"
    copies = [p for p in root.rglob("*") if p.is_file() and p.stat().st_size == len(data)]
    if len(copies) > 1 + number:
        yield f"{len(copies) - number} copies"


def _moved(root, port, found, turns):
    """Let all move one tag to an image of their own each time, and look at it in between."""

    def deed(caller, number):
        dice, calls = random.Random(number), []
        for turn in range(turns):
            if dice.random() < 0.5:
                document = manifest([_LAYER], f"{number}.{turn}")
                answer = caller.put_manifest(NAME, "moved", document)
                calls.append(_write(answer, document))
            else:
                calls.append(_look(caller("HEAD", f"/v2/{NAME}/manifests/moved")))
        return calls

    calls = [call for part in _together(port, deed) for call in part]
    said = [call for call in calls if isinstance(call, str)]
    history = [call for call in calls if not isinstance(call, str)]
    said += by_zones(history)
    writes = [call for call in history if call.writes]
    said += _recorded(root, "moved", writes)
    found.note = f"{len(history)} calls, {'not ' if said else ''}linearizable"
    _count(found, history, said)


def _swapped(root, port, found, turns):
    """Let all move one tag on the condition that it is where they saw it."""

    def deed(caller, number):
        calls = []
        for turn in range(turns):
            seen = _look(caller("HEAD", f"/v2/{NAME}/manifests/swapped"))
            calls.append(seen)
            if isinstance(seen, str):
                continue
            condition = {"If-Match": f'"{seen.read}"'} if seen.read else {"If-None-Match": "*"}
            document = manifest([_LAYER], f"swap {number}.{turn}")
            answer = caller.put_manifest(NAME, "swapped", document, **condition)
            calls.append(_swap(answer, seen.read, document))
        return [call for call in calls if call is not None]

    calls = [call for part in _together(port, deed, SWAPPERS) for call in part]
    said = [call for call in calls if isinstance(call, str)]
    history = [call for call in calls if not isinstance(call, str)]
    if not by_search(history):
        said.append("what was told has no order")
    swaps = [call for call in history if call.kind == "swap"]
    if len({call.read for call in swaps}) != len(swaps):
        said.append("two swaps began from one and the same")
    said += _recorded(root, "swapped", swaps)
    found.note = f"{len(history)} calls, {len(swaps)} of them swaps"
    _count(found, history, said)


def _prepare(port):
    """Push what all images share, and one that keeps it; where that takes too long, again."""
    caller = Caller(port)
    taken = False
    while not taken:
        for data in (CONFIG, _LAYER):
            caller.upload(NAME, data)
        taken = caller.put_manifest(NAME, "anchor", manifest([_LAYER], "anchor")).status == 201
    caller.close()


def _write(answer, document):
    if answer.status != 201:
        return f"a push was answered by {answer.status}: {answer.body[:200]!r}"
    return Call.write(answer.asked, answer.told, str(Digest.of(document)))


def _look(answer):
    if answer.status not in (200, 404):
        return f"a look was answered by {answer.status}"
    return Call.look(answer.asked, answer.told, answer.headers["Docker-Content-Digest"])


def _swap(answer, old, document):
    """Return a swap that happened; None for one that found something else."""
    if answer.status == 412:
        return None
    if answer.status != 201:
        return f"a swap was answered by {answer.status}: {answer.body[:200]!r}"
    return Call.swap(answer.asked, answer.told, old, str(Digest.of(document)))


def _recorded(root, tag, writes):
    """Yield where the ledger is not what was acknowledged, each once, in the order of time."""
    with Store(root, read_only=True) as store:
        entries = [str(m.to.digest) for m in store.repository(NAME).history(Tag(tag))][::-1]
    if sorted(entries) != sorted(call.wrote for call in writes):
        yield f"{len(writes)} moves were acknowledged, and the ledger has {len(entries)}"
        return
    by_digest = {call.wrote: call for call in writes}
    asked = 0.0
    for entry in entries:
        call = by_digest[entry]
        if call.end < asked:
            yield f"the ledger has {entry} after one that was asked for when it was done"
        asked = max(asked, call.start)


def _count(found, history, said):
    for _ in range(len(history) - 1):
        found.point("", ())
    found.point("the history", said)
