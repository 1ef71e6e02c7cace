import time

import pytest

from killick.wire.ranges import ContentRange, content_range, held, parse_content_range, requested


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", range(4)),
        ("bytes=4-", range(4, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-99", range(10)),
        ("bytes=8-99", range(8, 10)),
        ("BYTES = 0-0", range(1)),
        (None, None),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=٣-", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_requested_range(header, expected):
    assert requested(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99-"])
def test_range_that_cannot_be_satisfied_is_empty(header):
    part = requested(header, 10)
    assert part is not None
    assert not part
    assert content_range(part, 10) == "bytes */10"


def test_any_range_of_empty_content_is_unsatisfiable():
    assert not requested("bytes=0-", 0)
    assert not requested("bytes=-1", 0)


def test_content_range_of_an_answer():
    assert content_range(range(2, 5), 10) == "bytes 2-4/10"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes 0-4/10", ContentRange(0, 5, 10)),
        ("bytes 0-4/*", ContentRange(0, 5, None)),
        ("0-4", ContentRange(0, 5, None)),
        ("0-4/10", ContentRange(0, 5, 10)),
        ("bytes 0-4", ContentRange(0, 5, None)),
        ("5-4", None),
        ("bytes */10", None),
        ("bytes 0-10/10", None),
        ("lines 0-4", None),
        ("", None),
        ("4", None),
        ("-4", None),
    ],
)
def test_parse_content_range(header, expected):
    assert parse_content_range(header) == expected


def test_held():
    assert held(0) == "0-0"
    assert held(1) == "0-0"
    assert held(10) == "0-9"


def test_long_headers_take_linear_time():
    started = time.perf_counter()
    for text in (
        "bytes=" + "0-1," * 250_000,
        "bytes=" + "-" * 1_000_000,
        "bytes=" + "1" * 1_000_000,
    ):
        assert requested(text, 10) is None
        assert parse_content_range(text) is None
    assert time.perf_counter() - started < 2
