"""Who is measured: for each, the commands that do the same work, and where its output lies."""

import contextlib
import os
import shutil
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen

from images import Shape
from registry import find
from timing import Run, RunFailedError, quiet, timed

_SCRIPT = Path(sys.executable).with_name("killick")
KILLICK = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "killick"]


class Peer(ABC):
    """A client that writes files into a folder of ours, and does not make them durable itself."""

    name: str
    version: str
    most_layers = 10_000

    @abstractmethod
    def pull(self, reference: str, out: Path) -> Run:
        """Pull into an empty folder, until the bytes are on the disk."""

    def stage(self, reference: str, layout: Path, work: Path) -> Path:
        """Make the image ready to be pushed; returns what `push` takes. Not timed."""
        return layout

    @abstractmethod
    def push(self, staged: Path, source: str, target: str) -> Run:
        """Push what was staged from `source` to the reference `target`."""

    def takes(self, shape: Shape) -> bool:
        return shape.layers <= self.most_layers


class Killick(Peer):
    """Durable when it returns: no sync is added."""

    name = "killick"

    def __init__(self) -> None:
        self.version = quiet([*KILLICK, "version"]).strip().splitlines()[0]

    def pull(self, reference: str, out: Path) -> Run:
        return timed([*KILLICK, "pull", "-q", reference], self.store(out))

    def stage(self, reference: str, layout: Path, work: Path) -> Path:
        store = work / "killick"
        quiet([*KILLICK, "pull", "-q", reference], self.store(store))
        return store

    def push(self, staged: Path, source: str, target: str) -> Run:
        quiet([*KILLICK, "tag", source, target], self.store(staged))
        return timed([*KILLICK, "push", target], self.store(staged))

    @staticmethod
    def store(folder: Path) -> dict[str, str]:
        return {"KILLICK_STORE": str(folder)}


class Crane(Peer):
    name = "crane"

    def __init__(self, program: str) -> None:
        self.program = program
        self.version = quiet([program, "version"]).strip()

    def pull(self, reference: str, out: Path) -> Run:
        return timed([self.program, "pull", "--format=oci", reference, str(out)], sync=out.parent)

    def push(self, staged: Path, source: str, target: str) -> Run:
        return timed([self.program, "push", str(staged), target])


class Skopeo(Peer):
    name = "skopeo"

    def __init__(self, program: str) -> None:
        self.copy = [program, "--insecure-policy", "copy", "--quiet"]
        self.version = quiet([program, "--version"]).split()[-1]

    def pull(self, reference: str, out: Path) -> Run:
        target = f"oci:{out}:1"
        command = [*self.copy, "--src-tls-verify=false", f"docker://{reference}", target]
        return timed(command, sync=out.parent)

    def push(self, staged: Path, source: str, target: str) -> Run:
        return timed(
            [*self.copy, "--dest-tls-verify=false", f"oci:{staged}:1", f"docker://{target}"]
        )


class Docker(Peer):
    """An engine unpacks what it pulls, and packs what it pushes: more work, shown as it is.

    Memory and processor time are the engine's, not the client's, and so not known here.
    """

    name = "docker"
    most_layers = 125  # the engine's limit

    def __init__(self, program: str, address: str, data: Path) -> None:
        self.client = [program, "--host", address]
        self.data = data
        self.version = quiet([*self.client, "version", "--format={{.Server.Version}}"]).strip()

    def pull(self, reference: str, out: Path) -> Run:
        with contextlib.suppress(RunFailedError):
            quiet([*self.client, "rmi", "--force", reference])
        return self._only_wall(timed([*self.client, "pull", reference], sync=self.data))

    def stage(self, reference: str, layout: Path, work: Path) -> Path:
        quiet([*self.client, "pull", reference])
        return layout

    def push(self, staged: Path, source: str, target: str) -> Run:
        quiet([*self.client, "tag", source, target])
        return self._only_wall(timed([*self.client, "push", target]))

    @staticmethod
    def _only_wall(run: Run) -> Run:
        return Run(run.wall, None, None)


@contextlib.contextmanager
def installed(wanted: set[str]) -> Iterator[list[Peer]]:
    """Killick, and those of the wanted ones that are here."""
    with contextlib.ExitStack() as stack:
        peers: list[Peer] = [Killick()]
        if "crane" in wanted and (program := find("crane")):
            peers.append(Crane(program))
        if "skopeo" in wanted and (program := find("skopeo")):
            peers.append(Skopeo(program))
        if "docker" in wanted and find("docker") and find("dockerd") and os.geteuid() == 0:
            peers.append(stack.enter_context(_docker()))
        yield peers


@contextlib.contextmanager
def _docker() -> Iterator[Docker]:
    """An engine of our own, with the plainest storage, as the others also write plain files."""
    root = Path(tempfile.mkdtemp(prefix="kb"))  # short: sockets lie in it
    address = f"unix://{root}/docker.sock"
    options = ["--storage-driver=vfs", "--iptables=false", "--bridge=none", "-H", address]
    options += ["--data-root", f"{root}/data", "--exec-root", f"{root}/exec", "-p", f"{root}/pid"]
    process = Popen([find("dockerd") or "dockerd", *options], stdout=DEVNULL, stderr=DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(RunFailedError):
                quiet([find("docker") or "docker", "--host", address, "version"])
                break
            time.sleep(0.1)
        yield Docker(find("docker") or "docker", address, root / "data")
    finally:
        process.terminate()
        process.wait(60)
        for line in Path("/proc/mounts").read_text().splitlines():
            if (mounted := line.split()[1]).startswith(f"{root}/"):
                quiet(["umount", "--lazy", mounted])
        shutil.rmtree(root)
