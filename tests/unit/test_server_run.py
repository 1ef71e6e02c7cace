import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from killick.digest import Digest
from killick.errors import KillickError
from killick.server import run
from serving import ask, served

DATA = os.urandom(3_000_000)
DIGEST = Digest.of(DATA)
BLOB = f"/v2/a/b/blobs/{DIGEST}"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with served(tmp_path_factory.mktemp("files")) as (_, port):
        yield port


@pytest.fixture(scope="module")
def blob(port):
    path = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
    assert ask(port, "POST", path, DATA)[0] == 201
    return BLOB


def test_whole_blob_is_sent_from_its_file(port, blob):
    status, headers, body = ask(port, "GET", blob)
    assert (status, body) == (200, DATA)
    assert headers["Content-Length"] == str(len(DATA))
    assert headers["ETag"] == f'"{DIGEST}"'
    status, headers, body = ask(port, "HEAD", blob)
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(DATA))


def test_range_of_a_blob(port, blob):
    status, headers, body = ask(port, "GET", blob, headers={"Range": "bytes=1000000-1999999"})
    assert (status, body) == (206, DATA[1_000_000:2_000_000])
    assert headers["Content-Range"] == f"bytes 1000000-1999999/{len(DATA)}"


def test_many_at_once(port, blob):
    wrong = []

    def pull():
        if ask(port, "GET", blob)[2] != DATA or ask(port, "GET", "/v2/")[0] != 200:
            wrong.append(1)

    threads = [threading.Thread(target=pull) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_escaped_slashes_arrive_as_they_were_sent(port):
    assert ask(port, "GET", "/v2/a%2Fb/tags/list")[0] == 400
    assert ask(port, "GET", "/v2/a/../b/tags/list")[0] == 400


def begin(port):
    return ask(port, "POST", "/v2/a/b/blobs/uploads/")[1]["Location"]


def exchange(port, sent, until=b"\r\n\r\n"):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        received = b""
        while until not in received and (piece := connection.recv(65536)):
            received += piece
        return received


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_stalls_is_cut_off_and_what_came_is_kept(port, framing):
    location = begin(port)
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode()
    body = b"3\r\nabc\r\n" if "chunked" in framing else b"abc"
    started = time.monotonic()
    answer = exchange(port, head + body)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 10
    assert ask(port, "GET", location)[1]["Range"] == "0-2"


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_caller_that_goes_away_can_go_on_later(port, framing):
    location = begin(port)
    head = f"PUT {location}?digest={Digest.of(b'abcdef')} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"
    body = b"3\r\nabc\r\n" if "chunked" in framing else b"abc"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        time.sleep(0.2)
    for _ in range(50):
        status, headers, _ = ask(port, "GET", location)
        if (status, headers["Range"]) == (204, "0-2"):
            break
        time.sleep(0.05)
    else:
        pytest.fail("what came before the end was not kept")
    answer = ask(port, "PUT", f"{location}?digest={Digest.of(b'abcdef')}", b"def")
    assert answer[0] == 201


def test_an_answer_that_comes_before_the_body_has(port):
    path = f"/v2/a/b/manifests/{DIGEST}"
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
    assert exchange(port, head.encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_in_order(tmp_path, number):
    with served(tmp_path) as (process, port):
        assert ask(port, "GET", "/v2/")[0] == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert (tmp_path / "closed").exists()
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    with served(tmp_path) as (process, port):
        assert ask(port, "GET", "/v2/")[0] == 200
        process.kill()
        process.wait(10)
        for _ in range(100):
            if (tmp_path / "closed").exists():
                break
            time.sleep(0.05)
        else:
            pytest.fail("the worker goes on")


def test_an_address_in_use_is_one_sentence(tmp_path):
    with served(tmp_path) as (_, port):
        with pytest.raises(KillickError, match=rf"127\.0\.0\.1:{port} can't be served: something"):
            run(dict, ("127.0.0.1", port), lambda url: None)
        assert ask(port, "GET", "/v2/")[0] == 200


@pytest.mark.parametrize("address", [("203.0.113.1", 0), ("no.such.host.invalid", 0)])
def test_an_address_that_is_not_ours(address):
    with pytest.raises(KillickError, match="can't be served"):
        run(dict, address, lambda url: None)


def test_an_application_that_can_not_be_made(tmp_path):
    code = """
from killick.errors import StoreTooNew, KillickError
from killick.server import run
def make(worker):
    raise StoreTooNew("the store was written by a newer Killick")
try:
    run(make, ("127.0.0.1", 0), lambda url: None)
except KillickError as error:
    print(error.message.partition(" at ")[0])
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=30
    )
    assert done.stdout == "the server\n"
    assert "the store was written by a newer Killick" in done.stderr
    assert "Traceback" not in done.stderr
