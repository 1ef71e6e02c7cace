"""copy(): what is moved, in which order, how it is told, and how it stops."""

import io
import json
import threading
import time

import pytest

import images
from killick.digest import CHUNK, Digest
from killick.errors import (
    BlobUnknown,
    ContentError,
    DigestMismatch,
    LimitExceeded,
    ManifestUnknown,
    PlatformUnknown,
    Unreachable,
)
from killick.manifest import (
    MOST_INDEX_DEPTH,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Index,
)
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import Cause
from killick.transfer import (
    Cancelled,
    Options,
    choose,
    copy,
    fetch,
    fetch_bytes,
    walk,
)

TAG = Tag("1.5")


@pytest.fixture
def source():
    return MemoryRegistry().repository("source")


@pytest.fixture
def target():
    return MemoryRegistry().repository("target")


class Through:
    """A repository seen through a fake that changes some of its methods and capabilities."""

    HIDDEN = ("complete", "mount", "move", "history", "ingest")

    def __init__(self, repository, **methods):
        # As attributes of its own: isinstance with a protocol does not ask __getattr__.
        public = {n for n in dir(repository) if not n.startswith("_")}.difference(self.HIDDEN)
        self.__dict__.update({name: getattr(repository, name) for name in public} | methods)


class Recorder:
    """A progress that remembers what it was told."""

    def __init__(self):
        self.events = []
        self.bytes = {}

    def start(self, d, offset, /):
        self.events.append(("start", d.digest, offset))

    def advance(self, d, count, /):
        self.bytes[d.digest] = self.bytes.get(d.digest, 0) + count

    def finish(self, d, how, /):
        self.events.append(("finish", d.digest, how))


def test_children_come_before_parents_and_the_tag_last(source, target):
    root = images.index(source, [(images.multi_platform(source), None)])
    order = []

    def put(d, stream, /):
        order.append(d)
        target.put(d, stream)

    def tag(name, d, /):
        order.append(d)
        target.tag(name, d)

    copy(source, Through(target, put=put, tag=tag), root, TAG)
    position = {d.digest: i for i, d in reversed(list(enumerate(order)))}
    for document in walk(source, root):
        for child in document.children():
            assert position[child.digest] < position[document.digest]
    assert order[-1] == root


def test_a_parent_that_is_a_sibling_too_still_comes_after_its_children(source, target):
    image = images.image(source)
    inner = images.index(source, [(image, None)])
    root = images.index(source, [(inner, None), (image, None)])
    order = []

    def put(d, stream, /):
        order.append(d.digest)
        target.put(d, stream)

    copy(source, Through(target, put=put), root)
    assert order.index(image.digest) < order.index(inner.digest) < order.index(root.digest)


def test_each_blob_goes_once(source, target):
    one = images.image(source)
    # the same layers and config under another manifest
    fields = json.loads(source.open(one).read()) | {"annotations": {"a": "b"}}
    other = images.put(source, OCI_MANIFEST, json.dumps(fields).encode())
    root = images.index(source, [(one, None), (other, None)])
    result = copy(source, target, root)
    digests = [d.digest for d in result.copied]
    assert len(digests) == len(set(digests)) == 5


def test_without_a_tag_nothing_is_named(source, target):
    result = copy(source, target, images.image(source))
    assert not result.moved
    assert list(target.tags()) == []


def test_the_result_tells_what_was_moved(source, target):
    root = images.image(source, layers=2)
    first = copy(source, target, root, TAG)
    assert (first.root, first.existed, first.moved) == (root, (), True)
    assert first.size == sum(d.size for d in first.copied)
    again = copy(source, target, root, TAG, Options(cause=Cause("pulled", "me")))
    assert (again.copied, again.existed, again.moved) == ((), (root,), False)


def test_what_is_there_is_skipped_with_all_below_it(source, target):
    root = images.multi_platform(source)
    amd64 = fetch(source, root).select(images.AMD64)
    copy(source, target, amd64)
    progress = Recorder()
    result = copy(source, target, root, TAG, Options(progress=progress))
    assert amd64.digest in {d.digest for d in result.existed}
    told = {digest for _, digest, _ in progress.events}
    assert fetch(source, amd64).config.digest not in told


def test_progress_is_told_of_every_byte(source, target):
    root = images.image(source, layers=3)
    progress = Recorder()
    result = copy(source, target, root, options=Options(progress=progress))
    for d in result.copied:
        assert progress.bytes[d.digest] == d.size
        assert ("start", d.digest, 0) in progress.events
        assert ("finish", d.digest, "copied") in progress.events


def test_a_failure_is_told_as_one(source, target):
    root = images.image(source)
    layer = fetch(source, root).layers[0]
    progress = Recorder()

    def opening(d, start=0, /):
        if d.digest == layer.digest:
            raise Unreachable("the line is dead")
        return source.open(d, start)

    with pytest.raises(Unreachable):
        copy(Through(source, open=opening), target, root, options=Options(progress=progress))
    assert ("finish", layer.digest, "failed") in progress.events
    assert not target.has(root)


def test_the_first_failure_stops_the_rest(source, target):
    root = images.image(source, layers=40)
    opened = []

    def opening(d, start=0, /):
        if d.is_document:
            return source.open(d, start)
        opened.append(d)
        raise Unreachable("the line is dead")

    with pytest.raises(Unreachable):
        copy(Through(source, open=opening), target, root, options=Options(jobs=2))
    assert len(opened) < 40


class Endless(io.RawIOBase):
    """A stream that goes on until it is told to stop, and says when it has begun."""

    def __init__(self, begun):
        self._begun = begun

    def readable(self):
        return True

    def readinto(self, buffer):
        self._begun.set()
        time.sleep(0.001)
        return len(buffer)


def test_a_copy_that_is_told_to_stop_stops_and_names_nothing(source, target):
    root = images.image(source)
    begun = threading.Event()
    cancel = threading.Event()

    def opening(d, start=0, /):
        return source.open(d, start) if d.is_document else Endless(begun)

    def put(d, stream, /):
        while stream.read(CHUNK):
            pass

    threading.Thread(target=lambda: (begun.wait(), cancel.set())).start()
    fakes = Through(source, open=opening), Through(target, put=put)
    with pytest.raises(Cancelled) as caught:
        copy(*fakes, root, TAG, Options(cancel=cancel))
    assert caught.value.exit_status == 130
    assert list(target.tags()) == []


def test_blobs_are_mounted_from_sisters(source):
    registry = MemoryRegistry()
    sister, target = registry.repository("sister"), registry.repository("target")
    root = images.image(source)
    copy(source, sister, root)
    progress = Recorder()
    options = Options(progress=progress, sisters=lambda d: ["stranger", "sister"])
    result = copy(source, target, root, TAG, options)
    assert [d.digest for d in result.copied] == [root.digest]
    hows = [event[2] for event in progress.events if event[0] == "finish"]
    assert hows == ["mounted", "mounted", "copied"]


class PartlyThere:
    """An ingest that holds the first half of the content."""

    def __init__(self, target, d, content):
        self.done = target.has(d)
        self.offset = len(content) // 2
        self._target, self._d, self._held = target, d, content[: self.offset]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def fill(self, stream, /):
        rest = b"".join(iter(lambda: stream.read(CHUNK), b""))
        self._target.put(self._d, io.BytesIO(self._held + rest))


def test_what_is_half_there_is_gone_on_with(source, target):
    root = images.image(source)
    progress = Recorder()
    starts = []

    def opening(d, start=0, /):
        starts.append(start)
        return source.open(d, start)

    def ingest(d, /):
        with source.open(d) as stream:
            return PartlyThere(target, d, stream.read())

    result = copy(
        Through(source, open=opening),
        Through(target, ingest=ingest),
        root,
        options=Options(progress=progress),
    )
    assert target.complete(root)
    for d in result.copied:
        if not d.is_document:
            assert ("start", d.digest, d.size // 2) in progress.events
            assert d.size // 2 in starts


def test_what_came_meanwhile_is_not_fetched(source, target):
    root = images.image(source)
    copy(source, target, root)

    def ingest(d, /):
        return PartlyThere(target, d, b"")

    blind = Through(target, ingest=ingest, has=lambda d, /: d.is_document)
    result = copy(source, blind, root)
    assert result.copied == ()


def test_embedded_data_need_not_be_fetched(source, target):
    d = Descriptor(OCI_LAYER, Digest.of(b"inside"), 6, data=b"inside")
    config = images.put(source, OCI_LAYER, b"{}")
    fields = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [d.to_json()],
    }
    root = images.put(source, OCI_MANIFEST, json.dumps(fields).encode())
    copy(source, target, root)
    assert target.open(d).read() == b"inside"


def test_an_index_may_list_blobs(source, target):
    blob = images.put(source, "text/plain", b"a note")
    root = images.index(source, [(blob, None)])
    copy(source, target, root)
    assert target.has(blob)


class TestWalk:
    def test_every_document_once(self, source):
        image = images.image(source)
        root = images.index(source, [(image, None), (image, images.AMD64)])
        assert [d.digest for d in walk(source, root)].count(image.digest) == 1

    def test_depth_is_limited(self, source):
        root = images.image(source)
        for _ in range(MOST_INDEX_DEPTH):
            root = images.index(source, [(root, None)])
        list(walk(source, root))
        with pytest.raises(LimitExceeded):
            list(walk(source, images.index(source, [(root, None)])))

    def test_the_number_of_parts_is_limited(self, source):
        leaf = {"mediaType": "text/plain", "digest": "sha256:" + "1" * 64, "size": 1}
        children = []
        for n in range(6):
            fields = {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [leaf] * 9_000,
                "annotations": {"n": str(n)},
            }
            children.append((images.put(source, OCI_INDEX, json.dumps(fields).encode()), None))
        with pytest.raises(LimitExceeded):
            list(walk(source, images.index(source, children)))

    def test_platforms_choose_the_children(self, source):
        root = images.multi_platform(source)
        taken = list(walk(source, root, [images.ARM64]))
        assert [d.media_type for d in taken] == [OCI_MANIFEST, OCI_INDEX]

    def test_a_missing_child_is_an_error(self, source):
        root = images.multi_platform(source)
        source.delete(fetch(source, root).manifests[0])
        with pytest.raises(ManifestUnknown):
            list(walk(source, root))


class TestChoose:
    def index(self, source, *children):
        return fetch(source, images.index(source, list(children)))

    def test_all(self, source):
        index = fetch(source, images.multi_platform(source))
        assert choose(index, None) == list(index.manifests)

    def test_nested_indexes_without_a_platform_are_gone_into(self, source):
        inner = images.multi_platform(source)
        index = self.index(source, (inner, None))
        assert isinstance(index, Index)
        assert choose(index, [Platform("plan9", "mips")]) == list(index.manifests)

    def test_two_platforms_may_want_the_same_child(self, source):
        index = fetch(source, images.multi_platform(source))
        wanted = [images.AMD64, Platform.parse("linux/amd64/v3")]
        assert choose(index, wanted) == [index.select(images.AMD64)]

    def test_none_suits(self, source):
        with pytest.raises(PlatformUnknown):
            choose(fetch(source, images.multi_platform(source)), [Platform("plan9", "mips")])


class TestFetch:
    def test_wrong_bytes(self, source):
        d = images.image(source)
        liar = Through(source, open=lambda d, start=0, /: io.BytesIO(b"{}" + bytes(d.size - 2)))
        with pytest.raises(DigestMismatch):
            fetch(liar, d)

    def test_an_endless_answer_is_cut_off(self, source):
        d = images.image(source)
        stream = Endless(threading.Event())
        with pytest.raises(DigestMismatch):
            fetch(Through(source, open=lambda d, start=0, /: stream), d)
        assert stream.closed

    def test_more_than_the_limit_is_not_even_opened(self, source):
        with pytest.raises(LimitExceeded):
            fetch_bytes(source, Descriptor("x/y", Digest.of(b""), 11), 10)

    def test_embedded_data(self, source):
        d = Descriptor("x/y", Digest.of(b"inside"), 6, data=b"inside")
        assert fetch_bytes(source, d, 10) == b"inside"

    def test_a_blob_is_no_manifest(self, source):
        d = images.put(source, "x/y", b"hello")
        with pytest.raises(ContentError):
            fetch(source, d)

    def test_what_is_not_there(self, source):
        with pytest.raises(BlobUnknown):
            fetch_bytes(source, Descriptor.of("x/y", b"absent"), 10)
