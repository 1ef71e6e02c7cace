"""What is measured. Each case gives, for every peer that takes part, its runs."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import images
import registry
from images import Shape
from peers import KILLICK, Crane, Killick, Peer
from timing import Run, quiet, settle, timed

Runs = dict[str, list[Run]]


@dataclass(frozen=True)
class Rig:
    """What all cases share."""

    peers: list[Peer]
    cache: Path
    work: Path
    repeat: int

    def in_turns(self, who: dict[str, Callable[[], Run]]) -> Runs:
        """Everybody as often as the rig says; who comes first, and after whom, changes.

        What one leaves behind (dirty pages, a busy disk) slows the next, so nobody may always
        follow the same: rounds begin one later each time, and every other goes backwards.
        """
        runs: Runs = {name: [] for name in who}
        names = list(who)
        for turn in range(self.repeat):
            order = [*names[turn % len(names) :], *names[: turn % len(names)]]
            for name in reversed(order) if turn % 2 else order:
                settle()
                runs[name].append(who[name]())
        return runs

    def serving(self) -> AbstractContextManager[str]:
        return registry.running(self.work / "registry", KILLICK)

    def emptied(self, name: str) -> Path:
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        return folder


def pull(rig: Rig, shape: Shape) -> Runs:
    folder = images.layout(shape, rig.cache)
    with rig.serving() as host:
        reference = registry.fill(host, "bench/pull", folder)
        turns = {
            peer.name: lambda peer=peer: peer.pull(reference, rig.emptied("out"))
            for peer in rig.peers
            if peer.takes(shape)
        }
        return rig.in_turns(turns)


def push(rig: Rig, shape: Shape) -> Runs:
    """Every run meets an empty registry, so that nobody finds what another has left."""
    folder = images.layout(shape, rig.cache)
    taking = [peer for peer in rig.peers if peer.takes(shape)]
    stage = rig.emptied("stage")
    with rig.serving() as host:
        source = registry.fill(host, "bench/push", folder)
        staged = {peer.name: peer.stage(source, folder, stage) for peer in taking}

    def one(peer: Peer) -> Run:
        with rig.serving() as empty:
            settle()
            return peer.push(staged[peer.name], source, f"{empty}/bench/push:1")

    return rig.in_turns({peer.name: lambda peer=peer: one(peer) for peer in taking})


def pull_again(rig: Rig, shape: Shape) -> Runs:
    """A pull of a tag that has not moved, beside crane asking for its digest."""
    store = rig.emptied("again")
    with rig.serving() as host:
        reference = registry.fill(host, "bench/again", images.layout(shape, rig.cache))
        ours = next(peer for peer in rig.peers if isinstance(peer, Killick))
        ours.pull(reference, store)
        turns = {"killick": lambda: ours.pull(reference, store)}
        for peer in rig.peers:
            if isinstance(peer, Crane):
                turns["crane digest"] = lambda peer=peer: timed([peer.program, "digest", reference])
        return rig.in_turns(turns)


def start(rig: Rig) -> Runs:
    return rig.in_turns(
        {
            "killick version": lambda: timed([*KILLICK, "version"]),
            "python -c pass": lambda: timed([sys.executable, "-c", "pass"]),
        }
    )


def many_images(rig: Rig, count: int) -> Runs:
    """`images` in a store with many tags."""
    store = Killick.store(rig.emptied("many"))
    layout = images.many_tags(count, rig.cache)
    quiet([*KILLICK, "cp", "--all-tags", f"oci:{layout}", "store:bench/many"], store)
    listed = quiet([*KILLICK, "images", "--format", "{{.Tag}}"], store).splitlines()
    if len(listed) != count:
        raise RuntimeError(f"{len(listed)} images are listed, {count} were stored")
    return rig.in_turns({"killick": lambda: timed([*KILLICK, "images"], store)})


def machine(work: Path, probed: int) -> Iterator[tuple[str, str]]:
    """What the figures depend on beside us."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    yield "processor", f"{len(models)} × {models[0]}" if models else "unknown"
    yield "python", sys.version.split()[0]
    probe = work / "probe"
    command = ["dd", "if=/dev/zero", f"of={probe}", "bs=1M", f"count={probed}", "conv=fsync"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    probe.unlink()
    yield f"disk, {probed} MiB with fsync", said.rsplit(",", 1)[-1].strip()
