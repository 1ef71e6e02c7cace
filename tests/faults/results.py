"""What a test found: one row of the table, and of faults.json."""

import json
import platform
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Row:
    """One test: points tried, and in words what was wrong at which of them."""

    test: str
    points: int = 0
    survived: int = 0
    struck: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    skipped: str = ""
    note: str = ""

    def __post_init__(self):
        self._mutex = threading.Lock()

    def point(self, name, problems, *, struck=True):
        """Count a point that was tried; `problems` say in words what was wrong there.

        `struck` says whether the fault came to pass before all was done.
        """
        problems = [f"{name}: {problem}" for problem in problems]
        with self._mutex:
            self.points += 1
            self.struck += struck
            self.survived += not problems
            self.lost += problems

    def document(self):
        return asdict(self) | {"seconds": round(self.seconds, 1)}


@contextmanager
def row(test, rows):
    """Yield a row that counts its own time, and add it to `rows`."""
    made, started = Row(test), time.monotonic()
    try:
        yield made
    finally:
        made.seconds = time.monotonic() - started
        rows.append(made)


def skipped(test, reason):
    return Row(test, skipped=reason)


def table(rows):
    """Return the rows as a Markdown table."""
    lines = ["| test | points | survived | lost | seconds |", "|---|--:|--:|--:|--:|"]
    for each in rows:
        if each.skipped:
            lines.append(f"| {each.test} | skipped: {each.skipped} | | | |")
            continue
        name = f"{each.test} ({each.note})" if each.note else each.test
        figures = (each.points, each.survived, len(each.lost), f"{each.seconds:.1f}")
        lines.append("| " + " | ".join([name, *map(str, figures)]) + " |")
    return "\n".join(lines)


def write(rows, path: Path, *, long):
    document = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
        },
        "form": "long" if long else "short",
        "tests": [each.document() for each in rows],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
