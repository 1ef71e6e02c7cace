"""The page about security names a test for each hole that others had, and each of them exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"
ROWS = re.findall(r"^\| +(\d+) \| .+? \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_there_are_forty_five_rows():
    assert [int(number) for number, _ in ROWS] == list(range(1, 46))


@pytest.mark.parametrize(("number", "named"), ROWS)
def test_the_test_of_a_row_exists(number, named):
    if named.startswith("none: "):
        return
    path, _, name = named.strip("`").partition("::")
    names = {
        node.name
        for node in ast.walk(ast.parse((TESTS / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert name in names, named
