"""A remote registry over a real socket: an honest one, so that the protocol is what is tested."""

import io
import json
import threading

import pytest

import images
from killick.client import Access, RemoteRegistry
from killick.digest import Digest
from killick.errors import (
    BlobUnknown,
    ContentError,
    Denied,
    DigestMismatch,
    LimitExceeded,
    ManifestUnknown,
    NameUnknown,
    ProtocolError,
    RateLimited,
    TagUnknown,
    Unauthorized,
    Unreachable,
    Unsupported,
    UsageError,
)
from killick.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import Deletable, Knowing, Mountable, Referrers, Repository
from killick.transfer import Options, copy, fetch
from lying import Honest, Reply, Site, refused

QUICK = Access(timeout=2.0, attempts=3, patience=2.0)


@pytest.fixture
def honest():
    return Honest()


@pytest.fixture
def site(honest):
    with Site(honest) as site:
        yield site


@pytest.fixture
def registry(site):
    with RemoteRegistry(site.domain, QUICK) as registry:
        yield registry


@pytest.fixture
def remote(registry):
    return registry.repository("a/b")


@pytest.fixture
def memory():
    return MemoryRegistry().repository("m")


def targets(site, method=None):
    return [s.target for s in site.seen if method in (None, s.method)]


def test_it_has_the_roles(remote):
    for role in (Repository, Mountable, Deletable, Referrers, Knowing):
        assert isinstance(remote, role)


def test_an_image_goes_there_and_back(memory, remote, honest):
    root = images.multi_platform(memory)
    copy(memory, remote, root, Tag("1.5"))
    assert remote.resolve(Tag("1.5")) == root
    back = MemoryRegistry().repository("back")
    copy(remote, back, root, Tag("1.5"))
    assert back.resolve(Tag("1.5")) == root
    assert back.complete(root)
    assert honest.repository().complete(root)


def test_eight_threads_share_one_repository(memory, remote, site):
    roots = [images.image(memory, {"n": bytes([i])}, layers=3) for i in range(8)]
    errors = []

    def work(root, i):
        try:
            copy(memory, remote, root, Tag(f"t{i}"))
            copy(remote, MemoryRegistry().repository("x"), root)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(r, i)) for i, r in enumerate(roots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(remote.tags()) == [f"t{i}" for i in range(8)]
    assert site.connections <= 8 * 4


def test_connections_are_kept(memory, remote, site):
    copy(memory, remote, images.image(memory), Tag("x"), Options(jobs=1))
    assert site.connections == 1
    assert len(site.seen) > 5


def test_a_kept_connection_that_died_is_replaced_unseen(site, remote, honest):
    images.put(honest.repository(), "x", b"hello")
    honest.lie = lambda seen, reply: Reply(reply.status, reply.body, reply.headers, close=False)
    remote.has(Descriptor.of("x", b"hello"))
    assert site.connections == 1
    for sock in list(site._open):
        sock.shutdown(2)
    assert remote.has(Descriptor.of("x", b"hello"))
    assert site.connections == 2


def test_resolving_takes_one_head(memory, remote, honest, site):
    root = images.image(honest.repository())
    honest.repository().tag(Tag("x"), root)
    assert remote.resolve(Tag("x")) == root
    assert remote.resolve(root.digest) == root
    assert [s.method for s in site.seen] == ["HEAD", "HEAD"]
    assert OCI_INDEX in site.seen[0].headers["accept"]
    assert site.seen[0].headers["user-agent"].startswith("killick/")


@pytest.mark.parametrize("missing", ["Docker-Content-Digest", "Content-Length", "Content-Type"])
def test_where_head_does_not_tell_all_get_does(remote, honest, site, missing):
    root = images.image(honest.repository())
    honest.repository().tag(Tag("x"), root)

    def lie(seen, reply):
        reply.headers.pop(missing, None)
        if missing == "Content-Length" and seen.method == "HEAD":
            reply.headers["Transfer-Encoding"] = "chunked"
        return reply

    honest.lie = lie
    assert remote.resolve(Tag("x")) == root
    assert [s.method for s in site.seen] == ["HEAD", "GET"]
    assert remote.open(root).read() == honest.repository().open(root).read()
    assert len(site.seen) == 2


def test_where_there_is_no_head_get_does(remote, honest):
    root = images.image(honest.repository())
    honest.repository().tag(Tag("x"), root)
    honest.lie = lambda seen, reply: refused(405) if seen.method == "HEAD" else reply
    assert remote.resolve(Tag("x")) == root
    assert remote.has(root)
    assert not remote.has(Descriptor.of(OCI_MANIFEST, b"other"))


def test_what_is_not_there_has_a_name(remote, registry, honest):
    with pytest.raises(TagUnknown, match=r"a/b:nope does not exist") as caught:
        remote.resolve(Tag("nope"))
    assert caught.value.hint == f"killick tags {remote.label} lists what there is"
    with pytest.raises(ManifestUnknown):
        remote.resolve(Digest.of(b"nope"))
    with pytest.raises(ManifestUnknown):
        remote.open(Descriptor.of(OCI_MANIFEST, b"nope"))
    with pytest.raises(BlobUnknown):
        remote.open(Descriptor.of("x", b"nope"))
    with pytest.raises(BlobUnknown):
        remote.find(Digest.of(b"nope"))
    with pytest.raises(NameUnknown):
        list(registry.repository("no/such").tags())
    with pytest.raises(ManifestUnknown):
        remote.tag(Tag("x"), Descriptor.of(OCI_MANIFEST, b"nope"))
    with pytest.raises(TagUnknown):
        remote.untag(Tag("nope"))
    with pytest.raises(BlobUnknown):
        remote.delete(Descriptor.of("x", b"nope"))
    assert not remote.has(Descriptor.of("x", b"nope"))
    assert not remote.has(Descriptor.of(OCI_MANIFEST, b"nope"))


def test_wrong_paths_and_hosts_are_wrong_usage(registry):
    for bad in ("", "A/b", "../x", "a b", "a?b"):
        with pytest.raises(UsageError):
            registry.repository(bad)
    with pytest.raises(UsageError):
        RemoteRegistry("not a host")


def test_docker_hub_has_a_library():
    with RemoteRegistry("docker.io") as registry:
        assert registry.repository("alpine").name == "library/alpine"
        assert registry.repository("me/alpine").name == "me/alpine"


def test_a_tag_is_moved_by_sending_the_same_bytes(remote, honest, site):
    root = images.image(honest.repository())
    remote.tag(Tag("one"), root)
    remote.tag(Tag("two"), root)
    assert [s.method for s in site.seen] == ["GET", "PUT", "PUT"]
    assert honest.repository().resolve(Tag("two")) == root
    remote.untag(Tag("one"))
    assert list(remote.tags()) == ["two"]


def test_a_tag_that_the_registry_does_not_delete_is_said_so(remote, honest):
    honest.lie = lambda seen, reply: refused(405, "UNSUPPORTED")
    with pytest.raises(Unsupported) as caught:
        remote.untag(Tag("x"))
    assert caught.value.hint
    honest.lie = lambda seen, reply: refused(400, "DIGEST_INVALID")
    with pytest.raises(Unsupported):
        remote.untag(Tag("x"))


def test_tags_come_in_pages_and_in_order(remote, honest, site):
    root = images.image(honest.repository())
    for i in range(25):
        honest.repository().tag(Tag(f"t{i:02}"), root)
    inner = honest._list
    honest._list = lambda key, names, seen: inner(key, names, smaller(seen))

    def smaller(seen):
        seen.target = seen.target.replace("n=1000", "n=10")
        return seen

    assert list(remote.tags()) == [f"t{i:02}" for i in range(25)]
    assert len(site.seen) == 3
    assert list(remote.tags(n=4)) == ["t00", "t01", "t02", "t03"]
    assert list(remote.tags("t03", n=2)) == ["t04", "t05"]


def test_no_tags_are_no_tags(remote, honest):
    honest.lie = lambda seen, reply: Reply(200, b'{"name": "a/b", "tags": null}')
    assert list(remote.tags()) == []


def test_repositories_are_listed(registry, honest):
    images.put(honest.repository("z/y"), "x", b"1")
    images.put(honest.repository("a"), "x", b"1")
    assert list(registry.repositories()) == ["a", "z/y"]
    honest.lie = lambda seen, reply: refused(404, "UNSUPPORTED")
    with pytest.raises(Unsupported):
        list(registry.repositories())


def test_a_ping_finds_a_registry(registry, honest):
    registry.ping()
    honest.lie = lambda seen, reply: refused(404)
    with pytest.raises(ProtocolError):
        registry.ping()
    honest.lie = lambda seen, reply: Reply(200, b"<html>", {"Content-Type": "text/html"})
    with pytest.raises(ProtocolError):
        registry.ping()


def test_blobs_are_mounted_and_deleted(memory, registry, remote, honest, site):
    d = images.put(honest.repository("sister"), "x", b"hello")
    assert remote.mount(d, "sister")
    assert remote.has(d)
    assert remote.find(d.digest).size == 5
    remote.delete(d)
    assert not remote.has(d)
    assert not remote.mount(d, "../sister")


def test_a_mount_that_fails_begins_the_upload(remote, honest, site):
    d = Descriptor.of("x", b"hello")
    assert not remote.mount(d, "one")
    assert not remote.mount(d, "two")
    remote.put(d, io.BytesIO(b"hello"))
    assert remote.has(d)
    posts = targets(site, "POST")
    assert len(posts) == 2
    assert all("mount=" in target for target in posts)
    assert len(targets(site, "DELETE")) == 1


def test_a_mount_that_is_denied_is_no_mount(remote, honest):
    honest.lie = lambda seen, reply: refused(403, "DENIED")
    assert not remote.mount(Descriptor.of("x", b"hello"), "sister")


def test_manifests_are_deleted(remote, honest):
    root = images.image(honest.repository())
    honest.repository().tag(Tag("x"), root)
    remote.delete(root)
    assert not remote.has(root)
    with pytest.raises(ManifestUnknown):
        remote.open(root)
    honest.lie = lambda seen, reply: refused(405) if seen.method == "DELETE" else None
    other = images.image(honest.repository(), {"a": b"b"})
    with pytest.raises(Unsupported):
        remote.delete(other)


def test_completeness_is_one_look(remote, honest):
    root = images.multi_platform(honest.repository())
    child = json.loads(honest.repository().open(root).read())["manifests"][0]
    assert not remote.complete(root)
    assert remote.complete(Descriptor.from_json(child))
    assert not remote.complete(Descriptor.of("x", b"blob"))


def test_referrers_by_the_api(remote, honest, memory, site):
    root = images.image(memory)
    copy(memory, remote, root)
    one = images.artifact(memory, root)
    two = images.artifact(memory, root, "application/other")
    copy(memory, remote, one)
    copy(memory, remote, two)
    assert {d.digest for d in remote.referrers(root.digest)} == {one.digest, two.digest}
    [found] = remote.referrers(root.digest, "application/other")
    assert found.digest == two.digest
    assert found.annotations == {"org.example.kind": "sbom"}
    assert not any("sha256-" in target for target in targets(site))


def test_referrers_by_tag(memory, remote, honest):
    honest.referrers = False
    root = images.image(memory)
    copy(memory, remote, root)
    assert list(remote.referrers(root.digest)) == []
    one = images.artifact(memory, root)
    two = images.artifact(memory, root, "application/other")
    for d in (one, two, one):
        for part in (*fetch(memory, d).children(), d):
            remote.put(part, memory.open(part))
    tag = Tag(f"sha256-{root.digest.encoded}")
    assert remote.resolve(tag).media_type == OCI_INDEX
    assert {d.digest for d in remote.referrers(root.digest)} == {one.digest, two.digest}
    [found] = remote.referrers(root.digest, "application/other")
    assert found.digest == two.digest
    remote.delete(one)
    assert [d.digest for d in remote.referrers(root.digest)] == [two.digest]


def test_what_is_put_is_checked(remote, site):
    with pytest.raises(DigestMismatch):
        remote.put(Descriptor.of(OCI_MANIFEST, b"{}"), io.BytesIO(b"[]"))
    with pytest.raises(ContentError):
        remote.put(Descriptor.of(OCI_MANIFEST, b"{}"), io.BytesIO(b"{}"))
    with pytest.raises(LimitExceeded):
        remote.put(Descriptor(OCI_MANIFEST, Digest.of(b""), 5_000_000), io.BytesIO())
    assert site.seen == []


def test_manifests_that_the_registry_changes_are_an_error(memory, remote, honest):
    root = images.image(memory)
    other = {"Docker-Content-Digest": Digest.of(b"other")}
    honest.lie = lambda seen, reply: Reply(201, b"", other) if seen.method == "PUT" else None
    with pytest.raises(DigestMismatch):
        remote.put(root, memory.open(root))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refused(401, "UNAUTHORIZED"), Unauthorized),
        (refused(403, "DENIED", "no such luck\x1b[31m\nfor you"), Denied),
        (refused(429, "TOOMANYREQUESTS", **{"Retry-After": "3600"}), RateLimited),
        (refused(500), Unreachable),
        (refused(418), ProtocolError),
        (refused(405), Unsupported),
    ],
)
def test_refusals_have_a_kind(remote, honest, reply, error):
    honest.lie = lambda seen, _: reply
    for call in (
        lambda: remote.resolve(Tag("x")),
        lambda: remote.open(Descriptor.of("x", b"1")),
        lambda: remote.put(Descriptor.of("x", b"1"), io.BytesIO(b"1")),
        lambda: list(remote.tags()),
    ):
        with pytest.raises(error) as caught:
            call()
        assert type(caught.value) is error
        assert caught.value.side == "remote"
        assert "\x1b" not in str(caught.value)
        assert "\n" not in str(caught.value)
        if error is Unauthorized:
            assert caught.value.hint.startswith("killick login 127.0.0.1:")
        if error is RateLimited:
            assert "3600 s" in str(caught.value)


def test_what_fails_for_a_while_is_tried_again(remote, honest, site):
    d = images.put(honest.repository(), "x", b"hello")
    left = [503, 429, None]
    honest.lie = lambda seen, reply: (
        refused(s, **{"Retry-After": "0"}) if (s := left.pop(0)) else reply
    )
    assert remote.has(d)
    assert len(site.seen) == 3


def test_what_fails_for_good_is_given_up(remote, honest, site):
    honest.lie = lambda seen, reply: refused(503)
    with pytest.raises(Unreachable):
        remote.has(Descriptor.of("x", b"1"))
    assert len(site.seen) == 3


def test_closing_ends_what_is_under_way(honest):
    held = threading.Event()

    def lie(seen, reply):
        held.set()
        site.wait(30)

    honest.lie = lie
    with Site(honest) as site:
        registry = RemoteRegistry(site.domain, Access(timeout=60))
        errors = []

        def work():
            try:
                registry.ping()
            except Unreachable as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        held.wait(5)
        registry.close()
        thread.join(2)
        assert not thread.is_alive()
        assert errors[0].side == "local"
        with pytest.raises(Unreachable):
            registry.ping()
