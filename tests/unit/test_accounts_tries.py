"""Failed tries are slowed by account and address, for all workers, and lock no owner out."""

import sqlite3

import pytest

from killick.accounts import Place, Tries
from killick.accounts import tries as module
from killick.accounts.tries import FORGOTTEN, LONGEST_WAIT, REMEMBERED, network_of
from killick.errors import StoreError, Throttled

HERE, THERE = "192.0.2.1", "198.51.100.7"


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def tries(place, clock):
    made = Tries(place, clock)
    yield made
    made.close()


def wait(tries, name="ana", address=HERE):
    try:
        tries.check(name, address)
    except Throttled as error:
        return error.wait
    return 0


def fail(tries, times, name="ana", address=HERE):
    for _ in range(times):
        tries.failed(name, address)


def test_five_tries_are_free_then_each_waits_twice_as_long(tries, clock):
    fail(tries, 4)
    assert wait(tries) == 0
    waits = []
    for _ in range(14):
        fail(tries, 1)
        waits.append(wait(tries))
        clock.now += waits[-1] - 0.5
        assert wait(tries) == 1
        clock.now += 0.5
        assert wait(tries) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *[LONGEST_WAIT] * 4]


def test_other_workers_know(tries, place, clock):
    fail(tries, 5)
    other = Tries(place, clock)
    assert wait(other) == 1
    other.close()


def test_the_owner_is_not_locked_out_from_elsewhere(tries):
    fail(tries, 500)
    assert wait(tries) > 0
    assert wait(tries, address=THERE) == 0


def test_an_account_under_attack_is_open_to_who_was_there_before(tries):
    tries.succeeded("ana", THERE)
    for number in range(60):
        fail(tries, 1, address=f"203.0.113.{number}")
    # The attackers have to wait after one try, and so has anybody new; but all have that one.
    assert wait(tries, address="203.0.113.1") == 1
    assert wait(tries, address="203.0.113.99") == 0
    fail(tries, 4, address=THERE)
    assert wait(tries, address=THERE) == 0
    assert wait(tries, "ben", "203.0.113.1") == 0


def test_an_address_that_tries_many_names_waits_for_all(tries):
    for number in range(30):
        fail(tries, 1, name=f"user{number}")
    assert wait(tries, "user99") == 1
    assert wait(tries, "user99", THERE) == 0


def test_who_gets_in_starts_anew(tries):
    fail(tries, 4)
    tries.succeeded("ana", HERE)
    fail(tries, 4)
    assert wait(tries) == 0


def test_failures_are_forgotten(tries, clock):
    fail(tries, 10)
    clock.now += FORGOTTEN + 1
    assert wait(tries) == 0
    fail(tries, 1)
    assert wait(tries) == 0


def test_a_clock_set_back_makes_nobody_wait_for_ever(tries, clock):
    fail(tries, 7)
    clock.now -= 10 * 365 * 86400
    assert wait(tries) <= 4


def test_rows_are_bounded(tries, clock, place, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 50)
    for number in range(100):
        clock.now += 1
        fail(tries, 1, name=f"user{number}", address=f"2001:db8:{number:x}::1")
    rows = sqlite3.connect(place.tries)
    assert rows.execute("SELECT count(*) FROM failures").fetchone()[0] <= 53
    rows.close()
    clock.now += REMEMBERED
    fail(tries, 1)
    rows = sqlite3.connect(place.tries)
    assert rows.execute("SELECT count(*) FROM failures").fetchone()[0] == 3
    rows.close()


def test_names_and_addresses_are_not_written_down(tries, place):
    fail(tries, 3, name="canary-password")
    tries.succeeded("canary-password", HERE)
    tries.close()
    for path in place.folder.iterdir():
        for text in (b"canary", HERE.encode()):
            assert text not in path.read_bytes()


def test_what_is_no_database_lets_nobody_in(tries, place):
    place.make()
    place.tries.write_text("x" * 5000)
    with pytest.raises(StoreError):
        tries.check("ana", HERE)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses(address, network):
    assert network_of(address) == network
