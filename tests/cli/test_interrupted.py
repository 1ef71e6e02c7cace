"""Progress on a terminal, and Ctrl-C: it stops at once, and the same command goes on."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest

import images as made
from cli_runner import run
from killick.cli.context import Session
from killick.names import Tag
from killick.store import Store

LAYER = 2**20
WAIT = 20


class Throttle:
    """A way to a registry that lets some bytes of answers pass, and then no more until told."""

    def __init__(self, host, allowed):
        self.allowed = allowed
        self.stopped = threading.Event()
        self._go = threading.Event()
        self._target = host.split(":")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets = []
        self._threads = []
        self._start(self._accept)

    def release(self):
        """Let everything pass."""
        self._go.set()

    def close(self):
        self.release()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT)
        for one in self._sockets:
            one.close()

    def _start(self, what, *arguments):
        self._threads.append(threading.Thread(target=what, args=arguments))
        self._threads[-1].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._target[0], int(self._target[1])))
                self._sockets += [near, far]
                self._start(self._pass_on, near, far, False)
                self._start(self._pass_on, far, near, True)

    def _pass_on(self, source, target, counted):
        with suppress(OSError):
            while data := source.recv(2**14):
                if counted:
                    self.allowed -= len(data)
                    if self.allowed < 0:
                        self.stopped.set()
                        self._go.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def throttle(host):
    with closing(Throttle(host, LAYER + LAYER // 2)) as found:
        yield found


@pytest.fixture
def published(host, throttle):
    """A reference, by way of the throttle, to an image of three layers that don't compress."""
    with Store(Session().settings.store) as store:
        repository = store.repository("docker.io/library/big")
        layers = [
            made.put(repository, made.OCI_LAYER_GZIP, os.urandom(LAYER)).to_json() for _ in range(3)
        ]
        config = made.put(repository, made.OCI_CONFIG, b'{"os":"linux","architecture":"amd64"}')
        manifest = made.json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": made.OCI_MANIFEST,
                "config": config.to_json(),
                "layers": layers,
            }
        )
        d = made.put(repository, made.OCI_MANIFEST, manifest.encode())
        repository.tag(Tag("1"), d)
    ran = run("cp", "store:big:1", f"{host}/big/app:1")
    assert ran.status == 0, ran.err
    return f"{throttle.host}/big/app:1", str(d.digest)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("KILLICK_STORE", str(tmp_path / "empty"))


def start(*words, **streams):
    return subprocess.Popen([sys.executable, "-m", "killick", *words], text=True, **streams)


def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(throttle, published, empty):
    reference, digest = published
    with start("pull", reference, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert throttle.stopped.wait(WAIT)
        time.sleep(0.3)
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT)
    assert time.monotonic() - before < 2
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("killick: interrupted: the same command goes on where this one stopped\n")
    assert "Traceback" not in err
    assert run("digest", "--local", reference).status == 4
    throttle.release()
    ran = run("pull", reference)
    assert ran.status == 0
    assert "goes on at" in ran.err or "Already exists" in ran.err
    assert run("digest", "--local", reference).out.strip() == digest
    assert run("verify").status == 0


def test_a_terminal_gets_bars(throttle, published, empty):
    reference, digest = published
    throttle.release()
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "24"}
    with start(
        "pull", reference, stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        screen = _all_of(ours)
        assert process.communicate(timeout=WAIT)[0].startswith(f"Digest: {digest}\n")
    assert "Total: 4 of 4" in screen
    assert "Download complete" in screen
    assert "\x1b[?25h" in screen.rpartition("\x1b[?25l")[2]  # the cursor is shown again


def _all_of(descriptor):
    pieces = []
    # reading a terminal that nobody has open any more fails with EIO
    with suppress(OSError):
        while data := os.read(descriptor, 2**16):
            pieces.append(data)
    os.close(descriptor)
    return b"".join(pieces).decode()
