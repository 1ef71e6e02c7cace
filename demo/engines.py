"""An engine for the demo's containers: one of its own where that can be, else the one at hand.

With Docker, as root, a dockerd with folders of its own is started and stopped; else the Docker
engine of this machine is used, if it answers on a local socket; else Podman with a storage of its
own. Whatever is made is removed, and nothing else is touched.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 40
COMMAND = ("/bin/busybox", "sleep", "600")


@dataclass
class Engine:
    """A Docker or Podman engine: its client's command, and the address of its API.

    `prefix` goes before the names of containers, where others may have some of these names.
    """

    name: str
    command: tuple[str, ...]
    url: str
    prefix: str = ""
    made: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def pull(self, image: str) -> None:
        """Pull an image from the demo's registry, which speaks plain HTTP."""
        plain = ("--tls-verify=false",) if self.name == "podman" else ()
        self._call("pull", "-q", *plain, image)
        self.images.append(self._call("image", "inspect", "--format", "{{.Id}}", image))

    def run(self, name: str, image: str) -> bool:
        """Make a container, and start it if it can be; return whether it runs."""
        limits = ("--ulimit", "nofile=1024:1024") if self.name == "podman" else ()
        words = (
            "create",
            "--name",
            self.prefix + name,
            "--network",
            "host",
            *limits,
            image,
            *COMMAND,
        )
        self.made.append(self._call(*words).splitlines()[-1])
        return self._try("start", self.made[-1])

    def clear(self) -> None:
        """Remove what was made."""
        for container in self.made:
            self._try("rm", "-f", container)
        for image in self.images:
            self._try("rmi", "-f", image)

    def _call(self, *words: str) -> str:
        done = subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            raise OSError(f"{self.name} {words[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def _try(self, *words: str) -> bool:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._call(*words)
            return True
        return False


@contextlib.contextmanager
def engine() -> Iterator[tuple[Engine | None, str]]:
    """Yield an engine, or None and the reason why there is none."""
    if shutil.which("busybox") is None:
        yield None, "busybox, which its containers would run, is not installed"
        return
    with contextlib.ExitStack() as stack:
        reasons = []
        for attempt in (_own_docker, _this_docker, _own_podman):
            try:
                found = stack.enter_context(attempt())
            except OSError as error:
                reasons.append(str(error))
                continue
            stack.callback(found.clear)
            yield found, ""
            return
        yield None, "; ".join(dict.fromkeys(reasons))


@contextlib.contextmanager
def _own_docker() -> Iterator[Engine]:
    server, client = shutil.which("dockerd"), shutil.which("docker")
    if not server or not client:
        raise OSError("Docker is not installed")
    if os.geteuid() != 0:
        raise OSError("a dockerd of the demo's own needs root")
    with _folder() as root:
        url = f"unix://{root}/docker.sock"
        found = Engine("docker", (client, "--host", url), url)
        words = [server, "--storage-driver=vfs", "--iptables=false", "--bridge=none", "-H", url]
        words += ["--data-root", f"{root}/data", "--exec-root", f"{root}/exec", "-p", f"{root}/pid"]
        with _daemon(words, found):
            yield found


@contextlib.contextmanager
def _this_docker() -> Iterator[Engine]:
    client = shutil.which("docker")
    if not client:
        raise OSError("Docker is not installed")
    url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    found = Engine("docker", (client, "--host", url), url, "killick-demo-")
    if not url.startswith("unix://") or not _answers(found):
        raise OSError("no Docker engine answers on this machine")
    yield found


@contextlib.contextmanager
def _own_podman() -> Iterator[Engine]:
    client = shutil.which("podman")
    if not client:
        raise OSError("Podman is not installed")
    with _folder() as root:
        storage = ("--root", f"{root}/root", "--runroot", f"{root}/run", "--storage-driver", "vfs")
        runc = shutil.which("runc")  # starts containers in more places than crun does
        runtime = ("--runtime", runc) if runc else ()
        command = (client, *storage, "--cgroup-manager", "cgroupfs", *runtime)
        url = f"unix://{root}/podman.sock"
        found = Engine("podman", command, url)
        words = [*command, "system", "service", "--time=0", url]
        with _daemon(words, found, Path(f"{root}/podman.sock")):
            yield found


def _answers(found: Engine) -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        found._call("version")
        return True
    return False


@contextlib.contextmanager
def _daemon(words: list[str], found: Engine, socket: Path | None = None) -> Iterator[None]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (_answers(found) and (socket is None or socket.exists())):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines()
                    raise OSError(f"{found.name} did not start ({said[-1] if said else 'silent'})")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder with a path short enough for sockets, and let go of what is mounted in it."""
    path = Path(tempfile.mkdtemp(prefix="kd"))
    try:
        yield path
    finally:
        for line in Path("/proc/mounts").read_text().splitlines():
            if (mounted := line.split()[1]).startswith(f"{path}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False, capture_output=True)
        shutil.rmtree(path, ignore_errors=True)
