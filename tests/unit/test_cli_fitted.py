"""Lines that are broken to fit a terminal, and left alone where there is none."""

import os
import sys

import pytest

from killick.cli.output import fitted

LINES = ["  web1   compose shop/web   web-1, web-2   running   affected", "", "one; of\ntwo"]


@pytest.fixture
def on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))


def test_off_a_terminal_nothing_is_broken(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert list(fitted(LINES)) == [*LINES[:2], "one; of two"]


@pytest.mark.usefixtures("on_a_terminal")
def test_on_a_terminal_lines_are_broken_between_words():
    assert list(fitted(LINES)) == [
        "  web1   compose shop/web   web-1, web-2",
        "      running   affected",
        "",
        "one; of",
        "two",
    ]


@pytest.mark.usefixtures("on_a_terminal")
def test_a_word_is_never_broken():
    digest = "sha256:" + "1" * 64
    assert list(fitted([f"  {digest}   1.5"])) == [f"  {digest}", "      1.5"]
