"""Stores for tests, with a clock that stands still until it is told to move."""

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE
from killick.store import Store

NAME = "docker.io/library/golftrack"
START = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands at `now`."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, **passed):
        self.now += timedelta(**passed)


def registry(path):
    """Return an empty store below `path`; the caller closes it."""
    return Store(Path(path) / "store", actor="tester@here")


def blob(content):
    """Return the descriptor of some bytes as a blob."""
    return Descriptor.of(BLOB_TYPE, content)


def put(repository, content):
    """Put bytes as a blob and return the descriptor."""
    d = blob(content)
    repository.put(d, io.BytesIO(content))
    return d


def read(repository, d, start=0):
    """Return the content of `d` from byte `start` on."""
    with repository.open(d, start) as stream:
        return b"".join(iter(lambda: stream.read(100_000), b""))


def file_of(store, d):
    """Return where the content of `d` lies."""
    return store.root / "blobs" / d.digest.algorithm / d.digest.encoded


def damage(store, d):
    """Change one byte of stored content, without its size or mtime telling."""
    path = file_of(store, d)
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def files(directory):
    """Return the names of all files below a directory."""
    return sorted(p.name for p in Path(directory).rglob("*") if p.is_file())


def python(code, *words, **options):
    """Start `code` in a Python of its own, with `words` as its arguments."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here.parent / "src"), str(here)])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, words)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output(process, timeout=60):
    """Return what a process printed; it must have ended well."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return out


def digest(text):
    """Return the digest that `text` spells."""
    return Digest.parse(text)
