"""docs/serve.md has every setting, with its default and what it is for, as the code has them."""

import re
import runpy
from pathlib import Path

import pytest

from killick.server.configuration import Configuration, load, settings_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "serve.md"


def test_every_setting_is_in_the_table_as_it_is():
    tool = runpy.run_path(str(ROOT / "tools" / "serve_page.py"))
    should_be = tool["page"]()
    assert "| `limits.blob` | " in should_be
    assert PAGE.read_text(encoding="utf-8") == should_be, "run: python tools/serve_page.py"


@pytest.mark.parametrize("name", ["serve.md", "registry.md"])
def test_every_file_of_settings_on_the_page_can_be_loaded(name, tmp_path):
    text = PAGE.with_name(name).read_text()
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
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
