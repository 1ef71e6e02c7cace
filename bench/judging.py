"""How long it takes to judge a large fleet with a warm graph, and the memory that it takes.

python bench/judging.py [--hosts 500] [--each 20]

A store that knows 200 repositories, each with a tag that had five images for two platforms, and
snapshots of hosts whose containers run them, in the manners of different engines. Measured is all
that `ps --offline` and `where --offline` do after the engines have answered.
"""

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from killick.cli.context import Session
from killick.cli.fleet_view import judge_all, where_all
from killick.cli.knowing import Knowing
from killick.digest import Digest
from killick.knowledge import FLAGGED, Advisory
from killick.manifest import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Config,
    Descriptor,
    parse_document,
)
from killick.names import Name, Tag
from killick.observation import Claim, Container, Snapshot
from killick.openvex import Say, compose
from killick.platforms import Platform
from killick.repository import Cause, Move

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
REPOSITORIES = 200
DEPTH = 5
START = datetime(2026, 1, 1, tzinfo=UTC)
TAG = Tag("1.5")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=500)
    options.add_argument("--each", type=int, default=20)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KILLICK_STORE"] = folder
        os.environ["KILLICK_CONFIG"] = str(Path(folder) / "config.toml")
        session = Session()
        images = fill(session)
        snapshots = fleet(images, chosen.hosts, chosen.each)
        before = peak()
        measure(session, images, snapshots)
        print(f"memory: {peak():.0f} MiB at most, {before:.0f} before the first question")
        session.close()


def measure(session, images, snapshots):
    count = sum(len(s.containers) for s in snapshots)
    judged, took = timed(lambda: judge_all(session, snapshots, offline=True))
    print(f"ps: {count} containers of {len(snapshots)} hosts in {took}")
    known = sum(j.verdict.status != "unknown" for j in judged)
    assert known == count, f"{count - known} are not known"
    name = next(iter(images))
    knowing = Knowing(session, offline=True)
    past = knowing.past(name, TAG)
    report, took = timed(lambda: where_all(knowing, session, past, snapshots, derived=True))
    print(f"where: {len(report.placed)} of {count} containers found in {took}")


def timed(question):
    """Return the answer, and how long it took: by the clock, and of the processor."""
    wall, own = time.perf_counter(), time.process_time()
    answer = question()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    return answer, f"{wall:.2f} s ({own:.2f} s of processor)"


def fill(session):
    """Let the store know images and the past of tags; return them by repository."""
    images = {}
    for number in range(REPOSITORIES):
        name = Name("registry.example", f"team/app-{number}")
        builds = [build(session.store, f"{number}-{depth}") for depth in range(DEPTH)]
        moves, previous = [], None
        for hours, (root, _) in enumerate(builds):
            cause = Cause("pushed", "ci", name.domain)
            time_ = START + timedelta(hours=hours)
            moves.append(Move(hours + 1, time_, str(name), TAG, root, previous, cause))
            previous = root.digest
        repository = session.store.repository(str(name))
        repository.recall(moves, name.domain, authoritative=True)
        images[name] = builds
    said = [Say(name, builds[0][0].digest, "affected") for name, builds in images.items()]
    vex = compose("CVE-2026-1", said, "bench", START)
    session.store.advise(Advisory(vex, FLAGGED))
    return images


def build(store, label):
    """Learn an index for two platforms; return its descriptor and (config, manifest) for each."""
    children, parts = [], []
    for platform in PLATFORMS:
        diff_ids = [str(Digest.of(f"{label} {n}".encode())) for n in range(6)]
        raw = json.dumps(platform.to_json() | {"rootfs": {"diff_ids": diff_ids}}).encode()
        config = Descriptor.of(OCI_CONFIG, raw)
        layers = [Descriptor(OCI_LAYER, Digest.of(f"{label}{n}".encode()), 9) for n in range(6)]
        fields = {"config": config.to_json(), "layers": [layer.to_json() for layer in layers]}
        manifest = document(OCI_MANIFEST, fields)
        store.learn(config.digest, Config.parse(raw))
        store.learn(manifest.digest, manifest)
        children.append(manifest.descriptor.to_json() | {"platform": platform.to_json()})
        parts.append((config.digest, manifest.digest))
    index = document(OCI_INDEX, {"manifests": children})
    store.learn(index.digest, index)
    return index.descriptor, parts


def document(media_type, fields):
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_type} | fields).encode()
    return parse_document(raw)


def fleet(images, hosts, each):
    """Return snapshots of hosts, always the same."""
    dice = random.Random(1)
    names = list(images)
    return [
        Snapshot(
            f"host-{host:03}",
            "docker",
            START,
            tuple(container(dice, images, names, number) for number in range(each)),
        )
        for host in range(hosts)
    ]


def container(dice, images, names, number):
    name = dice.choice(names)
    root, parts = dice.choice(images[name])
    which = dice.randrange(len(PLATFORMS))
    config, manifest = parts[which]
    manners = (
        [str(config), f"{name}@{root.digest}"],
        [str(config)],
        [str(root.digest), str(manifest)],
        [f"docker-pullable://{name}@{root.digest}"],
    )
    claims = dice.choice(manners)
    return Container(
        f"{dice.getrandbits(256):064x}",
        f"{name.path}-{number}",
        f"{name}:{TAG}",
        tuple(Claim("Image", value) for value in claims),
        platform=PLATFORMS[which],
        state="running",
    )


def peak():
    """Return the most memory that this process had, in MiB."""
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
