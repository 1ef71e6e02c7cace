"""Opening a store: new, newer, damaged, read-only, in a bad place."""

import os
import sqlite3
from pathlib import Path

import pytest

from images import AMD64, image
from killick.errors import (
    StoreDamaged,
    StoreError,
    StoreReadOnly,
    StoreTooNew,
)
from killick.names import Tag
from killick.repository import Registry, Repository
from killick.store import Store
from stores import NAME, files, output, python, read


@pytest.fixture
def root(tmp_path):
    """The folder of a store with one image."""
    with Store(tmp_path / "store") as store:
        repository = store.repository(NAME)
        repository.tag(Tag("1.5"), image(repository))
    return tmp_path / "store"


def registry(place: Registry) -> Registry:
    """Take what is a registry; the type checker says so."""
    return place


def test_a_store_is_made_with_its_parents_and_opened_again(tmp_path):
    for _ in range(2):
        with Store(tmp_path / "a" / "b" / "store") as store:
            assert list(registry(store).repositories()) == []
            assert isinstance(store.repository("x"), Repository)


def test_what_was_written_is_there_for_the_next(root):
    with Store(root) as store:
        repository = store.repository(NAME)
        assert repository.complete(repository.resolve(Tag("1.5")))


def test_a_store_of_a_newer_version_is_left_alone(root):
    with sqlite3.connect(root / "store.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (root / "store.db").read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreTooNew):
            Store(root, read_only=read_only)
    assert (root / "store.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database, but text\n" * 100, os.urandom(8192)])
def test_a_damaged_database_is_said_to_be(root, content):
    (root / "store.db").write_bytes(content)
    for name in ("store.db-wal", "store.db-shm"):
        (root / name).unlink(missing_ok=True)
    for read_only in (False, True):
        with pytest.raises(StoreDamaged):
            Store(root, read_only=read_only)
    assert (root / "store.db").read_bytes() == content


def test_a_damaged_page_is_said_to_be_when_it_is_met(root):
    with (root / "store.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * ((root / "store.db").stat().st_size - 4096))
    with pytest.raises(StoreDamaged), Store(root) as store:
        list(store.images(AMD64))


@pytest.mark.parametrize("place", ["store", "store/inside"])
def test_a_file_in_the_way_is_said(tmp_path, place):
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(StoreError):
        Store(tmp_path / place)


def test_a_store_that_was_killed_while_it_was_made_is_finished(tmp_path):
    for name in ("", "blobs", "partial"):
        (tmp_path / "store" / name).mkdir()
    (tmp_path / "store" / "store.db").touch()
    with Store(tmp_path / "store") as store:
        image(store.repository(NAME))


def test_read_only_shows_everything_and_changes_nothing(root):
    before = files(root)
    with Store(root, read_only=True) as store:
        repository = store.repository(NAME)
        d = repository.resolve(Tag("1.5"))
        assert repository.has(d)
        assert repository.complete(d)
        assert read(repository, d)
        assert repository.locate(d)
        assert len(list(store.images(AMD64))) == 1
        assert len(list(repository.history())) == 1
        assert store.collect(dry_run=True).removed == ()
        assert list(store.verify()) == []
        for change in (
            lambda: repository.untag(Tag("1.5")),
            lambda: repository.tag(Tag("2"), d),
            lambda: repository.delete(d),
            lambda: image(repository, {"v": b"2"}),
            lambda: repository.begin(),
            lambda: store.collect(),
        ):
            with pytest.raises(StoreReadOnly):
                change()
        with pytest.raises(StoreReadOnly), repository.ingest(d):
            pass
    assert [name for name in files(root) if "store.db-" not in name] == before


def test_read_only_sees_what_others_write(root):
    with Store(root, read_only=True) as reading, Store(root) as writing:
        repository = writing.repository(NAME)
        repository.tag(Tag("new"), repository.resolve(Tag("1.5")))
        assert Tag("new") in list(reading.repository(NAME).tags())


def test_read_only_makes_no_store(tmp_path):
    with pytest.raises(StoreError):
        Store(tmp_path / "store", read_only=True)
    assert not (tmp_path / "store").exists()


UNWRITABLE = """
import os, sys
from pathlib import Path
from killick.errors import StoreReadOnly
from killick.names import Tag
from killick.store import Store

root = Path(sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    Store(root)
    print("opened")
except StoreReadOnly as error:
    print("refused:", error.hint)
with Store(root, read_only=True) as store:
    repository = store.repository("docker.io/library/golftrack")
    print(repository.complete(repository.resolve(Tag("1.5"))), len(list(store.verify())))
"""


def test_a_folder_that_may_not_be_written_to_can_be_read(root):
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    parents = [p for p in root.parents if Path("/tmp") in p.parents]
    modes = [(p, p.stat().st_mode) for p in parents]
    try:
        for parent in parents:
            parent.chmod(0o755)
        said = output(python(UNWRITABLE, root)).splitlines()
    finally:
        for path, mode in modes:
            path.chmod(mode)
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert said[0].startswith("refused: set KILLICK_STORE")
    assert said[1] == "True 0"


def test_a_closed_store_says_so(root):
    store = Store(root)
    store.close()
    store.close()
    with pytest.raises(StoreError):
        list(store.repositories())


def test_who_moves_tags_is_the_user_at_the_host_unless_told(root):
    with Store(root) as store:
        (move,) = store.repository(NAME).history()
        assert "@" in move.cause.actor
