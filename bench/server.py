"""Killick's registry beside distribution: the same requests, by the same clients, in turns.

    make bench-server                         everything, median of five (needs 25 GiB of disk)
    make bench-server BENCH=--quick           small sizes, to see that the rig works
    make bench-server BENCH='--cases requests,pushes'

Killick runs with accounts (each request shows a password) and with its access log on; distribution
with neither. Needs wrk; crane and distribution as far as installed.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import cases
import served
import servers
from served import Bench, Row

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures of the server: begin -->", "<!-- figures of the server: end -->"


def main() -> int:
    options = _options()
    options.cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=options.cache, prefix="work-"))
    sizes = served.QUICK if options.quick else served.FULL
    try:
        bench = Bench(servers.installed(), sizes, options.cache, work, options.repeat, options.only)
        rows = [row for name in options.cases.split(",") for row in _measured(name, bench)]
        machine = dict(cases.machine(work, 16 if options.quick else 512))
    finally:
        shutil.rmtree(work)
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "versions": servers.versions(),
        "workers": servers.WORKERS,
        "repeat": options.repeat,
        "quick": options.quick,
        "rows": [asdict(row) for row in rows],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "server.json").write_text(json.dumps(document, indent=2) + "\n")
    print(f"\n{table(rows)}")
    if options.docs:
        write_docs(table(rows))
    return 0


def _measured(name: str, bench: Bench) -> list[Row]:
    found = []
    for row in served.CASES[name](bench):
        print(line(row), file=sys.stderr, flush=True)
        found.append(row)
    return found


def table(rows: list[Row]) -> str:
    """A Markdown table: medians, Killick's part of the other's, and what was to be reached."""
    lines = [
        "| what | unit | killick | beside | killick is | goal | |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    return "\n".join([*lines, *map(line, rows)])


def line(row: Row) -> str:
    """One row of the table."""
    ours = row.median("killick")
    other = next((who for who in row.runs if who != "killick"), None)
    theirs = None if other is None else row.median(other)
    ratio = None if theirs is None else ours / theirs
    sign = "≤" if row.most or row.limit else "≥"
    goal = "" if row.goal is None or ratio is None else f"{sign} {row.goal:g} ×"
    if row.limit is not None:
        goal = f"< {row.limit:g}"
    cells = [
        f"{row.case} ({row.note})" if row.note else row.case,
        row.unit,
        _figure(ours),
        ""
        if theirs is None
        else f"{_figure(theirs)}" + ("" if other == "distribution" else f" ({other})"),
        "" if ratio is None else f"{ratio:.2f} ×",
        goal,
        "" if not goal else "" if _reached(row, ours, ratio) else "**missed**",
    ]
    return "| " + " | ".join(cells) + " |"


def _reached(row: Row, ours: float, ratio: float | None) -> bool:
    if row.limit is not None:
        return ours < row.limit
    assert ratio is not None
    assert row.goal is not None
    return ratio <= row.goal if row.most else ratio >= row.goal


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def write_docs(text: str) -> None:
    """Puts the table where the documentation has the last one."""
    page = DOCS.read_text()
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    DOCS.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, each twice")
    parser.add_argument("--cases", default=",".join(served.CASES), help="some of: %(default)s")
    parser.add_argument("--only", default="", help="of the requests, those whose titles have this")
    parser.add_argument("--repeat", type=int, help="runs of each (5, or 2 with --quick)")
    parser.add_argument("--cache", type=Path, default=HERE.parent / ".cache" / "bench")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--docs", action="store_true", help="write the table into the docs")
    options = parser.parse_args()
    options.repeat = options.repeat or (2 if options.quick else 5)
    options.out = options.out or (options.cache if options.quick else HERE / "results")
    if unknown := set(options.cases.split(",")) - set(served.CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if shutil.which("wrk") is None and "requests" in options.cases:
        parser.error("wrk is needed for the requests; leave them out by --cases")
    return options


if __name__ == "__main__":
    sys.exit(main())
