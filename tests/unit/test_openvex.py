"""OpenVEX documents: read strictly, written so that others can read them."""

import json
from datetime import UTC, datetime

import pytest

from killick import openvex
from killick.digest import Digest
from killick.errors import ContentError, LimitExceeded
from killick.names import Name
from killick.openvex import Say, compose, parse, reading

OLD, NEW = Digest.of(b"old"), Digest.of(b"new")
NAME = Name.parse("registry.example/team/golftrack")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def purl(digest, extra=""):
    return f"pkg:oci/golftrack@sha256%3A{digest.encoded}{extra}"


def document(**changes):
    statement = {
        "vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-x"]},
        "products": [{"@id": purl(OLD, "?repository_url=registry.example/team/golftrack")}],
        "status": "affected",
        "action_statement": "Take the fix.",
    }
    statement |= changes.pop("statement", {})
    for key in [k for k, v in statement.items() if v is None]:
        del statement[key]
    fields = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://openvex.dev/docs/example/1",
        "author": "Ana",
        "timestamp": "2026-11-01T12:00:00Z",
        "version": 1,
        "statements": [statement],
    } | changes
    for key in [k for k, v in fields.items() if v is None]:
        del fields[key]
    return json.dumps(fields).encode()


def test_a_document_is_read():
    vex = parse(document())
    (said,) = vex.statements
    assert (vex.identifier, vex.author, vex.version) == (
        "https://openvex.dev/docs/example/1",
        "Ana",
        1,
    )
    assert said.names == {"CVE-2026-1", "GHSA-x"}
    assert (said.status, said.products, said.note) == ("affected", (OLD,), "Take the fix.")
    assert said.time == vex.time == NOW


@pytest.mark.parametrize(
    "product",
    [
        {"@id": purl(OLD)},
        {"@id": "https://example.org/x", "identifiers": {"purl": purl(OLD)}},
        {"@id": purl(OLD), "hashes": {"sha-256": OLD.encoded}},
        {"hashes": {"sha-256": OLD.encoded}},
        {"@id": purl(OLD), "subcomponents": [{"@id": "pkg:deb/debian/openssl@3"}]},
    ],
)
def test_an_image_is_named_by_its_digest(product):
    assert parse(document(statement={"products": [product]})).statements[0].products == (OLD,)


@pytest.mark.parametrize(
    "product",
    [
        {"@id": "pkg:deb/debian/openssl@3"},
        {"@id": "pkg:maven/a/b@1", "hashes": {"sha-256": OLD.encoded}},
        {"@id": "pkg:oci/golftrack@1.5"},
        {"hashes": {"md5": "d41d8cd98f00b204e9800998ecf8427e"}},
        {},
    ],
)
def test_other_products_are_passed_over(product):
    assert parse(document(statement={"products": [product]})).statements[0].products == ()


def test_two_digests_name_no_image():
    product = {"@id": purl(OLD), "hashes": {"sha-256": NEW.encoded}}
    with pytest.raises(ContentError, match="two digests"):
        parse(document(statement={"products": [product]}))


def test_without_products_it_is_about_what_it_is_attached_to():
    raw = document(statement={"products": None})
    assert parse(raw).statements[0].products == ()
    assert parse(raw, NEW).statements[0].products == (NEW,)
    assert parse(document(), NEW).statements[0].products == (OLD,)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01T12:00:00Z", NOW),
        ("2026-11-01T06:00:00.123456789-06:00", NOW.replace(microsecond=123456)),
        ("2026-11-01t12:00:00z", NOW),
    ],
)
def test_times_are_rfc_3339(text, moment):
    assert parse(document(timestamp=text)).time == moment


def test_a_statement_may_have_a_time_of_its_own():
    vex = parse(document(statement={"timestamp": "2026-10-01T00:00:00Z"}))
    assert vex.statements[0].time == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        document(**{"@context": "https://example.org"}),
        document(**{"@id": None}),
        document(author=" "),
        document(version=0),
        document(version=True),
        document(version="1"),
        document(timestamp="yesterday"),
        document(timestamp="2026-11-01"),
        document(timestamp=None),
        document(statements=[]),
        document(statements={}),
        document(extra=1),
        document(statement={"status": "bad"}),
        document(statement={"status": ["affected"]}),
        document(statement={"vulnerability": "CVE-2026-1"}),
        document(statement={"vulnerability": {}}),
        document(statement={"vulnerability": {"name": "x", "aliases": [1]}}),
        document(statement={"products": {"a": 1}}),
        document(statement={"products": [purl(OLD)]}),
        document(statement={"products": [{"@id": 7}]}),
        document(statement={"products": [{"hashes": {"sha-256": "zz"}}]}),
        document(statement={"action_statement": None}),
        document(statement={"status": "not_affected", "action_statement": None}),
        document(statement={"status": "not_affected", "justification": "because"}),
        document(statement={"unheard_of": 1}),
    ],
)
def test_what_is_no_openvex_is_refused(raw):
    with pytest.raises(ContentError):
        parse(raw)


def test_sizes_are_bounded(monkeypatch):
    with pytest.raises(LimitExceeded):
        parse(b" " * (openvex.MOST_BYTES + 1))
    with pytest.raises(LimitExceeded):
        parse(document(author="a" * (openvex.MOST_CHARACTERS + 1)))
    with pytest.raises(LimitExceeded):
        parse(document(statement={"vulnerability": {"name": "x" * 300}}))
    monkeypatch.setattr(reading, "MOST_STATEMENTS", 1)
    statements = json.loads(document())["statements"]
    with pytest.raises(LimitExceeded):
        parse(document(statements=statements * 2))
    monkeypatch.setattr(reading, "MOST_STATEMENTS", 2)
    monkeypatch.setattr(reading, "MOST_PRODUCTS", 1)
    with pytest.raises(LimitExceeded):
        parse(document(statements=statements * 2))


def test_what_is_composed_says_what_was_said():
    vex = compose(
        "CVE-2026-1", [Say(NAME, OLD, "affected"), Say(NAME, NEW, "fixed")], "ana@web1", NOW
    )
    assert [(s.status, s.products, s.vulnerability) for s in vex.statements] == [
        ("affected", (OLD,), "CVE-2026-1"),
        ("fixed", (NEW,), "CVE-2026-1"),
    ]
    fields = json.loads(vex.raw)
    assert fields["statements"][0]["products"][0]["@id"] == (
        f"pkg:oci/golftrack@sha256%3A{OLD.encoded}"
        "?repository_url=registry.example%2Fteam%2Fgolftrack"
    )
    assert fields["statements"][0]["action_statement"]
    again = compose("CVE-2026-1", [Say(NAME, OLD, "affected")], "ana@web1", NOW)
    assert again.identifier != vex.identifier


def test_not_affected_is_composed_with_its_reason():
    said = [Say(NAME, OLD, "not_affected", "No strokes.", "vulnerable_code_not_present")]
    (statement,) = compose("CVE-2026-1", said, "ana", NOW).statements
    assert (statement.justification, statement.note) == (
        "vulnerable_code_not_present",
        "No strokes.",
    )
