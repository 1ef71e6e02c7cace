"""golftrack:1.5, overwritten while it runs on five kinds of engines at once: who runs what?

Every container's answer is compared with what this test itself had it run: right, or unknown.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from compat.cri import Runtime
from compat.engines import Engine, runnable
from compat.images import Blob, Image, image, index
from compat.kube import Cluster
from compat.processes import Tool, killick_with
from compat.registries import Registry

CVE = "CVE-2026-1234"


def config_of(made: Image, platform: str = "linux/amd64") -> str:
    """The config's digest of the image for a platform."""
    for manifest in made.manifests:
        document = json.loads(manifest.data)
        if "config" not in document:
            continue
        blob = next(b for b in made.blobs if b.digest == document["config"]["digest"])
        config = json.loads(blob.data)
        if f"{config['os']}/{config['architecture']}" == platform:
            return blob.digest
    raise LookupError(platform)


def release(text: str) -> Image:
    """A build: an index for two platforms, and an attestation."""
    amd64 = runnable(text)
    arm64 = image({"etc/version": text.encode()}, platform="linux/arm64")
    attestation = image({"attestation": text.encode()}, platform="unknown/unknown")
    return index(amd64, arm64, attestation)


def recompressed(made: Image) -> Image:
    """What a mirror has that compresses anew: other layers and manifests, the same configs."""
    blobs, again = {}, {}
    for blob in made.blobs:
        packed = "gzip" in blob.media_type
        data = gzip.compress(gzip.decompress(blob.data), 1, mtime=1) if packed else blob.data
        blobs[blob.digest] = again[blob.digest] = Blob(blob.media_type, data)
    manifests = []
    for manifest in made.manifests:
        document = json.loads(manifest.data)
        parts = document.get("layers", []) + document.get("manifests", [])
        for part in parts:
            part.update(again[part["digest"]].descriptor())
        fresh = Blob(manifest.media_type, json.dumps(document).encode())
        again[manifest.digest] = fresh
        manifests.append(fresh)
    return replace(
        made, root=manifests[-1], manifests=tuple(manifests), blobs=tuple(blobs.values())
    )


@dataclass
class Story:
    """The registry, what was pushed to it, and what each container was made to run."""

    registry: Registry
    killick: Tool
    old: Image = field(default_factory=lambda: release("1.5, with the bug"))
    new: Image = field(default_factory=lambda: release("1.5, with the fix"))
    truth: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.registry.host}/story/golftrack"

    @property
    def tag(self) -> str:
        return f"{self.name}:1.5"

    def runs(self, name: str, made: Image) -> None:
        self.truth[name] = config_of(made)

    def ask(self, *words: str) -> dict[str, Any]:
        return self.killick.json("where", self.tag, "--json", *words)


@pytest.fixture(scope="module")
def story(
    served: Registry, home: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Story:
    folder = tmp_path_factory.mktemp("where")
    env = home | {
        "KILLICK_CONFIG": str(folder / "config.toml"),
        "KUBECONFIG": str(folder / "kubeconfig"),
    }
    return Story(served, killick_with(folder / "store", env))


@pytest.fixture(scope="module")
def fleet(
    story: Story,
    on_docker: Engine,
    on_podman: Engine,
    on_containerd: Runtime,
    on_crio: Runtime,
    on_kubernetes: Cluster,
) -> Iterator[dict[str, dict[str, Any]]]:
    """Play the story on all engines; yield each container's answer by its name."""
    runtimes = {"cri": on_containerd, "crio": on_crio}
    _add(story, on_docker.url, on_podman.url, on_containerd.url, on_crio.url, "kube://test")
    on_kubernetes.kubeconfig(Path(story.killick.env["KUBECONFIG"]))
    story.registry.push("story/golftrack", story.old, "1.5")
    story.registry.push("other/golftrack", story.old, "stable")
    mirrored = recompressed(story.old)
    story.registry.push("mirror/golftrack", mirrored, "1.5")
    for label, engine in (("docker", on_docker), ("podman", on_podman)):
        _before(story, label, engine)
    for label, runtime in runtimes.items():
        _before_on_cri(story, label, runtime)
    story.registry.push("story/golftrack", story.new, "1.5")
    for label, engine in (("docker", on_docker), ("podman", on_podman)):
        _after(story, label, engine)
    for label, runtime in runtimes.items():
        _after_on_cri(story, label, runtime)
    _pods(story, on_kubernetes)
    pinned = f"{story.name}@{story.old.root.digest}"
    story.killick.run("flag", pinned, "--id", CVE, "--fixed-by", story.tag)
    document = story.ask()
    assert document["failed"] == []
    yield {c["name"]: c for c in _all(document) if c["name"] in story.truth}
    for engine in (on_docker, on_podman):
        engine.remove(*(name for name in story.truth if not name.startswith("cri")))


def _add(story: Story, *urls: str) -> None:
    names = ("docker1", "podman1", "containerd1", "crio1", "cluster1")
    engines = {name: {"url": url} for name, url in zip(names, urls, strict=True)}
    folder = Path(story.killick.env["KILLICK_CONFIG"]).parent
    (folder / "fleet.json").write_text(json.dumps({"engines": engines}))


def _pull(engine: Engine, reference: str) -> None:
    plain = ["--tls-verify=false"] if "podman" in engine.tool.command[0] else []
    engine.tool.run("pull", *plain, reference)


def _before(story: Story, label: str, engine: Engine) -> None:
    _pull(engine, story.tag)
    identifier = engine.image_id(story.tag)
    pinned = f"{story.name}@{story.old.root.digest}"
    engine.run(f"{label}-tag", story.tag)
    engine.run(f"{label}-id", identifier)
    _pull(engine, pinned)
    engine.run(f"{label}-digest", pinned)
    engine.tool.run("tag", story.tag, f"local/{label}:mine")
    engine.run(f"{label}-retagged", f"local/{label}:mine")
    elsewhere = f"{story.registry.host}/other/golftrack:stable"
    _pull(engine, elsewhere)
    engine.run(f"{label}-other", elsewhere)
    mirror = f"{story.registry.host}/mirror/golftrack:1.5"
    _pull(engine, mirror)
    engine.run(f"{label}-mirror", mirror)
    for how in ("tag", "id", "digest", "retagged", "other", "mirror"):
        story.runs(f"{label}-{how}", story.old)


def _after(story: Story, label: str, engine: Engine) -> None:
    engine.run(f"{label}-stale", story.tag)  # not pulled again yet
    story.runs(f"{label}-stale", story.old)
    _pull(engine, story.tag)
    engine.run(f"{label}-after", story.tag)
    story.runs(f"{label}-after", story.new)
    pinned = f"{story.name}@{story.old.root.digest}"
    engine.run(f"{label}-after-digest", pinned)
    story.runs(f"{label}-after-digest", story.old)
    # Names go: a local one, and the pinned one; what was pulled for them is pruned, if it can be.
    engine.tool.call("rmi", f"local/{label}:mine")
    engine.tool.call("rmi", pinned)
    engine.tool.call("image", "prune", "-f")
    archive = Path(story.killick.env["KILLICK_CONFIG"]).parent / f"{label}.tar"
    layout = story.old.layout(archive.with_suffix(".layout"), "loaded")
    loaded = "registry.invalid/loaded:1"
    story.killick.run("cp", f"oci:{layout}:loaded", f"docker-archive:{archive}:{loaded}")
    engine.tool.run("load", "-i", archive)
    engine.run(f"{label}-loaded", loaded)
    story.runs(f"{label}-loaded", story.old)


def _before_on_cri(story: Story, label: str, runtime: Runtime) -> None:
    mirror = f"{story.registry.host}/mirror/golftrack:1.5"
    for how, reference in (("before", story.tag), ("mirror", mirror)):
        identifier = runtime.pull(reference)
        runtime.run(f"{label}-{how}", reference)
        story.runs(f"{label}-{how}", story.old)
    runtime.run(f"{label}-id", identifier)
    story.runs(f"{label}-id", story.old)


def _after_on_cri(story: Story, label: str, runtime: Runtime) -> None:
    runtime.pull(story.tag)
    runtime.run(f"{label}-after", story.tag)
    story.runs(f"{label}-after", story.new)
    pinned = f"{story.name}@{story.old.root.digest}"
    runtime.pull(pinned)
    runtime.run(f"{label}-old-digest", pinned)
    story.runs(f"{label}-old-digest", story.old)


def _pods(story: Story, cluster: Cluster) -> None:
    """Make a pod for each form in which nodes report images."""
    cluster.namespace("golf")
    old, new = story.old.root.digest, story.new.root.digest
    manifest = story.new.manifests[0].digest
    forms = {
        "index": (f"{story.name}@{old}", story.old),
        "config": (config_of(story.old), story.old),
        "pullable": (f"docker-pullable://{story.name}@{new}", story.new),
        "manifest": (f"{story.name}@{manifest}", story.new),
        "elsewhere": (f"{story.registry.host}/other/golftrack@{old}", story.old),
    }
    for name, (told, made) in forms.items():
        cluster.pod("golf", name, {"containers": [{"name": "app", "image": story.tag}]})
        status = {
            "name": "app",
            "image": story.tag,
            "imageID": told,
            "containerID": f"containerd://{name}",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": "2026-11-01T12:00:00Z"}},
        }
        cluster.status("golf", name, {"phase": "Running", "containerStatuses": [status]})
        story.runs(f"golf/{name}/app", made)
    _volumes(story, cluster)
    cluster.pod("golf", "pending", {"containers": [{"name": "app", "image": story.tag}]})
    story.truth["golf/pending/app"] = "nothing yet"


def _volumes(story: Story, cluster: Cluster) -> None:
    """Make a pod with the old image as a volume, by tag; its status tells what was mounted."""
    container = {
        "name": "app",
        "image": "registry.invalid/app@" + story.registry.push("other/app", runnable("app"), "1"),
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    volume = {"name": "data", "image": {"reference": story.tag, "pullPolicy": "IfNotPresent"}}
    cluster.pod("golf", "volume", {"containers": [container], "volumes": [volume]})
    mounted = {"imageRef": f"{story.name}@{story.old.root.digest}"}
    status = {
        "name": "app",
        "image": container["image"],
        "imageID": container["image"],
        "containerID": "containerd://volume",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-01T12:00:00Z"}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data", "volumeStatus": {"image": mounted}}
        ],
    }
    cluster.status("golf", "volume", {"phase": "Running", "containerStatuses": [status]})
    story.runs("golf/volume/data", story.old)


def _all(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for row in document["digests"]:
        for found in row["containers"]:
            yield found | {"row": row["digest"]}
    for place in ("unplaced", "unknown", "derived"):
        for found in document[place]:
            yield found | {"row": None}


def test_every_answer_is_right_or_unknown(story: Story, fleet: dict[str, dict[str, Any]]) -> None:
    wrong = {}
    for name, found in fleet.items():
        truth = story.truth[name]
        if found["status"] == "unknown":
            continue
        made = story.old if truth == config_of(story.old) else story.new
        expected = "affected" if made is story.old else "fixed"
        if (found["config"], found["row"], found["status"]) != (truth, made.root.digest, expected):
            wrong[name] = found
    assert not wrong


def test_whatever_names_nothing_else_is_found(
    story: Story, fleet: dict[str, dict[str, Any]]
) -> None:
    assert sorted(story.truth) == sorted(fleet)
    unknown = sorted(name for name, found in fleet.items() if found["status"] == "unknown")
    assert unknown == ["golf/pending/app"]


def test_what_a_digest_tells_is_exact_and_what_the_graph_leads_to_is_derived(
    fleet: dict[str, dict[str, Any]],
) -> None:
    assert fleet["golf/index/app"]["confidence"] == "exact"
    assert fleet["golf/config/app"]["confidence"] == "derived"


def test_the_answer_counts_them(story: Story, fleet: dict[str, dict[str, Any]]) -> None:
    document = story.ask()
    affected = [name for name, found in fleet.items() if found["status"] == "affected"]
    assert document["summary"]["affected"] >= len(affected)
    assert f"{document['summary']['affected']} of " in document["answer"]
    assert story.killick.call("where", story.tag, "--fail-on", "affected").returncode == 3


def test_ps_tells_the_same(story: Story, fleet: dict[str, dict[str, Any]]) -> None:
    listed = [
        json.loads(line)
        for line in story.killick.run("ps", "-a", "--offline", "--json").splitlines()
    ]
    by_name = {found["name"]: found for found in listed}
    for name, found in fleet.items():
        shown = by_name[name]
        assert shown["config"] in (found["config"], None), name
        assert shown["status"] in (found["status"], "unknown"), name


def test_nothing_has_to_be_asked_twice(story: Story, fleet: dict[str, dict[str, Any]]) -> None:
    again = {c["name"]: c for c in _all(story.ask("--offline"))}
    for name, found in fleet.items():
        assert again[name]["config"] == found["config"], name
        assert again[name]["status"] == found["status"], name


def test_names_that_are_gone_change_no_answer(
    story: Story,
    fleet: dict[str, dict[str, Any]],
    on_docker: Engine,
    on_podman: Engine,
    on_containerd: Runtime,
) -> None:
    """Every name of the old image is removed by force, and all is pruned that can be."""
    old = config_of(story.old)
    found = json.loads(on_docker.tool.run("image", "inspect", old))[0]
    on_docker.tool.run("rmi", "-f", *found["RepoTags"], *found["RepoDigests"])
    on_podman.tool.run("untag", old.removeprefix("sha256:"))
    for engine in (on_docker, on_podman):
        engine.tool.run("image", "prune", "-f")
        (left,) = json.loads(engine.tool.run("image", "inspect", old.removeprefix("sha256:")))
        assert left["RepoTags"] == left["RepoDigests"] == []
    on_containerd.remove_image(old)
    again = {c["name"]: c for c in _all(story.ask())}
    for name, before in fleet.items():
        kept = ("config", "row", "status")
        assert [again[name][key] for key in kept] == [before[key] for key in kept], name


def test_an_image_without_an_index(
    story: Story, on_podman: Engine, on_containerd: Runtime, on_crio: Runtime
) -> None:
    old, new = runnable("single 1.5, with the bug"), runnable("single 1.5, with the fix")
    tag = f"{story.registry.host}/single/golftrack:1.5"
    for name, made in (("single-old", old), ("single-new", new)):
        story.registry.push("single/golftrack", made, "1.5")
        _pull(on_podman, tag)
        on_podman.run(name, tag)
        for runtime in (on_containerd, on_crio):
            runtime.pull(tag)
            runtime.run(name, tag)
    rows = story.killick.json("where", tag, "--json")["digests"]
    on_podman.remove("single-old", "single-new")
    assert [row["digest"] for row in rows] == [new.root.digest, old.root.digest]
    expected = (("single-new", "current"), ("single-old", "behind"))
    for row, (name, status) in zip(rows, expected, strict=True):
        told = [(c["host"], c["name"], c["status"]) for c in row["containers"]]
        hosts = ("containerd1", "crio1", "podman1")
        assert told == [(host, name, status) for host in hosts]


def test_a_registry_without_history(
    registry: Registry, on_docker: Engine, killick: Tool, home: dict[str, str], tmp_path: Path
) -> None:
    """What was not observed has no interval; what was observed from here has one."""
    old, new = runnable("plain 1.5, with the bug"), runnable("plain 1.5, with the fix")
    tag = f"{registry.host}/plain/golftrack:1.5"
    asked = ("where", tag, "--host", on_docker.url, "--json")
    late = killick_with(tmp_path / "late", home)
    registry.push("plain/golftrack", old, "1.5")
    _pull(on_docker, tag)
    on_docker.run("plain-old", tag)
    killick.run(*asked)
    registry.push("plain/golftrack", new, "1.5")
    _pull(on_docker, tag)
    on_docker.run("plain-new", tag)
    try:
        rows = {tool: tool.json(*asked)["digests"] for tool in (killick, late)}
    finally:
        on_docker.remove("plain-old", "plain-new")
    for tool, source, status in (
        (killick, "observed", "behind"),
        (late, "container", "third-build"),
    ):
        assert [row["digest"] for row in rows[tool]] == [new.root.digest, old.root.digest]
        names = [[c["name"] for c in row["containers"]] for row in rows[tool]]
        assert names == [["plain-new"], ["plain-old"]]
        assert rows[tool][1]["source"] == source
        assert (rows[tool][1]["since"] is None) == (tool is late)
        assert [r["containers"][0]["status"] for r in rows[tool]] == ["current", status]
