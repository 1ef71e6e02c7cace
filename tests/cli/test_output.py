"""Tables, JSON, sizes and times: as docker prints them."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from killick.cli import human
from killick.cli.output import Listing, Style, aligned, cut, show_document
from killick.cli.printing import one_line, write
from killick.cli.template_functions import to_json
from killick.errors import UsageError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LISTING = Listing({"Name": "NAME", "Size": "SIZE", "More": "MORE"}, ("Name", "Size"), "Name")


class Line:
    def __init__(self, name, size):
        self.name = name
        self.size = size

    def fields(self):
        return {"Name": self.name, "Size": human.size(self.size), "More": "x"}

    def document(self):
        return {"Name": self.name, "Size": self.size}


ROWS = [Line("alpine", 45_230_000), Line("a-much-longer-name", 7)]


def shown(capsys, form=None, rows=ROWS, **style):
    LISTING.show(iter(rows), Style(form, **style))
    return capsys.readouterr().out


def test_a_table_has_columns_three_spaces_apart_and_ten_wide_at_least(capsys):
    assert shown(capsys) == (
        "NAME                 SIZE\nalpine               45.2MB\na-much-longer-name   7B\n"
    )
    assert list(aligned([["A", "B"], ["1", "2"]])) == ["A         B", "1         2"]


def test_an_empty_table_still_has_its_headings(capsys):
    assert shown(capsys, rows=[]) == "NAME      SIZE\n"
    assert shown(capsys, "table", rows=[]) == "NAME      SIZE\n"
    assert shown(capsys, "json", rows=[]) == ""
    assert shown(capsys, "{{.Name}}", rows=[]) == ""


def test_quiet_prints_one_field_unless_a_format_is_given(capsys):
    assert shown(capsys, quiet=True) == "alpine\na-much-longer-name\n"
    assert shown(capsys, "{{.Size}}", quiet=True) == "45.2MB\n7B\n"


def test_json_is_one_exact_object_a_line(capsys):
    lines = shown(capsys, "json").splitlines()
    assert [json.loads(line)["Size"] for line in lines] == [45_230_000, 7]
    assert lines == shown(capsys, "{{json .}}").splitlines()


def test_a_template_is_filled_in_for_every_row(capsys):
    assert shown(capsys, r"{{.Name}}\t{{.Size}}").splitlines()[0] == "alpine\t45.2MB"
    assert shown(capsys, "same") == "same\nsame\n"


def test_a_table_template_has_the_headings_of_its_fields(capsys):
    assert shown(capsys, r"table {{.Name}}\t{{upper .Size}}").splitlines() == [
        "NAME                 SIZE",
        "alpine               45.2MB",
        "a-much-longer-name   7B",
    ]


def test_rows_of_different_lengths_are_still_aligned(capsys):
    form = r"table {{.Name}}{{if eq .Size `7B`}}\t{{.Size}}{{end}}"
    assert shown(capsys, form).splitlines() == ["NAME", "alpine", "a-much-longer-name   7B"]


def test_an_unknown_field_is_a_usage_error_even_without_rows():
    with pytest.raises(UsageError, match=r"\.Nope"):
        LISTING.show(iter([]), Style("{{.Nope}}"))
    with pytest.raises(UsageError, match=r"\.Nope"):
        show_document({"Version": "1"}, Style("{{.Nope}}"), [])


def test_one_document_is_printed_whole_or_by_template(capsys):
    for form, printed in ((None, "a\n"), ("json", '{"A":[1,null]}\n'), ("{{.A}}", "[1 <nil>]\n")):
        show_document({"A": [1, None]}, Style(form), ["a"])
        assert capsys.readouterr().out == printed


def test_control_characters_reach_neither_terminals_nor_json(capsys):
    write(["a\x1b[31m\x07b\x9bc\u202ed\te"])
    out = capsys.readouterr().out
    assert out == "a\\x1b[31m\\x07b\\x9bc\\u202ed\te\n"
    evil = "\x1b\x9b\x7f\u202e\ud800é"
    assert "\x1b" not in to_json(evil)
    assert json.loads(to_json(evil)) == evil
    to_json(evil).encode()
    assert "é" in to_json(evil)


def test_what_a_terminal_can_not_show_is_written_as_an_escape(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    write(["└─ naïve"])
    sys.stdout.flush()
    assert raw.getvalue() == b"\\u2514\\u2500 na\\xefve\n"


def test_texts_are_cut_as_docker_cuts_them():
    assert cut("x" * 45, 45, Style()) == "x" * 45
    assert cut("x" * 46, 45, Style()) == "x" * 44 + "…"
    assert cut("x" * 46, 45, Style(no_trunc=True)) == "x" * 46
    assert one_line("a\tb\nc") == "a b c"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (7, "7B"),
        (999, "999B"),
        (1000, "1kB"),
        (1234, "1.23kB"),
        (45_230_000, "45.2MB"),
        (187_000_000, "187MB"),
        (999_499, "999kB"),
        (999_999, "1MB"),
        (1_073_741_824, "1.07GB"),
        (2**53, "9.01PB"),
        (10**24, "1000000EB"),
    ],
)
def test_sizes_are_in_units_of_a_thousand_with_three_digits(count, text):
    assert human.size(count) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (timedelta(seconds=-5), "Less than a second ago"),
        (timedelta(seconds=0.5), "Less than a second ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(seconds=60), "About a minute ago"),
        (timedelta(minutes=2), "2 minutes ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(minutes=60), "About an hour ago"),
        (timedelta(minutes=91), "2 hours ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=13), "13 days ago"),
        (timedelta(days=14), "2 weeks ago"),
        (timedelta(days=59), "8 weeks ago"),
        (timedelta(days=60), "2 months ago"),
        (timedelta(days=729), "24 months ago"),
        (timedelta(days=730), "2 years ago"),
    ],
)
def test_ages_are_in_dockers_words(time, text):
    assert human.ago(NOW - time, NOW) == text


@pytest.mark.parametrize(
    "text", [None, "", "yesterday", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026"]
)
def test_a_creation_that_is_not_said_is_not_available(text):
    moment = human.parse_created(text)
    assert human.ago(moment, NOW) == "N/A"
    assert human.timestamp(moment) == "N/A"


def test_creation_times_of_every_builder_are_understood():
    for text in (
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00.123456789Z",
        "2026-11-01T14:00:00+02:00",
    ):
        assert human.timestamp(human.parse_created(text)) == "2026-11-01 12:00:00 +0000 UTC"


def test_names_of_the_store_are_shown_short():
    assert human.familiar("docker.io/library/alpine") == "alpine"
    assert human.familiar("127.0.0.1:5000/a/b") == "127.0.0.1:5000/a/b"
