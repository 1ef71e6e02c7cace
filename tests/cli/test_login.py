"""`killick login` and `killick logout`: checked before saved, and kept where docker keeps it."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli_runner import run

ACCOUNT = "alice:s3cret"


class Doorman(BaseHTTPRequestHandler):
    """A registry that does nothing but let Alice in."""

    def do_GET(self):
        expected = f"Basic {base64.b64encode(ACCOUNT.encode()).decode()}"
        allowed = self.headers.get("Authorization") == expected
        self.send_response(200 if allowed else 401)
        if not allowed:
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def door():
    with serving(Doorman) as address:
        yield address


@pytest.fixture
def kept(home):
    """The file where docker keeps credentials, with something else in it."""
    path = home / "docker" / "config.json"
    path.parent.mkdir()
    path.write_text('{"HttpHeaders": {"X-Mine": "kept"}}')
    return path


def test_what_the_registry_takes_is_saved(door, kept):
    ran = run("login", "-u", "alice", "--password-stdin", door, stdin=b"s3cret\n")
    assert (ran.status, ran.out) == (0, "Login Succeeded\n")
    saved = json.loads(kept.read_text())
    assert base64.b64decode(saved["auths"][door]["auth"]).decode() == ACCOUNT
    assert saved["HttpHeaders"] == {"X-Mine": "kept"}
    assert kept.stat().st_mode & 0o777 == 0o600
    assert str(kept) in ran.err
    assert "s3cret" not in ran.err + ran.out


def test_what_the_registry_refuses_is_not_saved(door, kept):
    before = kept.read_text()
    ran = run("login", "-u", "alice", "--password-stdin", door, stdin=b"wrong")
    assert ran.status == 5
    assert ran.out == ""
    assert "wrong" not in ran.err
    assert "does not accept this user name and password" in ran.err
    assert "killick login" not in ran.err
    assert kept.read_text() == before


def test_a_wrong_password_does_not_lose_the_right_one(door, kept):
    run("login", "-u", "alice", "--password-stdin", door, stdin=b"s3cret")
    before = kept.read_text()
    assert run("login", "-u", "alice", "--password-stdin", door, stdin=b"wrong").status == 5
    assert kept.read_text() == before


def test_a_password_on_the_command_line_is_warned_of(door, kept):
    ran = run("login", "-u", "alice", "-p", "s3cret", f"http://{door}/v2/")
    assert ran.status == 0
    assert "--password-stdin" in ran.err
    assert door in kept.read_text()


def test_logout_forgets(door, kept):
    run("login", "-u", "alice", "--password-stdin", door, stdin=b"s3cret")
    assert run("logout", door).out == f"Removed the login credentials for {door}\n"
    assert "auth" not in json.loads(kept.read_text()).get("auths", {}).get(door, {})
    assert run("logout", door).out == f"Not logged in to {door}\n"
    assert run("logout").out == "Not logged in to docker.io\n"


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["-u", "alice"], b""),
        ([], b""),
        (["--password-stdin"], b"s3cret"),
        (["-u", "alice", "--password-stdin"], b""),
        (["-u", "alice", "--password-stdin", "-p", "x"], b"s3cret"),
        (["-u", "alice", "--password-stdin"], b"x" * 100_000),
        (["-u", "a:b", "--password-stdin"], b"s3cret"),
    ],
)
def test_what_can_not_be_a_login_is_wrong_usage(door, kept, words, stdin):
    before = kept.read_text()
    assert run("login", *words, door, stdin=stdin).status == 2
    assert kept.read_text() == before


def test_a_host_that_is_none_is_wrong_usage():
    assert run("login", "-u", "a", "--password-stdin", "no host", stdin=b"x").status == 2
    assert run("logout", "no host").status == 2
