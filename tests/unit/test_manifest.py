"""Documents: what is accepted, what is refused, and what is read in them."""

import base64
import json

import pytest

import images
from killick.digest import Digest
from killick.errors import (
    ContentError,
    DigestMismatch,
    LimitExceeded,
    PlatformUnknown,
    Unacceptable,
)
from killick.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA_1,
    MOST_CHILDREN,
    MOST_CONFIG_BYTES,
    MOST_DOCUMENT_BYTES,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Config,
    Descriptor,
    Index,
    Manifest,
    parse_document,
)
from killick.memory import MemoryRegistry
from killick.platforms import Platform

D = {"mediaType": OCI_CONFIG, "digest": "sha256:" + "1" * 64, "size": 3}
MANIFEST = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": D, "layers": [D]}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [D]}


def parse(value, media_type=None):
    return parse_document(json.dumps(value).encode(), media_type)


class TestDescriptor:
    def test_all_fields_come_and_go(self):
        value = D | {
            "urls": ["https://example.com/x"],
            "annotations": {"a": "b"},
            "platform": {"architecture": "amd64", "os": "linux"},
            "artifactType": "a/b",
            "future": {"kept": [1]},
        }
        found = Descriptor.from_json(value)
        assert found.to_json() == value
        assert found.platform == Platform("linux", "amd64")
        assert found.extra == {"future": {"kept": [1]}}
        assert found.plain().to_json() == D

    def test_embedded_data_is_checked(self):
        right = Descriptor.of("a/b", b"hello")
        value = right.to_json() | {"data": base64.b64encode(b"hello").decode()}
        found = Descriptor.from_json(value)
        assert found.data == b"hello"
        assert found.to_json() == value
        with pytest.raises(DigestMismatch):
            Descriptor.from_json(value | {"data": base64.b64encode(b"hellO").decode()})

    def test_data_under_an_unknown_algorithm_is_not_believed(self):
        value = {"mediaType": "a/b", "digest": "blake3:00", "size": 5, "data": "aGVsbG8="}
        assert Descriptor.from_json(value).data is None

    @pytest.mark.parametrize(
        "change",
        [
            {"size": -1},
            {"size": 2**53},
            {"size": 1.0},
            {"size": True},
            {"size": "3"},
            {"size": None},
            {"digest": "sha256:1"},
            {"digest": None},
            {"digest": 1},
            {"mediaType": ""},
            {"mediaType": None},
            {"mediaType": "x" * 1025},
            {"platform": "linux"},
            {"annotations": []},
            {"annotations": {"a": 1}},
            {"urls": "https://example.com"},
            {"urls": [1]},
            {"data": "!"},
            {"data": 1},
            {"data": "é"},
        ],
    )
    def test_what_is_no_descriptor(self, change):
        with pytest.raises(ContentError, match="the thing"):
            Descriptor.from_json(D | change, "the thing")

    @pytest.mark.parametrize("value", [None, [], "x", 1])
    def test_what_is_no_object(self, value):
        with pytest.raises(ContentError):
            Descriptor.from_json(value)

    def test_absent_and_null_parts_are_the_same(self):
        nulls = {"urls": None, "annotations": None, "platform": None, "data": None}
        assert Descriptor.from_json(D | nulls) == Descriptor.from_json(D)

    def test_kinds(self):
        kinds = {
            t: Descriptor.of(t, b"") for t in (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, OCI_LAYER)
        }
        assert [d.is_index for d in kinds.values()] == [True, True, False, False]
        assert [d.is_document for d in kinds.values()] == [True, True, True, False]

    @pytest.mark.parametrize(
        "media_type",
        [
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ],
    )
    def test_foreign_layers(self, media_type):
        assert Descriptor.of(media_type, b"").is_foreign
        assert not Descriptor.of(OCI_LAYER, b"").is_foreign

    def test_descriptors_are_values(self):
        one, other = Descriptor.from_json(D), Descriptor.from_json(dict(D))
        assert one == other
        assert len({one, other}) == 1
        # annotations don't take part in the hash, but in equality
        more = Descriptor.from_json(D | {"annotations": {"a": "b"}})
        assert more != one
        assert hash(more) == hash(one)


class TestDocuments:
    def test_a_manifest(self):
        raw = json.dumps(MANIFEST, indent=3).encode()
        found = parse_document(raw, OCI_MANIFEST)
        assert isinstance(found, Manifest)
        assert found.raw == raw
        assert found.digest == Digest.of(raw)
        assert found.media_type == OCI_MANIFEST
        assert found.children() == (found.config, *found.layers)
        assert found.is_image
        assert found.subject is None
        assert found.annotations == {}

    def test_an_index(self):
        found = parse(INDEX | {"annotations": {"a": "b"}, "artifactType": "a/b"})
        assert isinstance(found, Index)
        assert found.children() == found.manifests
        assert found.annotations == {"a": "b"}
        assert found.artifact_type == "a/b"
        assert parse(INDEX).artifact_type is None

    @pytest.mark.parametrize(
        ("value", "stated", "expected"),
        [
            (MANIFEST, None, OCI_MANIFEST),
            (INDEX, None, OCI_INDEX),
            (MANIFEST, OCI_MANIFEST, OCI_MANIFEST),
            (MANIFEST, f"{OCI_MANIFEST}; charset=utf-8", OCI_MANIFEST),
            (MANIFEST, OCI_MANIFEST.upper(), OCI_MANIFEST),
            (MANIFEST, "application/json", OCI_MANIFEST),
            (MANIFEST, "text/plain", OCI_MANIFEST),
            (MANIFEST | {"mediaType": DOCKER_MANIFEST}, None, DOCKER_MANIFEST),
            (INDEX | {"mediaType": DOCKER_LIST}, DOCKER_LIST, DOCKER_LIST),
        ],
    )
    def test_the_type_of_a_document(self, value, stated, expected):
        assert parse(value, stated).media_type == expected

    @pytest.mark.parametrize(
        ("value", "stated", "expected"),
        [
            (MANIFEST, None, OCI_MANIFEST),
            (MANIFEST, DOCKER_MANIFEST, DOCKER_MANIFEST),
            (INDEX, None, OCI_INDEX),
            (INDEX, DOCKER_LIST, DOCKER_LIST),
        ],
    )
    def test_a_document_need_not_name_its_type(self, value, stated, expected):
        unnamed = {k: v for k, v in value.items() if k != "mediaType"}
        assert parse(unnamed, stated).media_type == expected

    @pytest.mark.parametrize(
        ("value", "stated"),
        [
            (MANIFEST | {"manifests": []}, None),  # CVE-2021-41190
            (INDEX | {"layers": []}, None),
            (INDEX | {"config": D}, None),
            (MANIFEST | {"mediaType": "application/json"}, None),
            (MANIFEST | {"mediaType": ""}, None),
            (MANIFEST | {"mediaType": 1}, None),
            (MANIFEST | {"mediaType": []}, None),
            (MANIFEST | {"mediaType": {}}, None),
            (MANIFEST, DOCKER_SCHEMA_1[0]),
            (MANIFEST | {"mediaType": DOCKER_SCHEMA_1[1]}, None),
            ({"schemaVersion": 1, "fsLayers": []}, None),
            ({"schemaVersion": 1}, OCI_MANIFEST),
        ],
    )
    def test_what_is_recognised_and_refused(self, value, stated):
        with pytest.raises(Unacceptable):
            parse(value, stated)

    @pytest.mark.parametrize(
        ("value", "stated"),
        [
            (None, None),
            ([], None),
            ({}, None),
            ({"schemaVersion": 2}, None),
            ({"schemaVersion": "2", "manifests": []}, None),
            (MANIFEST | {"schemaVersion": 3}, None),
            (MANIFEST, OCI_INDEX),
            (MANIFEST, DOCKER_MANIFEST),
            (INDEX, OCI_MANIFEST),
            (MANIFEST | {"mediaType": OCI_INDEX}, None),
            (INDEX | {"mediaType": OCI_MANIFEST}, None),
            (MANIFEST | {"config": None}, None),
            (MANIFEST | {"layers": None}, None),
            (MANIFEST | {"layers": {}}, None),
            (MANIFEST | {"layers": [1]}, None),
            (INDEX | {"manifests": "x"}, None),
        ],
    )
    def test_what_is_no_document(self, value, stated):
        with pytest.raises(ContentError):
            parse(value, stated)

    def test_a_bad_subject_or_annotation_is_found_when_it_is_read(self):
        assert parse(MANIFEST | {"subject": D}).subject == Descriptor.from_json(D)
        with pytest.raises(ContentError):
            _ = parse(MANIFEST | {"subject": {"size": 1}}).subject
        with pytest.raises(ContentError):
            _ = parse(MANIFEST | {"annotations": {"a": None}}).annotations

    def test_limits(self):
        with pytest.raises(LimitExceeded):
            parse_document(b" " * (MOST_DOCUMENT_BYTES + 1))
        small = {"mediaType": "a", "digest": "a:b", "size": 1}
        assert (
            len(parse(INDEX | {"manifests": [small] * MOST_CHILDREN}).children()) == MOST_CHILDREN
        )
        with pytest.raises(LimitExceeded):
            parse(INDEX | {"manifests": [small] * (MOST_CHILDREN + 1)})
        with pytest.raises(LimitExceeded):
            parse_document(b'{"a":' * 100 + b"1" + b"}" * 100)

    @pytest.mark.parametrize(
        ("fields", "config_type", "expected", "image"),
        [
            ({}, OCI_CONFIG, None, True),
            ({"artifactType": "a/b"}, OCI_CONFIG, "a/b", True),
            ({"artifactType": "a/b"}, OCI_EMPTY, "a/b", False),
            ({}, "application/vnd.cncf.helm.config.v1+json", None, False),
            ({"artifactType": ""}, "x/y", None, False),
            ({"artifactType": 1}, "x/y", None, False),
        ],
    )
    def test_kinds_of_artifacts(self, fields, config_type, expected, image):
        found = parse(MANIFEST | fields | {"config": D | {"mediaType": config_type}})
        assert found.artifact_type == (expected or (None if image else config_type))
        assert found.is_image is image

    def test_as_a_referrer(self):
        found = parse(MANIFEST | {"subject": D, "annotations": {"a": "b"}}).as_referrer()
        assert (found.artifact_type, found.annotations) == (OCI_CONFIG, {"a": "b"})
        stated = parse(MANIFEST | {"subject": D, "artifactType": "a/b"}).as_referrer()
        assert stated.artifact_type == "a/b"
        assert parse(INDEX | {"subject": D}).as_referrer().artifact_type is None


class TestSelection:
    @pytest.fixture
    def index(self):
        repository = MemoryRegistry().repository("x")
        return repository._document(images.multi_platform(repository).digest)

    def test_the_child_for_a_platform(self, index):
        assert index.select(images.ARM64).platform == images.ARM64
        assert index.select(Platform.parse("linux/amd64/v3")).platform == images.AMD64

    def test_what_is_not_there_is_answered_with_what_is(self, index):
        with pytest.raises(PlatformUnknown) as caught:
            index.select(Platform("plan9", "mips"))
        assert caught.value.hint == "it has linux/amd64, linux/arm64"

    def test_attestations_are_no_platforms(self):
        unknown = D | {"platform": {"os": "unknown", "architecture": "unknown"}}
        with pytest.raises(PlatformUnknown) as caught:
            parse(INDEX | {"manifests": [unknown, D]}).select(images.AMD64)
        assert caught.value.hint == "it names no platforms"


class TestConfig:
    def test_what_a_config_says(self):
        found = Config.parse(
            json.dumps(
                {
                    "architecture": "arm64",
                    "os": "linux",
                    "created": "2026-11-01T12:00:00Z",
                    "config": {"Labels": {"a": "b", "c": 1}},
                    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
                    "history": [{"created_by": "x"}, 1],
                }
            ).encode()
        )
        assert found.platform == images.ARM64
        assert found.created == "2026-11-01T12:00:00Z"
        assert found.diff_ids == (Digest("sha256", "1" * 64),)
        assert found.history == ({"created_by": "x"},)
        assert found.labels == {"a": "b"}

    @pytest.mark.parametrize(
        "text",
        [
            "{}",
            '{"created": 1, "rootfs": [], "history": {}, "config": null}',
            '{"rootfs": {}, "config": {"Labels": null}}',
            '{"rootfs": {"type": "layers", "diff_ids": null}}',
        ],
    )
    def test_what_it_does_not_say_is_absent(self, text):
        found = Config.parse(text.encode())
        assert (found.created, found.diff_ids, found.history, found.labels) == (None, (), (), {})

    @pytest.mark.parametrize("ids", [["x"], [1], [None], "sha256", {"a": 1}, 5])
    def test_bad_diff_ids_are_refused(self, ids):
        found = Config.parse(json.dumps({"rootfs": {"diff_ids": ids}}).encode())
        with pytest.raises(ContentError):
            _ = found.diff_ids

    @pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b'"x"'])
    def test_what_is_no_config(self, raw):
        with pytest.raises(ContentError):
            Config.parse(raw)

    def test_a_config_has_a_limit(self):
        with pytest.raises(LimitExceeded):
            Config.parse(b" " * (MOST_CONFIG_BYTES + 1))
