"""Real programs for tests: commands that are run, and daemons that are started and stopped."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REQUIRED = os.environ.get("KILLICK_REQUIRE_PEERS") == "1"


class PeerError(AssertionError):
    """A real peer said no where a test expected it to work."""


def find(*names: str) -> str:
    """The path of the first of these programs that is installed, else the test is skipped."""
    go_binaries = Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin"
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=str(go_binaries)):
            return found
    pytest.skip(f"{' or '.join(names)} is not installed")


class Tool:
    """A command with the arguments and the environment that every call shares."""

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.command = command
        self.env = {**clean_environment(), **(env or {})}

    def call(
        self, *args: str | Path, stdin: bytes = b"", timeout: float = 100
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *map(str, args)],
            input=stdin,
            env=self.env,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def run(self, *args: str | Path, stdin: bytes = b"", timeout: float = 100) -> str:
        done = self.call(*args, stdin=stdin, timeout=timeout)
        if done.returncode:
            line = " ".join([*self.command, *map(str, args)])
            raise PeerError(f"{line}\nexit {done.returncode}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def json(self, *args: str | Path) -> dict:
        return json.loads(self.run(*args))


def killick_with(store: Path, home: dict[str, str]) -> Tool:
    """Our own command over a store, installed or not."""
    source = Path(__file__).parents[2] / "src"
    env = home | {"KILLICK_STORE": str(store), "PYTHONPATH": str(source)}
    return Tool(sys.executable, "-m", "killick", env=env)


def clean_environment() -> dict[str, str]:
    """Ours, without what would lead a client to another registry, engine or account."""
    unwanted = ("DOCKER_", "REGISTRY_", "CONTAINER", "KILLICK_")
    proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(unwanted) and name.lower() not in proxies
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def daemon(
    command: list[str], *, ready: Callable[[], bool], log: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a daemon; what it printed is in the failure where it does not come up."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**clean_environment(), **(env or {})}
        )
    try:
        deadline = time.monotonic() + 40
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise PeerError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
