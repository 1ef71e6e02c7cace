"""Archives: what is written is read, what docker wrote is read, and hostile ones are refused."""

import bz2
import gzip
import io
import json
import os
import tarfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

import images
from killick.compression import zstd
from killick.digest import Digest
from killick.errors import (
    BlobUnknown,
    Conflict,
    ContentError,
    DigestMismatch,
    LimitExceeded,
    ManifestUnknown,
    NotFound,
    PlatformUnknown,
    StoreError,
    StoreReadOnly,
    Unreachable,
    Unsupported,
)
from killick.layout import ArchiveWriter, read_archive
from killick.layout.moves import from_lines, to_lines
from killick.manifest import OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import Cause, Move
from killick.transfer import Options, copy, fetch

TAG = Tag("1.5")
NAME = "docker.io/library/golftrack"


@pytest.fixture
def source():
    return MemoryRegistry().repository("source")


def save(path, source, *roots, docker=None, moves=()):
    """Write an archive of images, tagged t0, t1 …"""
    with ArchiveWriter(path, docker) as writer:
        for n, root in enumerate(roots):
            copy(source, writer.repository(NAME), root, Tag(f"t{n}"), Options(jobs=1))
        writer.record(moves)
    return path


def tarred(path, members):
    """Write a tar of `[(name or TarInfo, bytes)]`."""
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def link(name, to, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


class TestWritten:
    def test_an_archive_is_read_as_it_was_written(self, source, tmp_path):
        roots = [images.multi_platform(source), images.image(source, docker=True)]
        with read_archive(save(tmp_path / "a.tar", source, *roots)) as archive:
            assert list(archive.repositories()) == [NAME]
            assert [e.text for e in archive.images()] == [f"{NAME}:t0", f"{NAME}:t1"]
            assert archive.named("golftrack:t0") == roots[0]
            target = MemoryRegistry().repository("target")
            for n, root in enumerate(roots):
                copy(archive, target, archive.repository(NAME).resolve(Tag(f"t{n}")))
                assert target.complete(root)

    def test_the_same_images_make_the_same_bytes(self, source, tmp_path):
        root = images.multi_platform(source)
        first, second = (save(tmp_path / n, source, root).read_bytes() for n in "ab")
        assert first == second

    def test_any_tar_can_list_it(self, source, tmp_path):
        with tarfile.open(save(tmp_path / "a.tar", source, images.image(source))) as archive:
            names = archive.getnames()
        assert names[-2:] == ["index.json", "oci-layout"]
        assert all(name.startswith("blobs/sha256/") for name in names[:-2])

    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd.compress])
    def test_compressed_archives_are_read_too(self, source, tmp_path, pack):
        root = images.image(source)
        path = save(tmp_path / "a.tar", source, root)
        path.write_bytes(pack(path.read_bytes()))
        with read_archive(path) as archive:
            assert archive.complete(root)

    def test_a_stream_is_read_too(self, source, tmp_path):
        root = images.image(source)
        content = save(tmp_path / "a.tar", source, root).read_bytes()
        reading, writing = os.pipe()

        def feed():
            with os.fdopen(writing, "wb") as out:
                out.write(content)

        thread = threading.Thread(target=feed)
        thread.start()
        with os.fdopen(reading, "rb") as stream, read_archive(stream) as archive:
            assert archive.complete(root)
        thread.join()

    def test_the_ledger_travels_along(self, source, tmp_path):
        for build in (b"1", b"2"):
            source.tag(TAG, images.image(source, {"build": build}))
        source.untag(TAG)
        moves = list(source.history())
        path = save(tmp_path / "a.tar", source, moves[1].to, moves=[*moves, moves[0]])
        with read_archive(path) as archive:
            assert list(archive.moves()) == moves[::-1]

    def test_no_ledger_is_no_error(self, source, tmp_path):
        with read_archive(save(tmp_path / "a.tar", source, images.image(source))) as archive:
            assert list(archive.moves()) == []

    def test_reading_changes_nothing(self, source, tmp_path):
        d = images.image(source)
        with read_archive(save(tmp_path / "a.tar", source, d)) as archive:
            for change in (
                lambda: archive.put(d, io.BytesIO(b"")),
                lambda: archive.tag(TAG, d),
                lambda: archive.untag(Tag("t0")),
            ):
                with pytest.raises(StoreReadOnly):
                    change()

    def test_a_failure_leaves_what_was_there(self, source, tmp_path):
        path = save(tmp_path / "a.tar", source, images.image(source))
        before = path.read_bytes()
        with pytest.raises(Unreachable), ArchiveWriter(path) as writer:
            copy(source, writer, images.image(source))
            raise Unreachable("the line is dead")
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_wrong_bytes_in_the_middle_leave_no_trace(self, source, tmp_path):
        d = images.image(source)
        with ArchiveWriter(tmp_path / "a.tar") as writer:
            for wrong in (b"wrong", b"", b"more than enough"):
                with pytest.raises(DigestMismatch):
                    writer.put(Descriptor.of("text/plain", b"right"), io.BytesIO(wrong))
            copy(source, writer, d, TAG)
        assert path_is_same(save_again(source, d, tmp_path / "b.tar"), tmp_path / "a.tar")

    def test_a_place_that_cannot_be_written_to(self, tmp_path):
        with pytest.raises(StoreError):
            ArchiveWriter(tmp_path / "no/such/folder.tar")


def save_again(source, d, path):
    with ArchiveWriter(path) as writer:
        copy(source, writer, d, TAG)
    return path


def path_is_same(one, other):
    with read_archive(one) as a, read_archive(other) as b:
        return a.images() == b.images() and one.stat().st_size == other.stat().st_size


class TestForDocker:
    def test_what_older_dockers_need_is_there(self, source, tmp_path):
        root = images.multi_platform(source)
        note = images.artifact(source)
        path = tmp_path / "a.tar"
        with ArchiveWriter(path, docker=images.ARM64) as writer:
            copy(source, writer.repository(NAME), root, TAG)
            copy(source, writer.repository(NAME), root, Tag("latest"))
            copy(source, writer, images.image(source, {"x": b"y"}))
            copy(source, writer, note)
        with tarfile.open(path) as archive:
            first, second = json.loads(archive.extractfile("manifest.json").read())
            manifest = fetch(source, fetch(source, root).select(images.ARM64))
            assert first["RepoTags"] == ["golftrack:1.5", "golftrack:latest"]
            assert first["Config"] == f"blobs/sha256/{manifest.config.digest.encoded}"
            for layer in first["Layers"]:
                assert layer in archive.getnames()
            assert second["RepoTags"] == []

    def test_an_image_for_another_platform_is_an_error(self, source, tmp_path):
        with pytest.raises(PlatformUnknown):
            save(
                tmp_path / "a.tar",
                source,
                images.multi_platform(source),
                docker=Platform("plan9", "mips"),
            )
        assert list(tmp_path.iterdir()) == []


CONFIG_LAYERS = [images.tar({"a": b"1"}), images.tar({"b": b"2"})]


def docker_archive(tars=CONFIG_LAYERS, tags=("golftrack:1.5",), **image):
    """Return the members of an archive as docker before 25 saved it."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(t)) for t in CONFIG_LAYERS]},
    }
    raw = json.dumps(config).encode()
    entry = {
        "Config": f"{Digest.of(raw).encoded}.json",
        "RepoTags": list(tags),
        "Layers": [f"{n}/layer.tar" for n in range(len(tars))],
    } | image
    return [
        *[(f"{n}/layer.tar", content) for n, content in enumerate(tars)],
        (f"{Digest.of(raw).encoded}.json", raw),
        ("manifest.json", json.dumps([entry]).encode()),
        ("repositories", b"{}"),
    ]


class TestFromDocker:
    def test_an_image_is_made_of_what_is_there(self, tmp_path):
        path = tarred(tmp_path / "a.tar", docker_archive())
        with read_archive(path) as archive:
            d = archive.named("golftrack:1.5")
            assert archive.complete(d)
            target = MemoryRegistry().repository("target")
            copy(archive, target, d, TAG)
            manifest = fetch(target, d)
            assert [(x.media_type, x.digest) for x in manifest.layers] == [
                (OCI_LAYER, Digest.of(t)) for t in CONFIG_LAYERS
            ]
            assert archive.resolve(d.digest) == d
            with pytest.raises(BlobUnknown):
                archive.find(Digest.of(b"absent"))
            with pytest.raises(BlobUnknown):
                archive.open(Descriptor.of("text/plain", b"absent"))
        with read_archive(path) as again:
            assert again.named("") == d

    def test_compressed_layers_stay_compressed(self, tmp_path):
        packed = [gzip.compress(t, mtime=0) for t in CONFIG_LAYERS]
        path = tarred(tmp_path / "a.tar", docker_archive(packed))
        with read_archive(path) as archive:
            layers = fetch(archive, archive.named("")).layers
            assert [(x.media_type, x.digest) for x in layers] == [
                (OCI_LAYER_GZIP, Digest.of(p)) for p in packed
            ]

    def test_layers_that_are_links_to_others(self, tmp_path):
        """Docker links layers that several images have."""
        members = docker_archive(Layers=["0/layer.tar", "2/layer.tar"])
        members.append((link("2/layer.tar", "../1/layer.tar"), b""))
        with read_archive(tarred(tmp_path / "a.tar", members)) as archive:
            assert archive.complete(archive.named(""))
        members[-1] = (link("2/layer.tar", "1/layer.tar", tarfile.LNKTYPE), b"")
        with read_archive(tarred(tmp_path / "b.tar", members)) as archive:
            assert archive.complete(archive.named(""))

    def test_wrong_layers_are_found_on_reading(self, tmp_path):
        wrong = [CONFIG_LAYERS[0], images.tar({"b": b"X"})]
        with read_archive(tarred(tmp_path / "a.tar", docker_archive(wrong))) as archive:
            target = MemoryRegistry().repository("target")
            with pytest.raises(DigestMismatch):
                copy(archive, target, archive.named(""))

    def test_images_without_or_with_odd_names(self, tmp_path):
        for n, tags in enumerate([(), None, ("ODD NAME",)]):
            members = docker_archive(RepoTags=tags)
            with read_archive(tarred(tmp_path / f"{n}.tar", members)) as archive:
                assert archive.named("")
        with read_archive(tmp_path / "2.tar") as archive:
            assert archive.named("ODD NAME")

    def test_a_layout_inside_is_preferred(self, source, tmp_path):
        root = images.image(source)
        path = save(tmp_path / "a.tar", source, root, docker=images.AMD64)
        with read_archive(path) as archive:
            assert archive.named("golftrack:t0") == root

    @pytest.mark.parametrize(
        "change",
        [
            {"Config": "absent.json"},
            {"Config": "../../etc/passwd"},
            {"Config": None},
            {"Config": "0/layer.tar"},
            {"Layers": None},
            {"Layers": ["0/layer.tar"]},
            {"Layers": ["0/layer.tar", "absent"]},
            {"Layers": ["0/layer.tar", 1]},
            {"RepoTags": "x"},
            {"RepoTags": [1]},
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, tmp_path, change):
        with pytest.raises(ContentError) as caught:
            read_archive(tarred(tmp_path / "a.tar", docker_archive(**change)))
        assert caught.value.side == "file"

    def test_layers_packed_in_a_way_that_images_have_not(self, tmp_path):
        packed = [bz2.compress(t) for t in CONFIG_LAYERS]
        with pytest.raises(ContentError):
            read_archive(tarred(tmp_path / "a.tar", docker_archive(packed)))

    @pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
    def test_what_is_no_list_of_images(self, tmp_path, content):
        with pytest.raises(ContentError):
            read_archive(tarred(tmp_path / "a.tar", [("manifest.json", content)]))

    def test_too_many_images(self, tmp_path):
        content = json.dumps([{}] * 10_001).encode()
        with pytest.raises(ContentError):
            read_archive(tarred(tmp_path / "a.tar", [("manifest.json", content)]))


LAYOUT = [
    ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
    ("index.json", b'{"schemaVersion": 2, "manifests": []}'),
]


class TestHostile:
    def test_names_may_begin_with_the_current_folder(self, tmp_path):
        members = [(f"./{name}", content) for name, content in LAYOUT]
        members.insert(0, (link("./", "", tarfile.DIRTYPE), b""))
        with read_archive(tarred(tmp_path / "a.tar", members)) as archive:
            assert archive.images() == ()
            with pytest.raises(ManifestUnknown):
                archive.named("")

    @pytest.mark.parametrize(
        "member",
        [
            "/etc/passwd",
            "../outside",
            "blobs/../../outside",
            "./../outside",
            link("device", "", tarfile.CHRTYPE),
            link("pipe", "", tarfile.FIFOTYPE),
            "oci-layout",
            "./oci-layout",
            "blobs//..",
        ],
        ids=lambda member: getattr(member, "name", member),
    )
    def test_members_that_have_no_place_in_an_archive(self, tmp_path, member):
        with pytest.raises(ContentError) as caught:
            read_archive(tarred(tmp_path / "a.tar", [*LAYOUT, (member, b"")]))
        assert caught.value.side == "file"

    def test_links_lead_nowhere_but_into_the_archive(self, tmp_path):
        target = Path(tmp_path / "secret")
        target.write_bytes(b"secret")
        d = Descriptor.of("text/plain", b"secret")
        for n, to in enumerate([str(target), "../" * 30 + str(target), "../../../secret"]):
            name = f"blobs/sha256/{d.digest.encoded}"
            path = tarred(tmp_path / f"{n}.tar", [*LAYOUT, (link(name, to), b"")])
            with read_archive(path) as archive:
                assert not archive.has(d)

    def test_links_in_a_ring(self, tmp_path):
        d = Descriptor.of("text/plain", b"x")
        name = f"blobs/sha256/{d.digest.encoded}"
        members = [(link(name, "other"), b""), (link("blobs/sha256/other", name[13:]), b"")]
        with (
            read_archive(tarred(tmp_path / "a.tar", [*LAYOUT, *members])) as archive,
            pytest.raises(ContentError),
        ):
            archive.has(d)

    def test_an_archive_that_is_cut_off(self, source, tmp_path):
        path = save(tmp_path / "a.tar", source, images.image(source))
        content = path.read_bytes()
        for size in (0, 100, 700, 512 + 200, len(content) // 2, len(content) - 1510):
            path.write_bytes(content[:size])
            with pytest.raises(ContentError):
                read_archive(path)

    def test_a_flipped_bit_is_found_on_reading(self, source, tmp_path):
        path = save(tmp_path / "a.tar", source, images.image(source))
        content = bytearray(path.read_bytes())
        content[600] ^= 1
        path.write_bytes(content)
        with read_archive(path) as archive:
            target = MemoryRegistry().repository("target")
            with pytest.raises(DigestMismatch) as caught:
                copy(archive, target, archive.named(""))
        assert caught.value.side == "file"

    def test_an_archive_that_shrinks_while_it_is_read(self, source, tmp_path):
        d = images.put(source, "text/plain", b"x" * 5000)
        with ArchiveWriter(tmp_path / "a.tar") as writer, source.open(d) as content:
            writer.put(d, content)
        with read_archive(tmp_path / "a.tar") as archive:
            os.truncate(tmp_path / "a.tar", 2000)
            with pytest.raises(DigestMismatch), archive.open(d) as stream:
                stream.read()

    @pytest.mark.parametrize(
        "members",
        [
            [],
            [("etc/passwd", b"")],
            LAYOUT[:1],
            [("oci-layout", b""), LAYOUT[1]],
            [LAYOUT[0], ("index.json", b"")],
            [LAYOUT[0], ("index.json", b"[]")],
            [("oci-layout", b" " * 5000), LAYOUT[1]],
        ],
    )
    def test_other_tars(self, tmp_path, members):
        with pytest.raises(ContentError) as caught:
            read_archive(tarred(tmp_path / "a.tar", members))
        assert caught.value.side == "file"

    def test_other_versions(self, tmp_path):
        members = [("oci-layout", b'{"imageLayoutVersion": "2.0.0"}'), LAYOUT[1]]
        with pytest.raises(Unsupported):
            read_archive(tarred(tmp_path / "a.tar", members))

    @pytest.mark.parametrize(
        "content", [b"", b"hello" * 1000, gzip.compress(b"hello", mtime=0), b"\x1f\x8b"]
    )
    def test_other_files(self, tmp_path, content):
        (tmp_path / "a.tar").write_bytes(content)
        with pytest.raises(ContentError):
            read_archive(tmp_path / "a.tar")

    def test_no_file(self, tmp_path):
        with pytest.raises(NotFound):
            read_archive(tmp_path / "none.tar")
        with pytest.raises(StoreError):
            read_archive(tmp_path)

    def test_several_images_and_no_name(self, source, tmp_path):
        roots = [images.image(source, {"n": n}) for n in (b"1", b"2")]
        with (
            read_archive(save(tmp_path / "a.tar", source, *roots)) as archive,
            pytest.raises(Conflict),
        ):
            archive.named("")


MOVE = Move(
    3,
    datetime(2026, 11, 1, 12, tzinfo=UTC),
    NAME,
    TAG,
    Descriptor(OCI_MANIFEST, Digest.of(b"new"), 3),
    Digest.of(b"old"),
    Cause("observed", "mate@deck", "registry.example", authoritative=False),
)


class TestMoves:
    def test_moves_come_and_go_the_same(self):
        assert list(from_lines(to_lines([MOVE]))) == [MOVE]

    @pytest.mark.parametrize(
        "change",
        [
            {"sequence": -1},
            {"sequence": "1"},
            {"time": "2026-11-01"},
            {"time": "2026-13-01T00:00:00Z"},
            {"time": 5},
            {"tag": "not a tag"},
            {"to": {}},
            {"to": "x"},
            {"previous": "x"},
            {"previous": 5},
            {"kind": "stolen"},
            {"kind": []},
            {"actor": None},
            {"actor": "x" * 2000},
            {"authoritative": 1},
        ],
    )
    def test_what_is_no_move(self, change):
        line = json.dumps(json.loads(to_lines([MOVE])) | change).encode()
        with pytest.raises(ContentError, match="line 1"):
            list(from_lines(line))

    @pytest.mark.parametrize("line", [b"x", b"[]", b"1", b"{}"])
    def test_what_is_no_line(self, line):
        with pytest.raises(ContentError):
            list(from_lines(line))

    def test_too_many_lines(self):
        with pytest.raises(LimitExceeded):
            list(from_lines(b"\n" * 500_001))
