"""What a test found: one row of the table, and of faults.json.

python -m faults.results FAULTS_JSON…      prints one table of several
"""

import json
import platform
import sys
import threading
import time
import traceback
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


class Rows(list):
    """The rows of a run; all that there are are in `path` at any time, if the run is cut short."""

    def __init__(self, path: Path, *, long):
        super().__init__()
        self._path = path
        self._long = long
        self._started = time.monotonic()

    def append(self, made):
        super().append(made)
        self.write()

    def write(self):
        """Write what there is until now."""
        document = {
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(time.monotonic() - self._started, 1),
            "machine": {
                "system": f"{platform.system()} {platform.release()}",
                "python": platform.python_version(),
            },
            "form": "long" if self._long else "short",
            "tests": [each.document() for each in self],
        }
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(json.dumps(document, indent=2) + "\n")
        new.replace(self._path)


@contextmanager
def row(test, rows):
    """Yield a row that counts its own time, and add it to `rows`.

    A test that breaks down has proved nothing: that is a loss of its row, and the rest goes on.
    """
    made, started = Row(test), time.monotonic()
    try:
        yield made
    except Exception as error:
        traceback.print_exc()
        made.point("the test itself", [f"it broke down: {error!r}"])
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


def main(paths):
    """Print one table of the rows in several faults.json."""
    rows = []
    for path in paths:
        rows += [Row(**fields) for fields in json.loads(Path(path).read_text())["tests"]]
    print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
