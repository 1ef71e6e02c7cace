import pytest

from killick.digest import Digest
from killick.errors import KillickError, UploadUnknown
from killick.server import spool as module
from killick.server.spool import Spool
from serving import PlainRegistry


@pytest.fixture
def repository():
    return PlainRegistry().repository("a")


@pytest.fixture
def spool():
    spool = Spool()
    yield spool
    spool.close()


def test_an_upload_ends_in_the_repository(repository, spool):
    upload = spool.at("a", repository).begin()
    upload.write(b"ab")
    spool.at("a", repository).upload(upload.id).write(b"c")
    assert upload.size == 3
    d = upload.commit()
    assert d.digest == Digest.of(b"abc")
    assert repository.has(d)
    with pytest.raises(UploadUnknown):
        spool.at("a", repository).upload(upload.id)
    for late in (lambda: upload.write(b"d"), upload.commit):
        with pytest.raises(UploadUnknown):
            late()


def test_there_is_a_limit(repository, spool):
    for _ in range(module.MOST_UPLOADS):
        upload = spool.at("a", repository).begin()
    with pytest.raises(KillickError, match="too many uploads"):
        spool.at("a", repository).begin()
    upload.touched -= module.LIFETIME + 1
    spool.at("a", repository).begin()
    with pytest.raises(UploadUnknown):
        spool.at("a", repository).upload(upload.id)


def test_large_uploads_leave_memory(repository, spool):
    upload = spool.at("a", repository).begin()
    data = b"x" * 700_000
    for _ in range(3):
        upload.write(data)
    assert upload._file._rolled
    assert upload.commit().size == 3 * len(data)
