"""For all inputs: an OpenVEX document is read, or refused by an error of Killick's own."""

import contextlib
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from killick.digest import Digest
from killick.errors import KillickError
from killick.names import Name
from killick.openvex import JUSTIFICATIONS, STATUSES, Say, compose, parse

NAME = Name.parse("registry.example/a/b")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
FIELDS = st.sampled_from(
    [
        *("@context", "@id", "author", "timestamp", "version", "statements", "vulnerability"),
        *("name", "products", "status", "hashes", "sha-256", "identifiers", "purl", "aliases"),
        "x",
    ]
)
VALUES = st.recursive(
    LEAVES | st.sampled_from([*STATUSES, "2026-11-01T12:00:00Z", "https://openvex.dev/ns"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=20,
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=50)
NOTES = TEXTS.filter(lambda text: text.strip())
DIGESTS = st.binary(max_size=4).map(Digest.of)


@given(VALUES)
def test_any_json_is_read_or_refused(value):
    with contextlib.suppress(KillickError):
        parse(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(st.data())
def test_a_document_with_one_part_replaced_is_read_or_refused(data):
    vex = compose("CVE-2026-1", [Say(NAME, Digest.of(b""), "affected")], "a", _time(0))
    fields = json.loads(vex.raw)
    place = fields
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else [0]))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(VALUES)
    with contextlib.suppress(KillickError):
        parse(json.dumps(fields).encode("utf-8", "surrogatepass"))


@given(NOTES, DIGESTS, st.sampled_from(STATUSES), NOTES, st.sampled_from(JUSTIFICATIONS))
def test_what_is_composed_is_read_back(name, digest, status, note, justification):
    reason = justification if status == "not_affected" else None
    vex = compose(name[:256], [Say(NAME, digest, status, note, reason)], "ana", _time(5))
    (said,) = parse(vex.raw).statements
    assert said.products == (digest,)
    assert (said.status, said.note, said.justification) == (status, note, reason)
    assert (said.vulnerability, said.time) == (name[:256], _time(5))


def _time(seconds):
    return datetime(2026, 11, 1, 0, 0, seconds, tzinfo=UTC)
