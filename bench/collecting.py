"""Garbage collection in a large registry, while others push: for how long does it hold them up?

    .venv/bin/python bench/collecting.py                    # a million blobs; takes minutes
    .venv/bin/python bench/collecting.py --count 2000 --alone 1     # to see that the rig works

A registry is made of rows and empty files: images of 98 layers, of which half have a tag, four in
ten lost theirs long ago, and one in ten just now. Four processes push blobs and tags in turns with
short pauses, first alone, then while it is collected. What the collection does under a lock is
timed where it does it: what they wait for besides is each other, the disk, and the machine.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median

from killick.digest import Digest
from killick.manifest import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor
from killick.names import Tag
from killick.repository import BLOB_TYPE, Cause
from killick.store import Store, ledger, locks
from killick.store.commit import repository_id
from killick.store.database import Database

LAYERS = 98
REPOSITORIES = 100
PUSHERS = 4
PAUSE = 0.02
"""Seconds between two pushes of a process."""
PUSHED = Cause("pushed", "bench@here")
DAY = 86_400_000_000

_BLOB = "INSERT INTO blob VALUES (?, ?, 0, 0, 0, 0, 0, 0, NULL)"
_MEMBER = (
    "INSERT INTO member (repository, digest, document, media_type, arrived, unreachable)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_DOCUMENT = "INSERT INTO document (digest, media_type, config, image) VALUES (?, ?, ?, 1)"
_EDGE = "INSERT INTO edge VALUES (?, ?, ?, ?, 0, 0, ?, 0, NULL)"


def make(root: Path, count: int) -> None:
    """Makes a registry with so many blobs; each image is one manifest, one config and layers."""
    with Store(root, actor="bench", retention=None) as store:
        context = store._context
        for start in range(0, count, 100_000):
            with context.database.writing() as connection:
                for number in range(start, min(start + 100_000, count), LAYERS + 2):
                    _image(store, connection, number)


def _image(store: Store, connection, number: int) -> None:
    names = [hashlib.sha256(b"%d" % (number + n)).hexdigest() for n in range(LAYERS + 2)]
    digests = [f"sha256:{name}" for name in names]
    for name in names:
        os.close(os.open(store.root / "blobs" / "sha256" / name, os.O_CREAT | os.O_WRONLY))
    image = number // (LAYERS + 2)
    context, now = store._context, store._context.now()
    # Of ten images five are live, four lost their tags a day ago, one lost it just now.
    stamp = now - DAY if image % 10 in (1, 3, 5, 7) else None
    home = repository_id(connection, f"team/app-{image % REPOSITORIES}")
    kinds = [OCI_MANIFEST, BLOB_TYPE, *[BLOB_TYPE] * LAYERS]
    connection.executemany(_BLOB, zip(digests, names, strict=True))
    connection.executemany(
        _MEMBER,
        [
            (home, digest, int(kind == OCI_MANIFEST), kind, now - DAY, stamp)
            for digest, kind in zip(digests[::-1], kinds[::-1], strict=True)
        ],
    )
    connection.execute(_DOCUMENT, (digests[0], OCI_MANIFEST, digests[1]))
    edges = [("config", OCI_CONFIG), *[("layer", OCI_LAYER)] * LAYERS]
    connection.executemany(
        _EDGE, [(digests[0], n, digests[n + 1], *edge) for n, edge in enumerate(edges)]
    )
    if image % 2 == 0:
        d = Descriptor(OCI_MANIFEST, Digest.parse(digests[0]), 0)
        wish = ledger.Wish(Tag(f"v{image}"), d, PUSHED)
        name = f"team/app-{image % REPOSITORIES}"
        ledger.append(connection, home, name, context, wish, d, None)


def push(root: Path, name: str, until: Path) -> None:
    """Pushes blobs and moves a tag until a file is there; prints what each took, in seconds."""
    with Store(root, actor="bench", retention=None) as store:
        repository = store.repository(f"busy/{name}")
        found = []
        for n in range(2):
            raw = _manifest(n)
            found.append(Descriptor(OCI_MANIFEST, Digest.of(raw), len(raw)))
            repository.put(Descriptor(BLOB_TYPE, Digest.of(b"{}"), 2), BytesIO(b"{}"))
            repository.put(found[n], BytesIO(raw))
        taken: dict[str, list[tuple[float, float]]] = {"blob": [], "tag": []}
        number = 0
        while not until.exists():
            number += 1
            content = f"{name} {number} {time.time()}".encode()
            began = time.time(), time.perf_counter()
            repository.put(
                Descriptor(BLOB_TYPE, Digest.of(content), len(content)), BytesIO(content)
            )
            taken["blob"].append((began[0], time.perf_counter() - began[1]))
            began = time.time(), time.perf_counter()
            repository.move(Tag("t"), found[number % 2], PUSHED)
            taken["tag"].append((began[0], time.perf_counter() - began[1]))
            time.sleep(PAUSE)
    print(json.dumps(taken))


def _manifest(number: int) -> bytes:
    empty = {"mediaType": OCI_CONFIG, "digest": str(Digest.of(b"{}")), "size": 2}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": empty, "layers": []}
    return json.dumps(document | {"annotations": {"number": str(number)}}).encode()


def collect(root: Path) -> None:
    """Collects; prints for how long it held which lock, what it did, and its memory.

    The end of a transaction, with its fsync, is counted in.
    """
    held: dict[str, list[float]] = defaultdict(list)
    inner, lock = Database.giving_way, locks.exclusive

    @contextmanager
    def writing(database: Database) -> Iterator[object]:
        with inner(database) as connection:
            began, worked = time.perf_counter(), time.thread_time()
            yield connection
            held["database, before its commit"].append(time.perf_counter() - began)
        held["database"].append(time.perf_counter() - began)
        held["database, processor time"].append(time.thread_time() - worked)

    @contextmanager
    def exclusive(path: Path) -> Iterator[None]:
        with lock(path):
            began = time.perf_counter()
            yield
        held["commits"].append(time.perf_counter() - began)

    Database.giving_way = writing  # type: ignore[method-assign,assignment]
    locks.exclusive = exclusive
    began = time.time()
    with Store(root, actor="bench", retention=None) as store:
        found = store.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"began": began, "ended": time.time(), "count": found.count, "kept": found.kept}
    print(json.dumps(told | {"peak": peak, "held": held}))


def measure(root: Path, count: int, alone: float) -> None:
    began = time.perf_counter()
    make(root, count)
    print(f"made {count:,} blobs in {time.perf_counter() - began:.0f} s", flush=True)
    until = root.parent / "enough"
    here = [sys.executable, __file__, "--root", str(root)]
    pushers = [
        subprocess.Popen([*here, "--push", str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(PUSHERS)
    ]
    try:
        time.sleep(alone)
        done = subprocess.run([*here, "--collect"], capture_output=True, text=True, check=True)
    finally:
        until.touch()
        said = [pusher.communicate()[0] for pusher in pushers]
    found = json.loads(done.stdout)
    took = found["ended"] - found["began"]
    print(f"collected {found['count']:,} of them in {took:.0f} s, {found['kept']:,} stay")
    print(f"memory: {found['peak']:.0f} MiB")
    for name, times in found["held"].items():
        print(f"lock for {name}: {_figures(times)}")
    for kind in ("blob", "tag"):
        each = [entry for text in said for entry in json.loads(text)[kind]]
        before = [seconds for at, seconds in each if at < found["began"] - 1]
        beside = [seconds for at, seconds in each if found["began"] < at < found["ended"]]
        print(f"push of a {kind}, alone: {_figures(before)}")
        print(f"push of a {kind}, while it is collected: {_figures(beside)}")


def _figures(times: list[float]) -> str:
    if not times:
        return "never"
    ordered = [seconds * 1000 for seconds in sorted(times)]
    p99 = ordered[int(len(ordered) * 0.99)]
    return (
        f"{len(times):,} times, median {median(ordered):.1f} ms, 99th percentile {p99:.1f} ms,"
        f" at most {ordered[-1]:.1f} ms"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="blobs (default: %(default)s)")
    parser.add_argument("--alone", type=float, default=10, help="seconds (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the registry is made, and removed again")
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--push", help=argparse.SUPPRESS)
    parser.add_argument("--collect", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.push is not None:
        push(options.root, options.push, options.root.parent / "enough")
    elif options.collect:
        collect(options.root)
    else:
        folder = Path(tempfile.mkdtemp(dir=options.folder, prefix="collecting-"))
        try:
            measure(folder / "registry", options.count, options.alone)
        finally:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
