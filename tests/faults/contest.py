"""Many callers at once, of two server processes over one folder: one blob, and one tag.

What each was told, and when, is a history; a tag is a register, so it has to be linearizable.
"""

import random
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults.asking import CONFIG, Caller, manifest
from faults.promises import damage
from faults.results import row
from faults.serving import two_servers
from killick.digest import Digest
from killick.names import Tag
from killick.store import Store
from linearizable import Call, by_search, by_zones

CALLERS = 64
ROUNDS = 10
LONG_ROUNDS = 50
TURNS = 40
LONG_TURNS = 800
SWAPS = 12
LONG_SWAPS = 60
LEASE = 600.0
NAME = "contest/app"
_LAYER = b"a layer that all share"


def contest(world, rows, scale):
    """Let 64 callers push one blob, move one tag, and swap one tag."""
    folder = Path(tempfile.mkdtemp(dir=world.folder))
    root = folder / "store"
    with two_servers(root, LEASE) as servers:
        ports = [server.port for server in servers]
        with row(f"races: {CALLERS} pushers of one blob, 2 servers", rows) as found:
            for number in range(LONG_ROUNDS if scale.long else ROUNDS):
                found.point(f"round {number}", list(_one_blob(root, ports, number)))
        with row(f"races: {CALLERS} movers of one tag, 2 servers", rows) as found:
            _moved(root, ports, found, LONG_TURNS if scale.long else TURNS)
        with row(f"races: {CALLERS} swappers of one tag, 2 servers", rows) as found:
            _swapped(root, ports, found, LONG_SWAPS if scale.long else SWAPS)
        said = [line for server in servers for line in server.said.splitlines()]
    with row("races: the store after them", rows) as found:
        with Store(root) as store:
            found.point("verify", [*damage(store), *said])
    shutil.rmtree(folder)


def _together(ports, deed):
    """Let all callers do `deed(caller, number)` at once; return what each returned."""
    gate = threading.Barrier(CALLERS)

    def one(number):
        caller = Caller(ports[number % len(ports)])
        try:
            gate.wait(60)
            return deed(caller, number)
        finally:
            caller.close()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(one, range(CALLERS)))


def _one_blob(root, ports, number):
    """Yield what goes wrong as all push the same bytes."""
    data = random.Random(number).randbytes(300_000)
    answers = _together(ports, lambda caller, _: caller.upload(NAME, data))
    yield from (f"{a.status}: {a.body[:200]!r}" for a in answers if a.status != 201)
    digest = Digest.of(data)
    for port in ports:
        got = Caller(port)("GET", f"/v2/{NAME}/blobs/{digest}")
        if got.body != data:
            yield f"the blob is {len(got.body)} other bytes, {got.status}"
    if left := [path.name for path in (root / "uploads").iterdir()]:
        yield f"{len(left)} uploads are left behind"
    copies = [p for p in root.rglob("*") if p.is_file() and p.stat().st_size == len(data)]
    if len(copies) != 1 + number:
        yield f"{len(copies) - number} copies"


def _moved(root, ports, found, turns):
    """Let all move one tag to an image of their own each time, and look at it in between."""
    _prepare(ports)

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

    calls = [call for part in _together(ports, deed) for call in part]
    said = [call for call in calls if isinstance(call, str)]
    history = [call for call in calls if not isinstance(call, str)]
    said += by_zones(history)
    said += _recorded(root, "moved", [call.wrote for call in history if call.writes])
    found.note = f"{len(history)} calls, {'not ' if said else ''}linearizable"
    _count(found, history, said)


def _swapped(root, ports, found, turns):
    """Let all move one tag on the condition that it is where they saw it."""
    _prepare(ports)

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

    calls = [call for part in _together(ports, deed) for call in part]
    said = [call for call in calls if isinstance(call, str)]
    history = [call for call in calls if not isinstance(call, str)]
    if not by_search(history):
        said.append("what was told has no order")
    swaps = [call for call in history if call.kind == "swap"]
    if len({call.read for call in swaps}) != len(swaps):
        said.append("two swaps began from one and the same")
    said += _recorded(root, "swapped", [call.wrote for call in swaps])
    found.note = f"{len(history)} calls, {len(swaps)} of them swaps"
    _count(found, history, said)


def _prepare(ports):
    caller = Caller(ports[0])
    for data in (CONFIG, _LAYER):
        caller.upload(NAME, data)
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


def _recorded(root, tag, acknowledged):
    """Yield where the ledger differs from what was acknowledged."""
    with Store(root, read_only=True) as store:
        entries = [str(m.to.digest) for m in store.repository(NAME).history(Tag(tag))]
    if sorted(entries) != sorted(acknowledged):
        yield f"{len(acknowledged)} moves were acknowledged, and the ledger has {len(entries)}"


def _count(found, history, said):
    for _ in range(len(history) - 1):
        found.point("", ())
    found.point("the history", said)
