"""What packaging/ has, really run: the unit by a systemd of its own, the container by podman."""

import os
import subprocess
from pathlib import Path

import pytest

from compat.processes import clean_environment, find

PACKAGING = Path(__file__).parents[2] / "packaging"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small Debian, and Killick with what it needs, for all that is tried."""
    if os.geteuid() != 0:
        pytest.skip("a Debian has to be made as root")
    find("mmdebstrap")
    folder = tmp_path_factory.mktemp("base")
    _run("try-base", str(folder))
    return folder


def test_the_unit_starts_reloads_survives_and_stops_under_systemd(base: Path) -> None:
    for name in ("nsenter", "unshare"):
        find(name)
    said = _run("try-unit", base=base)
    assert [line.partition(":")[0] for line in said] == [
        "systemd",
        "started",
        "folders",
        "pushed and pulled",
        "restarted in the middle of an upload",
        "reloaded",
        "killed a worker",
        "killed the whole",
        "stopped",
    ]


def test_the_container_is_built_runs_and_keeps_what_it_has(base: Path) -> None:
    for name in ("buildah", "podman", "skopeo", "runc", "curl"):
        find(name)
    said = _run("try-container", base=base)
    assert "built: user 10001:10001" in said
    assert "health check: well" in said
    assert "runs as: 10001" in said
    assert said[-1].startswith("pushed, restarted and pulled: sha256:")


def _run(script: str, *words: str, base: Path | None = None) -> list[str]:
    """What a script printed, line by line."""
    more = {} if base is None else {"BASE": str(base)}
    done = subprocess.run(
        [PACKAGING / script, *words],
        env={**clean_environment(), **_proxies(), **more},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout.splitlines()


def _proxies() -> dict[str, str]:
    """How packages are had, which other tests do without."""
    names = {"http_proxy", "https_proxy", "no_proxy"}
    return {name: value for name, value in os.environ.items() if name.lower() in names}
