"""Garbage collection: what nothing needs goes, what was promised stays, also under races."""

import io
import os
import threading
import time
from datetime import timedelta
from itertools import count

import pytest

from images import AMD64, artifact, image, index, multi_platform
from killick.errors import KillickError
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import Cause
from killick.store import Store, collect, durable, graph, marking, pace
from killick.transfer import copy, walk
from stores import NAME, Clock, blob, file_of, files, put, read

TAG = Tag("1.5")
OTHER = "docker.io/library/other"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with Store(tmp_path / "store", clock=clock) as opened:
        yield opened


@pytest.fixture
def repository(store):
    return store.repository(NAME)


def removed(store, **options):
    """Collect, and return the digests that went; a rehearsal must have said the same."""
    expected = store.collect(dry_run=True, **options)
    collected = store.collect(**options)
    assert {d.digest for d in expected.removed} <= {d.digest for d in collected.removed}
    assert collected.size == sum(d.size for d in collected.removed)
    assert collected.kept == len(files(store.root / "blobs"))
    return {d.digest for d in collected.removed}


def parts(repository, root):
    """Return the digests of all that an image needs, its own among them."""
    found = {root.digest}
    for document in walk(repository, root):
        found |= {document.descriptor.digest, *(d.digest for d in document.children())}
    return found


def test_what_no_tag_names_goes_after_the_lease(store, repository, clock):
    root = multi_platform(repository)
    everything = parts(repository, root)
    clock.forward(minutes=9)
    assert removed(store) == set()
    clock.forward(minutes=5)
    assert removed(store) == everything
    assert not repository.has(root)
    assert files(store.root / "blobs") == []
    assert list(store.repositories()) == []


def test_what_a_tag_names_stays(store, repository, clock):
    repository.tag(TAG, multi_platform(repository))
    loose = put(repository, b"loose")
    clock.forward(days=1000)
    assert removed(store) == {loose.digest}
    assert list(store.verify()) == []


def test_a_kept_digest_stays_until_it_is_deleted(store, repository, clock):
    root = image(repository)
    everything = parts(repository, root)
    repository.keep(root)
    clock.forward(days=1000)
    assert removed(store) == set()
    repository.delete(root)
    assert removed(store) == set()
    clock.forward(hours=1)
    assert removed(store) == everything


def test_what_a_tag_used_to_point_to_stays_for_the_retention(store, repository, clock):
    old, new = image(repository, {"v": b"1"}), image(repository, {"v": b"2"})
    gone = parts(repository, old) - parts(repository, new)
    repository.tag(TAG, old)
    clock.forward(days=200)
    repository.tag(TAG, new)
    clock.forward(days=89)
    assert removed(store) == set()
    assert repository.has(old)
    clock.forward(days=2)
    assert removed(store) == set()  # it is noticed that it has lost its last root, and since when
    clock.forward(hours=1)
    assert removed(store) == gone
    assert repository.complete(new)
    assert len(list(repository.history(TAG))) == 2


def test_a_removed_tag_is_history_too(store, repository, clock):
    root = image(repository)
    repository.tag(TAG, root)
    repository.untag(TAG)
    clock.forward(days=80)
    assert removed(store) == set()
    assert repository.complete(root)


@pytest.mark.parametrize(("retention", "stays"), [(None, True), (timedelta(0), False)])
def test_the_retention_can_be_for_ever_or_none(tmp_path, clock, retention, stays):
    with Store(tmp_path / "s", clock=clock, retention=retention) as store:
        repository = store.repository(NAME)
        root = image(repository)
        repository.tag(TAG, root)
        repository.untag(TAG)
        clock.forward(days=5000)
        store.collect()
        assert repository.has(root) == stays


def test_purged_content_goes_at_once(store, repository, clock):
    old, new = image(repository, {"v": b"1"}), image(repository, {"v": b"2"})
    gone = parts(repository, old) - parts(repository, new)
    repository.tag(TAG, old)
    repository.tag(TAG, new)
    fresh = put(repository, b"on its way in")
    store.close()
    with Store(store.root, clock=clock) as later:
        later.purge(NAME, TAG)
        assert removed(later) == set()
        assert removed(later, purge=True) == gone
        assert later.repository(NAME).has(fresh)
        assert later.repository(NAME).complete(new)
        assert len(list(later.repository(NAME).history())) == 2


def test_purged_content_waits_for_others_who_were_promised_it(store, repository, clock):
    root = image(repository)
    repository.tag(TAG, root)
    assert repository.has(root)
    with Store(store.root, clock=clock) as later:
        later.repository(NAME).untag(TAG)
        later.purge(NAME, TAG)
        assert later.collect(purge=True).removed == ()
    assert repository.complete(root)
    clock.forward(hours=1)
    assert root.digest in removed(store)


def test_a_tag_that_moves_on_after_a_purge_has_a_past_again(store, repository, clock):
    versions = [image(repository, {"v": b"%d" % i}) for i in range(3)]
    for d in versions:
        repository.tag(TAG, d)
        if d == versions[1]:
            store.purge(NAME, TAG)
    clock.forward(hours=1)
    gone = removed(store)
    assert versions[0].digest in gone
    assert not {versions[1].digest, versions[2].digest} & gone


def test_what_was_observed_elsewhere_holds_nothing_here(store, repository, clock):
    root = image(repository)
    repository.move(TAG, root, Cause("observed", "x", "docker.io", False))
    clock.forward(hours=1)
    assert root.digest in removed(store)
    assert len(list(repository.history(TAG, "docker.io"))) == 1


def test_referrers_live_and_die_with_their_subject(store, repository, clock):
    root = image(repository)
    repository.tag(TAG, root)
    signature = artifact(repository, root)
    about_signature = artifact(repository, signature, "application/vnd.example.other")
    clock.forward(hours=1)
    assert removed(store) == set()
    assert repository.complete(about_signature)
    repository.delete(root)
    store.collect()
    clock.forward(hours=1)
    assert {root.digest, signature.digest, about_signature.digest} <= removed(store)
    assert files(store.root / "blobs") == []


def test_an_image_in_two_indexes_stays_as_long_as_one_does(store, repository, clock):
    shared = image(repository)
    one = index(repository, [(shared, None)])
    two = index(repository, [(shared, None)], annotations={"a": "b"})
    repository.tag(Tag("one"), one)
    repository.tag(Tag("two"), two)
    repository.delete(one)
    clock.forward(hours=1)
    assert removed(store) == {one.digest}
    assert repository.complete(two)


def test_each_repository_loses_its_own(store, repository, clock):
    root = image(repository)
    repository.tag(TAG, root)
    other = store.repository(OTHER)
    copy(repository, other, root)
    clock.forward(hours=1)
    assert removed(store) == set()  # no file goes, for one repository needs them all
    assert not other.has(root)
    assert repository.complete(root)
    assert list(store.repositories()) == [NAME]


def test_an_order_to_delete_frees_what_a_tag_still_needs(store, repository, clock):
    root = image(repository)
    repository.tag(TAG, root)
    layer = next(walk(repository, root)).children()[-1]
    repository.delete(layer)
    assert not repository.has(layer)
    clock.forward(hours=1)
    assert removed(store) == {layer.digest}
    assert repository.has(root)


@pytest.mark.parametrize("promise", ["has", "put", "ingest", "open", "locate", "find", "mount"])
def test_every_positive_answer_is_a_lease(store, repository, clock, promise):
    content = b"x" * 1000
    d = put(repository, content)
    for _ in range(5):
        clock.forward(minutes=9)
        match promise:
            case "has":
                assert repository.has(d)
            case "put":
                put(repository, content)
            case "ingest":
                with repository.ingest(d) as ingest:
                    assert ingest.done
            case "open":
                read(repository, d)
            case "locate":
                assert repository.locate(d)
            case "find":
                repository.find(d.digest)
            case "mount":
                assert repository.mount(d, NAME)
        assert removed(store) == set()
    clock.forward(minutes=20)
    assert removed(store) == {d.digest}


def test_the_promise_of_a_manifest_covers_all_of_it(store, repository, clock):
    root = multi_platform(repository)
    for ask in (repository.has, repository.complete, lambda d: repository.resolve(d.digest)):
        clock.forward(minutes=9)
        ask(root)
        assert removed(store) == set()
        assert repository.complete(root)


def test_answers_about_tagged_content_write_nothing(store, repository):
    root = multi_platform(repository)
    repository.tag(TAG, root)
    wal = store.root / "store.db-wal"
    before = wal.stat().st_mtime_ns, wal.stat().st_size
    assert repository.complete(root)
    read(repository, root)
    repository.resolve(root.digest)
    assert (wal.stat().st_mtime_ns, wal.stat().st_size) == before


def test_a_long_transfer_keeps_what_came_before(tmp_path, clock):
    """Content that came in at the start of a pull is still there when its last layer has come."""
    with Store(tmp_path / "s", clock=clock, lease=timedelta(seconds=0.4)) as store:
        repository = store.repository(NAME)
        first = put(repository, b"first")

        class Slow(io.BytesIO):
            def readinto(self, buffer):
                clock.forward(seconds=0.2)
                time.sleep(0.2)
                assert store.collect().removed == ()
                return super().readinto(memoryview(buffer)[:50])

        content = bytes(300)
        with repository.ingest(blob(content)) as ingest:
            ingest.fill(Slow(content))
        assert repository.has(first)


def test_a_clock_that_jumps_deletes_nothing_that_is_needed(store, repository, clock):
    root = image(repository)
    repository.tag(TAG, root)
    for years in (10, -20, 15):
        clock.forward(days=365 * years)
        store.collect()
        assert repository.complete(root)
    fresh = put(repository, b"fresh")
    clock.forward(days=-3650)
    store.collect()
    assert repository.has(fresh)
    clock.forward(hours=1)
    assert removed(store) == {fresh.digest}


def test_what_was_deleted_by_a_clock_that_was_ahead_goes_all_the_same(store, repository, clock):
    clock.forward(days=3652)
    d = put(repository, b"deleted in the future")
    repository.delete(d)
    clock.forward(days=-3652)
    assert removed(store) == set()
    clock.forward(minutes=30)
    assert removed(store) == {d.digest}


def test_files_without_rows_are_swept(store, repository, clock):
    repository.tag(TAG, image(repository))
    orphan = store.root / "blobs" / "sha256" / ("ab" * 32)
    orphan.write_bytes(b"left by a crash between rename and transaction")
    store.collect(dry_run=True)
    assert orphan.exists()
    store.collect()
    assert not orphan.exists()
    assert list(store.verify()) == []


def test_what_nobody_came_back_for_is_swept(store, repository):
    week = 8 * 24 * 3600
    repository.begin().write(b"an old upload")
    d = blob(bytes(100))
    with repository.ingest(d) as ingest, pytest.raises(KillickError):
        ingest.fill(io.BytesIO(bytes(10)))
    (store.root / "temporary" / "x").write_bytes(b"x")
    (store.root / "quarantine" / "x").write_bytes(b"x")
    places = [store.root / name for name in ("uploads", "partial", "temporary", "quarantine")]
    store.collect()
    assert all(files(place) for place in places)
    for place in places:
        for path in place.iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - week))
    with repository.ingest(d):  # somebody is at it
        store.collect()
        assert [bool(files(place)) for place in places] == [False, True, False, False]
    store.collect()
    assert not any(files(place) for place in places)


def test_a_lost_file_does_not_stop_the_collection(store, repository, clock):
    ds = [put(repository, b"%d" % i) for i in range(5)]
    file_of(store, ds[2]).unlink()
    clock.forward(hours=1)
    assert removed(store) == {d.digest for d in ds}


def test_many_pieces_go_in_batches(store, repository, clock):
    ds = {put(repository, b"%d" % i).digest for i in range(250)}
    clock.forward(hours=1)
    assert removed(store) == ds
    assert removed(store) == set()


def test_collecting_while_others_push_loses_nothing(tmp_path):
    """Half of what is pushed is garbage from before; every tagged image must be whole."""
    sources = []
    for i in range(6):
        memory = MemoryRegistry().repository("m")
        sources.append((memory, image(memory, {"v": b"%d" % i}, layers=3)))
    stop, failures = threading.Event(), []
    lease, root, end = timedelta(seconds=1), tmp_path / "s", time.monotonic() + 4

    def push(repository, turn, number):
        """Push as one does; on a machine that stalls for longer than the lease, try again."""
        memory, d = sources[(turn + number) % len(sources)]
        tag, begun = Tag(f"t{number}"), time.monotonic()
        try:
            copy(memory, repository, d, tag)
            problem = None if repository.complete(d) else f"{number}: {d.digest} is not whole"
        except KillickError as error:
            problem = repr(error)
        if problem and time.monotonic() - begun > lease.total_seconds():
            copy(memory, repository, d, tag)
        elif problem:
            failures.append(problem)

    def work(number):
        with Store(root, lease=lease, retention=timedelta(0)) as mine:
            for turn in count():
                if time.monotonic() > end:
                    return
                push(mine.repository(NAME), turn, number)

    def collect():
        with Store(root, lease=lease, retention=timedelta(0)) as mine:
            while not stop.is_set():
                mine.collect()
                time.sleep(0.05)

    collector = threading.Thread(target=collect)
    pushers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in (collector, *pushers):
        thread.start()
    for thread in pushers:
        thread.join()
    stop.set()
    collector.join()
    assert failures == []
    with Store(root, lease=lease, retention=timedelta(0)) as store:
        assert list(store.verify()) == []
        tagged = {store.repository(NAME).resolve(t).digest for t in store.repository(NAME).tags()}
        store.collect()
        time.sleep(1.5)
        store.collect()
        assert {row.descriptor.digest for row in store.images(AMD64)} == tagged


def test_a_collection_that_was_stopped_goes_on_later(store, repository, clock):
    ds = {put(repository, b"%d" % i).digest for i in range(500)}
    clock.forward(hours=1)
    asked = iter([False] * 2)
    first = store.collect(stop=lambda: next(asked, True))
    assert not first.finished
    assert 0 < first.count < 500
    rest = store.collect()
    assert rest.finished
    assert {d.digest for d in (*first.removed, *rest.removed)} == ds
    assert files(store.root / "blobs") == []


def test_a_collection_names_only_so_many_and_counts_all(store, repository, clock, monkeypatch):
    monkeypatch.setattr(collect, "MOST_NAMED", 3)
    for i in range(5):
        put(repository, b"%d" % i)
    clock.forward(hours=1)
    for collected in (store.collect(dry_run=True), store.collect()):
        assert (len(collected.removed), collected.count, collected.size) == (3, 5, 5)


def test_large_files_get_out_of_the_way_first(store, repository, clock, monkeypatch):
    monkeypatch.setattr(collect, "_LARGE", 10)
    removed_under_lock = []
    monkeypatch.setattr(durable, "set_aside", lambda *paths: removed_under_lock.append(paths))
    large = put(repository, bytes(11))
    path = file_of(store, large)
    clock.forward(hours=1)
    store.collect()
    ((source, doomed),) = removed_under_lock
    assert source == path
    # What a crash leaves there is swept.
    doomed.write_bytes(b"x")
    store.collect()
    assert not doomed.exists()
    assert files(store.root / "temporary") == []


def test_no_batch_takes_longer_than_its_time(monkeypatch):
    clock = count(0, 0.4 * pace.WORK)
    monkeypatch.setattr(pace.time, "monotonic", lambda: next(clock))
    slept = []
    monkeypatch.setattr(pace.time, "sleep", slept.append)
    fetched = []
    items = (fetched.append(n) or n for n in range(20))
    batches = [list(batch) for batch in pace.Paced(items, most=6)]
    assert [n for batch in batches for n in batch] == list(range(20))
    assert max(map(len, batches)) == 3
    assert slept == [pace.REST] * (len(batches) - 1)


def brute_force(store, roots):
    """Return what is reachable from `roots` (repository, digest), by edges and referrers."""
    with store._context.database.reading() as connection:
        edges = connection.execute("SELECT parent, child FROM edge").fetchall()
        edges += connection.execute(
            "SELECT subject, digest FROM document WHERE subject IS NOT NULL"
        ).fetchall()
        members = set(connection.execute("SELECT repository, digest FROM member"))
    live, new = set(), set(roots) & members
    while new:
        live |= new
        new = {(r, c) for r, d in new for p, c in edges if p == d} & members - live
    return live


def test_marking_finds_what_every_root_reaches_and_the_look_from_below_agrees(store, clock):
    roots = set()
    for number, name in enumerate((NAME, OTHER), 1):
        repository = store.repository(name)
        for n, tag in enumerate(("a", "b")):
            root = multi_platform(repository, {"n": bytes([n])})
            repository.tag(Tag(tag), root)
            roots.add((number, str(root.digest)))
            artifact(repository, artifact(repository, root), f"application/x{n}")
        lost = image(repository, {"lost": b"1"})
        artifact(repository, lost, "application/lost")
        put(repository, b"loose")
    context = store._context
    with marking.marked(context) as connection:
        rows = connection.execute(
            "SELECT repository, digest, live.id IS NOT NULL FROM member"
            " LEFT JOIN temp.live ON live.id = member.id"
        ).fetchall()
        for repository_id, digest, live in rows:
            below = graph.is_live(connection, repository_id, digest, None)
            assert below == bool(live)
    assert {(r, d) for r, d, live in rows if live} == brute_force(store, roots)
    assert any(not live for *_, live in rows)
