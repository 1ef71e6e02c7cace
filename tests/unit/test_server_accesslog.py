"""The access log: what a line says, and that callers can't write lines of their own."""

import json
import os
import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killick.server import accesslog
from killick.server.accesslog import AccessLog, json_line, plain_line
from killick.server.figures import Seen


def seen(path="/v2/a/manifests/1", request="r-1", caller="alice", method="GET"):
    return Seen(method, "manifest", 200, 12, 3, 0.0015, caller, request, path, "127.0.0.1")


def until(condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")


def test_a_line_of_json():
    assert json.loads(json_line(1_700_000_000.25, seen())) == {
        "time": "2023-11-14T22:13:20.250Z",
        "request": "r-1",
        "client": "127.0.0.1",
        "account": "alice",
        "method": "GET",
        "route": "manifest",
        "path": "/v2/a/manifests/1",
        "status": 200,
        "sent": 12,
        "received": 3,
        "seconds": 0.0015,
    }


def test_a_plain_line():
    assert plain_line(1_700_000_000.25, seen()) == (
        '2023-11-14T22:13:20.250Z 127.0.0.1 "alice" "GET /v2/a/manifests/1" '
        '200 12 3 0.001500 manifest "r-1"\n'
    )


@given(st.text(), st.text(), st.text())
def test_whatever_callers_send_a_line_is_one_line_and_reads_back(path, caller, method):
    one = seen(path=path, caller=caller, method=method)
    line = json_line(1e9, one)
    assert line.isascii()
    assert line.count("\n") == 1
    told = json.loads(line)
    assert (told["path"], told["account"], told["method"]) == (path, caller, method)
    assert plain_line(1e9, one).count("\n") == 1
    assert "\x1b" not in line + plain_line(1e9, one)


def test_lines_are_in_the_file_soon_and_it_is_private(tmp_path):
    path = tmp_path / "access.log"
    before = os.umask(0)
    try:
        log = AccessLog(path, json_line)
    finally:
        os.umask(before)
    log.add(seen())
    until(lambda: path.read_text().count("\n") == 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log.close()


def test_what_waits_is_written_at_the_end(tmp_path):
    log = AccessLog(tmp_path / "access.log", json_line)
    for _ in range(1000):
        log.add(seen())
    log.close()
    assert (tmp_path / "access.log").read_text().count("\n") == 1000


def test_a_file_that_was_renamed_is_begun_anew(tmp_path):
    path = tmp_path / "access.log"
    log = AccessLog(path, json_line)
    log.add(seen(request="one"))
    until(lambda: "one" in path.read_text())
    path.rename(tmp_path / "access.log.1")
    log.add(seen(request="two"))
    until(lambda: path.exists() and "two" in path.read_text())
    log.close()
    assert "two" not in (tmp_path / "access.log.1").read_text()


def test_nobody_waits_for_a_log_that_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(accesslog, "MOST_WAITING", 10)
    monkeypatch.setattr(accesslog, "EVERY", 60)
    dropped = []
    log = AccessLog(tmp_path / "access.log", json_line, dropped.append)
    for _ in range(25):
        log.add(seen())
    log.close()
    assert dropped == [15]
    assert (tmp_path / "access.log").read_text().count("\n") == 10


def test_a_log_that_can_not_be_written_is_counted(tmp_path):
    path = tmp_path / "folder" / "access.log"
    path.parent.mkdir()
    dropped = []
    log = AccessLog(path, json_line, dropped.append)
    path.unlink()
    path.parent.rmdir()
    log.add(seen())
    until(lambda: dropped == [1])
    log.close()


def test_a_pipe_gets_whole_lines_at_once():
    text = b"".join(b"%d %s\n" % (n, b"x" * (n % 700)) for n in range(100))
    blocks = list(accesslog._blocks(text + b"y" * 9000 + b"\n"))
    assert b"".join(blocks) == text + b"y" * 9000 + b"\n"
    assert all(block.endswith(b"\n") for block in blocks)
    assert all(len(block) <= 4096 for block in blocks[:-1])


def test_a_file_that_can_not_be_opened(tmp_path):
    with pytest.raises(OSError):
        AccessLog(tmp_path / "no" / "access.log", json_line)
