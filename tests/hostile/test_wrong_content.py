"""Content that is not what was asked for."""

import json

import pytest

import images
from hostile.liar import TAG, fails, on, pull, serve, with_body
from killick.digest import Digest
from killick.errors import (
    ContentError,
    DigestMismatch,
    LimitExceeded,
    NotFound,
    ProtocolError,
    Unacceptable,
    UnverifiableDigest,
)
from killick.manifest import DOCKER_SCHEMA_1, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from lying import Reply


def test_without_a_lie_all_is_well(site, target):
    _, error = pull(site, target)
    assert error is None
    assert list(target.tags()) == [TAG]


@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1] + bytes([body[-1] ^ 1]),
        lambda body: b"\0" + body[1:],
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda body: body + body,
        lambda body: b"",
        lambda body: b"x",
    ],
    ids=["last-bit", "first-byte", "short", "long", "twice", "empty", "other"],
)
def test_wrong_bytes(liar, site, target, what, change):
    liar.lie = on(what, with_body(change))
    assert fails(site, DigestMismatch, target=target).exit_status == 6


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_wrong_bytes_with_the_digest_that_they_have(liar, site, target, what):
    def lie(seen, reply):
        body = b"z" * len(reply.body)
        return Reply(200, body, reply.headers | {"Docker-Content-Digest": Digest.of(body)})

    liar.lie = on(what, lie)
    fails(site, DigestMismatch, target=target)


def test_another_image_than_the_head_said(liar, site, target):
    other = images.image(liar.repository("other"))
    raw = liar.repository("other").open(other).read()
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": other.digest}
    liar.lie = on("manifests", lambda seen, reply: Reply(200, raw, headers))
    fails(site, DigestMismatch, target=target)


def test_answers_that_alternate(liar, site, target):
    other = images.image(liar.repository("other"))
    raw = liar.repository("other").open(other).read()
    liar.lie = lambda seen, reply: (
        Reply(200, raw, reply.headers)
        if "/manifests/" in seen.path and next(liar.numbers) % 2
        else None
    )
    fails(site, DigestMismatch, target=target)


@pytest.mark.parametrize(
    "stated",
    [
        "sha256:" + "0" * 64,
        "sha512:" + "0" * 128,
        "sha1:" + "0" * 40,
        "md5:" + "0" * 32,
        "sha256:../../../etc/passwd",
        "sha256:" + "A" * 64,
        "\x7f",
        "x" * 5000,
    ],
)
def test_a_wrong_digest_header(liar, site, target, stated):
    """Either it is not believed, and nothing comes of it; or what it names is not there."""
    liar.lie = lambda seen, reply: (
        Reply(200, reply.body, reply.headers | {"Docker-Content-Digest": stated})
        if "/manifests/1.5" in seen.path
        else None
    )
    _, error = pull(site, target)
    if error is None:
        assert target.resolve(TAG).digest == liar.root.digest
    else:
        assert isinstance(error, NotFound | UnverifiableDigest | DigestMismatch)
        assert not list(target.tags())


def document(liar, **fields):
    """Make the tag point to a manifest with odd `fields`, whatever they are."""
    layer = images.put(liar.repository(), OCI_LAYER, b"layer")
    config = images.put(liar.repository(), "application/vnd.oci.image.config.v1+json", b"{}")
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json()],
    }
    return serve(liar, json.dumps(value | fields).encode())


LAYER = {"mediaType": OCI_LAYER, "digest": str(Digest.of(b"layer")), "size": 5}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"manifests": []}, Unacceptable),
        ({"schemaVersion": 1}, Unacceptable),
        ({"mediaType": OCI_INDEX}, ContentError),
        ({"mediaType": "text/plain"}, Unacceptable),
        ({"layers": [LAYER | {"size": -1}]}, ContentError),
        ({"layers": [LAYER | {"size": 2**60}]}, ContentError),
        ({"layers": [LAYER | {"size": "5"}]}, ContentError),
        ({"layers": [LAYER | {"size": 5.0}]}, ContentError),
        ({"layers": [LAYER | {"digest": "sha256:../../../../etc/passwd"}]}, ContentError),
        ({"layers": [LAYER | {"digest": "sha256:" + "0" * 63}]}, ContentError),
        ({"layers": [LAYER | {"digest": "sha1:" + "0" * 40}]}, (NotFound, UnverifiableDigest)),
        ({"layers": [LAYER | {"size": 4}]}, DigestMismatch),
        ({"layers": [LAYER | {"size": 6}]}, DigestMismatch),
        ({"layers": [LAYER] * 10_001}, LimitExceeded),
        ({"layers": "none"}, ContentError),
        ({"config": None}, ContentError),
    ],
)
def test_odd_documents(liar, site, target, fields, kind):
    document(liar, **fields)
    fails(site, kind, target=target)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"schemaVersion": 2, "schemaVersion": 2, "layers": [], "config": {}}', ContentError),
        (b'{"schemaVersion": 2, "layers": [{"size": NaN}], "config": {}}', ContentError),
        (b"[" * 100_000, LimitExceeded),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, LimitExceeded),
        (b"\xff\xfe", ContentError),
        (b"null", ContentError),
        (b"{}", ContentError),
        (b" " * (4 * 1024 * 1024 + 1), LimitExceeded),
    ],
    ids=["keys-twice", "nan", "deep", "deeper", "not-utf-8", "null", "empty", "large"],
)
def test_odd_json(liar, site, target, raw, kind):
    serve(liar, raw)
    fails(site, kind, target=target)


@pytest.mark.parametrize("media_type", DOCKER_SCHEMA_1)
def test_schema_1(liar, site, target, media_type):
    serve(liar, b'{"schemaVersion": 1, "name": "a/b"}', media_type)
    assert "schema 1" in str(fails(site, Unacceptable, target=target))


@pytest.mark.parametrize("media_type", ["text/html", "text/html; charset=utf-8", "image/png"])
def test_a_page_instead_of_a_manifest(liar, site, target, media_type):
    serve(liar, b"<html><title>Please log in</title></html>", media_type)
    assert "not of a registry" in str(fails(site, ProtocolError, target=target))


@pytest.mark.parametrize(
    "media_type", [OCI_INDEX, "application/vnd.docker.distribution.manifest.v2+json"]
)
def test_the_type_of_another_document(liar, site, target, media_type):
    raw = liar.repository().open(liar.root).read()
    child = json.loads(raw)["manifests"][0]
    raw = liar.repository().open(Descriptor.from_json(child)).read()
    serve(liar, raw, media_type)
    fails(site, ContentError, target=target)
