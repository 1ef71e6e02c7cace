"""Whatever the umask is, what Killick makes is its owner's alone."""

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

import images
from faults.asking import CONFIG, Caller, manifest
from faults.processes import environment
from killick.layout import ArchiveWriter
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.transfer import copy


def killick(words, home, **options):
    """Start killick under a umask of 000."""
    return subprocess.Popen(
        [sys.executable, "-m", "killick", *map(str, words)],
        env=environment(home / "store") | {"DOCKER_CONFIG": str(home / "docker")},
        umask=0,
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def finished(words, home):
    process = killick(words, home, stdin=subprocess.DEVNULL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def open_to_others(folder):
    """Return what below a folder is open to others than its owner."""
    found = [folder, *folder.rglob("*")]
    return [
        (str(path.relative_to(folder)), oct(stat.S_IMODE(path.lstat().st_mode)))
        for path in found
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archive.tar"
    source = MemoryRegistry().repository("source")
    d = images.image(source, {"app": b"x"}, Platform.host())
    with ArchiveWriter(path, None) as writer:
        copy(source, writer.repository("docker.io/library/loaded"), d, Tag("1"))
    return path


def test_a_store_is_its_owners(tmp_path, archive):
    finished(("load", "-i", archive), tmp_path)
    finished(("tag", "loaded:1", "other:1"), tmp_path)
    finished(("rmi", "--purge", "other:1"), tmp_path)
    finished(("gc",), tmp_path)
    finished(("verify",), tmp_path)
    assert open_to_others(tmp_path / "store") == []


def test_a_registrys_folder_is_its_owners(tmp_path):
    root = tmp_path / "registry"
    words = ("serve", "--addr", "127.0.0.1:0", "--root", root)
    process = killick(words, tmp_path, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        line = process.stdout.readline()
        caller = Caller(int(line.partition("127.0.0.1:")[2].split()[0]))
        assert caller.upload("a", CONFIG).status == 201
        assert caller.upload("a", b"layer").status == 201
        assert caller.put_manifest("a", "1", manifest([b"layer"], "x")).status == 201
        assert caller("POST", "/v2/a/blobs/uploads/").status == 202
        caller.close()
        assert open_to_others(root) == []
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
    assert open_to_others(root) == []


def test_what_holds_logins_is_its_owners(tmp_path):
    from guarded import BASIC, LOGIN, Guarded
    from lying import Site

    with Site(Guarded(BASIC)) as site:
        words = ("login", "-u", LOGIN.username, "--password-stdin", site.domain)
        process = killick(words, tmp_path, stdin=subprocess.PIPE)
        _, err = process.communicate(LOGIN.password, timeout=60)
    assert process.returncode == 0, err
    assert json.loads((tmp_path / "docker" / "config.json").read_text())["auths"]
    assert open_to_others(tmp_path / "docker") == []
