"""The peers among themselves: what a failing test of ours must not be blamed on."""

import json
from pathlib import Path

import pytest

from compat.images import every_shape
from compat.processes import Tool
from compat.registries import Registry

SHAPES = every_shape()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_registry_keeps_every_shape(shape: str, registry: Registry) -> None:
    digest = registry.push(f"peers/{shape}", SHAPES[shape], "1")
    assert registry.manifest(f"peers/{shape}", "1") == SHAPES[shape].root
    assert registry.manifest(f"peers/{shape}", digest).digest == digest


def test_the_old_registry_serves(old_registry: Registry) -> None:
    digest = old_registry.push("peers/old", SHAPES["two-platforms"], "1")
    assert old_registry.manifest("peers/old", "1").digest == digest
    assert old_registry.tags("peers/old") == ["1"]


@pytest.mark.parametrize("shape", SHAPES)
def test_crane_agrees_on_the_digest(shape: str, registry: Registry, crane: Tool) -> None:
    digest = registry.push("peers/crane", SHAPES[shape], shape)
    assert crane.run("digest", f"{registry.host}/peers/crane:{shape}") == digest


def test_skopeo_copies_between_layout_and_registry(
    registry: Registry, skopeo: Tool, tmp_path: Path
) -> None:
    shape = SHAPES["two-platforms"]
    layout = shape.layout(tmp_path / "layout", "1")
    target = f"docker://{registry.host}/peers/skopeo:1"
    skopeo.run("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:1", target)
    assert registry.manifest("peers/skopeo", "1").digest == shape.root.digest


def test_umoci_reads_the_layout(umoci: Tool, tmp_path: Path) -> None:
    layout = SHAPES["one-platform"].layout(tmp_path / "layout", "1")
    assert umoci.run("ls", "--layout", layout) == "1"


def test_docker_pulls_and_pushes(registry: Registry, docker: Tool) -> None:
    digest = registry.push("peers/docker", SHAPES["docker-schema-2"], "1")
    name = f"{registry.host}/peers/docker"
    assert digest in docker.run("pull", f"{name}:1")
    docker.run("tag", f"{name}:1", f"{name}:2")
    docker.run("push", f"{name}:2")
    assert registry.tags("peers/docker") == ["1", "2"]


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_an_engine_without_a_daemon_pulls(
    engine: str, registry: Registry, request: pytest.FixtureRequest
) -> None:
    tool: Tool = request.getfixturevalue(engine)
    registry.push(f"peers/{engine}", SHAPES["one-platform"], "1")
    name = f"{registry.host}/peers/{engine}:1"
    identity = tool.run("pull", "--quiet", "--tls-verify=false", name).split(":")[-1]
    config = json.loads(SHAPES["one-platform"].root.data)["config"]["digest"]
    assert config.endswith(identity)
