"""A containerd of the tests' own, with CRI, and the calls by which a kubelet starts containers.

The messages are put together here by field number (`runtime.v1`, api.proto): crictl would be a
large program to build for four calls.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compat.processes import daemon, find
from killick.errors import KillickError
from killick.fleet.engines.grpc import Calls
from killick.fleet.engines.lines import unix
from killick.fleet.engines.protobuf import Message, bytes_field, text_field

RUNTIME = "/runtime.v1.RuntimeService/"
IMAGES = "/runtime.v1.ImageService/"
NODE = b"\x02"  # the network namespace of the host
_numbers = itertools.count(1)

CONFIGURATION = """\
version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{root}/containerd.sock"
[ttrpc]
  address = "{root}/ttrpc.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
"""


def _map(number: int, entries: dict[str, str]) -> bytes:
    return b"".join(
        bytes_field(number, text_field(1, key) + text_field(2, value))
        for key, value in entries.items()
    )


@dataclass
class Containerd:
    """Starts containers as a kubelet would: a sandbox for each, in the host's network."""

    socket: Path
    sandboxes: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"cri://{self.socket}"

    def call(self, method: str, request: bytes) -> Message:
        with Calls(str(self.socket), unix(str(self.socket)), 60) as calls:
            return Message(calls.call(method, request))

    def pull(self, reference: str) -> str:
        """Returns the image ID."""
        return self.call(IMAGES + "PullImage", bytes_field(1, text_field(1, reference))).text(1)

    def remove_image(self, reference: str) -> None:
        self.call(IMAGES + "RemoveImage", bytes_field(1, text_field(1, reference)))

    def run(self, name: str, reference: str, written: str | None = None) -> str:
        """Starts a container of an image that is here; `written` is what its pod said."""
        labels = {
            "io.kubernetes.container.name": name,
            "io.kubernetes.pod.name": f"{name}-pod",
            "io.kubernetes.pod.namespace": "shop",
        }
        metadata = text_field(1, f"{name}-pod") + text_field(2, f"uid-{next(_numbers)}")
        metadata += text_field(3, "shop")
        security = bytes_field(2, bytes_field(1, b"\x08" + NODE))
        sandbox_config = bytes_field(1, metadata) + _map(6, labels) + bytes_field(8, security)
        sandbox = self.call(RUNTIME + "RunPodSandbox", bytes_field(1, sandbox_config)).text(1)
        self.sandboxes.append(sandbox)
        image = text_field(1, reference) + (text_field(18, written) if written else b"")
        config = bytes_field(1, text_field(1, name)) + bytes_field(2, image) + _map(9, labels)
        request = text_field(1, sandbox) + bytes_field(2, config) + bytes_field(3, sandbox_config)
        identifier = self.call(RUNTIME + "CreateContainer", request).text(1)
        self.call(RUNTIME + "StartContainer", text_field(1, identifier))
        return identifier

    def stop(self) -> None:
        for sandbox in self.sandboxes:
            with contextlib.suppress(KillickError):
                self.call(RUNTIME + "StopPodSandbox", text_field(1, sandbox))
                self.call(RUNTIME + "RemovePodSandbox", text_field(1, sandbox))


@contextlib.contextmanager
def containerd(root: Path, pause: str) -> Iterator[Containerd]:
    """A containerd in the folder `root`; `pause` is the image of its sandboxes."""
    program = find("containerd")
    find("runc", "crun")
    settings = root / "config.toml"
    settings.write_text(CONFIGURATION.format(root=root, pause=pause))
    running = Containerd(root / "containerd.sock")

    def ready() -> bool:
        try:
            return bool(running.call(RUNTIME + "Version", b"").text(2))
        except KillickError:
            return False

    with daemon([program, "--config", str(settings)], ready=ready, log=root / "log"):
        try:
            yield running
        finally:
            running.stop()
