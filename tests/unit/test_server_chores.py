"""Chores: due in time, once at a time, interrupted and gone on with, told to every worker."""

import json
import os
import stat
import threading
import time
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from killick.errors import Conflict, NotFound, StoreError
from killick.memory import MemoryRegistry
from killick.server import OPEN, READ_ONLY, application, chores
from killick.server.chores import Chore, Chores
from killick.server.operations import Operations
from killick.server.upkeep import chore_gauges

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(chores, "TICK", 0.01)


@pytest.fixture
def make(tmp_path):
    """Make chores, over one folder; they are closed in the end."""
    made = []

    def one(*which, clock=time.time, start=True):
        made.append(Chores(tmp_path / "chores", which, clock))
        if start:
            made[-1].start()
        return made[-1]

    yield one
    for each in made:
        each.close()


def until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to that")


def ended(those, name):
    return those.account(name)["outcome"] not in ("never", "running")


def test_what_is_due_is_done_and_told(make):
    those = make(Chore("count", HOUR, lambda shift: {"found": 3}))
    until(lambda: ended(those, "count"))
    account = those.account("count")
    assert (account["outcome"], account["result"]) == ("done", {"found": 3})
    assert account["every"] == 3600
    assert account["started"] <= account["finished"] == account["succeeded"]


def test_what_can_t_be_written_down_is_not_done_again_and_again(
    make, tmp_path, monkeypatch, caplog
):
    """A full disk: the chore does its work, which nobody can note, and is not due at once."""
    (tmp_path / "chores").mkdir()
    unwritten = tmp_path / "chores" / "c.json.new"
    runs = []

    def work(shift):
        runs.append(1)
        unwritten.mkdir()
        return {}

    those = make(Chore("c", HOUR, work))
    until(lambda: "can't be kept" in caplog.text)
    time.sleep(0.3)
    assert caplog.text.count("can't be kept") == len(runs) == 1
    unwritten.rmdir()
    monkeypatch.setattr(chores, "PAUSE", 0)
    until(lambda: len(runs) == 2)
    those.close()


def test_it_is_done_again_when_its_time_has_come_and_not_before(make):
    now = [1e9]
    runs = []
    those = make(Chore("c", HOUR, lambda shift: runs.append(1) or {}), clock=lambda: now[0])
    until(lambda: len(runs) == 1 and ended(those, "c"))
    now[0] += 3599
    time.sleep(0.1)
    assert len(runs) == 1
    now[0] += 2
    until(lambda: len(runs) == 2)


def test_a_clock_that_was_put_back_does_not_put_it_off(make):
    now = [2e9]
    runs = []
    those = make(Chore("c", HOUR, lambda shift: runs.append(1) or {}), clock=lambda: now[0])
    until(lambda: ended(those, "c"))
    now[0] = 1e9
    until(lambda: len(runs) == 2)


def test_of_many_workers_one_does_it(make):
    runs = []
    all_of_them = [make(Chore("c", HOUR, lambda shift: runs.append(1) or {})) for _ in range(4)]
    until(lambda: ended(all_of_them[0], "c"))
    time.sleep(0.2)
    assert runs == [1]
    assert {those.account("c")["outcome"] for those in all_of_them} == {"done"}


def test_another_worker_takes_over_when_the_first_has_gone(make):
    runs = []
    first = make(Chore("c", HOUR, lambda shift: {}))
    until(lambda: ended(first, "c"))
    make(Chore("c", timedelta(0), lambda shift: runs.append(1) or {}))
    time.sleep(0.1)
    assert not runs
    first.close()
    until(lambda: runs)


def test_it_can_be_asked_for_but_not_twice_at_once(make):
    go = threading.Event()
    those = make(Chore("c", None, lambda shift: {"went": go.wait(20)}))
    other = make(Chore("c", None, lambda shift: {}))
    time.sleep(0.05)
    assert those.account("c")["outcome"] == "never"
    those.ask("c")
    until(lambda: other.account("c")["outcome"] == "running")
    for each in (those, other):
        with pytest.raises(Conflict, match="the chore c is under way"):
            each.ask("c")
    go.set()
    until(lambda: ended(other, "c"))
    other.ask("c")
    until(lambda: other.account("c")["result"] == {})


def test_one_that_fails_is_told_with_its_reason(make):
    def fail(shift):
        raise StoreError("no space is left")

    def crash(shift):
        raise RuntimeError("secret")

    those = make(Chore("fail", HOUR, fail), Chore("crash", HOUR, crash))
    until(lambda: ended(those, "fail") and ended(those, "crash"))
    assert those.account("fail")["error"] == "no space is left"
    assert those.account("crash")["error"] == "a defect (RuntimeError); the log says more"
    assert those.account("fail")["succeeded"] is None


def test_the_end_of_the_server_interrupts_it_and_the_next_goes_on(make):
    started = threading.Event()

    def slowly(shift):
        place = shift.kept.get("place", 0)
        if place:
            return {"from": place}
        shift.keep({"place": 7})
        started.set()
        shift.pause(60)
        return {}

    first = make(Chore("c", HOUR, slowly))
    started.wait(20)
    began = time.monotonic()
    first.close()
    assert time.monotonic() - began < 4
    second = make(Chore("c", HOUR, slowly))
    until(lambda: second.account("c")["outcome"] == "done")
    assert second.account("c")["result"] == {"from": 7}


def test_one_whose_worker_was_killed_is_due_again(make, tmp_path):
    folder = tmp_path / "chores"
    folder.mkdir()
    told = {"outcome": "running", "started": 1.0, "kept": {"place": 3}}
    (folder / "c.json").write_text(json.dumps(told))
    waiting = make(Chore("c", HOUR, lambda shift: dict(shift.kept)), start=False)
    assert waiting.account("c")["outcome"] == "interrupted"
    those = make(Chore("c", HOUR, lambda shift: dict(shift.kept)))
    until(lambda: those.account("c")["outcome"] == "done")
    assert those.account("c")["result"] == {"place": 3}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"colour": 1}', "\0" * 10])
def test_an_account_that_can_not_be_read_is_none(make, tmp_path, text):
    folder = tmp_path / "chores"
    folder.mkdir()
    (folder / "c.json").write_text(text)
    those = make(Chore("c", HOUR, lambda shift: {}))
    until(lambda: those.account("c")["outcome"] == "done")


def test_its_files_are_private_whatever_the_umask(make, tmp_path):
    before = os.umask(0)
    try:
        those = make(Chore("c", HOUR, lambda shift: {}))
        until(lambda: ended(those, "c"))
    finally:
        os.umask(before)
    folder = tmp_path / "chores"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_can_not_be_made_keeps_nobody_from_serving(tmp_path):
    (tmp_path / "file").write_text("")
    chores = Chores(tmp_path / "file" / "chores", [Chore("c", None, lambda shift: {})])
    chores.start()
    try:
        with pytest.raises(StoreError, match="can't be made"):
            chores.ask("c")
        (tmp_path / "file").unlink()
        chores.ask("c")
    finally:
        chores.close()
    assert chores.account("c")["outcome"] == "done"


def test_what_it_would_do(make):
    those = make(
        Chore("c", None, lambda shift: {}, lambda: {"would": 3}), Chore("d", None, lambda shift: {})
    )
    assert those.rehearse("c") == {"would": 3}
    with pytest.raises(NotFound, match="can't tell"):
        those.rehearse("d")
    with pytest.raises(NotFound, match="no chore 'x'"):
        those.ask("x")


def test_the_gauges(make):
    those = make(Chore("c", HOUR, lambda shift: {"freed": 12, "text": "x", "a\nb": 1}))
    until(lambda: ended(those, "c"))
    told = list(chore_gauges(those))
    assert 'killick_chore_result{chore="c",of="freed"} 12' in told
    assert 'killick_chore_outcome{chore="c",outcome="done"} 1' in told
    assert not any("\n" in line or '"text"' in line for line in told)


def test_over_http(make):
    those = make(Chore("c", None, lambda shift: {"freed": 1}, lambda: {"freed": 2}), start=False)
    app = application(MemoryRegistry(), OPEN, operations=Operations(chores=those))
    with TestClient(app) as client:
        assert client.get("/v2/_killick/chores").json()["chores"][0]["outcome"] == "never"
        answer = client.post("/v2/_killick/chores/c?dry-run=1")
        assert (answer.status_code, answer.json()["would"]) == (200, {"freed": 2})
        assert client.post("/v2/_killick/chores/c").status_code == 202
        until(lambda: client.get("/v2/_killick/chores/c").json()["result"] == {"freed": 1})
        assert client.post("/v2/_killick/chores/none").status_code == 404
        assert client.delete("/v2/_killick/chores/c").status_code == 405
        assert 'of="freed"} 1' in client.get("/metrics").text
    with TestClient(application(MemoryRegistry(), READ_ONLY)) as client:
        assert client.post("/v2/_killick/chores/c").status_code == 403


def test_over_http_one_that_is_under_way(make):
    go = threading.Event()
    those = make(Chore("c", None, lambda shift: {"went": go.wait(20)}), start=False)
    app = application(MemoryRegistry(), OPEN, operations=Operations(chores=those))
    with TestClient(app) as client:
        assert client.post("/v2/_killick/chores/c").status_code == 202
        answer = client.post("/v2/_killick/chores/c")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "CHORE_UNDER_WAY")
        go.set()
