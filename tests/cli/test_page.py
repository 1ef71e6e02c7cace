"""docs/cli.md says what the commands say of themselves."""

import runpy
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "cli_page.py"


def test_the_page_of_the_command_line_is_current():
    tool = runpy.run_path(str(TOOL))
    written = tool["PAGE"].read_text(encoding="utf-8")
    assert written == tool["page"](), "run: python tools/cli_page.py"
