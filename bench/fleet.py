"""Who runs what, in a large fleet, as it is typed: from 500 engines on sockets to the answer.

    python bench/fleet.py                         500 engines with 20 containers each
    python bench/fleet.py --engines 50 --dead 10  fewer, ten of which hang

A registry that Killick serves holds 200 repositories, each with a tag that had five images for two
platforms, and one that it never had. What is said of each container is compared with what it was
made to run. Registry and engines share the processors with the command that is timed.
"""

import argparse
import contextlib
import json
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path

import registry
import simulated
from killick.digest import Digest
from killick.knowledge import FLAGGED, Advisory
from killick.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from killick.names import Name, Tag
from killick.openvex import Say, compose
from killick.store import Store
from peers import KILLICK
from timing import quiet, settle, timed

ARCHITECTURES = ("amd64", "arm64")
REPOSITORIES = 200
DEPTH = 5
TAG = Tag("1.5")
LAYER = b"the one layer of all images"
DOCKER_LOADED = simulated.KINDS.index(simulated.docker_loaded)

Content = tuple[Descriptor, bytes]


@dataclass(frozen=True)
class Image:
    """The image for one platform."""

    manifest: Content
    config: Content
    architecture: str

    @staticmethod
    def made(label: str, architecture: str) -> "Image":
        fields = {"os": "linux", "architecture": architecture, "author": label}
        config = _packed(OCI_CONFIG, fields | {"rootfs": {"diff_ids": [str(Digest.of(LAYER))]}})
        layers = [Descriptor.of(OCI_LAYER, LAYER).to_json()]
        manifest = {"config": config[0].to_json(), "layers": layers}
        return Image(_packed(OCI_MANIFEST, manifest), config, architecture)


@dataclass(frozen=True)
class Build:
    """What was pushed: an index of an image for each platform."""

    images: tuple[Image, ...]

    @staticmethod
    def made(label: str) -> "Build":
        return Build(tuple(Image.made(label, each) for each in ARCHITECTURES))

    @cached_property
    def index(self) -> Content:
        children = [
            each.manifest[0].to_json()
            | {"platform": {"os": "linux", "architecture": each.architecture}}
            for each in self.images
        ]
        return _packed(OCI_INDEX, {"manifests": children})

    @property
    def contents(self) -> list[Content]:
        """Everything but the layer, children first."""
        return [c for each in self.images for c in (each.config, each.manifest)] + [self.index]


def _packed(media_type: str, fields: dict) -> Content:
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_type} | fields).encode()
    return Descriptor.of(media_type, raw), raw


def builds(repository: int) -> list[Build]:
    """The images that a tag had, oldest first; and one more, which it never had.

    In every tenth repository the last is new for amd64 only.
    """
    found = [Build.made(f"{repository}-{depth}") for depth in range(DEPTH + 1)]
    if repository % 10 == 1:
        found[DEPTH - 1] = Build((found[DEPTH - 1].images[0], found[DEPTH - 2].images[1]))
    return found


@dataclass(frozen=True)
class Made:
    """A container: which build of which repository it runs, on an engine of a kind."""

    name: str
    repository: int
    depth: int
    platform: int
    kind: int

    def expected(self, seen: set[tuple[int, int]]) -> tuple[str, int | None]:
        """What is to be said of it, and how far behind it is.

        `seen` are the builds that any engine tells by more than a config: of what no tag had, and
        no engine names a manifest, nothing can be known.
        """
        back = DEPTH - 1 - self.depth
        if back < 0:
            is_seen = (self.repository, self.depth) in seen
            return ("third-build" if is_seen else "unknown"), None
        if self.repository % 10 == 0 and self.depth in (0, DEPTH - 1):
            return ("affected" if back else "fixed"), back
        if self.repository % 10 == 1 and self.platform == 1 and back == 1:
            # It holds what the tag points to; only who tells the index tells the two apart.
            return ("current", 0) if self.kind == DOCKER_LOADED else ("unchanged-here", 1)
        return ("behind", back) if back else ("current", 0)


class World:
    """What the registry holds and what the engines run; the same every time."""

    def __init__(self, engines: int, each: int, dead: int) -> None:
        self.builds = [builds(number) for number in range(REPOSITORIES)]
        self.dead = dead
        dice = random.Random(1)
        self.engines = [list(self._containers(dice, number, each)) for number in range(engines)]

    def _containers(self, dice: random.Random, engine: int, each: int) -> Iterator[Made]:
        kind = engine % len(simulated.KINDS)
        platform = engine // len(simulated.KINDS) % len(ARCHITECTURES)
        pulled: dict[Digest, int] = {}  # an engine has an image once, by the first that it pulled
        for number in range(each):
            repository, depth = dice.randrange(REPOSITORIES), dice.randrange(DEPTH + 1)
            config = self.builds[repository][depth].images[platform].config[0].digest
            depth = pulled.setdefault(config, depth)
            yield Made(f"{engine:04}-{number:04}", repository, depth, platform, kind)

    def tables(self, host: str) -> list[dict]:
        """The engines as `simulated` takes them."""
        return [
            {
                "kind": None if number < self.dead else number % len(simulated.KINDS),
                "containers": [self._table(host, made) for made in containers],
            }
            for number, containers in enumerate(self.engines)
        ]

    def _table(self, host: str, made: Made) -> simulated.Container:
        build = self.builds[made.repository][made.depth]
        image = build.images[made.platform]
        return {
            "id": made.name.replace("-", "").ljust(64, "0"),
            "name": made.name,
            "reference": f"{host}/{_path(made.repository)}:{TAG}",
            "index": str(build.index[0].digest),
            "manifest": str(image.manifest[0].digest),
            "config": str(image.config[0].digest),
            "architecture": image.architecture,
        }

    def truth(self) -> dict[str, tuple[int, tuple]]:
        """By its name, a container's repository, and what is to be said of it."""
        alive = [made for containers in self.engines[self.dead :] for made in containers]
        seen = {(m.repository, m.depth) for m in alive if m.kind != DOCKER_LOADED}
        found = {}
        for made in alive:
            status, back = made.expected(seen)
            image = self.builds[made.repository][made.depth].images[made.platform]
            config = None if status == "unknown" else str(image.config[0].digest)
            found[made.name] = made.repository, (status, back, config)
        return found


def fill(root: Path, world: World) -> None:
    """Put all images into a registry, and let its tags move through theirs."""
    layer = Descriptor.of(OCI_LAYER, LAYER)
    with Store(root, actor="bench", retention=None) as store:
        for number, found in enumerate(world.builds):
            repository = store.repository(_path(number))
            repository.put(layer, BytesIO(LAYER))
            for descriptor, raw in (content for build in found for content in build.contents):
                repository.put(descriptor, BytesIO(raw))
            for build in found[:DEPTH]:
                repository.tag(TAG, build.index[0])


def flag(folder: Path, world: World, host: str) -> None:
    """Say in the user's store which images are affected, and which have the fix."""
    said = [
        Say(Name(host, _path(number)), world.builds[number][depth].index[0].digest, status)
        for number in range(0, REPOSITORIES, 10)
        for depth, status in ((0, "affected"), (DEPTH - 1, "fixed"))
    ]
    with Store(folder) as store:
        store.advise(Advisory(compose("CVE-2026-1", said, "bench", datetime.now(UTC)), FLAGGED))


def main() -> None:
    options = _options()
    world = World(options.engines, options.containers, options.dead)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        work = Path(folder)
        fill(work / "registry", world)
        host = running.enter_context(_registry(work))
        ports = running.enter_context(_engines(world.tables(host)))
        named = {f"engine-{n:03}": {"url": f"tcp://127.0.0.1:{p}"} for n, p in enumerate(ports)}
        (work / "fleet.json").write_text(json.dumps({"engines": named}))
        flag(work / "store", world, host)
        settle()
        _measure(work, world, host, options.timeout)


def _measure(work: Path, world: World, host: str, seconds: float) -> None:
    env = {"KILLICK_CONFIG": str(work / "config.toml"), "KILLICK_STORE": str(work / "store")}
    asked = f"{host}/{_path(0)}:{TAG}"
    commands = {
        "ps, the first time": ["ps"],
        "ps": ["ps"],
        "ps --offline": ["ps", "--offline"],
        "where REF": ["where", asked],
        "where REF --offline": ["where", asked, "--offline"],
        "scan": ["scan"],
    }
    patience = ["--timeout", f"{seconds:g}"]
    truth = world.truth()
    print(f"{len(world.engines)} engines, {world.dead} of them silent; {len(truth)} containers\n")
    print("| command | seconds | processor s | MiB |\n|---|--:|--:|--:|")
    for title, words in commands.items():
        run = timed([*KILLICK, *words, *patience], env)
        cells = f"`{title}` | {run.wall:.2f} | {run.cpu:.2f} | {run.memory:.0f}"
        print(f"| {cells} |", flush=True)
    shown = quiet([*KILLICK, "ps", "--json", *patience], env)
    _check([json.loads(line) for line in shown.splitlines()], {n: t for n, (_, t) in truth.items()})
    report = json.loads(quiet([*KILLICK, "where", asked, "--json", *patience], env))
    found = [c for row in report["digests"] for c in row["containers"]]
    found += report["unplaced"] + report["unknown"]
    _check(found, {n: t for n, (repository, t) in truth.items() if repository == 0})
    failed = len(report["failed"])
    print(f"\nall {len(truth)} answers of ps, and all {len(found)} of where, are right")
    if failed != world.dead:
        raise SystemExit(f"{failed} engines are said to have failed, not {world.dead}")


def _check(answers: list[dict], truth: dict[str, tuple]) -> None:
    """Compare what was said of each container with what it was made to run."""
    said = {a["name"]: (a["status"], a["behind_by"], a["config"]) for a in answers}
    wrong = sorted(n for n in truth.keys() | said.keys() if truth.get(n) != said.get(n))
    if wrong or len(said) != len(answers):
        lines = [f"{name}: {said.get(name)}, not {truth.get(name)}" for name in wrong[:10]]
        raise SystemExit("\n".join([f"{len(wrong)} answers are wrong", *lines]))


@contextlib.contextmanager
def _registry(work: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [*KILLICK, "serve", "--addr", host, "--root", str(work / "registry")]
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        registry.wait(host, process, work / "log")
        yield host
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _engines(tables: list[dict]) -> Iterator[list[int]]:
    command = [sys.executable, simulated.__file__]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        try:
            process.stdin.write(json.dumps(tables))
            process.stdin.close()
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def _path(repository: int) -> str:
    return f"team/app-{repository}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", type=int, default=500)
    parser.add_argument("--containers", type=int, default=20, help="of each engine")
    parser.add_argument("--dead", type=int, default=0, help="engines that never answer")
    parser.add_argument("--timeout", type=float, default=30, help="seconds for each engine")
    return parser.parse_args()


if __name__ == "__main__":
    main()
