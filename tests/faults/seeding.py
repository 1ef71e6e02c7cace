"""Is each seeded fault noticed by the test that has to notice it?"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from faults.processes import SEED, TESTS
from faults.results import row
from faults.seeds import SEEDS

PATIENCE = 1200
WORKERS = 2
_NOTHING_FAILED, _SOMETHING_FAILED = 0, 1


def seeded(world, rows, scale):
    """Plant one fault after the other, and run its test."""
    with row("seeded faults", rows) as found:
        chosen = scale.some(list(SEEDS.values()))
        with ThreadPoolExecutor(WORKERS) as pool:
            tried = pool.map(lambda seed: list(_unnoticed(world, seed)), chosen)
            for seed, said in zip(chosen, tried, strict=True):
                found.point(f"seed: {seed.name}", said)
        found.note = "points are seeds, survived are those that were noticed"


def _unnoticed(world, seed):
    """Yield a complaint unless the seed's test says that something is wrong."""
    if seed.test.endswith(".py") or "::" in seed.test:
        yield from _unnoticed_by_pytest(seed)
        return
    out = world.folder / f"{seed.name}.json"
    words = ["--only", seed.test, "--share", str(seed.share), "--out", str(out)]
    if seed.operation:
        words += ["--operation", seed.operation]
    ended = _run(["faults", *words], seed)
    if not out.exists():
        yield f"the test {seed.test} did not run: {ended.stderr.strip()[-300:]}"
        return
    tests = json.loads(out.read_text())["tests"]
    out.unlink()
    if not any(test["lost"] for test in tests):
        yield f"the test {seed.test} did not notice it"


def _unnoticed_by_pytest(seed):
    """Run tests of `make test`; the fault is planted before they import anything."""
    words = ["-x", "-q", "-p", "faults", "-p", "no:cacheprovider", str(TESTS / seed.test)]
    ended = _run(["pytest", *words], seed)
    if ended.returncode == _NOTHING_FAILED:
        yield f"the test {seed.test} did not notice it"
    elif ended.returncode != _SOMETHING_FAILED:
        yield f"the test {seed.test} did not run: {(ended.stdout + ended.stderr).strip()[-300:]}"


def _run(words, seed):
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=TESTS.parent,
        env=_environment(seed),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def _environment(seed):
    paths = [str(TESTS.parent / "src"), str(TESTS)]
    return os.environ | {SEED: seed.name, "PYTHONPATH": os.pathsep.join(paths)}
