"""The registry that `killick serve` is, under the clients that people have."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from compat.images import every_shape
from compat.processes import Tool
from compat.registries import Registry

SHAPES = every_shape()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_kept_verbatim(shape: str, served: Registry) -> None:
    digest = served.push(f"kept/{shape}", SHAPES[shape], "1")
    assert served.manifest(f"kept/{shape}", "1") == SHAPES[shape].root
    assert served.manifest(f"kept/{shape}", digest).digest == digest


def test_crane_pushes_pulls_lists_and_deletes(
    served: Registry, crane: Tool, tmp_path: Path
) -> None:
    served.push("crane/in", SHAPES["two-platforms"], "1")
    name = f"{served.host}/crane"
    crane.run("copy", f"{name}/in:1", f"{name}/out:1")
    assert crane.run("digest", f"{name}/out:1") == SHAPES["two-platforms"].root.digest
    crane.run("pull", "--format=oci", f"{name}/out:1", tmp_path / "layout")
    assert crane.run("ls", f"{name}/out") == "1"
    assert "crane/out" in crane.run("catalog", served.host).splitlines()
    crane.run("validate", "--remote", f"{name}/out:1")
    crane.run("delete", f"{name}/out@{SHAPES['two-platforms'].root.digest}")
    assert crane.call("digest", f"{name}/out:1").returncode != 0


def test_skopeo_copies_in_out_and_deletes(served: Registry, skopeo: Tool, tmp_path: Path) -> None:
    layout = SHAPES["two-platforms"].layout(tmp_path / "in", "1")
    name = f"docker://{served.host}/skopeo/app:1"
    skopeo.run("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:1", name)
    assert skopeo.json("list-tags", "--tls-verify=false", name[:-2])["Tags"] == ["1"]
    skopeo.run("copy", "--all", "--src-tls-verify=false", name, f"oci:{tmp_path}/out:1")
    listed = json.loads((tmp_path / "out/index.json").read_text())["manifests"]
    assert listed[0]["digest"] == SHAPES["two-platforms"].root.digest
    skopeo.run("delete", "--tls-verify=false", name)
    assert served.tags("skopeo/app") == []


def test_docker_pushes_and_pulls(served: Registry, docker: Tool, tmp_path: Path) -> None:
    archive = tmp_path / "root.tar"
    archive.write_bytes(_rootfs())
    name = f"{served.host}/docker/app:1"
    docker.run("import", archive, name)
    docker.run("push", name)
    docker.run("rmi", name)
    docker.run("pull", name)
    assert served.tags("docker/app") == ["1"]


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_engines_without_a_daemon_push_and_pull(
    engine: str, served: Registry, request: pytest.FixtureRequest
) -> None:
    tool: Tool = request.getfixturevalue(engine)
    served.push(f"{engine}/in", SHAPES["one-platform"], "1")
    name = f"{served.host}/{engine}"
    tool.run("pull", "--tls-verify=false", f"{name}/in:1")
    tool.run("push", "--tls-verify=false", f"{name}/in:1", f"docker://{name}/out:1")
    assert served.tags(f"{engine}/out") == ["1"]


def test_killick_and_its_registry(served: Registry, killick: Tool) -> None:
    digest = served.push("killick/in", SHAPES["nested-index"], "1")
    name = f"{served.host}/killick"
    killick.run("cp", f"{name}/in:1", f"{name}/out:1")
    assert killick.run("digest", f"{name}/out:1") == digest
    assert killick.run("tags", f"{name}/out") == "1"


def _rootfs() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("hello")
        member.size = 6
        archive.addfile(member, io.BytesIO(b"hello\n"))
    return out.getvalue()
