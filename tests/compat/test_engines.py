"""What real engines say of a container's image before and after a tag moves: observed facts.

Each test tells the story of golftrack:1.5: a build is pulled and started, the fix is pushed under
the same tag and pulled, and the first container is looked at again. What is asserted of each
field is what that engine really says; the judgement has to live with it.
"""

from pathlib import Path

import pytest

from compat.cri import Runtime
from compat.engines import Engine, claims, docker_image, runnable, seen, snapshot
from compat.images import Image, index
from compat.processes import Tool, killick_with
from compat.registries import Registry
from killick.errors import KillickError
from killick.fleet.engines import cri, grpc
from killick.observation import Workload
from killick.platforms import Platform

OLD, NEW = runnable("the bug"), runnable("the fix")


def config_of(image: Image) -> str:
    return image.blobs[0].digest


def bare(digest: str) -> str:
    return digest.removeprefix("sha256:")


class TestDocker:
    """Docker 20.10 with a graph driver."""

    def test_before_and_after_the_move(self, on_docker: Engine, registry: Registry) -> None:
        name = f"{registry.host}/docker/golftrack"
        old = registry.push("docker/golftrack", OLD, "1.5")
        on_docker.pull(f"{name}:1.5")
        by_tag = on_docker.run("d-by-tag", f"{name}:1.5")
        by_id = on_docker.run("d-by-id", config_of(OLD))
        before = seen(on_docker.url, by_tag)
        assert claims(before) == {
            "container.Image": [config_of(OLD)],
            "list.ImageID": [config_of(OLD)],
            "image.Id": [config_of(OLD)],
            "image.RepoDigests": [f"{name}@{old}"],
        }
        assert (before.image, before.names) == (f"{name}:1.5", (f"{name}:1.5",))
        assert (before.state, before.platform) == ("running", Platform("linux", "amd64"))

        new = registry.push("docker/golftrack", NEW, "1.5")
        on_docker.pull(f"{name}:1.5")
        by_digest = on_docker.run("d-by-digest", f"{name}@{old}")
        fixed = on_docker.run("d-fixed", f"{name}:1.5")
        after = seen(on_docker.url, by_tag)
        # The list's Image has become the ID, the config digest is what it was, the tag is gone,
        # and the old digest stays; the words that it was started with are those of the fix.
        assert claims(after) == claims(before) | {"list.Image": [config_of(OLD)]}
        assert (after.image, after.names) == (f"{name}:1.5", ())
        assert claims(seen(on_docker.url, by_id)) == {
            **claims(after),
            "container.Config.Image": [config_of(OLD)],
        }
        assert claims(seen(on_docker.url, by_digest)) == {
            **claims(before),
            "container.Config.Image": [f"{name}@{old}"],
            "list.Image": [f"{name}@{old}"],
        }
        assert claims(seen(on_docker.url, fixed))["image.RepoDigests"] == [f"{name}@{new}"]
        assert claims(seen(on_docker.url, fixed))["container.Image"] == [config_of(NEW)]

    def test_an_index_is_what_was_pulled(self, on_docker: Engine, registry: Registry) -> None:
        image = index(runnable("multi"), runnable("multi", platform="linux/arm64"))
        digest = registry.push("docker/multi", image, "1")
        on_docker.pull(f"{registry.host}/docker/multi:1")
        container = on_docker.run("d-multi", f"{registry.host}/docker/multi:1")
        told = claims(seen(on_docker.url, container))
        assert told["image.RepoDigests"] == [f"{registry.host}/docker/multi@{digest}"]
        assert told["container.Image"] == [config_of(runnable("multi"))]

    def test_untagged_renamed_and_in_two_repositories(
        self, on_docker: Engine, registry: Registry
    ) -> None:
        image = runnable("names")
        one, two = (f"{registry.host}/docker/{part}" for part in ("one", "two"))
        digest = registry.push("docker/one", image, "1")
        registry.push("docker/two", image, "1")
        on_docker.pull(f"{one}:1")
        container = on_docker.run("d-names", f"{one}:1")
        on_docker.pull(f"{two}:1")
        on_docker.tool.run("tag", f"{one}:1", "renamed:2")
        told = seen(on_docker.url, container)
        assert set(claims(told)["image.RepoDigests"]) == {f"{one}@{digest}", f"{two}@{digest}"}
        assert set(told.names) == {f"{one}:1", f"{two}:1", "renamed:2"}
        on_docker.tool.run("rmi", f"{one}:1")
        told = seen(on_docker.url, container)
        assert f"{one}:1" not in told.names
        # The list goes on to tell the words of the start only as long as they lead to the image.
        assert claims(told)["list.Image"] == [config_of(image)]
        on_docker.tool.run("image", "prune", "-f")
        assert claims(seen(on_docker.url, container))["container.Image"] == [config_of(image)]

    def test_loaded_from_an_archive(
        self, on_docker: Engine, registry: Registry, killick: Tool, tmp_path: Path
    ) -> None:
        image = docker_image("loaded")
        registry.push("docker/loaded", image, "1")
        name = f"{registry.host}/docker/loaded:1"
        killick.run("pull", name)
        killick.run("save", "--type", "docker-archive", "-o", tmp_path / "a.tar", name)
        on_docker.tool.run("load", "-i", tmp_path / "a.tar")
        container = on_docker.run("d-loaded", name)
        told = claims(seen(on_docker.url, container))
        assert told["container.Image"] == [config_of(image)]
        assert "image.RepoDigests" not in told

    def test_compose_labels(self, on_docker: Engine, registry: Registry) -> None:
        registry.push("docker/compose", OLD, "1")
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
        options = [word for key, value in labels.items() for word in ("-l", f"{key}={value}")]
        container = on_docker.run("d-compose", f"{registry.host}/docker/compose:1", *options)
        assert seen(on_docker.url, container).workload == Workload("compose", "web", "shop")


class TestDockerWithContainerd:
    """moby 2.0.0-beta.24 (API 1.56, of which 1.53 is spoken), with its images in containerd."""

    @pytest.mark.parametrize("shape", ["single", "index"])
    def test_before_and_after_the_move(
        self, on_new_docker: Engine, registry: Registry, shape: str
    ) -> None:
        old, new = OLD, NEW
        if shape == "index":
            old, new = (
                index(runnable(text), runnable(text, platform="linux/arm64"))
                for text in ("the bug", "the fix")
            )
        repository = f"new-docker/{shape}"
        name = f"{registry.host}/{repository}"
        digest = registry.push(repository, old, "1.5")
        on_new_docker.pull(f"{name}:1.5")
        by_tag = on_new_docker.run(f"n-{shape}", f"{name}:1.5")
        before = seen(on_new_docker.url, by_tag)
        # No config's digest anywhere: the image is the index, or else the manifest.
        assert claims(before) == {
            "container.Image": [digest],
            "list.ImageID": [digest],
            "container.ImageManifestDescriptor.digest": [OLD.root.digest],
            "list.ImageManifestDescriptor.digest": [OLD.root.digest],
            "image.Id": [digest],
            "image.Descriptor.digest": [digest],
            "image.RepoDigests": [f"{name}@{digest}"],
        }
        assert before.platform == Platform("linux", "amd64")
        # Where it was pulled from (Identity.Pull), without the port.
        pulled = f"{registry.host.partition(':')[0]}/{repository}"
        assert before.names == (f"{name}:1.5", pulled)

        registry.push(repository, new, "1.5")
        on_new_docker.pull(f"{name}:1.5")
        after = seen(on_new_docker.url, by_tag)
        told = claims(before) | {"list.Image": [digest]}
        del told["image.RepoDigests"]
        assert claims(after) == told
        assert (after.image, after.names) == (f"{name}:1.5", (pulled,))

        by_digest = on_new_docker.run(f"n-{shape}-digest", f"{name}@{digest}")
        told = claims(seen(on_new_docker.url, by_digest))
        assert told["image.RepoDigests"] == [f"{name}@{digest}"]
        assert told["container.ImageManifestDescriptor.digest"] == [OLD.root.digest]


class TestPodman:
    """Podman 4.3."""

    def pull(self, engine: Engine, name: str) -> None:
        engine.tool.run("pull", "--tls-verify=false", name)

    def test_before_and_after_the_move(self, on_podman: Engine, registry: Registry) -> None:
        name = f"{registry.host}/podman/golftrack"
        old = registry.push("podman/golftrack", OLD, "1.5")
        self.pull(on_podman, f"{name}:1.5")
        by_tag = on_podman.run("p-by-tag", f"{name}:1.5")
        by_id = on_podman.run("p-by-id", bare(config_of(OLD)))
        before = seen(on_podman.url, by_tag)
        assert claims(before) == {
            "container.ImageDigest": [old],
            "container.Image": [bare(config_of(OLD))],
            "list.ImageID": [bare(config_of(OLD))],
            "image.Id": [bare(config_of(OLD))],
            "image.Digest": [old],
            "image.RepoDigests": [f"{name}@{old}"],
        }

        new = registry.push("podman/golftrack", NEW, "1.5")
        self.pull(on_podman, f"{name}:1.5")
        fixed = on_podman.run("p-fixed", f"{name}:1.5")
        after = seen(on_podman.url, by_tag)
        told = claims(after)
        # The old image has lost its RepoDigests, and the container still says the tag: what is
        # left are ImageDigest and the config's.
        assert told.pop("image.RepoDigests", None) is None
        assert told["container.ImageDigest"] == [old]
        assert told["container.Image"] == [bare(config_of(OLD))]
        assert after.image == f"{name}:1.5"
        assert claims(seen(on_podman.url, by_id))["container.ImageDigest"] == [old]
        assert claims(seen(on_podman.url, fixed))["container.ImageDigest"] == [new]

    def test_an_index_is_what_was_pulled(self, on_podman: Engine, registry: Registry) -> None:
        image = index(runnable("multi"), runnable("multi", platform="linux/arm64"))
        digest = registry.push("podman/multi", image, "1")
        self.pull(on_podman, f"{registry.host}/podman/multi:1")
        container = on_podman.run("p-multi", f"{registry.host}/podman/multi:1")
        told = claims(seen(on_podman.url, container))
        assert told["container.ImageDigest"] == [digest]
        manifest = runnable("multi").root.digest
        pairs = {f"{registry.host}/podman/multi@{found}" for found in (digest, manifest)}
        assert set(told["image.RepoDigests"]) == pairs

    def test_a_unit_of_quadlet(self, on_podman: Engine, registry: Registry) -> None:
        registry.push("podman/unit", OLD, "1")
        self.pull(on_podman, f"{registry.host}/podman/unit:1")
        label = ("-l", "PODMAN_SYSTEMD_UNIT=web.service")
        container = on_podman.run("p-unit", f"{registry.host}/podman/unit:1", *label)
        assert seen(on_podman.url, container).workload == Workload("systemd", "web.service")


class TestContainerd:
    """containerd 1.6 over CRI."""

    def test_before_and_after_the_move(self, on_containerd: Runtime, registry: Registry) -> None:
        name = f"{registry.host}/cri/golftrack"
        old = registry.push("cri/golftrack", OLD, "1.5")
        assert on_containerd.pull(f"{name}:1.5") == config_of(OLD)
        container = on_containerd.run("c-by-tag", f"{name}:1.5")
        before = seen(on_containerd.url, container)
        assert claims(before) == {
            "ContainerStatus.image_ref": [f"{name}@{old}"],
            "ListContainers.image_ref": [config_of(OLD)],
            "ImageStatus.id": [config_of(OLD)],
            "ImageStatus.repo_digests": [f"{name}@{old}"],
        }
        assert before.image == f"{name}:1.5"
        assert before.platform == Platform("linux", "amd64")
        assert before.workload == Workload("Pod", "c-by-tag-pod", "shop")

        new = registry.push("cri/golftrack", NEW, "1.5")
        on_containerd.pull(f"{name}:1.5")
        fixed = on_containerd.run("c-fixed", f"{name}:1.5")
        after = seen(on_containerd.url, container)
        assert claims(after) == claims(before)
        assert after.image == before.image
        assert claims(seen(on_containerd.url, fixed))["ContainerStatus.image_ref"] == [
            f"{name}@{new}"
        ]

        on_containerd.remove_image(f"{name}@{old}")
        gone = claims(seen(on_containerd.url, container))
        assert gone["ContainerStatus.image_ref"] == [config_of(OLD)]
        assert gone["ListContainers.image_ref"] == [config_of(OLD)]

    def test_started_by_id_with_the_words_of_the_pod(
        self, on_containerd: Runtime, registry: Registry
    ) -> None:
        name = f"{registry.host}/cri/words:1"
        registry.push("cri/words", runnable("words"), "1")
        identifier = on_containerd.pull(name)
        container = on_containerd.run("c-words", identifier, written=name)
        told = seen(on_containerd.url, container)
        assert told.names[-2:] == (name, f"{name[:-2]}@{runnable('words').root.digest}")

    def test_nothing_but_questions_leave(
        self, on_containerd: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called = set()
        call = grpc.Calls.call

        def noted(self: grpc.Calls, method: str, request: bytes) -> bytes:
            called.add(method)
            return call(self, method, request)

        monkeypatch.setattr(grpc.Calls, "call", noted)
        snapshot(on_containerd.url)
        assert called <= {cri.VERSION, cri.LIST, cri.STATUS, cri.IMAGE}


class TestCrio:
    """CRI-O 1.34."""

    def test_before_and_after_the_move(self, on_crio: Runtime, registry: Registry) -> None:
        name = f"{registry.host}/crio/golftrack"
        old = index(OLD, runnable("1.5, with the bug", "linux/arm64"))
        registry.push("crio/golftrack", old, "1.5")
        on_crio.pull(f"{name}:1.5")
        container = on_crio.run("o-by-tag", f"{name}:1.5")
        before = seen(on_crio.url, container)
        # Both digests are names of the image; whichever comes first was frozen into the container.
        both = sorted(f"{name}@{made.root.digest}" for made in (old, OLD))
        config = config_of(OLD).removeprefix("sha256:")
        frozen = {
            "ContainerStatus.image_ref": [both[0]],
            "ContainerStatus.image_id": [config],
            "ListContainers.image_ref": [both[0]],
            "ListContainers.image_id": [config],
            "ImageStatus.id": [config],
        }
        assert claims(before) == frozen | {"ImageStatus.repo_digests": both}
        assert before.image == f"{name}:1.5"
        assert before.platform == Platform("linux", "amd64")
        assert before.workload == Workload("Pod", "o-by-tag-pod", "shop")
        assert snapshot(on_crio.url).engine == "cri-o"

        registry.push("crio/golftrack", NEW, "1.5")
        on_crio.pull(f"{name}:1.5")
        after = seen(on_crio.url, container)
        assert claims(after) == frozen
        assert (after.image, after.state) == (f"{name}:1.5", "running")
        with pytest.raises(KillickError, match="in use"):
            on_crio.remove_image(config)


def test_one_scan_of_three_engines(
    on_docker: Engine,
    on_podman: Engine,
    on_containerd: Runtime,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    settings = {"KILLICK_CONFIG": str(tmp_path / "config.toml")}
    command = killick_with(tmp_path / "store", home | settings)
    for name, url in (
        ("docker", on_docker.url),
        ("podman", on_podman.url),
        ("containerd", on_containerd.url),
        ("dead", f"unix://{tmp_path}/none.sock"),
    ):
        command.run("fleet", "add", name, url)
    rows = [line.split()[:2] for line in command.run("scan").splitlines()[1:]]
    assert rows == [
        ["containerd", "containerd"],
        ["dead", "docker"],
        ["docker", "docker"],
        ["podman", "podman"],
    ]
