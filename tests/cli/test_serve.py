"""serve: which registry, and who may do what with it."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

import images as made
from cli_runner import run
from killick.cli.context import Session
from killick.names import Tag
from killick.platforms import Platform
from killick.store import Store

WAIT = 30


@contextmanager
def serving(*words):
    """Run `killick serve` on a free port of loopback; yield its host and port."""
    command = [sys.executable, "-m", "killick", "serve", "--addr", "127.0.0.1:0", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            yield re.search(r"http://(127\.0\.0\.1:\d+)", line)[1]
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(WAIT)
        assert status == 0


@pytest.fixture
def image():
    """The digest of `app:1` in the local store."""
    with Store(Session().settings.store) as store:
        repository = store.repository("docker.io/library/app")
        d = made.image(repository, {"app": b"one"}, Platform.host())
        repository.tag(Tag("1"), d)
        return str(d.digest)


def test_a_new_root_takes_pushes_and_keeps_them(tmp_path, image):
    root = tmp_path / "deep" / "registry"
    with serving("--root", root) as host:
        assert run("cp", "store:app:1", f"{host}/app:1").status == 0
    with serving("--root", root) as host:
        assert run("digest", f"{host}/app:1").out.strip() == image


def test_without_a_root_it_is_in_the_data_folder(home, image):
    with serving() as host:
        assert run("cp", "store:app:1", f"{host}/app:1").status == 0
    assert (home / "data/killick/registry/blobs").is_dir()


def test_anonymous_callers_may_be_kept_from_pushing(tmp_path, image):
    with serving("--root", tmp_path / "r", "--anonymous", "pull") as host:
        ran = run("cp", "store:app:1", f"{host}/app:1")
        assert ran.status == 5, ran.err
        assert ran.err.splitlines()[-1].startswith("killick: ")
        assert run("digest", f"{host}/app:1").status == 4


def test_the_local_store_is_shown_by_full_names_to_be_read(image):
    with serving("--store") as host:
        assert run("digest", f"{host}/docker.io/library/app:1").out.strip() == image
        assert run("pull", "-q", f"{host}/docker.io/library/app:1").status == 0
        assert run("cp", "store:app:1", f"{host}/docker.io/library/app:2").status == 5


def test_an_address_that_is_taken_is_one_sentence(tmp_path):
    with serving("--root", tmp_path / "r") as host:
        ran = run("serve", "--addr", host, "--root", tmp_path / "other")
    assert ran.status == 1
    assert ran.err.count("\n") == 1
    assert "something else listens there" in ran.err


def test_what_can_not_be_served_is_not_announced(tmp_path):
    (tmp_path / "file").write_text("")
    for words in (["--root", tmp_path / "file"], ["--store"]):
        ran = run("serve", "--addr", "127.0.0.1:0", *words)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.count("\n") == 1
