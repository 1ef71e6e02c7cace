"""`killick digest`, `tags`, `manifest` and `inspect --remote`, against a registry that serves."""

import hashlib
import json

import pytest

import images as make
from cli_runner import run
from killick.client import RemoteRegistry
from killick.names import Name, Tag
from killick.platforms import Platform
from local_store import content, keep


@pytest.fixture
def name(host, request):
    """The name of a repository of this test's own in the registry."""
    return f"{host}/team/{request.node.name.split('[')[0]}"


def push(name, tag, build):
    """Put an image into the registry, by the client itself."""
    parsed = Name.parse(name)
    with RemoteRegistry(parsed.domain) as registry:
        repository = registry.repository(parsed.path)
        d = build(repository)
        repository.tag(Tag(tag), d)
        return d


def build(text, **fields):
    return lambda repository: make.image(repository, {"app": text}, Platform.host(), **fields)


def test_digest_is_what_the_registry_says_now(name):
    first = push(name, "1.5", build(b"one"))
    assert run("digest", f"{name}:1.5").out == f"{first.digest}\n"
    second = push(name, "1.5", build(b"two"))
    push(name, "1.6", build(b"one"))
    assert run("digest", f"{name}:1.5", f"{name}:1.6").lines == [
        str(second.digest),
        str(first.digest),
    ]
    assert run("digest", f"{name}@{first.digest}").out == f"{first.digest}\n"


def test_digest_for_a_platform(name):
    d = push(name, "1.5", make.multi_platform)
    listed = json.loads(run("manifest", f"{name}:1.5").raw)["manifests"]
    for platform, child in zip(("linux/amd64", "linux/arm64"), listed, strict=True):
        ran = run("digest", "--platform", platform, f"{name}:1.5")
        assert ran.out == f"{child['digest']}\n"
    assert run("digest", f"{name}:1.5").out == f"{d.digest}\n"
    assert run("digest", "--platform", "linux/s390x", f"{name}:1.5").status == 4
    assert run("digest", "--platform", "a/b/c/d", f"{name}:1.5").status == 2


def test_digest_of_what_is_missing_is_not_found(name):
    d = push(name, "1.5", build(b"one"))
    ran = run("digest", f"{name}:nope", f"{name}:1.5")
    assert ran.status == 4
    assert ran.out == f"{d.digest}\n"
    assert ran.err.count("\n") == 1


def test_digest_of_the_local_tag(name):
    old = keep(build(b"one"), name)
    new = keep(build(b"two"), name)
    assert run("digest", "--local", f"{name}:1.5").out == f"{new.digest}\n"
    assert run("digest", "--local", f"{name}:1.5~1").out == f"{old.digest}\n"


def test_manifest_prints_the_bytes_as_they_are(name):
    d = push(name, "1.5", make.multi_platform)
    raw = run("manifest", f"{name}:1.5").raw
    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == str(d.digest)
    one = run("manifest", "--platform", "linux/arm64", f"{name}:1.5").raw
    assert hashlib.sha256(one).hexdigest() in raw.decode()
    kept = keep(make.multi_platform)
    assert run("manifest", "--local", "golftrack:1.5").raw == content(kept)


def test_an_image_for_another_platform_is_not_printed_in_its_place(name):
    d = push(name, "1.5", build(b"one"))
    own = run("manifest", "--platform", str(Platform.host()), f"{name}:1.5").raw
    assert hashlib.sha256(own).hexdigest() == d.digest.encoded
    for verb in ("manifest", "digest"):
        ran = run(verb, "--platform", "linux/s390x", f"{name}:1.5")
        assert (ran.status, ran.raw) == (4, b"")
        assert "linux/s390x" in ran.err
        assert run(verb, "--platform", "", f"{name}:1.5").status == 2


def test_tags_are_listed_as_the_registry_has_them(name):
    d = push(name, "1.5", build(b"one"))
    push(name, "1.6", build(b"two"))
    assert run("tags", name).lines == ["1.5", "1.6"]
    assert run("tags", "-n", "1", name).lines == ["1.5"]
    heading, row, _ = run("tags", "--digests", name).lines
    assert heading.split() == ["TAG", "DIGEST"]
    assert row.split() == ["1.5", str(d.digest)]
    assert run("tags", "--format", "{{.Tag}}@{{.Digest}}", "-n1", name).lines == [f"1.5@{d.digest}"]
    found = [json.loads(line) for line in run("tags", "--json", name).lines]
    assert [entry["Tag"] for entry in found] == ["1.5", "1.6"]
    assert found[0]["Digest"] is None
    assert run("tags", f"{name}:1.5").status == 2


def test_tags_of_the_store():
    keep(build(b"one"))
    assert run("tags", "--local", "golftrack").lines == ["1.5"]


def test_inspect_asks_the_registry(name):
    d = push(name, "1.5", make.multi_platform)
    (found,) = run("inspect", "--remote", f"{name}:1.5").json
    assert found["Digest"] == str(d.digest)
    assert found["RepoTags"] == [f"{name}:1.5"]
    assert found["RepoDigests"] == [f"{name}@{d.digest}"]
    assert found["Architecture"] == Platform.host().architecture
    assert run("images", "-q").lines == []


def test_a_registry_that_is_not_there_is_unreachable():
    ran = run("digest", "127.0.0.1:1/a")
    assert ran.status == 1
    assert ran.err.count("\n") == 1
