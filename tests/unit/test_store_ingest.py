"""Resumable content: gone on with after failures and kills, by one process at a time."""

import io
import os
import resource
import signal
import threading
import time

import pytest

from images import image
from killick.errors import ContentError, DigestMismatch, StoreError, Unreachable
from killick.manifest import OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.store import Store, locks
from killick.transfer import Options, copy, fetch
from stores import NAME, blob, damage, files, output, put, python, read

CONTENT = bytes(range(256)) * 4096 * 6  # 6 MiB: more than is hashed in line


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as opened:
        yield opened


class Breaking(io.RawIOBase):
    """A stream that breaks after its bytes."""

    def __init__(self, content):
        self._left = memoryview(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self._left:
            raise Unreachable("the line went dead", side="remote")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


class ReadOnly:
    """A stream that can read, and nothing else."""

    def __init__(self, content):
        self._stream = io.BytesIO(content)

    def read(self, size):
        return self._stream.read(min(size, 10_000))


@pytest.mark.parametrize("size", [0, 10, 200_000, len(CONTENT)])
@pytest.mark.parametrize("stream", [io.BytesIO, ReadOnly])
def test_content_comes_in_at_once(store, repository, size, stream):
    content = CONTENT[:size]
    d = blob(content)
    with repository.ingest(d) as ingest:
        assert (ingest.offset, ingest.done) == (0, False)
        ingest.fill(stream(content))
        assert ingest.done
    assert read(repository, d) == content
    assert files(store.root / "partial") == []


@pytest.mark.parametrize("held", [1, 100_000, len(CONTENT) - 1, len(CONTENT)])
def test_a_broken_transfer_goes_on_where_it_stopped(store, repository, held):
    d = blob(CONTENT)
    with repository.ingest(d) as ingest:
        with pytest.raises(Unreachable):
            ingest.fill(Breaking(CONTENT[:held]))
        assert ingest.offset == held
    assert not repository.has(d)
    with Store(store.root) as later, later.repository("docker.io/library/other").ingest(d) as again:
        assert again.offset == held
        again.fill(io.BytesIO(CONTENT[held:]))
        assert later.repository("docker.io/library/other").has(d)
    assert files(store.root / "partial") == []


def test_a_stream_that_ends_early_is_a_mismatch_and_what_came_is_kept(repository):
    d = blob(CONTENT)
    with repository.ingest(d) as ingest:
        with pytest.raises(DigestMismatch):
            ingest.fill(io.BytesIO(CONTENT[:1000]))
        assert ingest.offset == 1000
        ingest.fill(io.BytesIO(CONTENT[1000:]))
    assert read(repository, d) == CONTENT


@pytest.mark.parametrize("size", [1000, len(CONTENT)])
@pytest.mark.parametrize("extra", [b"", b"more", CONTENT])
def test_wrong_bytes_are_dropped(store, repository, size, extra):
    d = blob(CONTENT[:size])
    with repository.ingest(d) as ingest:
        with pytest.raises(DigestMismatch) as caught:
            ingest.fill(io.BytesIO(b"\xff" + CONTENT[1:size] + extra))
        assert caught.value.side == "remote"
        assert ingest.offset == 0
        ingest.fill(io.BytesIO(CONTENT[:size]))
    assert read(repository, d) == CONTENT[:size]
    assert files(store.root / "partial") == []


def test_wrong_bytes_held_from_before_are_found_in_the_end(store, repository):
    d = blob(CONTENT)
    with repository.ingest(d) as ingest, pytest.raises(Unreachable):
        ingest.fill(Breaking(b"\xff" * 5000))
    with repository.ingest(d) as ingest, pytest.raises(DigestMismatch):
        ingest.fill(io.BytesIO(CONTENT[ingest.offset :]))
    assert not repository.has(d)
    assert files(store.root / "partial") == []


def test_a_copy_brings_all_again_where_what_was_held_is_wrong(store, repository):
    source = MemoryRegistry().repository(NAME)
    root = image(source, {"data": os.urandom(10_000)})
    layer = fetch(source, root).layers[0]
    with repository.ingest(layer) as ingest, pytest.raises(Unreachable):
        ingest.fill(Breaking(bytes(5000)))
    copied = copy(source, repository, root, options=Options(progress=(told := Told())))
    assert layer in copied.copied
    assert told.events == [
        ("start", 5000),
        ("advance", layer.size - 5000),
        ("advance", -layer.size),
        ("advance", layer.size),
        ("finish", "copied"),
    ]
    assert list(store.verify()) == []


class Told:
    """A progress that remembers what it was told about layers."""

    def __init__(self):
        self.events = []

    def start(self, d, offset):
        self._tell(d, "start", offset)

    def advance(self, d, count):
        if count:
            self._tell(d, "advance", count)

    def finish(self, d, how):
        self._tell(d, "finish", how)

    def _tell(self, d, *event):
        if d.media_type == OCI_LAYER_GZIP:
            self.events.append(event)


def test_a_partial_that_is_too_long_is_begun_again(store, repository):
    d = blob(CONTENT[:1000])
    name = f"sha256-{d.digest.encoded}"
    (store.root / "partial" / name).write_bytes(CONTENT)
    with repository.ingest(d) as ingest:
        assert ingest.offset == 0
        ingest.fill(io.BytesIO(CONTENT[:1000]))
    assert repository.has(d)


def test_what_another_repository_has_needs_no_transfer(store, repository):
    d = put(repository, CONTENT)
    other = store.repository("docker.io/library/other")
    with other.ingest(d) as ingest:
        assert ingest.done
        assert ingest.offset == d.size
    assert read(other, d) == CONTENT


def test_damaged_content_of_another_repository_is_brought_again(store, repository):
    d = put(repository, CONTENT)
    damage(store, d)
    other = store.repository("docker.io/library/other")
    with other.ingest(d) as ingest:
        assert not ingest.done
        ingest.fill(io.BytesIO(CONTENT))
    assert read(other, d) == read(repository, d) == CONTENT


def test_manifests_can_come_this_way_too(store, repository):
    memory = MemoryRegistry().repository(NAME)
    root = image(memory)
    raw = memory.open(root).read()
    with repository.ingest(root) as ingest:
        ingest.fill(io.BytesIO(raw))
    assert repository.resolve(root.digest) == root
    with store.repository("docker.io/library/other").ingest(root) as ingest:
        assert ingest.done
    bad = Descriptor.of(OCI_MANIFEST, b"{}")
    with repository.ingest(bad) as ingest, pytest.raises(ContentError):
        ingest.fill(io.BytesIO(b"{}"))
    assert not repository.has(bad)
    assert files(store.root / "partial") == []


def test_a_second_thread_waits_and_finds_it_done(repository):
    d = blob(CONTENT)
    started, seen = threading.Event(), []

    def second():
        started.set()
        with repository.ingest(d) as ingest:
            seen.append(ingest.done)

    with repository.ingest(d) as ingest:
        thread = threading.Thread(target=second)
        thread.start()
        started.wait()
        time.sleep(0.1)
        assert seen == []
        ingest.fill(io.BytesIO(CONTENT))
    thread.join()
    assert seen == [True]


EIGHTH = """
import io, sys, time
from pathlib import Path
from killick.digest import Digest
from killick.manifest import Descriptor
from killick.store import Store, locks

root, start = Path(sys.argv[1]), Path(sys.argv[2])
content = bytes(range(256)) * 4096 * 6
d = Descriptor("application/octet-stream", Digest.of(content), len(content))
while not start.exists():
    time.sleep(0.01)
with Store(root) as store:
    with store.repository("docker.io/library/golftrack").ingest(d) as ingest:
        print("there" if ingest.done else "downloaded")
        if not ingest.done:
            ingest.fill(io.BytesIO(content))
    assert store.repository("docker.io/library/golftrack").has(d)
"""


def test_eight_processes_bring_a_blob_once(tmp_path):
    root = tmp_path / "store"  # that does not exist: they all make it
    processes = [python(EIGHTH, root, tmp_path / "start") for _ in range(8)]
    (tmp_path / "start").touch()
    said = [output(process).strip() for process in processes]
    assert sorted(said) == ["downloaded"] + ["there"] * 7
    with Store(root) as store:
        assert list(store.verify()) == []


KILLED = """
import io, sys, time
from pathlib import Path
from killick.digest import Digest
from killick.manifest import Descriptor
from killick.store import Store, locks

content = bytes(range(256)) * 4096 * 6
d = Descriptor("application/octet-stream", Digest.of(content), len(content))

class Slow(io.RawIOBase):
    def __init__(self, left):
        self.left = memoryview(left)
    def readable(self):
        return True
    def readinto(self, buffer):
        time.sleep(0.01)
        count = min(len(buffer), len(self.left))
        buffer[:count], self.left = self.left[:count], self.left[count:]
        return count

with Store(Path(sys.argv[1])) as store:
    with store.repository("docker.io/library/golftrack").ingest(d) as ingest:
        print(ingest.offset, flush=True)
        ingest.fill(Slow(content[ingest.offset:]))
"""


def test_killed_in_the_middle_it_goes_on_from_there(tmp_path):
    d = blob(CONTENT)
    root = tmp_path / "store"
    partial = root / "partial" / f"sha256-{d.digest.encoded}"
    reached = 0
    for _ in range(3):
        process = python(KILLED, root)
        assert int(process.stdout.readline()) >= reached
        while not partial.exists() or partial.stat().st_size <= reached + 500_000:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        reached = partial.stat().st_size
    assert reached < len(CONTENT)
    assert int(output(python(KILLED, root))) >= reached
    with Store(root) as store:
        assert read(store.repository(NAME), d) == CONTENT
        assert list(store.verify()) == []
        assert files(root / "partial") == files(root / "temporary") == []


FULL = """
import io, resource, sys
from pathlib import Path
from killick.digest import Digest
from killick.errors import StoreFull
from killick.manifest import Descriptor
from killick.store import Store, locks

content = bytes(range(256)) * 4096 * 6
d = Descriptor("application/octet-stream", Digest.of(content), len(content))
with Store(Path(sys.argv[1])) as store:
    repository = store.repository("docker.io/library/golftrack")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
    failures = 0
    try:
        repository.put(d, io.BytesIO(content))
    except StoreFull:
        failures += 1
    try:
        with repository.ingest(d) as ingest:
            ingest.fill(io.BytesIO(content))
    except StoreFull:
        failures += 1
    upload = repository.begin()
    upload.write(content[:2_000_000])
    try:
        upload.write(content[2_000_000:])
    except StoreFull:
        failures += 1
    assert upload.size == 2_000_000
    assert not repository.has(d)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    upload.write(content[2_000_000:])
    assert upload.commit(d.digest).size == d.size
    print(failures)
"""


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path):
    """A limit on the size of files stands in for the end of the disk."""
    assert resource.RLIMIT_FSIZE
    assert output(python(FULL, tmp_path / "store")).strip() == "3"
    with Store(tmp_path / "store") as store:
        assert read(store.repository(NAME), blob(CONTENT)) == CONTENT
        assert files(store.root / "temporary") == []
        assert list(store.verify()) == []


def test_a_database_that_can_not_grow_says_so_and_works_again(tmp_path):
    with Store(tmp_path / "store") as store:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        repository = store.repository(NAME)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(StoreError):
                for i in range(1000):
                    put(repository, b"%d" % i)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        d = put(repository, CONTENT)
        assert read(repository, d) == CONTENT
        assert not [finding for finding in store.verify() if finding.damage]


def test_content_that_has_its_name_but_no_row_yet_is_waited_for(store, repository):
    """Between the two lies the commit of somebody else, under the shared commit lock."""
    d = blob(CONTENT)
    name = store.root / "blobs" / "sha256" / d.digest.encoded
    seen = []

    def second():
        with repository.ingest(d) as ingest:
            seen.append(ingest.done)

    with locks.shared(store.root / "gc.lock"):
        name.write_bytes(CONTENT)
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        put(repository, CONTENT)
        assert seen == []
    thread.join()
    assert seen == [True]


def test_a_file_left_by_a_crash_is_no_content(store, repository):
    d = blob(CONTENT)
    (store.root / "blobs" / "sha256" / d.digest.encoded).write_bytes(b"who knows")
    assert not repository.has(d)
    with repository.ingest(d) as ingest:
        assert not ingest.done
        ingest.fill(io.BytesIO(CONTENT))
    assert read(repository, d) == CONTENT
