"""The tree of errors is the one drawn at the top of its module."""

import inspect
import re

import pytest

from killick import errors
from killick.errors import BadDigest, KillickError, NotFound

LINE = re.compile(
    r"^(?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: \(\w+\))? +(?P<status>\d) +(?P<code>\S+)"
)


def drawn():
    """Return `[(name, parent, exit status, code)]` as the docstring draws it."""
    rows, path = [], ["KillickError"]
    for line in errors.__doc__.splitlines():
        if match := LINE.match(line):
            depth = len(match["branch"]) // 4
            path[depth:] = [match["name"]]
            rows.append((match["name"], path[depth - 1], int(match["status"]), match["code"]))
    return rows


def defined():
    return {
        name: found
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, Exception)
    }


def test_every_error_is_in_the_drawing_and_nothing_else():
    names = [name for name, *_ in drawn()]
    # the root of the tree is drawn with its heading instead of its figures
    assert sorted(["KillickError", *names]) == sorted(defined())


@pytest.mark.parametrize("row", drawn(), ids=lambda row: row[0])
def test_an_error_is_what_the_drawing_says(row):
    name, parent, status, code = row
    found = defined()[name]
    assert found.__bases__[0].__name__ == parent
    assert (found.exit_status, found.code) == (status, code)


def test_every_code_belongs_to_one_error():
    codes = [found.code for found in defined().values()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("name", [name for name, *_ in drawn()])
def test_every_error_is_documented_and_carries_what_callers_need(name):
    found = defined()[name]
    assert found.__doc__
    error = found("it failed", side="remote", hint="try again")
    assert (str(error), error.message, error.side, error.hint) == (
        "it failed",
        "it failed",
        "remote",
        "try again",
    )


def test_an_error_can_be_said_to_be_elsewhere():
    error = NotFound("nothing there")
    assert error.side == "local"
    assert error.at("file") is error
    assert error.side == "file"


def test_wrong_words_are_value_errors():
    assert issubclass(BadDigest, ValueError)
    assert not issubclass(KillickError, ValueError)
