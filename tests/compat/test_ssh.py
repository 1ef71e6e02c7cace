"""An engine of another machine by ssh: a real sshd, and docker's own dial-stdio behind it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.engines import SECONDS, Engine, runnable
from compat.processes import daemon, find, free_port, listens
from compat.registries import Registry
from killick.errors import Unreachable
from killick.fleet.engines import engine_at

SETTINGS = """\
HostKey {root}/host
AuthorizedKeysFile {root}/user.pub
ListenAddress 127.0.0.1:{port}
PidFile none
StrictModes no
UsePAM no
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an sshd that lets us in, with an `ssh` in the path that knows its keys."""
    server, client, keygen = find("sshd"), find("ssh"), find("ssh-keygen")
    if os.geteuid() != 0:
        pytest.skip("this sshd is started as root")
    for name in ("host", "user"):
        words = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    number = free_port()
    settings = tmp_path / "sshd_config"
    settings.write_text(SETTINGS.format(root=tmp_path, port=number))
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    options = f"-F none -i {tmp_path}/user -o StrictHostKeyChecking=no"
    options += f" -o UserKnownHostsFile={tmp_path}/known -o LogLevel=ERROR"
    wrapper.write_text(f'#!/bin/sh\nexec {client} {options} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    with daemon(
        [server, "-D", "-e", "-f", str(settings)],
        ready=lambda: listens(number),
        log=tmp_path / "sshd.log",
    ):
        yield number


def test_docker_by_ssh(port: int, on_docker: Engine, registry: Registry) -> None:
    registry.push("ssh/app", runnable("ssh"), "1")
    container = on_docker.run("by-ssh", f"{registry.host}/ssh/app:1")
    socket = on_docker.url.removeprefix("unix://")
    found = engine_at(f"ssh://root@127.0.0.1:{port}{socket}", "web1").snapshot(SECONDS)
    assert (found.host, found.engine) == ("web1", "docker")
    assert container in {c.id for c in found.containers}


def test_podman_by_ssh(port: int, on_podman: Engine) -> None:
    socket = on_podman.url.removeprefix("unix://")
    found = engine_at(f"ssh://root@127.0.0.1:{port}{socket}", "web1").snapshot(SECONDS)
    assert found.engine == "podman"


def test_what_fails_over_there_is_said_here(port: int) -> None:
    with pytest.raises(Unreachable, match="failed: "):
        engine_at(f"ssh://root@127.0.0.1:{port}/no/such.sock").snapshot(SECONDS)
