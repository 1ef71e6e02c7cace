"""How chores write: without holding others up."""

import sqlite3
import threading
from contextlib import ExitStack

import pytest

from killick.errors import StoreError, StoreReadOnly
from killick.store import Store, database


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as opened:
        yield opened


def add(connection, name):
    connection.execute("INSERT INTO repository (name) VALUES (?)", (name,))


def names(base):
    with base.reading() as connection:
        return [name for (name,) in connection.execute("SELECT name FROM repository ORDER BY 1")]


def test_a_chore_waits_for_whoever_writes(store):
    base = store._context.database
    begun, wrote = threading.Event(), threading.Event()

    def work():
        begun.set()
        with base.giving_way() as connection:
            assert wrote.is_set()
            add(connection, "chore")

    thread = threading.Thread(target=work)
    with base.writing() as connection:
        thread.start()
        assert begun.wait(60)
        add(connection, "first")
        wrote.set()
    thread.join()
    assert names(base) == ["chore", "first"]


def test_a_chore_that_fails_has_done_nothing(store):
    base = store._context.database
    with pytest.raises(ZeroDivisionError), base.giving_way() as connection:
        add(connection, "never")
        raise ZeroDivisionError
    assert names(base) == []
    with base.giving_way() as connection:
        add(connection, "later")
    assert names(base) == ["later"]


def test_a_chore_does_not_wait_for_ever(store, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    base = store._context.database
    with (
        base.writing(),
        pytest.raises(StoreError, match="busy"),
        base.giving_way(),
    ):
        pytest.fail("two wrote at once")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in this process", "in another"])
def test_nobody_waits_to_write_for_ever(store, monkeypatch, elsewhere):
    base = store._context.database
    with ExitStack() as stack:
        other = stack.enter_context(Store(store.root)) if elsewhere else store
        stack.enter_context(other._context.database.writing())
        monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
        with (
            pytest.raises(StoreError, match=r"store\.db was busy for 0\.05 seconds"),
            base.writing(),
        ):
            pytest.fail("two wrote at once")
    with base.writing() as connection:
        add(connection, "later")
    assert names(base) == ["later"]


def test_what_a_chore_wrote_stays_in_the_log_until_it_is_time(store):
    base = store._context.database
    log = base.path.with_name(f"{base.path.name}-wal")
    base.checkpoint()
    before = base.path.stat().st_size
    with base.giving_way() as connection:
        for number in range(30_000):
            add(connection, f"{number:0200}")
    pages = log.stat().st_size // 4096
    assert pages > 1000
    assert base.path.stat().st_size == before
    base.checkpoint()
    assert base.path.stat().st_size > before + 1000 * 4096
    for connection in base._idle:
        settings = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("wal_autocheckpoint", "busy_timeout")
        ]
        assert settings == [1000, 60_000]


def test_a_chore_of_a_store_that_is_only_read_is_refused(store):
    with (
        Store(store.root, read_only=True) as other,
        pytest.raises(StoreReadOnly),
        other._context.database.giving_way(),
    ):
        pytest.fail("it wrote")


def test_sqlite_does_so_by_default():
    with sqlite3.connect(":memory:") as connection:
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] == database._LOG_PAGES
