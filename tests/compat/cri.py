"""A containerd and a CRI-O of the tests' own, and the calls by which a kubelet starts containers.

The messages are put together here by field number (`runtime.v1`, api.proto): crictl would be a
large program to build for four calls.
"""

import contextlib
import itertools
import sys
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

CRIO_CONFIGURATION = """\
[crio]
root = "{root}/root"
runroot = "{root}/run"
storage_driver = "vfs"
log_dir = "{root}/logs"
version_file = "{root}/version"
version_file_persist = "{root}/version-persist"
clean_shutdown_file = "{root}/clean"
[crio.api]
listen = "{root}/crio.sock"
stream_port = "0"
[crio.runtime]
cgroup_manager = "cgroupfs"
default_runtime = "runc"
pinns_path = "{pinns}"
container_exits_dir = "{root}/exits"
container_attach_socket_dir = "{root}/attach"
namespaces_dir = "{root}/ns"
hooks_dir = []
apparmor_profile = "unconfined"
[crio.runtime.runtimes.runc]
runtime_path = "{root}/runtime"
runtime_root = "{root}/runc"
monitor_path = "{monitor}"
monitor_cgroup = "pod"
[crio.image]
pause_image = "{pause}"
pause_command = ""
signature_policy = "{root}/policy.json"
insecure_registries = ["127.0.0.0/8"]
[crio.network]
network_dir = "{root}/net"
plugin_dirs = ["{root}/cni"]
[crio.nri]
enable_nri = false
"""
WITHOUT_ADJUSTMENT = """\
#!{python}
# runc, without what CRI-O can't leave out: a score for the OOM killer that takes a right which the
# machine of the tests may not have.
import json, os, sys

arguments = sys.argv[1:]
if "--bundle" in arguments:
    path = os.path.join(arguments[arguments.index("--bundle") + 1], "config.json")
    with open(path) as file:
        config = json.load(file)
    config["process"].pop("oomScoreAdj", None)
    with open(path, "w") as file:
        json.dump(config, file)
os.execv("{runc}", ["runc", *arguments])
"""


def _map(number: int, entries: dict[str, str]) -> bytes:
    return b"".join(
        bytes_field(number, text_field(1, key) + text_field(2, value))
        for key, value in entries.items()
    )


@dataclass
class Runtime:
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
        image = text_field(1, reference) + text_field(18, written or reference)
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
def containerd(root: Path, pause: str) -> Iterator[Runtime]:
    """A containerd in the folder `root`; `pause` is the image of its sandboxes."""
    program = find("containerd")
    find("runc", "crun")
    settings = root / "config.toml"
    settings.write_text(CONFIGURATION.format(root=root, pause=pause))
    with _running([program, "--config", str(settings)], root / "containerd.sock") as running:
        yield running


@contextlib.contextmanager
def crio(root: Path, pause: str) -> Iterator[Runtime]:
    """A CRI-O in the folder `root`; `pause` is the image of its sandboxes."""
    program, pinns = find("crio"), find("pinns")
    names = {"monitor": find("conmon"), "pinns": pinns, "pause": pause, "root": root}
    runtime = root / "runtime"
    runtime.write_text(WITHOUT_ADJUSTMENT.format(python=sys.executable, runc=find("runc")))
    runtime.chmod(0o755)
    (root / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (root / "registries.conf").write_text("unqualified-search-registries = []\n")
    for folder in ("net", "cni"):
        (root / folder).mkdir()
    settings = root / "crio.conf"
    settings.write_text(CRIO_CONFIGURATION.format(**names))
    command = [program, "--config", str(settings), "--config-dir", ""]
    command += ["--registries-conf", str(root / "registries.conf")]
    with _running(command, root / "crio.sock") as running:
        yield running


@contextlib.contextmanager
def _running(command: list[str], socket: Path) -> Iterator[Runtime]:
    running = Runtime(socket)

    def ready() -> bool:
        try:
            return bool(running.call(RUNTIME + "Version", b"").text(2))
        except KillickError:
            return False

    with daemon(command, ready=ready, log=socket.with_suffix(".log")):
        try:
            yield running
        finally:
            running.stop()
