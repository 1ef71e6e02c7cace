"""docs/serve.md has every setting, with its default and what it is for, as the code has them."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

from killick.server.configuration import Configuration, Size, load, settings_of
from killick.server.configuration.table import arrays_of
from killick.server.configuration.values import size_text, written

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"


def rows():
    """The table's rows, in the order of the code."""
    for one in settings_of(Configuration):
        yield _row(one.name, one.default, one.kind is Size, one.help)
    for name, kind in arrays_of(Configuration):
        for item in fields(kind):
            if "help" in item.metadata:
                stated = f"{name}[].{item.name}"
                yield _row(stated, item.default, item.type == "Size", item.metadata["help"])


def _row(name, default, is_size, about):
    if default is MISSING:
        shown = "must be stated"
    elif default is None:
        shown = "-"
    else:
        shown = f"`{written(size_text(default) if is_size else default)}`"
    return f"| `{name}` | {shown} | {about.replace('|', chr(92) + '|')} |"


def test_every_setting_is_in_the_table_as_it_is():
    expected = list(rows())
    table = PAGE.read_text().partition("| setting | default | what it is |\n|---|---|---|\n")[2]
    found = table.partition("\n\n")[0].splitlines()
    assert found == expected, "the table should be:\n" + "\n".join(expected)


def test_every_file_of_settings_on_the_page_can_be_loaded(tmp_path):
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        path = tmp_path / "serve.toml"
        path.write_text(block)
        load(path, {})


def test_every_variable_on_the_page_is_one():
    known = {one.variable for one in settings_of(Configuration)}
    named = set(re.findall(r"KILLICK_SERVE_[A-Z_]+", PAGE.read_text()))
    assert named
    assert named <= known
