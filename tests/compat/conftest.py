"""Real peers as fixtures. What is not installed skips its tests, with the reason.

KILLICK_REQUIRE_PEERS=1 (as CI sets it) turns every skip here into a failure.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compat.cri import Runtime, containerd, crio
from compat.engines import Engine, docker_engine, podman_engine, rootless_podman, runnable
from compat.kube import Cluster, cluster
from compat.processes import REQUIRED, Tool, daemon, find, free_port, killick_with, listens
from compat.registries import Registry, distribution


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.compat)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    _refuse_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    outcome = yield
    _refuse_skip(outcome.get_result())


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped although KILLICK_REQUIRE_PEERS=1: {reason}"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An empty home for every client: no accounts, no settings of the person who tests."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "auth.json").write_text("{}")
    return {
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder / "docker"),
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        "XDG_RUNTIME_DIR": str(folder),
    }


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The distribution registry: version 3, else Debian's."""
    root = tmp_path_factory.mktemp("registry")
    with distribution(find("registry", "docker-registry"), root) as running:
        yield running


@pytest.fixture(scope="session")
def old_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The distribution registry 2.8 as Debian has it: no referrers API, other habits."""
    with distribution(find("docker-registry"), tmp_path_factory.mktemp("old")) as running:
        yield running


@pytest.fixture(scope="session")
def crane(home: dict[str, str]) -> Tool:
    return Tool(find("crane"), env=home)


@pytest.fixture(scope="session")
def skopeo(home: dict[str, str]) -> Tool:
    return Tool(find("skopeo"), "--insecure-policy", env=home)


@pytest.fixture(scope="session")
def umoci(home: dict[str, str]) -> Tool:
    return Tool(find("umoci"), env=home)


@pytest.fixture(scope="session")
def podman(home: dict[str, str]) -> Iterator[Tool]:
    runtime = find("runc", "crun")
    with _storage() as options:
        more = ["--cgroup-manager", "cgroupfs", "--runtime", runtime]
        yield Tool(find("podman"), *options, *more, env=home)


@pytest.fixture(scope="session")
def buildah(home: dict[str, str]) -> Iterator[Tool]:
    with _storage() as options:
        yield Tool(find("buildah"), *options, env=home)


@pytest.fixture(scope="session")
def docker(home: dict[str, str]) -> Iterator[Tool]:
    """The docker client of an engine that is ours alone, and ends with the tests."""
    with _dockerd(find("dockerd"), ["--storage-driver=vfs"], home) as client:
        yield client


@pytest.fixture(scope="session")
def new_docker(home: dict[str, str]) -> Iterator[Tool]:
    """The same of a newer engine, which keeps its images in containerd."""
    options = ["--storage-driver=native", "--feature", "containerd-snapshotter=true"]
    with _dockerd(find("dockerd-containerd"), [*options, "--ip6tables=false"], home) as client:
        yield client


@contextlib.contextmanager
def _dockerd(server: str, options: list[str], home: dict[str, str]) -> Iterator[Tool]:
    program = find("docker")
    if os.geteuid() != 0:
        pytest.skip("dockerd has to be started as root")
    with _short_folder() as root:
        address = f"unix://{root}/docker.sock"
        # Debian's client would take an older API than a newer engine speaks.
        client = Tool(program, "--host", address, env=home)
        words = [*options, "--iptables=false", "--bridge=none", "-H", address]
        words += ["--data-root", f"{root}/data", "--exec-root", f"{root}/exec", "-p"]
        with daemon(
            [server, *words, f"{root}/pid"],
            ready=lambda: client.call("version").returncode == 0,
            log=root / "log",
        ):
            yield client


@contextlib.contextmanager
def _short_folder() -> Iterator[Path]:
    """A temporary folder with a path short enough for sockets in folders in it."""
    path = Path(tempfile.mkdtemp(prefix="kd"))
    try:
        yield path
    finally:
        for line in Path("/proc/mounts").read_text().splitlines():
            if (mounted := line.split()[1]).startswith(f"{path}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False)
        for _ in range(100):  # what watched over containers may still be writing its last
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                break
            time.sleep(0.1)
        else:
            shutil.rmtree(path)


@contextlib.contextmanager
def _storage() -> Iterator[list[str]]:
    """Options that give Podman or Buildah a storage of its own."""
    with _short_folder() as path:
        yield ["--root", f"{path}/root", "--runroot", f"{path}/run", "--storage-driver", "vfs"]


@pytest.fixture(scope="session")
def on_docker(docker: Tool) -> Iterator[Engine]:
    """Docker, to be looked at."""
    engine = docker_engine(docker)
    yield engine
    for identifier in engine.tool.run("ps", "-aq").split():
        engine.remove(identifier)


@pytest.fixture(scope="session")
def on_new_docker(new_docker: Tool) -> Iterator[Engine]:
    """Docker with containerd's image store, to be looked at."""
    # Debian's runc does not know the time namespaces that it wants.
    engine = docker_engine(new_docker, may_fail=True)
    yield engine
    for identifier in engine.tool.run("ps", "-aq").split():
        engine.remove(identifier)


@pytest.fixture(scope="session")
def on_podman(podman: Tool, home: dict[str, str]) -> Iterator[Engine]:
    """Podman's service, to be looked at."""
    with _short_folder() as root, podman_engine(podman, root, home) as engine:
        yield engine


@pytest.fixture(scope="session")
def on_rootless_podman() -> Iterator[Engine]:
    """Podman's service of a user without rights, to be looked at."""
    program = find("podman")
    with _short_folder() as root, rootless_podman(program, root) as engine:
        yield engine


@pytest.fixture(scope="session")
def on_containerd(registry: Registry) -> Iterator[Runtime]:
    """containerd with CRI, to be looked at."""
    with _with_cri("containerd", containerd, registry) as running:
        yield running


@pytest.fixture(scope="session")
def on_crio(registry: Registry) -> Iterator[Runtime]:
    """CRI-O, to be looked at."""
    with _with_cri("CRI-O", crio, registry) as running:
        yield running


@contextlib.contextmanager
def _with_cri(
    name: str,
    start: Callable[[Path, str], contextlib.AbstractContextManager[Runtime]],
    registry: Registry,
) -> Iterator[Runtime]:
    if os.geteuid() != 0:
        pytest.skip(f"{name} has to be started as root")
    registry.push("pause", runnable("pause"), "1")
    with _short_folder() as root, start(root, f"{registry.host}/pause:1") as running:
        yield running


@pytest.fixture(scope="session")
def on_kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Kubernetes API, to be looked at: it has a node, and pods that the tests make."""
    with cluster(tmp_path_factory.mktemp("kube")) as running:
        running.node("node-1")
        yield running


@pytest.fixture
def killick(home: dict[str, str], tmp_path: Path) -> Tool:
    """Our own command, with a store of its own."""
    return killick_with(tmp_path / "store", home)


@pytest.fixture(scope="session")
def served(home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The registry that `killick serve` is."""
    root = tmp_path_factory.mktemp("served")
    host = f"127.0.0.1:{free_port()}"
    tool = killick_with(root / "store", home)
    with daemon(
        [*tool.command, "serve", "--addr", host, "--root", str(root / "registry")],
        ready=lambda: listens(int(host.rpartition(":")[2])),
        log=root / "log",
        env=tool.env,
    ):
        yield Registry(host)
