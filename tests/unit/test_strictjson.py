"""JSON from outside: one reading of every document, or none."""

import json

import pytest

from killick import strictjson
from killick.errors import ContentError, LimitExceeded


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "true",
        "[]",
        "{}",
        '{"a": {"a": [1, 2.5, -3e2, "x", null]}}',
        '"\\u00e9\\ud83d\\ude00"',
        ' \n\t{"a":1} ',
        '{"[[[[": "]]]]", "\\"[": "{{{{"}',
        "12345678901234567890123",
    ],
)
def test_valid_documents_read_as_everywhere(text):
    assert strictjson.loads(text.encode(), "it") == json.loads(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b"{'a': 1}",
        b"{} {}",
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "b": 2, "a": 3}}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"\xff",
        b'"\xc3"',
        b"\xef\xbb\xbf{}",
        '"\u00e9"'.encode("latin-1"),
        "{}".encode("utf-16"),
        b'"\x01"',
        b"01",
        b"1" * 5000,
        b'"\\ud800"',
        b'{"a": "x\\udfffx"}',
        b"1e999",
    ],
)
def test_everything_else_is_refused(data):
    with pytest.raises(ContentError, match="it is not valid JSON"):
        strictjson.loads(data, "it")


@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
def test_depth_is_limited(brackets):
    opening, closing = brackets[:-1], brackets[-1]
    most = strictjson.MOST_DEPTH
    inner = "1" if brackets != "[]" else ""
    right = (opening * most + inner + closing * most).encode()
    assert strictjson.loads(right, "it") == json.loads(right)
    wrong = (opening * (most + 1) + inner + closing * (most + 1)).encode()
    with pytest.raises(LimitExceeded, match="it is nested deeper"):
        strictjson.loads(wrong, "it")


def test_a_bottomless_document_is_refused_quickly():
    with pytest.raises(LimitExceeded):
        strictjson.loads(b"[" * 4_000_000, "it")


def test_wide_documents_are_not_deep():
    wide = json.dumps([[{}] for _ in range(5000)]).encode()
    assert len(strictjson.loads(wide, "it")) == 5000


def test_brackets_in_strings_do_not_nest():
    text = json.dumps(["[" * 1000, '\\"[[[' * 100, "{" * 100])
    assert strictjson.loads(text.encode(), "it") == json.loads(text)


def test_canonical_json_has_one_form():
    assert strictjson.compact({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}'.encode()
