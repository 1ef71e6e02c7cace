"""The headers that client and server share: Link and WWW-Authenticate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killick.wire.challenge import Challenge, parse_challenges
from killick.wire.links import link_to_next, next_page


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ('</v2/a/tags/list?n=2&last=b>; rel="next"', "/v2/a/tags/list?n=2&last=b"),
        ("<x>; rel=next", "x"),
        ('<x>; title="a, b"; rel="prev next"', "x"),
        ('<p>; rel="prev", <n>; rel="next"', "n"),
        ('<p>; rel="prev"', None),
        ("", None),
        (None, None),
        ("nonsense", None),
        ('<unclosed; rel="next"', None),
        ("<x>; rel=next" + " " * 20_000, None),
    ],
)
def test_the_next_page_is_found(value, target):
    assert next_page(value) == target


def test_what_is_written_is_read():
    assert next_page(link_to_next("/v2/a/tags/list?last=b")) == "/v2/a/tags/list?last=b"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Basic", [Challenge("basic", {})]),
        ('Basic realm="a b"', [Challenge("basic", {"realm": "a b"})]),
        (
            'Bearer realm="https://a/t",service="r",scope="repository:a:pull,push"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://a/t", "service": "r", "scope": "repository:a:pull,push"},
                )
            ],
        ),
        (
            'Negotiate, Basic realm="x", BEARER realm=y',
            [
                Challenge("negotiate", {}),
                Challenge("basic", {"realm": "x"}),
                Challenge("bearer", {"realm": "y"}),
            ],
        ),
        (
            'Negotiate YWJj==, Basic realm="x"',
            [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})],
        ),
        (r'Basic realm="a\"b\\c"', [Challenge("basic", {"realm": 'a"b\\c'})]),
        ('Basic realm="a", realm="b"', [Challenge("basic", {"realm": "a"})]),
        ("", []),
        ('="', []),
        ('Bearer realm="never closed', [Challenge("bearer", {})]),
        ("Basic " + "x" * 20_000, []),
    ],
)
def test_challenges_are_taken_apart(value, expected):
    found = parse_challenges([value])
    assert found[: len(expected)] == expected
    assert len(found) == len(expected) or "never" in value


def test_headers_add_up_and_are_bounded():
    assert [c.scheme for c in parse_challenges(["Basic", "Bearer realm=x"])] == ["basic", "bearer"]
    assert len(parse_challenges(["Basic, " * 100])) == 16
    many = ",".join(f"p{i}=v" for i in range(1000))
    assert len(parse_challenges([f"Basic {many}"])[0].parameters) == 32


@given(st.text(max_size=300))
def test_any_text_ends(text):
    parse_challenges([text])
    next_page(text)


@given(st.dictionaries(st.sampled_from(["realm", "service", "error"]), st.text(max_size=40)))
def test_what_is_printed_is_read_and_cannot_break_out(parameters):
    printed = str(Challenge("bearer", parameters))
    assert "\n" not in printed
    assert "\r" not in printed
    [found] = parse_challenges([printed])
    plain = {k: "".join(c for c in v if c.isprintable()) for k, v in parameters.items()}
    assert found == Challenge("bearer", plain)
