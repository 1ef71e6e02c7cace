"""Fuzz every parser by coverage, with atheris.

    make fuzz                         a few seconds each
    make fuzz SECONDS=600             longer
    python -m fuzz --only tar         one of them

What makes a target fail is kept as a file, and its name printed. The status is 0 if none failed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz import corpus
from fuzz.targets import TARGETS

WORKERS = 2
MOST_BYTES = 100_000
_GRACE = 120


def main():
    options = _options()
    if options.target:
        _fuzz(options.target, options.folder, options.seconds)
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="killick-fuzz-") as folder:
        corpus.write(Path(folder))
        chosen = options.only or list(TARGETS)
        with ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(lambda n: _run(n, Path(folder), options), chosen))
    print("\n| target | runs | seconds | result |\n|---|--:|--:|---|")
    for result in results:
        print("| {target} | {runs} | {seconds} | {result} |".format(**result))
    print(f"\n{time.monotonic() - started:.0f} s")
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    return int(any(result["result"] != "ok" for result in results))


def _run(name, folder, options):
    """Fuzz one target in a process of its own."""
    kept = options.crashes / name
    kept.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz", "--target", name, "--folder", folder / name),
            *("--seconds", str(options.seconds)),
        ],
        env=os.environ | {"FUZZ_CRASHES": f"{kept}/"},
        capture_output=True,
        text=True,
        timeout=options.seconds + _GRACE,
        check=False,
    )
    said = ended.stderr.splitlines()
    done = [line for line in said if line.startswith("stat::number_of_executed_units")]
    result = "ok" if ended.returncode == 0 else "FAILED"
    if ended.returncode:
        print(f"{name} failed; what it failed on is in {kept}", file=sys.stderr)
        print("\n".join(said[-40:]), file=sys.stderr)
    elif not any(kept.iterdir()):
        kept.rmdir()
    runs = int(done[0].rpartition(":")[2]) if done else 0
    return {"target": name, "runs": runs, "seconds": options.seconds, "result": result}


def _fuzz(name, folder, seconds):
    """Fuzz a target in this process, until the time is over or it fails."""
    import atheris

    with atheris.instrument_imports(include=["killick"]):
        for module in [each for each in sys.modules if each.split(".")[0] == "killick"]:
            del sys.modules[module]
        del sys.modules["fuzz.targets"]
        from fuzz import targets
    words = [
        *(sys.argv[0], str(folder), f"-max_total_time={seconds}", "-print_final_stats=1"),
        *(f"-max_len={MOST_BYTES}", "-timeout=10", "-rss_limit_mb=1024"),
        f"-artifact_prefix={os.environ.get('FUZZ_CRASHES', './')}",
    ]
    atheris.Setup(words, targets.TARGETS[name])
    atheris.Fuzz()


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=TARGETS, help="may be repeated")
    parser.add_argument("--seconds", type=int, default=2, help="for each target")
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"))
    parser.add_argument("--out", type=Path, default=Path("fuzz.json"))
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
