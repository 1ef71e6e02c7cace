"""Real engines to be looked at: Docker, Podman, containerd with CRI, and a Kubernetes API.

The fixtures of these names in conftest.py last for a whole run; tests name their images and
containers apart. `runnable` makes an image that they can all run for a while.
"""

import contextlib
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from compat.images import DOCKER_FORM, OCI_FORM, Form, Image, image
from compat.processes import Tool, daemon, find
from killick.fleet.engines import engine_at
from killick.observation import Container, Snapshot

SECONDS = 60
COMMAND = ("/bin/busybox", "sleep", "3600")


def runnable(text: str, platform: str = "linux/amd64", form: Form = OCI_FORM) -> Image:
    """An image of one platform that sleeps for an hour; another text makes another image."""
    path = Path("/bin/busybox")
    if not path.exists():
        pytest.skip("busybox is not installed")
    # Podman wants a place for the files that it puts into every container.
    files = {"bin/busybox": path.read_bytes(), "etc/version": text.encode()}
    return image(files, platform=platform, form=form, command=COMMAND)


def docker_image(text: str) -> Image:
    """The same in the form that Docker itself pushes."""
    return runnable(text, form=DOCKER_FORM)


def snapshot(url: str) -> Snapshot:
    return engine_at(url).snapshot(SECONDS)


def seen(url: str, identifier: str) -> Container:
    """The container of this ID, as an engine tells of it now."""
    found = [c for c in snapshot(url).containers if c.id.rpartition("/")[2] == identifier]
    assert len(found) == 1, f"{identifier} is told of {len(found)} times"
    return found[0]


def claims(container: Container) -> dict[str, list[str]]:
    """The values that were claimed, by their fields."""
    found: dict[str, list[str]] = {}
    for claim in container.claims:
        found.setdefault(claim.field, []).append(claim.value)
    return found


@dataclass(frozen=True)
class Engine:
    """Docker or Podman: the address of its API, and its own client to change things with."""

    url: str
    tool: Tool
    run_options: tuple[str, ...]
    may_fail: bool = False  # a container that was created and can't run is told of all the same

    def run(self, name: str, reference: str, *options: str) -> str:
        """Starts a container; returns its ID."""
        words = ["create", "--name", name, *self.run_options, *options, reference]
        identifier = self.tool.run(*words).splitlines()[-1]
        started = self.tool.call("start", identifier)
        assert started.returncode == 0 or self.may_fail, started.stderr
        return identifier

    def pull(self, reference: str) -> None:
        self.tool.run("pull", reference)

    def image_id(self, reference: str) -> str:
        """With `sha256:`, whichever engine says it."""
        found = self.tool.run("image", "inspect", "--format", "{{.Id}}", reference)
        return f"sha256:{found.removeprefix('sha256:')}"

    def remove(self, *names: str) -> None:
        self.tool.call("rm", "-f", *names)


def docker_engine(client: Tool, may_fail: bool = False) -> Engine:
    """The engine of the `docker` fixture, or of `new_docker`."""
    address = client.command[client.command.index("--host") + 1]
    return Engine(address, client, ("--network", "host"), may_fail)


@contextlib.contextmanager
def podman_engine(client: Tool, root: Path, home: dict[str, str]) -> Iterator[Engine]:
    """The service of the `podman` fixture's storage; `root` is where its socket will be."""
    if os.geteuid() != 0:
        pytest.skip("this Podman is started as root")
    with _podman_service(client, root, home) as engine:
        yield engine


@contextlib.contextmanager
def rootless_podman(program: str, root: Path) -> Iterator[Engine]:
    """The service of a user without rights (`nobody`, where the tests are root's), in `root`."""
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    (root / "run").mkdir()
    (root / "auth.json").write_text("{}")
    words = ["env", "-C", str(root), program]
    if nobody:
        for path in (root, root / "run", root / "auth.json"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        ids = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        words = [find("setpriv"), *ids, *words]
    words += ["--root", f"{root}/root", "--runroot", f"{root}/runroot", "--storage-driver", "vfs"]
    # One user has one ID to give to files.
    words += ["--storage-opt", "vfs.ignore_chown_errors=true", "--cgroup-manager", "cgroupfs"]
    home = {
        "HOME": str(root),
        "XDG_RUNTIME_DIR": str(root / "run"),
        "REGISTRY_AUTH_FILE": str(root / "auth.json"),
    }
    with _podman_service(Tool(*words, env=home), root, home) as engine:
        yield engine


@contextlib.contextmanager
def _podman_service(client: Tool, root: Path, home: dict[str, str]) -> Iterator[Engine]:
    url = f"unix://{root}/podman.sock"
    with daemon(
        [*client.command, "system", "service", "--time=0", url],
        ready=lambda: _answers(url),
        log=root / "log",
        env=home,
    ):
        limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
        engine = Engine(url, client, ("--network", "host", *limits), may_fail=True)
        try:
            yield engine
        finally:
            client.call("rm", "-a", "-f", "-t", "0")


def _answers(url: str) -> bool:
    from killick.errors import KillickError

    try:
        return bool(snapshot(url))
    except KillickError:
        return False
