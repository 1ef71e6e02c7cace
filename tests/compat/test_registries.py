"""Killick as a client of registries that others wrote: digests go round and never change."""

import json
from pathlib import Path

import pytest

from compat.images import artifact, every_shape, image
from compat.processes import Tool
from compat.registries import Registry

SHAPES = every_shape()


@pytest.fixture(params=["registry", "old_registry"])
def any_registry(request: pytest.FixtureRequest) -> Registry:
    found: Registry = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_goes_there_and_back(shape: str, any_registry: Registry, killick: Tool) -> None:
    digest = any_registry.push("round/there", SHAPES[shape], shape)
    there, back = (f"{any_registry.host}/round/{where}:{shape}" for where in ("there", "back"))
    assert killick.run("pull", "-q", "--platform", "all", there).endswith(f"@{digest}")
    killick.run("tag", there, back)
    assert digest in killick.run("push", back)
    assert any_registry.manifest("round/back", shape) == SHAPES[shape].root
    for blob in SHAPES[shape].blobs:
        assert any_registry.blob("round/back", blob.digest) == blob.data
    killick.run("verify", "--all")


def test_one_platform_is_taken_from_an_index(registry: Registry, killick: Tool) -> None:
    registry.push("platform/app", SHAPES["two-platforms"], "1")
    name = f"{registry.host}/platform/app:1"
    killick.run("pull", "--platform", "linux/arm64", name)
    config = killick.json("inspect", "--platform", "linux/arm64", name)[0]
    assert config["Architecture"] == "arm64"
    refused = killick.call("push", name)
    assert refused.returncode == 1
    assert b"platform" in refused.stderr


@pytest.mark.parametrize("shape", ["one-platform", "two-platforms", "docker-schema-2"])
def test_crane_and_killick_say_the_same_digest(
    shape: str, registry: Registry, crane: Tool, killick: Tool
) -> None:
    registry.push("said/app", SHAPES[shape], shape)
    name = f"{registry.host}/said/app:{shape}"
    assert killick.run("digest", name) == crane.run("digest", name)
    done = killick.call("manifest", name)
    assert done.stdout == SHAPES[shape].root.data


def test_what_crane_pushes_from_our_layout_is_what_we_pulled(
    registry: Registry, crane: Tool, killick: Tool, tmp_path: Path
) -> None:
    digest = registry.push("layouts/in", SHAPES["two-platforms"], "1")
    killick.run("cp", f"{registry.host}/layouts/in:1", f"oci:{tmp_path}/layout:1")
    crane.run("push", tmp_path / "layout", f"{registry.host}/layouts/out:1")
    # crane wraps a layout's index.json in nothing: the image is found by its digest
    assert registry.manifest("layouts/out", digest).data == SHAPES["two-platforms"].root.data


def test_skopeo_reads_our_archive_and_we_read_its(
    registry: Registry, skopeo: Tool, killick: Tool, tmp_path: Path
) -> None:
    digest = registry.push("archives/in", SHAPES["one-platform"], "1")
    name = f"{registry.host}/archives/in:1"
    killick.run("pull", name)
    killick.run("save", name, "-o", tmp_path / "ours.tar")
    out = f"docker://{registry.host}/archives/out:1"
    skopeo.run("copy", "--dest-tls-verify=false", f"oci-archive:{tmp_path}/ours.tar", out)
    assert registry.manifest("archives/out", "1").digest == digest
    theirs = f"oci-archive:{tmp_path}/theirs.tar:{registry.host}/archives/theirs:1"
    skopeo.run("copy", "--src-tls-verify=false", f"docker://{name}", theirs)
    killick.run("load", "-i", tmp_path / "theirs.tar")
    assert killick.run("digest", "--local", f"{registry.host}/archives/theirs:1") == digest


def test_docker_and_killick_pass_an_image_on(
    registry: Registry, docker: Tool, killick: Tool
) -> None:
    registry.push("docker/in", SHAPES["docker-schema-2"], "1")
    name = f"{registry.host}/docker"
    docker.run("pull", f"{name}/in:1")
    docker.run("tag", f"{name}/in:1", f"{name}/by-docker:1")
    docker.run("push", f"{name}/by-docker:1")
    pulled = killick.run("pull", "-q", f"{name}/by-docker:1")
    killick.run("tag", f"{name}/by-docker:1", f"{name}/by-killick:1")
    killick.run("push", f"{name}/by-killick:1")
    assert pulled.partition("@")[2] in docker.run("pull", f"{name}/by-killick:1")


def test_a_referrer_is_found_with_and_without_the_api(
    any_registry: Registry, killick: Tool, tmp_path: Path
) -> None:
    subject = image({"app": b"signed\n"})
    signature = artifact(subject)
    layout = tmp_path / "layout"
    subject.layout(layout, "1")
    signature.layout(layout, "signature")
    host = any_registry.host
    for tag in ("1", "signature"):
        killick.run("cp", f"oci:{layout}:{tag}", f"{host}/referred/app:{tag}")
    killick.run("cp", "--referrers", f"{host}/referred/app:1", f"oci:{tmp_path}/copy:1")
    held = {path.name for path in (tmp_path / "copy/blobs/sha256").iterdir()}
    assert signature.root.digest.partition(":")[2] in held


def test_a_moved_tag_is_told_and_both_images_stay(registry: Registry, killick: Tool) -> None:
    name = f"{registry.host}/moved/golftrack"
    old = registry.push("moved/golftrack", image({"app": b"bug\n"}), "1.5")
    killick.run("pull", f"{name}:1.5")
    new = registry.push("moved/golftrack", image({"app": b"fix\n"}), "1.5")
    killick.run("pull", f"{name}:1.5")
    rows = [json.loads(row) for row in killick.run("images", "-a", "--json").splitlines()]
    assert [(row["Digest"], row["Current"]) for row in rows] == [(new, True), (old, False)]
    warned = killick.call("pull", "-q", f"{name}:1.5@{old}")
    assert warned.returncode == 0
    assert warned.stdout.decode().strip() == f"{name}@{old}"
    assert b"moved" in warned.stderr
    assert killick.run("digest", "--local", f"{name}:1.5~1") == old
    assert killick.run("digest", "--local", f"{name}:1.5") == new
