"""How long it takes until a registry that was killed answers again, with much in it."""

import io
import os
import shutil
import tempfile
import time
from pathlib import Path

from faults.asking import CONFIG, Caller, manifest
from faults.chores import PUSHERS, pushing
from faults.processes import Served
from faults.promises import damage
from faults.results import row
from killick.manifest import OCI_MANIFEST, Descriptor
from killick.names import Tag
from killick.repository import BLOB_TYPE, Cause
from killick.store import Store

BLOBS = 10_000
TAGS = 100
LONG_TAGS = 100_000
WITHIN, LONG_WITHIN = 2.0, 5.0
"""Seconds."""

TRIES = 3
NAME = "many/app"
_LAYERS = 100


def restart(world, rows, scale):
    """Kill a registry with 10,000 blobs under load, and start it again, a few times."""
    tags, within = (LONG_TAGS, LONG_WITHIN) if scale.long else (TAGS, WITHIN)
    root = Path(tempfile.mkdtemp(dir=world.folder)) / "store"
    _fill(root, tags)
    with row(f"kill -9, then an answer, with {BLOBS:,} blobs and {tags:,} tags", rows) as found:
        took = [_seconds(root) for _ in range(TRIES)]
        # The machine has other things to do at times; that is no property of what is tried.
        best = min(took)
        said = [f"{best:.1f} s until it answered"] if best > within else []
        with Store(root) as store:
            found.point("the quickest", said + list(damage(store)))
        found.note = "seconds: " + ", ".join(f"{each:.2f}" for each in took)
    shutil.rmtree(root.parent)


def _seconds(root):
    """Kill a registry while others push, start it again, and return how long that took."""
    with Served(root) as server, pushing(server.port) as load:
        while len(load.promised) < PUSHERS:
            time.sleep(0.01)
        server.kill()
    started = time.monotonic()
    with Served(root) as server:
        caller = Caller(server.port)
        answer = caller("GET", f"/v2/{NAME}/manifests/t0")
        took = time.monotonic() - started
        caller.close()
        if answer.status != 200:
            raise RuntimeError(f"it answered {answer.status}")
    return took


def _fill(root, tags):
    """Make the store. That this is synced nobody relies on; it would take minutes."""
    sync, os.fsync = os.fsync, lambda descriptor: None
    try:
        with Store(root, retention=None) as store:
            repository = store.repository(NAME)
            images = [_image(repository, number) for number in range(BLOBS // (_LAYERS + 1))]
            for number in range(tags):
                d = images[number % len(images)]
                repository.move(Tag(f"t{number}"), d, Cause("pushed", "harness@here"))
    finally:
        os.fsync = sync


def _image(repository, number):
    layers = [f"layer {number}.{n}".encode() for n in range(_LAYERS)]
    for data in (CONFIG, *layers):
        repository.put(Descriptor.of(BLOB_TYPE, data), io.BytesIO(data))
    document = manifest(layers, str(number))
    d = Descriptor.of(OCI_MANIFEST, document)
    repository.put(d, io.BytesIO(document))
    return d
