"""Documents from outside: accepted, or refused as bad content; never anything else."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from killick import strictjson
from killick.errors import ContentError, KillickError, LimitExceeded, PlatformUnknown
from killick.layout.entries import IMAGE_NAME, REF_NAME, Entries
from killick.layout.moves import from_lines
from killick.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Config,
    Descriptor,
    Index,
    Manifest,
    parse_document,
)
from killick.names import Tag
from killick.platforms import Platform
from property.grammars import documents, json_values

TYPES = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST, OCI_CONFIG]
anything = documents(TYPES)
descriptors = st.fixed_dictionaries(
    {
        "mediaType": st.sampled_from(TYPES),
        "digest": st.sampled_from(["sha256:" + c * 64 for c in "01"]),
        "size": st.integers(0, 2**53 - 1),
    },
    optional={
        "annotations": st.dictionaries(
            st.sampled_from([REF_NAME, IMAGE_NAME, "x"]),
            st.sampled_from(["1.5", "latest", "a.example/b:1", "b", "x y", "", "c@{now}", "d~1"])
            | st.text(max_size=9),
        ),
        "extra": json_values,
    },
)
odd_descriptors = st.builds(lambda d, p: d | {"platform": p}, descriptors, anything)
manifests = st.fixed_dictionaries(
    {"schemaVersion": st.just(2)},
    optional={
        "mediaType": st.sampled_from(TYPES) | anything,
        "config": descriptors | anything,
        "layers": st.lists(descriptors, max_size=3) | anything,
        "manifests": st.lists(descriptors, max_size=3) | anything,
        "subject": descriptors | anything,
        "annotations": anything,
        "artifactType": anything,
    },
)


@given(st.binary(max_size=100) | json_values.map(lambda v: json.dumps(v).encode()))
def test_json_is_read_as_everywhere_or_refused(data):
    try:
        found = strictjson.loads(data, "it")
    except ContentError:
        return
    assert found == json.loads(data)
    assert json.loads(strictjson.compact(found)) == found


@given(json_values)
def test_proper_json_is_accepted(value):
    with contextlib.suppress(LimitExceeded):
        assert strictjson.loads(json.dumps(value).encode(), "it") == value


@given(manifests | anything, st.none() | st.sampled_from(TYPES) | st.text(max_size=10))
def test_manifests_and_indexes(value, stated):
    raw = json.dumps(value).encode()
    try:
        found = parse_document(raw, stated)
    except ContentError as error:
        assert error.side == "remote"
        return
    assert found.raw == raw
    assert found.media_type in TYPES[:4]
    assert isinstance(found, Index if found.descriptor.is_index else Manifest)
    assert all(isinstance(child, Descriptor) for child in found.children())
    for view in ("subject", "annotations", "artifact_type"):
        with contextlib.suppress(ContentError):
            getattr(found, view)
    if isinstance(found, Index):
        with contextlib.suppress(PlatformUnknown):
            found.select(Platform("linux", "amd64"))


@given(descriptors | odd_descriptors | anything)
def test_descriptors_come_and_go_the_same(value):
    try:
        found = Descriptor.from_json(value)
    except ContentError:
        return
    assert Descriptor.from_json(found.to_json()) == found


@given(anything)
def test_configs(value):
    try:
        found = Config.parse(json.dumps(value).encode())
    except ContentError:
        return
    for view in ("platform", "created", "diff_ids", "history", "labels"):
        with contextlib.suppress(ContentError):
            getattr(found, view)


@given(
    st.fixed_dictionaries(
        {"schemaVersion": st.just(2), "manifests": st.lists(descriptors, max_size=5)}
    )
    | manifests
    | anything
)
def test_the_index_of_a_layout(value):
    try:
        entries = Entries.parse(json.dumps(value).encode())
    except ContentError as error:
        assert error.side == "file"
        return
    again = Entries.parse(entries.to_bytes())
    assert again.entries == entries.entries
    for repository in ("", *entries.repositories("")):
        for tag in entries.tags(repository, ""):
            try:
                without = entries.without_tag(repository, tag)
            except KillickError as error:
                assert error.code == "conflict"
            else:
                assert digests(without) == digests(entries)


def digests(entries):
    return {e.descriptor.digest for e in entries.entries}


@given(
    st.lists(descriptors, max_size=5),
    st.lists(
        st.tuples(
            st.sampled_from(["", "a.example/b"]),
            st.sampled_from(["1", "2"]),
            st.sampled_from("01"),
        ),
        max_size=6,
    ),
)
def test_tags_of_a_layout_are_what_they_were_set_to_last(listed, steps):
    entries = Entries.parse(json.dumps({"schemaVersion": 2, "manifests": listed}).encode())
    before = digests(entries)
    expected = {}
    for repository, tag, digit in steps:
        d = Descriptor.from_json(
            {"mediaType": OCI_MANIFEST, "digest": "sha256:" + digit * 64, "size": 1}
        )
        entries = entries.with_tag(repository, Tag(tag), d)
        expected[repository, tag] = d.digest
    for (repository, tag), digest in expected.items():
        assert entries.resolve(repository, Tag(tag)).digest == digest
    assert digests(entries) >= before
    assert Entries.parse(entries.to_bytes()).entries == entries.entries


@given(
    st.binary(max_size=200)
    | st.lists(anything, max_size=3).map(
        lambda values: b"\n".join(json.dumps(v).encode() for v in values)
    )
)
def test_the_ledger_of_an_archive(raw):
    try:
        list(from_lines(raw))
    except ContentError as error:
        assert error.side == "file"
