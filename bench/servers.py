"""The registries that are measured, each in a process of its own over an empty folder."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import registry
from peers import KILLICK
from timing import quiet

USER, PASSWORD = "bench", "a-password-of-the-bench"
WORKERS = min(4, os.cpu_count() or 1)  # what `serve` starts where others can reach it


@dataclass(frozen=True)
class Server:
    """A registry that runs: where, and how to be let in."""

    name: str
    host: str
    process: subprocess.Popen
    folder: Path
    headers: dict[str, str]
    start: float  # seconds until it answered

    def environment(self) -> dict[str, str]:
        """What lets crane in."""
        return {"DOCKER_CONFIG": str(self.folder / "docker")}

    def memory(self) -> list[float]:
        """MiB that each worker had at most so far."""
        return [_peak(pid) for pid in _below(self.process.pid)]


@contextlib.contextmanager
def running(
    name: str, folder: Path, *, data: Path | None = None, more: Sequence[str] = ()
) -> Iterator[Server]:
    """Runs Killick with accounts and its access log, or distribution with neither.

    `data` is the folder of a Killick registry that is there already; `more` stands at the end of
    the command.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    command, headers = COMMANDS[name](folder, host, data or folder / "data")
    command += more
    env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    began = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        registry.wait(host, process, folder / "log")
        yield Server(name, host, process, folder, headers, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def installed() -> list[str]:
    """Who can be measured here."""
    return ["killick"] + ["distribution"] * bool(registry.find("registry"))


def versions() -> dict[str, str]:
    """What is measured."""
    found = {"killick": quiet([*KILLICK, "version"]).split()[1]}
    if program := registry.find("registry"):
        found["distribution"] = quiet([program, "--version"]).split()[-1]
    return found


def _killick(folder: Path, host: str, data: Path) -> tuple[list[str], dict[str, str]]:
    add = [*KILLICK, "user", "add", USER, "--admin", "--password-stdin", "--root", str(data)]
    added = subprocess.run(add, input=f"{PASSWORD}\n", text=True, capture_output=True, check=False)
    if added.returncode and "already" not in added.stderr:
        raise RuntimeError(added.stderr)
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "docker").mkdir()
    (folder / "docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": basic}}}))
    command = [*KILLICK, "serve", "--addr", host, "--root", str(data), "--workers", str(WORKERS)]
    log = ["--set", f"log.access={folder / 'access.log'}"]
    return [*command, *log], {"Authorization": f"Basic {basic}"}


def _distribution(folder: Path, host: str, data: Path) -> tuple[list[str], dict[str, str]]:
    settings = folder / "registry.yml"
    settings.write_text(registry.CONFIGURATION.format(root=data, host=host))
    return [str(registry.find("registry")), "serve", str(settings)], {}


COMMANDS: dict[str, Callable[[Path, str, Path], tuple[list[str], dict[str, str]]]] = {
    "killick": _killick,
    "distribution": _distribution,
}


def _below(parent: int) -> list[int]:
    """The processes below one, without it; the one itself where there are none."""
    found = [parent]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        with contextlib.suppress(OSError):
            found += [int(child) for child in children.read_text().split()]
    return found[1:] or found


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
