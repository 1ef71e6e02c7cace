"""Write the table of settings in docs/serve.md, as the code has them.

python tools/serve_page.py      # after adding or changing a setting
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from killick.server.configuration import Configuration, Size, settings_of
from killick.server.configuration.table import arrays_of
from killick.server.configuration.values import size_text, written

PAGE = Path(__file__).parents[1] / "docs" / "serve.md"
_TABLE = re.compile(r"(?<=\| setting \| default \| what it is \|\n\|---\|---\|---\|\n)(?:\|.*\n)*")


def page() -> str:
    """Return the page as it should be."""
    table = "".join(row + "\n" for row in _rows())
    return _TABLE.sub(lambda _: table, PAGE.read_text(encoding="utf-8"))


def _rows() -> Iterator[str]:
    for one in settings_of(Configuration):
        yield _row(one.name, _shown(one.default, one.kind is Size), one.help)
    for name, kind in arrays_of(Configuration):
        for item in fields(kind):
            shown = _shown(item.default, item.type == "Size")
            yield _row(f"{name}[].{item.name}", shown, item.metadata["help"])


def _row(name: str, shown: str, about: str) -> str:
    return f"| `{name}` | {shown} | {about} |"


def _shown(default: object, is_size: bool) -> str:
    if default is MISSING:
        return "must be stated"
    if default is None:
        return "-"
    if is_size and isinstance(default, int):
        default = size_text(default)
    return f"`{written(default)}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
