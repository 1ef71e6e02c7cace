"""Import: a tar of a root file system becomes an image of one layer."""

import bz2
import gzip
import io
import lzma
import zlib
from datetime import UTC, datetime

import pytest

import images
from killick.compression import zstd
from killick.digest import Digest
from killick.errors import ContentError, UploadUnknown, UsageError
from killick.layout import Layout
from killick.manifest import OCI_LAYER_GZIP, Config
from killick.memory import MemoryRegistry
from killick.rootfs import import_rootfs
from killick.transfer import fetch, fetch_bytes

TAR = images.tar({"bin/sh": b"#!" * 50_000, "etc/motd": b"hello"})


@pytest.fixture(params=["memory", "layout"])
def target(request, tmp_path):
    if request.param == "memory":
        return MemoryRegistry().repository("imported")
    return Layout(tmp_path / "layout", create=True)


def config(target, d):
    return Config.parse(fetch_bytes(target, fetch(target, d).config, 100_000)).fields


PACKERS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "two gzip streams": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
}


@pytest.mark.parametrize("packing", PACKERS)
def test_a_tar_becomes_an_image_whose_layer_is_the_tar(target, packing):
    source = io.BytesIO(PACKERS[packing](TAR))
    d = import_rootfs(source, target, images.ARM64)
    manifest = fetch(target, d)
    (layer,) = manifest.layers
    assert layer.media_type == OCI_LAYER_GZIP
    packed = fetch_bytes(target, layer, 1_000_000)
    assert gzip.decompress(packed) == TAR
    assert packed[4:8] == bytes(4)
    found = config(target, d)
    assert (found["os"], found["architecture"]) == ("linux", "arm64")
    assert found["rootfs"] == {"type": "layers", "diff_ids": [str(Digest.of(TAR))]}
    assert "created" not in found
    assert target.complete(d)


def test_the_same_tar_makes_the_same_image(target):
    first, second = (
        import_rootfs(io.BytesIO(pack(TAR)), target, images.AMD64, ["CMD sh"])
        for pack in (bytes, lzma.compress)
    )
    assert first == second


def test_the_time_is_told_where_it_is_given(target):
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    d = import_rootfs(io.BytesIO(TAR), target, images.AMD64, (), moment)
    assert config(target, d)["created"] == "2026-11-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["CMD sh -l"], {"Cmd": ["/bin/sh", "-c", "sh -l"]}),
        (['cmd ["sh", "-l"]'], {"Cmd": ["sh", "-l"]}),
        (['ENTRYPOINT ["/init"]'], {"Entrypoint": ["/init"]}),
        (["CMD [not json"], {"Cmd": ["/bin/sh", "-c", "[not json"]}),
        (["CMD [1]"], {"Cmd": ["/bin/sh", "-c", "[1]"]}),
        (['ENV A=1 B="2 3"'], {"Env": ["A=1", "B=2 3"]}),
        (["ENV A 1 2"], {"Env": ["A=1 2"]}),
        (["ENV A=1", "ENV B=2 A=3"], {"Env": ["B=2", "A=3"]}),
        (["WORKDIR /a", "WORKDIR b/../c"], {"WorkingDir": "/a/c"}),
        (["USER 1000:1000"], {"User": "1000:1000"}),
        (["LABEL a=b c='d e'", "LABEL a=x"], {"Labels": {"a": "x", "c": "d e"}}),
        (["EXPOSE 80 53/udp"], {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        (["EXPOSE 8000-8002"], {"ExposedPorts": {f"800{n}/tcp": {} for n in range(3)}}),
        (["VOLUME /a /b"], {"Volumes": {"/a": {}, "/b": {}}}),
        (['VOLUME ["/a b"]'], {"Volumes": {"/a b": {}}}),
        (["STOPSIGNAL SIGQUIT"], {"StopSignal": "SIGQUIT"}),
    ],
)
def test_changes_are_those_of_a_dockerfile(target, changes, expected):
    d = import_rootfs(io.BytesIO(TAR), target, images.AMD64, changes)
    assert config(target, d)["config"] == expected


@pytest.mark.parametrize(
    "change",
    [
        "",
        "CMD",
        "ONBUILD RUN x",
        "RUN x",
        "FROM x",
        "HEALTHCHECK NONE",
        "EXPOSE 0",
        "EXPOSE 70000",
        "EXPOSE 9-8",
        "EXPOSE web",
        "ENV A",
        "ENV A=1 B",
        "ENV =1",
        "ENV 'A=1",
        "USER a b",
        "STOPSIGNAL a b",
        "CMD a\0b",
    ],
)
def test_what_is_no_change_is_refused_before_anything_is_read(target, change):
    source = io.BytesIO(TAR)
    with pytest.raises(UsageError):
        import_rootfs(source, target, images.AMD64, [change])
    assert source.tell() == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a text" * 200,
        b"PK\x03\x04" + bytes(600),
        TAR[:300],
        gzip.compress(b"no tar", mtime=0),
        gzip.compress(TAR, mtime=0)[:-20],
        gzip.compress(TAR, mtime=0)[:60] + b"\xff" * 60,
        lzma.compress(TAR)[:-30],
        b"\x28\xb5\x2f\xfd" + b"\xff" * 99,
        b"BZh9" + b"\0" * 99,
    ],
)
def test_what_is_no_tar_is_refused_and_leaves_nothing(tmp_path, content):
    target = Layout(tmp_path / "layout", create=True)
    with pytest.raises(ContentError) as caught:
        import_rootfs(io.BytesIO(content), target, images.AMD64)
    assert caught.value.side == "file"
    assert not [p for p in (tmp_path / "layout/blobs").rglob("*") if p.is_file()]


def test_an_import_that_fails_leaves_no_upload_behind():
    target = MemoryRegistry().repository("imported")
    begun = []

    class Watched:
        upload = target.upload
        put = target.put
        has = target.has

        def begin(self):
            begun.append(target.begin())
            return begun[-1]

    with pytest.raises(ContentError):
        import_rootfs(io.BytesIO(gzip.compress(TAR)[:-20]), Watched(), images.AMD64)
    (upload,) = begun
    with pytest.raises(UploadUnknown):
        target.upload(upload.id)


def test_an_empty_tar_is_an_image_without_files(target):
    d = import_rootfs(io.BytesIO(images.tar({})), target, images.AMD64)
    (layer,) = fetch(target, d).layers
    assert zlib.decompress(fetch_bytes(target, layer, 1000), 31) == images.tar({})
