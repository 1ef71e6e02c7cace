"""Killick beside crane, skopeo and docker: the same work, the same registry, in turns.

    make bench                      everything, median of five (takes a while, and some GiB of disk)
    make bench BENCH=--quick        small sizes, to see that the rig works
    make bench BENCH='--cases pull,push --peers crane'

Killick makes what it pulls durable; the others don't, so each of them is timed together with
`sync -f` on its output.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cases
import images
import report
from chart import svg
from peers import installed
from registry import find
from timing import quiet, summary

HERE = Path(__file__).parent
CASES = ("pull", "push", "again", "start", "images")


def main() -> int:
    options = _options()
    options.cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=options.cache, prefix="work-"))
    try:
        with installed(set(options.peers.split(","))) as peers:
            rig = cases.Rig(peers, options.cache, work, options.repeat)
            results = {name: _measured(name, case) for name, case in _chosen(rig, options)}
            document = {
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": dict(cases.machine(work, 16 if options.quick else 512)),
                "registry": _registry_version(),
                "versions": {peer.name: peer.version for peer in peers},
                "repeat": options.repeat,
                "quick": options.quick,
                "results": results,
                "goals": report.verdicts(results),
            }
    finally:
        shutil.rmtree(work)
    _write(document, options.out)
    print(f"\n{report.table(results)}\n")
    for goal in document["goals"]:
        said = "reached" if goal["reached"] else "MISSED"
        line = f"{goal['case']}: {goal['measured']:.3f} {goal['unit']}, goal {goal['goal']}"
        print(f"{said:8} {line} = {goal['limit']:.3f}")
    return 0


def _chosen(rig: cases.Rig, options: argparse.Namespace) -> Iterator[tuple[str, Callable]]:
    shapes = images.QUICK if options.quick else images.FULL
    tags = 100 if options.quick else 10_000
    for name in options.cases.split(","):
        if name in ("pull", "push"):
            for shape in shapes:
                yield f"{name}: {shape.title}", partial(getattr(cases, name), rig, shape)
        elif name == "again":
            yield "pull again: tag has not moved", partial(cases.pull_again, rig, shapes[-1])
        elif name == "start":
            yield "start: killick version", partial(cases.start, rig)
        else:
            yield f"images: {tags:,} tags", partial(cases.many_images, rig, tags)


def _measured(name: str, case: Callable[[], cases.Runs]) -> dict[str, dict]:
    print(f"{name} …", end=" ", flush=True, file=sys.stderr)
    found = {who: summary(runs) for who, runs in case().items()}
    walls = ", ".join(f"{who} {each['wall']:.2f} s" for who, each in found.items())
    print(walls, file=sys.stderr)
    return found


def _registry_version() -> str:
    program = find("registry", "docker-registry")
    if program is None:
        return "killick serve"
    said = quiet([program, "--version"]).strip()
    return said.replace(program, Path(program).name)  # where it lies is nobody's business


def _write(document: dict, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "latest.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (out / "latest.svg").write_text(svg(document["results"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, each twice")
    parser.add_argument("--cases", default=",".join(CASES), help="some of: %(default)s")
    parser.add_argument("--peers", default="crane,skopeo,docker", help="some of: %(default)s")
    parser.add_argument("--repeat", type=int, help="runs of each (5, or 2 with --quick)")
    parser.add_argument("--cache", type=Path, default=HERE.parent / ".cache" / "bench")
    parser.add_argument("--out", type=Path, help="folder of the results")
    options = parser.parse_args()
    options.repeat = options.repeat or (2 if options.quick else 5)
    # Small sizes say nothing about speed, so they don't overwrite results that do.
    options.out = options.out or (options.cache if options.quick else HERE / "results")
    if unknown := set(options.cases.split(",")) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
