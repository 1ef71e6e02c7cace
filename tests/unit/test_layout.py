"""OCI layout directories: names, what other tools write, and layouts that are none."""

import io
import json
import os

import pytest

import images
from killick.digest import Digest
from killick.errors import (
    BadReference,
    BlobUnknown,
    Conflict,
    ContentError,
    DigestMismatch,
    KillickError,
    LimitExceeded,
    ManifestUnknown,
    NotFound,
    StoreError,
    TagUnknown,
    Unsupported,
)
from killick.layout import Layout
from killick.layout.entries import IMAGE_NAME, REF_NAME
from killick.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.transfer import Options, copy

ONE, TWO = Tag("1"), Tag("2")


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "layout", create=True)


def written(layout):
    return json.loads((layout.path / "index.json").read_bytes())


def rewrite(layout, value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    (layout.path / "index.json").write_bytes(raw)


def annotated(layout, d, **names):
    """Write an index.json as another tool would, with one entry for each of `names`."""
    keys = {"ref": REF_NAME, "full": IMAGE_NAME}
    entry = d.to_json() | {"annotations": {keys[k]: v for k, v in names.items()}}
    rewrite(layout, {"schemaVersion": 2, "manifests": [entry]})


class TestOnDisk:
    def test_an_empty_layout_is_what_the_specification_says(self, layout):
        assert json.loads((layout.path / "oci-layout").read_bytes()) == {
            "imageLayoutVersion": "1.0.0"
        }
        assert written(layout) == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        assert (layout.path / "blobs").is_dir()

    def test_blobs_lie_under_their_digests_and_nothing_else_does(self, layout):
        images.image(layout)
        for path in layout.path.rglob("*"):
            if path.is_file() and "blobs" in path.parts:
                assert Digest.of(path.read_bytes()).encoded == path.name
        assert {p.name for p in layout.path.iterdir()} == {"blobs", "index.json", "oci-layout"}

    def test_a_layout_that_is_there_is_opened_again(self, layout):
        d = images.image(layout)
        layout.tag(ONE, d)
        for again in (Layout(layout.path), Layout(layout.path, create=True)):
            assert again.resolve(ONE) == d

    def test_what_another_process_wrote_is_seen(self, layout):
        other = Layout(layout.path)
        d = images.image(other)
        other.tag(ONE, d)
        assert layout.resolve(ONE) == d

    def test_other_fields_and_annotations_are_kept(self, layout):
        d = images.image(layout)
        entry = d.to_json() | {"annotations": {"x": "y", REF_NAME: "1"}, "own": [1]}
        rewrite(layout, {"schemaVersion": 2, "annotations": {"a": "b"}, "manifests": [entry]})
        layout.tag(TWO, d)
        assert written(layout)["annotations"] == {"a": "b"}
        first, second = written(layout)["manifests"]
        assert first == entry
        assert second == entry | {"annotations": {"x": "y", REF_NAME: "2"}}

    def test_an_image_without_a_tag_has_an_entry_and_its_parts_have_none(self, layout):
        root = images.multi_platform(layout)
        assert [e.descriptor.digest for e in layout.images()] == [root.digest]

    def test_parts_that_come_later_get_none_either(self, layout):
        source = MemoryRegistry().repository("source")
        root = images.multi_platform(source)
        copy(source, layout, root, ONE, Options(platforms=(images.AMD64,)))
        copy(source, layout, root, ONE)
        assert [e.text for e in layout.images()] == ["1"]

    def test_what_a_tag_pointed_to_keeps_an_entry(self, layout):
        old, new = (images.image(layout, {"v": v}) for v in (b"old", b"new"))
        layout.tag(ONE, old)
        layout.tag(ONE, new)
        assert [e.text for e in layout.images()] == [str(old.digest), "1"]
        layout.untag(ONE)
        assert {e.text for e in layout.images()} == {str(old.digest), str(new.digest)}

    def test_damage_is_found_on_reading_and_healed_by_the_next_put(self, layout):
        d = images.put(layout, "text/plain", b"right")
        path = layout.path / "blobs/sha256" / d.digest.encoded
        path.write_bytes(b"wrong")
        with pytest.raises(DigestMismatch) as caught, layout.open(d) as stream:
            stream.read()
        assert caught.value.side == "file"
        path.write_bytes(b"short")
        assert layout.has(d)
        path.write_bytes(b"no")
        assert not layout.has(d)
        images.put(layout, "text/plain", b"right")
        with layout.open(d, 2) as stream:
            assert stream.read() == b"ght"

    def test_damage_before_the_start_is_found_too(self, layout):
        d = images.put(layout, "text/plain", b"right")
        (layout.path / "blobs/sha256" / d.digest.encoded).write_bytes(b"xight")
        with pytest.raises(DigestMismatch), layout.open(d, 3) as stream:
            stream.read()

    def test_blobs_may_be_links_but_not_pipes(self, layout, tmp_path):
        content = b"elsewhere"
        d = Descriptor.of("text/plain", content)
        (tmp_path / "elsewhere").write_bytes(content)
        folder = layout.path / "blobs/sha256"
        folder.mkdir()
        (folder / d.digest.encoded).symlink_to(tmp_path / "elsewhere")
        assert layout.has(d)
        pipe = Descriptor.of("text/plain", b"pipe")
        os.mkfifo(folder / pipe.digest.encoded)
        assert not layout.has(pipe)
        with pytest.raises(StoreError):
            layout.open(pipe)


class TestNames:
    @pytest.mark.parametrize(
        ("names", "repository", "tag"),
        [
            ({"ref": "1"}, "", "1"),  # skopeo, buildah, umoci
            ({"ref": "docker.io/library/a:1"}, "docker.io/library/a", "1"),  # podman
            ({"ref": "a.example:5000/b:1"}, "a.example:5000/b", "1"),
            ({"ref": "1", "full": "docker.io/library/a:1"}, "docker.io/library/a", "1"),  # docker
            ({"ref": "2", "full": "a:1"}, "docker.io/library/a", "1"),
            ({"full": "a.example/b"}, "a.example/b", "latest"),
            ({"ref": "1", "full": "NOT A NAME"}, "", "1"),
            ({"ref": "team/a"}, "docker.io/team/a", "latest"),
        ],
    )
    def test_names_as_other_tools_write_them(self, layout, names, repository, tag):
        d = images.image(layout)
        annotated(layout, d, **names)
        assert layout.repository(repository).resolve(Tag(tag)) == d
        assert list(layout.repositories()) == [repository] * bool(repository)
        assert layout.named(tag) == layout.named("") == d
        if repository:
            assert layout.named(f"{repository}:{tag}") == d

    def test_names_are_written_so_that_others_read_them(self, layout):
        d = images.image(layout)
        layout.repository("a").tag(ONE, d)
        layout.tag(TWO, d)
        assert [m["annotations"] for m in written(layout)["manifests"]] == [
            {REF_NAME: "1", IMAGE_NAME: "docker.io/library/a:1"},
            {REF_NAME: "2"},
        ]

    def test_a_label_that_is_no_reference_still_names(self, layout):
        d = images.image(layout)
        annotated(layout, d, ref="app+with@odd:name")
        assert layout.named("app+with@odd:name") == layout.named("") == d
        assert list(layout.tags()) == []

    def test_a_name_by_digest_only(self, layout):
        d = images.image(layout)
        annotated(layout, d, full=f"a.example/b@{d.digest}")
        (entry,) = layout.images()
        assert (entry.repository, entry.tag, entry.is_named) == ("a.example/b", None, True)
        assert layout.named("") == d

    def test_a_bare_tag_comes_before_a_full_name(self, layout):
        bare, full = (images.image(layout, {"v": v}) for v in (b"bare", b"full"))
        layout.repository("a.example/b").tag(ONE, full)
        assert layout.resolve(ONE) == full
        layout.tag(ONE, bare)
        assert layout.resolve(ONE) == bare
        assert layout.repository("a.example/b").resolve(ONE) == full
        layout.untag(ONE)
        layout.untag(ONE)
        assert list(layout.tags()) == []

    def test_a_tag_that_several_images_have_is_not_guessed(self, layout):
        for name, text in (("a.example/a", b"a"), ("a.example/b", b"b")):
            layout.repository(name).tag(ONE, images.image(layout, {"v": text}))
        with pytest.raises(Conflict) as caught:
            layout.resolve(ONE)
        assert caught.value.hint == "it has a.example/a:1, a.example/b:1"
        with pytest.raises(Conflict):
            layout.named("")

    def test_the_only_image_needs_no_name(self, layout):
        with pytest.raises(ManifestUnknown):
            layout.named("")
        d = images.image(layout)
        assert layout.named("") == d
        layout.tag(ONE, d)
        layout.tag(TWO, d)
        assert layout.named("") == d
        images.artifact(layout, d)
        assert layout.named("") == d

    def test_unknown_names_are_answered_with_those_that_there_are(self, layout):
        with pytest.raises(TagUnknown) as caught:
            layout.named("1")
        assert caught.value.hint == "it holds no image"
        d = images.image(layout)
        for n in range(12):
            layout.tag(Tag(f"t{n:02}"), d)
        with pytest.raises(TagUnknown) as caught:
            layout.named("a.example/b")
        assert caught.value.hint.endswith("t09 …")
        with pytest.raises(BadReference):
            layout.named("NOT A NAME")
        with pytest.raises(BadReference):
            layout.repository("NOT A NAME")

    def test_a_tag_that_moves_within_its_repository_leaves_others_alone(self, layout):
        old, new = (images.image(layout, {"v": v}) for v in (b"old", b"new"))
        for name in ("a.example/a", "a.example/b"):
            layout.repository(name).tag(ONE, old)
        layout.repository("a.example/a").tag(ONE, new)
        assert layout.repository("a.example/b").resolve(ONE) == old


class TestResolve:
    def test_manifests_that_no_entry_lists_are_recognised(self, layout):
        root = images.multi_platform(layout)
        child = json.loads(layout.open(root).read())["manifests"][0]
        found = layout.resolve(Digest.parse(child["digest"]))
        assert (found.media_type, found.size) == (OCI_MANIFEST, child["size"])

    def test_a_listed_image_whose_bytes_are_missing(self, layout):
        d = images.image(layout)
        layout.tag(ONE, d)
        (layout.path / "blobs/sha256" / d.digest.encoded).unlink()
        with pytest.raises(ManifestUnknown):
            layout.resolve(d.digest)
        with pytest.raises(ManifestUnknown):
            layout.open(layout.resolve(ONE))
        assert not layout.complete(d)
        assert list(layout.referrers(d.digest)) == []

    def test_completeness(self, layout):
        root = images.multi_platform(layout)
        assert layout.complete(root)
        foreign = Descriptor("application/x.nondistributable.tar", Digest.of(b"x"), 1)
        assert layout.complete(foreign)
        blob = next(p for p in (layout.path / "blobs/sha256").iterdir() if p.stat().st_size < 200)
        blob.unlink()
        assert not layout.complete(root)

    def test_bottomless_indexes_are_never_complete(self, layout):
        root = images.image(layout)
        for _ in range(12):
            root = images.index(layout, [(root, None)])
        assert not layout.complete(root)


def strange(**changes):
    return {"schemaVersion": 2, "manifests": []} | changes


class TestBadLayouts:
    def test_nothing_is_there(self, tmp_path):
        with pytest.raises(NotFound) as caught:
            Layout(tmp_path / "none")
        assert caught.value.side == "file"

    def test_a_file_is_no_layout(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(NotFound):
            Layout(tmp_path / "file")
        with pytest.raises(StoreError):
            Layout(tmp_path / "file", create=True)

    def test_other_folders_are_left_alone(self, tmp_path):
        (tmp_path / "precious").write_bytes(b"x")
        with pytest.raises(ContentError, match="no OCI layout"):
            Layout(tmp_path)
        with pytest.raises(StoreError, match="holds other files"):
            Layout(tmp_path, create=True)
        assert [p.name for p in tmp_path.iterdir()] == ["precious"]

    def test_what_was_cut_off_while_it_was_made_is_made_again(self, layout):
        (layout.path / "oci-layout").unlink()
        (layout.path / ".killick-0123").write_bytes(b"half")
        Layout(layout.path, create=True)
        Layout(layout.path)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"", ContentError),
            (b"[]", ContentError),
            (b'{"imageLayoutVersion": 1}', ContentError),
            (b'{"imageLayoutVersion": "2.0.0"}', Unsupported),
            (b" " * 10_000, ContentError),
        ],
    )
    def test_the_version_file(self, layout, content, expected):
        (layout.path / "oci-layout").write_bytes(content)
        with pytest.raises(expected) as caught:
            Layout(layout.path)
        assert caught.value.side == "file"

    def test_later_versions_of_the_same_kind_are_read(self, layout):
        (layout.path / "oci-layout").write_bytes(b'{"imageLayoutVersion": "1.1.0"}')
        Layout(layout.path)

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"[]",
            b"\xff",
            b"{" * 100,
            strange(schemaVersion=1),
            strange(manifests=None),
            strange(manifests={}),
            strange(manifests=[1]),
            strange(manifests=[{"mediaType": "x", "digest": "../../etc/passwd", "size": 1}]),
            strange(manifests=[{"mediaType": "x", "digest": "sha256:..", "size": 1}]),
            strange(mediaType=OCI_MANIFEST),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_the_index(self, layout, value):
        rewrite(layout, value)
        with pytest.raises(ContentError) as caught:
            Layout(layout.path)
        assert caught.value.side == "file"

    def test_the_index_is_missing(self, layout):
        (layout.path / "index.json").unlink()
        with pytest.raises(ContentError, match=r"no index\.json"):
            Layout(layout.path)

    def test_the_index_has_limits(self, layout):
        small = {"mediaType": "a/b", "digest": "a:b", "size": 1}
        rewrite(layout, strange(manifests=[small] * 100_001))
        with pytest.raises(LimitExceeded):
            Layout(layout.path)
        with (layout.path / "index.json").open("wb") as file:
            file.truncate(2**40)
        with pytest.raises(LimitExceeded):
            Layout(layout.path)

    def test_the_index_is_no_file(self, layout):
        (layout.path / "index.json").unlink()
        (layout.path / "index.json").mkdir()
        with pytest.raises(StoreError):
            Layout(layout.path)

    def test_blobs_are_no_folder(self, layout):
        (layout.path / "blobs").rmdir()
        (layout.path / "blobs").write_bytes(b"")
        d = Descriptor.of("text/plain", b"x")
        assert not layout.has(d)
        with pytest.raises(BlobUnknown):
            layout.open(d)
        with pytest.raises(KillickError):
            layout.put(d, io.BytesIO(b"x"))

    def test_a_manifest_that_is_larger_than_it_says_is_not_read_whole(self, layout):
        d = Descriptor(OCI_MANIFEST, Digest.of(b"{}"), 2)
        source = io.BytesIO(b"{" * 1_000_000)
        with pytest.raises(DigestMismatch):
            layout.put(d, source)
        assert source.tell() < 10

    def test_platforms_in_entries_are_kept(self, layout):
        d = images.image(layout)
        entry = d.to_json() | {"platform": {"os": "linux", "architecture": "arm64"}}
        rewrite(layout, strange(manifests=[entry]))
        layout.tag(ONE, d)
        assert layout.images()[0].descriptor.platform == Platform("linux", "arm64")
