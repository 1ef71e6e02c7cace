"""Bytes that change on the disk: found, never delivered whole, and healed by the next pull."""

import io
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import product

from faults.processes import run
from faults.promises import damage as found_damage
from faults.results import row
from faults.tracing import spread
from faults.world import SERVED, Start
from killick.digest import CHUNK
from killick.errors import ContentError, KillickError, NotFound
from killick.manifest import Descriptor, Index, Manifest
from killick.names import Tag
from killick.repository import BLOB_TYPE
from killick.store import Store
from killick.transfer import walk

SHORT_PAGES = 12
WORKERS = 2
_PAGE = 4096
_DATABASE = "store.db"


def flip(path, other):
    """Turn one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path, other):
    """Cut the last byte off."""
    path.write_bytes(path.read_bytes()[:-1])


def zero(path, other):
    """Keep the length, and no byte."""
    path.write_bytes(bytes(path.stat().st_size))


def swap(path, other):
    """Exchange two files."""
    spare = path.with_name("spare")
    path.rename(spare)
    other.rename(path)
    spare.rename(other)


def remove(path, other):
    """Take the file away."""
    path.unlink()


HARMS = (flip, truncate, zero, swap, remove)


def damage(world, rows, scale):
    """Damage every kind of object, the ledger, pages of the database, and what comes in."""
    name = f"127.0.0.1:{world.registry.port}/{SERVED}"
    pulled = world.folder / "pulled"
    ended = run(("pull", "--platform", "all", f"{name}:many"), pulled)
    if not ended.acknowledged:
        raise RuntimeError(ended.err)
    with row("damage: content", rows) as found:
        cases = list(product(_objects(pulled, name), scale.some(HARMS)))
        with ThreadPoolExecutor(WORKERS) as pool:
            tried = pool.map(lambda case: list(_content(world, pulled, name, *case)), cases)
            for ((kind, *_), harm), said in zip(cases, tried, strict=True):
                found.point(f"{kind}, {harm.__name__}", said)
    with row("damage: what half came in", rows) as found:
        for kind, d, _ in _objects(pulled, name):
            found.point(kind, _partial(world, d))
    with row("damage: what lies", rows) as found:
        for way in (_put, _ingested, _uploaded):
            found.point(way.__name__, _lying(world, way))
    with row("damage: ledger", rows) as found:
        for statement in _LEDGER_HARMS:
            found.point(statement, _ledger(world, statement))
    with row("damage: database pages", rows) as found:
        pages = (world.begun.root / _DATABASE).stat().st_size // _PAGE
        for page in spread(range(pages), scale.most(SHORT_PAGES)):
            found.point(f"page {page}", _page(world, page))


def _objects(root, name):
    """Yield (kind, descriptor, another one) for one object of each kind of an image."""
    with Store(root) as store:
        repository = store.repository(name)
        documents = list(walk(repository, repository.resolve(Tag("many"))))
    index = next(d for d in documents if isinstance(d, Index))
    first, second = (d for d in documents if isinstance(d, Manifest))
    yield "index", index.descriptor, first.config
    yield "manifest", first.descriptor, second.descriptor
    yield "config", first.config, second.config
    yield "layer", first.layers[0], second.config


def _content(world, pulled, name, target, harm):
    """Yield what goes wrong when a file is harmed: on reading, on verifying, on healing."""
    _, d, other = target
    for look in (_read, _verified):
        root = world.fresh(Start(pulled, world.empty.before))
        harm(_file(root, d), _file(root, other))
        with Store(root) as store:
            yield from look(store, name, d)
        yield from _healed(root, name)
        with Store(root) as store:
            yield from _delivered(store, name, d)
            # A swap has a second victim, which nobody has looked at until now.
            list(store.verify())
        yield from _healed(root, name)
        with Store(root) as store:
            yield from (f"after a pull: {problem}" for problem in found_damage(store))
        shutil.rmtree(root)


def _healed(root, name):
    """Yield a complaint if a pull, which brings again what was found damaged, fails."""
    ended = run(("pull", "--platform", "all", f"{name}:many"), root)
    if not ended.acknowledged:
        yield f"a pull does not heal it: {ended.err.strip()[-200:]}"


def _read(store, name, d):
    """Yield a complaint if wrong bytes are delivered whole."""
    try:
        with closing(store.repository(name).open(d)) as stream:
            got = b"".join(iter(lambda: stream.read(CHUNK), b""))
    except (ContentError, NotFound):
        return
    yield f"{len(got)} of {d.size} bytes were delivered, and no error"


def _delivered(store, name, d):
    """Yield a complaint if content can't be read to its end."""
    try:
        with closing(store.repository(name).open(d)) as stream:
            while stream.read(CHUNK):
                pass
    except KillickError as error:
        yield f"it can't be read after a pull: {error.message}"


def _verified(store, name, d):
    if d.digest not in {finding.digest for finding in store.verify() if finding.damage}:
        yield "verify did not find it"


def _partial(world, d):
    """Yield what goes wrong when a download is to be gone on with, and what is there is wrong."""
    name = f"127.0.0.1:{world.registry.port}/{SERVED}"
    root = world.fresh(world.served)
    (root / "partial" / f"{d.digest.algorithm}-{d.digest.encoded}").write_bytes(bytes(d.size // 2))
    ended = run(("pull", "--platform", "all", f"{name}:many"), root)
    if not ended.acknowledged:
        yield f"the pull failed: {ended.err.strip()[-300:]}"
    shutil.rmtree(root)


_TRUTH = b"what its digest says"
_LIE = b"what somebody sent  "


def _lying(world, way):
    """Yield a complaint if bytes are taken that are not those of their digest."""
    root = world.fresh(world.begun)
    d = Descriptor.of(BLOB_TYPE, _TRUTH)
    with Store(root) as store:
        repository = store.repository("lied/to")
        try:
            way(repository, d)
            yield "wrong bytes were taken"
        except KillickError:
            pass
        if repository.has(d):
            yield "wrong bytes are there"
    shutil.rmtree(root)


def _put(repository, d):
    repository.put(d, io.BytesIO(_LIE))


def _ingested(repository, d):
    with repository.ingest(d) as ingest:
        ingest.fill(io.BytesIO(_LIE))


def _uploaded(repository, d):
    upload = repository.begin()
    upload.write(_LIE)
    upload.commit(d.digest)


_LEDGER_HARMS = (
    "UPDATE move SET actor = 'mallory' WHERE sequence = 2",
    "UPDATE move SET time = time - 1 WHERE sequence = 2",
    "UPDATE move SET digest = previous WHERE previous IS NOT NULL AND digest IS NOT NULL",
    "DELETE FROM move WHERE sequence = 2",
    "DELETE FROM move WHERE sequence = (SELECT max(sequence) FROM move)",
    "UPDATE tag SET digest = (SELECT digest FROM move WHERE digest IS NOT NULL LIMIT 1)",
    "DELETE FROM tag",
)


def _ledger(world, statement):
    root = world.fresh(world.begun)
    with closing(sqlite3.connect(root / _DATABASE)) as connection:
        connection.execute(statement)
        connection.commit()
    with Store(root) as store:
        if not list(found_damage(store)):
            yield "verify did not find it"
    shutil.rmtree(root)


def _page(world, page):
    """Yield a complaint if a page of the database full of zeros goes unnoticed."""
    root = world.fresh(world.begun)
    with (root / _DATABASE).open("r+b") as file:
        file.seek(page * _PAGE)
        file.write(bytes(_PAGE))
    ended = run(("verify",), root)
    if ended.acknowledged:
        yield "verify did not find it"
    elif ended.status != 3:
        yield from ended.unclean()
    shutil.rmtree(root)


def _file(root, d):
    return root / "blobs" / d.digest.algorithm / d.digest.encoded
