"""What goes wrong: one clear sentence, and the right exit status."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys

import pytest

import images as made
from cli_runner import run
from killick.cli.context import Session
from killick.store import Store

CLOSED = "127.0.0.1:1"


def sentence(ran):
    """The message on stderr, which must be a single line without a traceback."""
    lines = [line for line in ran.err.splitlines() if line.startswith("killick: ")]
    assert len(lines) == 1, ran.err
    assert "Traceback" not in ran.err
    return lines[0]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("pull", f"{CLOSED}/app"), 1),
        (("pull", "a b"), 2),
        (("pull", "app@sha256:12"), 2),
        (("pull", "app", "--platform", "a/b/c/d"), 2),
        (("pull", "app", "--platform", "all,linux/amd64"), 2),
        (("push", "app:1"), 4),
        (("push", "app:1", "--if-digest", "12"), 2),
        (("push", "app:1", "--if-absent", "--if-digest", "sha256:" + "0" * 64), 2),
        (("cp", "oci:", "store:x"), 2),
        (("cp", "oci:/nowhere:1", "store:x"), 4),
        (("serve", "--addr", "0.0.0.0:5000"), 2),
        (("serve", "--addr", "127.0.0.1:99999"), 2),
        (("serve", "--addr", "nonsense"), 2),
        (("serve", "--store", "--root", "x"), 2),
        (("pull", f"{CLOSED}/app", "--tls", "--plain-http"), 2),
        (("pull", f"{CLOSED}/app", "--ca-file", "/nowhere"), 2),
    ],
)
def test_one_sentence_and_a_status(words, status):
    ran = run(*words)
    assert ran.status == status, ran.err
    assert sentence(ran)
    assert ran.out == ""


def test_a_folder_that_can_not_be_a_store(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        monkeypatch.setenv("KILLICK_STORE", str(tmp_path / place))
        ran = run("tag", "app:1", "app:2")
        assert ran.status == 1
        assert sentence(ran)
        assert "is not a folder" in ran.err


def test_a_store_from_a_newer_version(monkeypatch):
    root = Session().settings.store
    with Store(root):
        pass
    databases = [
        path
        for path in root.iterdir()
        if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"
    ]
    for database in databases:
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA user_version = 9999")
        connection.close()
    ran = run("images")
    assert databases
    assert ran.status == 1
    assert "newer" in sentence(ran)


def test_a_full_disk(tmp_path):
    big = made.tar({"big": random.Random(1).randbytes(2**20)})
    (tmp_path / "big.tar").write_bytes(big)
    assert run("images").status == 0
    done = subprocess.run(
        [sys.executable, "-m", "killick", "import", tmp_path / "big.tar", "app:1"],
        capture_output=True,
        text=True,
        preexec_fn=_small_files,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert run("images").lines[1:] == []
    assert run("import", tmp_path / "big.tar", "app:1").status == 0
    assert run("verify").status == 0


def _small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


def test_output_that_can_not_be_written():
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "killick", "images"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "killick: the output can't be written (No space left on device)\n"
    )


def test_an_error_that_can_not_be_told_keeps_its_status():
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "killick", "inspect", "nothing"],
            env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
            stderr=full,
        )
    assert done.returncode == 4
