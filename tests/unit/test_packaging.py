"""What packaging/ comes with fits the code: settings, options, what systemd is told."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from killick.server import notify
from killick.server.configuration import Configuration, load, settings_of
from operated import serve, until

PACKAGING = Path(__file__).parents[2] / "packaging"


def test_the_settings_for_the_service_can_be_loaded():
    found = load(PACKAGING / "serve.toml", {})
    assert found.root == Path("/var/lib/killick")
    text = (PACKAGING / "serve.toml").read_text()
    for_others = re.sub(r"^# (?=addr|\[tls\]|cert|key)", "", text, flags=re.MULTILINE)
    assert "\n[tls]\ncert" in for_others


def test_the_container_sets_what_there_is():
    known = {one.variable for one in settings_of(Configuration)}
    text = (PACKAGING / "Containerfile").read_text()
    named = set(re.findall(r"KILLICK_SERVE_\w+", text))
    assert named
    assert named <= known


def test_the_folders_of_the_service_are_those_of_its_settings():
    unit = (PACKAGING / "killick.service").read_text()
    settings = (PACKAGING / "serve.toml").read_text()
    assert "StateDirectory=killick" in unit
    assert "LogsDirectory=killick" in unit
    assert 'root = "/var/lib/killick"' in settings
    assert 'access = "/var/log/killick/' in settings


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_and_finds_it_guarded(tmp_path):
    text = (PACKAGING / "killick.service").read_text()
    unit = tmp_path / "killick.service"
    unit.write_text(text.replace("/usr/local/bin/killick", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60
    )
    ours = [line for line in done.stderr.splitlines() if "killick.service" in line]
    assert (done.returncode, ours) == (0, [])
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def test_systemd_is_told_when_the_registry_is_ready_reloads_and_stops(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with serve("--root", tmp_path / "root") as served:
            assert manager.recv(1000) == b"READY=1"
            (first,) = served.workers()
            served.process.send_signal(1)
            assert manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(1000) == b"READY=1"
            until(lambda: first not in served.workers())
        assert manager.recv(1000) == b"STOPPING=1"


def test_nobody_is_told_where_nobody_asked(monkeypatch):
    for address in ("", "relative", "/no/such/socket", "@no-such-socket"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify.ready()
