"""The capabilities, each where a repository says that it has it."""

import io

import pytest

import images
from contract.implementations import having
from contract.tools import Failing, at_once, blob, put, read
from killick.digest import Digest
from killick.errors import (
    BlobUnknown,
    DigestMismatch,
    ManifestUnknown,
    TagUnknown,
    Unreachable,
    UploadUnknown,
)
from killick.manifest import OCI_MANIFEST
from killick.names import Tag
from killick.repository import (
    Deletable,
    Knowing,
    Located,
    Mountable,
    Referrers,
    Resumable,
    Uploads,
)


@pytest.mark.parametrize("place", having(Resumable), indirect=True)
class TestResumable:
    @pytest.fixture
    def resumable(self, repository):
        return repository

    def test_content_comes_in_at_once(self, resumable):
        d = blob(b"all of it")
        with resumable.ingest(d) as ingest:
            assert (ingest.offset, ingest.done) == (0, False)
            ingest.fill(io.BytesIO(b"all of it"))
        assert read(resumable, d) == b"all of it"

    def test_what_is_here_needs_nothing_more(self, resumable):
        d = put(resumable, b"all of it")
        with resumable.ingest(d) as ingest:
            assert ingest.done

    def test_the_empty_blob_comes_in(self, resumable):
        d = blob(b"")
        with resumable.ingest(d) as ingest:
            if not ingest.done:
                ingest.fill(io.BytesIO(b""))
        assert resumable.has(d)

    def test_after_a_failure_it_goes_on_where_it_was(self, resumable):
        content = bytes(range(256)) * 8000
        d = blob(content)
        with pytest.raises(Unreachable), resumable.ingest(d) as ingest:
            ingest.fill(Failing(content[:1_000_000], Unreachable("the line is dead")))
        assert not resumable.has(d)
        with resumable.ingest(d) as ingest:
            assert 0 < ingest.offset <= 1_000_000
            ingest.fill(io.BytesIO(content[ingest.offset :]))
        assert read(resumable, d) == content

    def test_within_one_ingest_it_goes_on_too(self, resumable):
        content = bytes(range(256)) * 8000
        d = blob(content)
        with resumable.ingest(d) as ingest:
            with pytest.raises(Unreachable):
                ingest.fill(Failing(content[:1_000_000], Unreachable("the line is dead")))
            ingest.fill(io.BytesIO(content[ingest.offset :]))
        assert read(resumable, d) == content

    @pytest.mark.parametrize("wrong", [b"wrong bytes", b"right bytes!", b"right"])
    def test_wrong_bytes_are_dropped(self, resumable, wrong):
        d = blob(b"right bytes")
        with pytest.raises(DigestMismatch), resumable.ingest(d) as ingest:
            ingest.fill(io.BytesIO(wrong))
        assert not resumable.has(d)
        put(resumable, b"right bytes")
        assert read(resumable, d) == b"right bytes"

    def test_eight_at_once_share_one_transfer(self, resumable):
        content = b"popular" * 100_000
        d = blob(content)
        fills = []

        def fetch():
            with resumable.ingest(d) as ingest:
                if not ingest.done:
                    fills.append(1)
                    ingest.fill(io.BytesIO(content[ingest.offset :]))

        assert not at_once(*[fetch] * 8)
        assert len(fills) == 1
        assert read(resumable, d) == content


@pytest.mark.parametrize("place", having(Uploads), indirect=True)
class TestUploads:
    @pytest.fixture
    def uploads(self, repository):
        return repository

    def test_pieces_become_one_blob(self, uploads):
        upload = uploads.begin()
        for piece in (b"one ", b"", b"two"):
            upload.write(piece)
        assert upload.size == 7
        d = upload.commit()
        assert d.digest == Digest.of(b"one two")
        assert read(uploads, d) == b"one two"

    def test_an_empty_upload_is_the_empty_blob(self, uploads):
        assert uploads.begin().commit().digest == Digest.of(b"")

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_the_digest_is_checked(self, uploads, algorithm):
        upload = uploads.begin()
        upload.write(b"content")
        digest = Digest.of(b"content", algorithm)
        assert upload.commit(digest).digest == digest
        assert uploads.find(digest).size == 7

    def test_wrong_bytes_end_the_upload(self, uploads):
        upload = uploads.begin()
        upload.write(b"content")
        with pytest.raises(DigestMismatch):
            upload.commit(Digest.of(b"other content"))
        with pytest.raises(BlobUnknown):
            uploads.find(Digest.of(b"other content"))
        with pytest.raises(UploadUnknown):
            uploads.upload(upload.id)

    def test_an_upload_is_taken_up_again_by_its_id(self, uploads):
        first = uploads.begin()
        first.write(b"one ")
        again = uploads.upload(first.id)
        assert (again.id, again.size) == (first.id, 4)
        again.write(b"two")
        assert again.commit(Digest.of(b"one two")).size == 7

    def test_a_cancelled_upload_is_gone(self, uploads):
        upload = uploads.begin()
        upload.write(b"content")
        upload.cancel()
        with pytest.raises(UploadUnknown):
            uploads.upload(upload.id)

    @pytest.mark.parametrize("identifier", ["nothing", "", "../../etc", "a" * 300, "\0"])
    def test_an_unknown_upload(self, uploads, identifier):
        with pytest.raises(UploadUnknown):
            uploads.upload(identifier)

    def test_an_upload_belongs_to_its_repository(self, place, uploads):
        upload = uploads.begin()
        with pytest.raises(UploadUnknown):
            place.repository("team/sister").upload(upload.id)
        upload.cancel()


@pytest.mark.parametrize("place", having(Mountable), indirect=True)
class TestMountable:
    def test_a_blob_of_a_sister_becomes_visible(self, place, repository):
        d = put(place.repository("team/sister"), b"shared")
        assert repository.mount(d, place.prefix + "team/sister")
        assert read(repository, d) == b"shared"

    def test_what_the_sister_lacks_is_not_mounted(self, place, repository):
        put(place.repository("team/sister"), b"shared")
        absent = blob(b"absent")
        assert not repository.mount(absent, place.prefix + "team/sister")
        assert not repository.has(absent)

    def test_content_is_not_visible_in_a_sister_unasked(self, place, repository):
        d = put(place.repository("team/sister"), b"private")
        assert not repository.has(d)
        with pytest.raises(BlobUnknown):
            repository.find(d.digest)


@pytest.mark.parametrize("place", having(Located), indirect=True)
class TestLocated:
    def test_a_located_file_has_exactly_the_content(self, repository):
        d = put(repository, b"in a file")
        path = repository.locate(d)
        assert path is None or path.read_bytes() == b"in a file"

    def test_nothing_is_located_where_nothing_is(self, repository):
        assert repository.locate(blob(b"absent")) is None


@pytest.mark.parametrize("place", having(Deletable), indirect=True)
class TestDeletable:
    @pytest.fixture
    def deletable(self, repository):
        return repository

    def test_a_deleted_blob_is_gone(self, deletable):
        d = put(deletable, b"unwanted")
        deletable.delete(d)
        assert not deletable.has(d)
        with pytest.raises(BlobUnknown):
            deletable.open(d)

    def test_a_deleted_manifest_takes_its_tags_along(self, deletable):
        gone, kept = (images.image(deletable, {"x": x}) for x in (b"gone", b"kept"))
        for name, d in (("a", gone), ("b", gone), ("c", kept)):
            deletable.tag(Tag(name), d)
        deletable.delete(gone)
        assert list(deletable.tags()) == ["c"]
        for reference in (gone.digest, Tag("a")):
            with pytest.raises((ManifestUnknown, TagUnknown)):
                deletable.resolve(reference)

    def test_what_was_deleted_can_come_back(self, deletable):
        d = images.image(deletable)
        deletable.delete(d)
        assert images.image(deletable) == d
        assert deletable.resolve(d.digest) == d

    def test_deleting_what_is_not_there(self, deletable):
        images.image(deletable)
        with pytest.raises(BlobUnknown):
            deletable.delete(blob(b"absent"))
        with pytest.raises(ManifestUnknown):
            deletable.delete(blob(b"absent", media_type=OCI_MANIFEST))


@pytest.mark.parametrize("place", having(Referrers), indirect=True)
class TestReferrers:
    @pytest.fixture
    def referring(self, repository):
        return repository

    def test_what_has_a_subject_refers_to_it(self, referring):
        subject = images.image(referring)
        sbom = images.artifact(referring, subject)
        (found,) = referring.referrers(subject.digest)
        assert (found.digest, found.size, found.media_type) == (
            sbom.digest,
            sbom.size,
            OCI_MANIFEST,
        )
        assert found.artifact_type == "application/vnd.example.sbom"
        assert found.annotations == {"org.example.kind": "sbom"}

    def test_referrers_are_filtered_by_type(self, referring):
        subject = images.image(referring)
        types = ["application/vnd.example.sbom", "application/vnd.example.signature"]
        both = [images.artifact(referring, subject, t) for t in types]
        assert {d.digest for d in referring.referrers(subject.digest)} == {d.digest for d in both}
        (found,) = referring.referrers(subject.digest, types[1])
        assert found.digest == both[1].digest
        assert not list(referring.referrers(subject.digest, "application/vnd.example.none"))

    def test_the_subject_may_come_later_or_never(self, referring):
        absent = blob(b"absent", media_type=OCI_MANIFEST)
        sbom = images.artifact(referring, absent)
        assert [d.digest for d in referring.referrers(absent.digest)] == [sbom.digest]

    def test_an_index_may_refer_as_well(self, referring):
        subject = images.image(referring)
        both = images.index(referring, [], subject=subject.to_json(), artifactType="a/b")
        (found,) = referring.referrers(subject.digest)
        assert (found.digest, found.artifact_type) == (both.digest, "a/b")

    def test_nothing_refers_to_an_image_alone(self, referring):
        subject = images.image(referring)
        images.artifact(referring)
        assert not list(referring.referrers(subject.digest))


@pytest.mark.parametrize("place", having(Knowing), indirect=True)
class TestKnowing:
    @pytest.fixture
    def knowing(self, repository):
        return repository

    def test_what_is_missing_is_not_complete(self, knowing):
        images.image(knowing)
        assert not knowing.complete(blob(b"absent", media_type=OCI_MANIFEST))
