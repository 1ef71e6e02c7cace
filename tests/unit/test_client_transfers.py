"""Downloads that go on after a break, and uploads that do, over real sockets."""

import io
import json
from dataclasses import replace

import pytest

import images
from killick.client import Access, RemoteRegistry
from killick.client.uploads import PIECE
from killick.digest import Digest
from killick.errors import (
    DigestMismatch,
    LimitExceeded,
    ProtocolError,
    StoreError,
    Unreachable,
)
from killick.manifest import OCI_EMPTY, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.transfer import Options, Silence, copy, fetch_bytes
from lying import HANG_UP, Honest, Reply, Site, refused

QUICK = Access(timeout=1.0, attempts=3, patience=3.0)
CONTENT = bytes(range(256)) * 4096
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@pytest.fixture
def honest():
    honest = Honest()
    images.put(honest.repository(), BLOB.media_type, CONTENT)
    return honest


@pytest.fixture
def site(honest):
    with Site(honest) as site:
        yield site


@pytest.fixture
def remote(site):
    with RemoteRegistry(site.domain, QUICK) as registry:
        yield registry.repository("a/b")


def download(remote, start=0, d=BLOB):
    with remote.open(d, start) as stream:
        return stream.read()


def ranges(site):
    return [s.headers.get("range") for s in site.seen if s.method == "GET"]


def cut(after):
    """Return a lie: the first answers stop after so many bytes each, and hang up."""
    left = list(after)

    def lie(seen, reply):
        if seen.method == "GET" and left:
            body = reply.body[: left.pop(0)]
            return Reply(reply.status, body, reply.headers, True, None, len(reply.body))
        return None

    return lie


def test_a_blob_comes_whole(remote, site):
    assert download(remote) == CONTENT
    assert ranges(site) == [None]


def test_a_blob_comes_from_an_offset(remote, site):
    assert download(remote, 1000) == CONTENT[1000:]
    assert ranges(site) == ["bytes=1000-"]
    assert download(remote, len(CONTENT)) == b""
    assert len(site.seen) == 1


def test_an_empty_blob_is_empty(remote, honest):
    d = images.put(honest.repository(), "x", b"")
    assert download(remote, d=d) == b""


def test_a_stream_can_be_gone_back_in(remote, site):
    with remote.open(BLOB) as stream:
        assert stream.read(10) == CONTENT[:10]
        assert stream.seekable()
        stream.seek(5)
        assert stream.tell() == 5
        assert stream.read(10) == CONTENT[5:15]
        with pytest.raises(OSError, match="offsets"):
            stream.seek(-1)
    assert ranges(site) == [None, "bytes=5-"]


@pytest.mark.parametrize("after", [[0], [1], [len(CONTENT) - 1], [100, 200], [5000, 0]])
def test_a_broken_download_goes_on_where_it_broke(remote, honest, site, after):
    honest.lie = cut(after)
    assert download(remote) == CONTENT
    done, expected = 0, [None]
    for count in after:
        done += count
        expected.append(f"bytes={done}-" if done else None)
    assert ranges(site) == expected


def test_progress_gives_all_tries_again(remote, honest):
    big = images.put(honest.repository(), "x", CONTENT * 8)
    honest.lie = cut([len(CONTENT) + 1] * 4)
    assert download(remote, d=big) == CONTENT * 8


def test_a_download_that_never_gets_on_is_given_up(remote, honest, site):
    honest.lie = cut([10] * 100)
    with pytest.raises(Unreachable):
        download(remote)
    assert len(site.seen) == 3


def test_where_range_is_not_honoured_the_known_is_skipped(remote, honest, site):
    broken = cut([5000])

    def lie(seen, reply):
        seen.headers.pop("range", None)
        return broken(seen, honest._true(seen))

    honest.lie = lie
    assert download(remote) == CONTENT
    assert download(remote, 70_000) == CONTENT[70_000:]


def test_where_range_is_refused_the_whole_is_asked_for(remote, honest, site):
    honest.lie = lambda seen, reply: refused(416) if "range" in seen.headers else reply
    assert download(remote, 70_000) == CONTENT[70_000:]


@pytest.mark.parametrize(
    "stated", ["bytes 0-9/10", "bytes 999-1048575/1048576", "bytes 1000-1048575/7", "", "x", None]
)
def test_another_part_than_asked_for_is_an_error(remote, honest, stated):
    headers = {"Content-Range": stated} if stated is not None else {}
    honest.lie = lambda seen, reply: Reply(206, CONTENT[1000:], headers)
    with pytest.raises(ProtocolError):
        download(remote, 1000)
    with pytest.raises(ProtocolError):
        download(remote)


def test_another_length_is_noticed_before_anything_is_read(remote, honest, site):
    honest.lie = lambda seen, reply: Reply(200, CONTENT + b"x", reply.headers)
    with pytest.raises(DigestMismatch):
        download(remote)
    honest.lie = lambda seen, reply: Reply(200, CONTENT[:-1], reply.headers)
    with pytest.raises(DigestMismatch):
        download(remote)
    assert len(site.seen) == 2


def test_no_length_at_all_is_fine_if_the_content_is(remote, honest):
    content = CONTENT * 16
    d = Descriptor.of("x", content)

    def chunked(seen, reply):
        pieces = [content[i : i + 100_000] for i in range(0, len(content), 100_000)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
        return Reply(200, framed, {"Transfer-Encoding": "chunked"})

    honest.lie = chunked
    assert download(remote, d=d) == content
    honest.lie = lambda seen, reply: Reply(raw=b"HTTP/1.0 200 OK\r\n\r\n", body=content, close=True)
    assert download(remote, d=d) == content


def test_a_stall_ends(remote, honest, site):
    def stall(seen, reply):
        def body():
            yield CONTENT[:1000]
            site.wait(30)

        return Reply(200, body(), {"Content-Length": str(len(CONTENT))})

    honest.lie = stall
    with pytest.raises(Unreachable, match="stopped answering"):
        download(remote)


# -- uploads


NEW = Descriptor.of("application/octet-stream", CONTENT + b"new")


def new():
    return io.BytesIO(CONTENT + b"new")


class Stream(io.RawIOBase):
    """A source that can't go back."""

    def __init__(self, content):
        self._inner = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._inner.readinto(buffer)


def methods(site):
    return [s.method for s in site.seen]


def test_a_blob_goes_in_two_requests(remote, honest, site):
    remote.put(NEW, new())
    assert methods(site) == ["POST", "PUT"]
    assert honest.repository().find(NEW.digest).size == NEW.size
    remote.put(Descriptor.of("x", b""), io.BytesIO())


def test_wrong_content_never_makes_an_upload(remote, honest, site):
    for wrong in (CONTENT + b"old", CONTENT, CONTENT + b"newer", b""):
        with pytest.raises(DigestMismatch):
            remote.put(NEW, io.BytesIO(wrong))
    assert not remote.has(NEW)
    assert honest.uploads == {}


def test_what_the_registry_finds_wrong_is_an_error(remote, honest):
    honest.lie = lambda seen, reply: (
        refused(400, "DIGEST_INVALID") if seen.method == "PUT" else reply
    )
    with pytest.raises(DigestMismatch):
        remote.put(NEW, new())


def test_a_source_that_breaks_is_said_so(remote):
    class Broken(Stream):
        def readinto(self, buffer):
            raise OSError(5, "Input/output error")

    with pytest.raises(StoreError):
        remote.put(NEW, Broken(b""))


class Breaking(Honest):
    """A registry that takes so many bytes of each of the first bodies, and hangs up."""

    def __init__(self, takes, content=CONTENT + b"new"):
        super().__init__()
        self.takes = list(takes)
        self.content = content

    def early(self, seen):
        large = int(seen.headers.get("content-length", 0)) > 1000
        if seen.method in ("PUT", "PATCH") and large and self.takes:
            taken = self.takes.pop(0)
            identifier = seen.path.rpartition("/")[2]
            held = len(self.uploads[identifier])
            self.uploads[identifier] += self.content[held : held + taken]
            return replace(HANG_UP, taken=taken)
        return None


@pytest.mark.parametrize("takes", [[0], [1], [500_000], [NEW.size - 1], [NEW.size], [10, 20]])
def test_a_broken_upload_goes_on_where_it_broke(takes):
    breaking = Breaking(takes)
    with Site(breaking) as site, RemoteRegistry(site.domain, QUICK) as registry:
        registry.repository("a/b").put(NEW, new())
    assert breaking.repository().find(NEW.digest).size == NEW.size
    assert "GET" in methods(site)


def put_manifest(repository, layers):
    config = images.put(repository, OCI_EMPTY, b"{}")
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [d.to_json() for d in layers],
    }
    return images.put(repository, OCI_MANIFEST, json.dumps(value).encode())


def test_a_copy_outlives_a_broken_upload():
    """The stream that reports progress can go back, and what is sent twice counts once."""
    moved = []

    class Counting(Silence):
        def advance(self, d, count):
            moved.append((d.digest, count))

    source = MemoryRegistry().repository("source")
    d = images.put(source, NEW.media_type, CONTENT + b"new")
    root = put_manifest(source, [d])
    breaking = Breaking([0, 300_000])
    with Site(breaking) as site, RemoteRegistry(site.domain, QUICK) as registry:
        copy(source, registry.repository("a/b"), root, None, Options(progress=Counting(), jobs=1))
    assert breaking.repository().complete(root)
    assert sum(count for digest, count in moved if digest == d.digest) == d.size


def test_what_arrives_gives_all_tries_again():
    content = (CONTENT + b"new") * 8
    d = Descriptor.of("x", content)
    breaking = Breaking([len(CONTENT) + 1] * 5, content)
    with Site(breaking) as site, RemoteRegistry(site.domain, QUICK) as registry:
        registry.repository("a/b").put(d, io.BytesIO(content))
    assert breaking.repository().find(d.digest).size == d.size


def test_a_broken_upload_from_a_stream_is_given_up():
    breaking = Breaking([10])
    with Site(breaking) as site, RemoteRegistry(site.domain, QUICK) as registry:
        repository = registry.repository("a/b")
        with pytest.raises(Unreachable):
            repository.put(NEW, Stream(CONTENT + b"new"))


def test_an_upload_that_never_gets_on_is_given_up():
    breaking = Breaking([1] * 100)
    with Site(breaking) as site, RemoteRegistry(site.domain, QUICK) as registry:
        repository = registry.repository("a/b")
        with pytest.raises(Unreachable):
            repository.put(NEW, new())
    assert len(site.seen) < 20


def test_a_body_that_is_too_large_goes_in_pieces(honest):
    large = bytes(PIECE) + b"rest"
    d = Descriptor.of("x", large)
    honest.lie = lambda seen, reply: refused(413) if len(seen.body) > PIECE else None
    honest.early = lambda seen: (
        Reply(413, b"", close=True) if int(seen.headers.get("content-length", 0)) > PIECE else None
    )
    with Site(honest) as site, RemoteRegistry(site.domain, QUICK) as registry:
        registry.repository("a/b").put(d, io.BytesIO(large))
    assert honest.repository().find(d.digest).size == len(large)
    assert methods(site).count("PATCH") == 2


def test_a_least_size_of_pieces_is_honoured(honest):
    large = bytes(2 * PIECE) + b"rest"
    d = Descriptor.of("x", large)
    failed = []

    def lie(seen, reply):
        if seen.method == "PUT" and not failed:
            failed.append(seen)
            honest.uploads = dict.fromkeys(honest.uploads, b"")
            return refused(503)
        if seen.method in ("POST", "GET", "PATCH"):
            reply.headers["OCI-Chunk-Min-Length"] = str(PIECE + 1)
        return reply

    honest.lie = lie
    with Site(honest) as site, RemoteRegistry(site.domain, QUICK) as registry:
        registry.repository("a/b").put(d, io.BytesIO(large))
    sizes = [len(s.body) for s in site.seen if s.method == "PATCH"]
    assert sizes == [PIECE + 1, PIECE + 1, 2]


def test_an_upload_that_was_lost_begins_anew(remote, honest, site):
    lost = []

    def lie(seen, reply):
        if seen.method == "PUT" and not lost:
            lost.append(honest.uploads.clear())
            return refused(404, "BLOB_UPLOAD_UNKNOWN")
        return reply

    honest.lie = lie
    remote.put(NEW, new())
    assert methods(site).count("POST") == 2


def test_a_place_without_an_address_is_an_error(remote, honest):
    honest.lie = lambda seen, reply: Reply(202) if seen.method == "POST" else reply
    with pytest.raises(ProtocolError):
        remote.put(NEW, new())


def test_pieces_of_memory_are_bounded(remote, honest):
    with pytest.raises(LimitExceeded):
        fetch_bytes(remote, Descriptor("x", Digest.of(b""), 10), 9)
