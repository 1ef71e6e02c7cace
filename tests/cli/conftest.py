"""An empty home for every test, and a real registry where one is needed."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import killick

SOURCE = Path(killick.__file__).parents[1]
START_SECONDS = 30


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home, a store and settings of this test's own; no proxies, no accounts."""
    for name in list(os.environ):
        if name.startswith(("KILLICK_", "DOCKER_", "REGISTRY_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name, value in {
        "HOME": home,
        "XDG_CONFIG_HOME": home / "config",
        "XDG_DATA_HOME": home / "data",
        "XDG_RUNTIME_DIR": home,
        "DOCKER_CONFIG": home / "docker",
        "KILLICK_STORE": tmp_path / "store",
        "KILLICK_CONFIG": home / "config.toml",
        "PYTHONPATH": SOURCE,
    }.items():
        monkeypatch.setenv(name, str(value))
    return home


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """The host and port of a registry that Killick serves, in a process of its own."""
    root = tmp_path_factory.mktemp("registry")
    command = [sys.executable, "-m", "killick", "serve", "--addr", "127.0.0.1:0", "--root", root]
    log = root / "log"
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(20)


def _address(process, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://(127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the registry did not start:\n{log.read_text()}")
