"""The benchmark runs: small sizes, against Killick's own registry where there is no other."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from killick.store import Store

RUN = Path(__file__).parents[2] / "bench" / "run.py"
SERVER = RUN.with_name("server.py")


def test_a_quick_run_writes_figures_and_a_chart(tmp_path: Path) -> None:
    where = ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path)]
    few = ["--quick", "--repeat=1", "--peers=", "--cases=start,again"]
    done = subprocess.run(
        [sys.executable, str(RUN), *few, *where], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "latest.json").read_text())
    assert list(found["results"]) == ["start: killick version", "pull again: tag has not moved"]
    assert all(run["wall"] > 0 for run in found["results"]["start: killick version"].values())
    assert "| start: killick version | python -c pass |" in done.stdout
    ElementTree.parse(tmp_path / "latest.svg")
    assert not list((tmp_path / "cache").glob("work-*")), "it cleans up after itself"


def test_a_quick_run_of_the_served_registry(tmp_path: Path) -> None:
    where = ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path)]
    few = ["--quick", "--repeat=1", "--cases=crowds,memory,standing"]
    done = subprocess.run(
        [sys.executable, str(SERVER), *few, *where], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "server.json").read_text())["rows"]
    assert any(row["case"].startswith("tags/list?n=10: 20 repositories") for row in rows)
    assert any(row["case"].startswith("10 bodies that stopped") for row in rows)
    assert all(figure > 0 for row in rows for runs in row["runs"].values() for figure in runs)
    with Store(tmp_path / "cache" / "many-20x10", read_only=True) as store:
        assert not list(store.verify()), "its ledgers are chains as any others"
    assert not list((tmp_path / "cache").glob("work-*")), "it cleans up after itself"


def test_a_small_registry_is_collected_beside_pushers(tmp_path: Path) -> None:
    few = ["--count=2000", "--alone=1", "--folder", str(tmp_path)]
    program = RUN.with_name("collecting.py")
    done = subprocess.run(
        [sys.executable, str(program), *few], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "collected 800 of them" in done.stdout
    told = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert {"lock for database", "push of a tag, while it is collected"} <= set(told)
    assert not list(tmp_path.iterdir()), "it cleans up after itself"
