import pytest

from killick import errors
from killick.wire.codes import TABLE, error_of, row_of, status_of


def every_error(cls=errors.KillickError):
    yield cls
    for child in cls.__subclasses__():
        yield from every_error(child)


@pytest.mark.parametrize("error", [e for e in every_error() if e.__module__ == errors.__name__])
def test_every_error_has_a_row(error):
    row = row_of(error("x"))
    assert issubclass(error, row.error)
    assert 400 <= row.status < 600


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (errors.NameUnknown, "NAME_UNKNOWN", 404),
        (errors.TagUnknown, "MANIFEST_UNKNOWN", 404),
        (errors.BlobUnknown, "BLOB_UNKNOWN", 404),
        (errors.DigestMismatch, "DIGEST_INVALID", 400),
        (errors.Unacceptable, "MANIFEST_INVALID", 400),
        (errors.Unauthorized, "UNAUTHORIZED", 401),
        (errors.Conflict, "PRECONDITION_FAILED", 412),
        (errors.ProtocolError, "UPSTREAM_INVALID", 502),
        (errors.StoreDamaged, "UNKNOWN", 500),
    ],
)
def test_what_goes_out(error, code, status):
    assert row_of(error("x"))[1:] == (code, status)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NAME_UNKNOWN", errors.NameUnknown),
        (404, "MANIFEST_UNKNOWN", errors.ManifestUnknown),
        (400, "MANIFEST_BLOB_UNKNOWN", errors.BlobUnknown),
        (404, None, errors.NotFound),
        (404, "MADE_UP", errors.NotFound),
        (401, None, errors.Unauthorized),
        (412, None, errors.Conflict),
        (500, "UNKNOWN", errors.Unreachable),
        (503, None, errors.Unreachable),
        (429, None, errors.RateLimited),
        (418, None, errors.ProtocolError),
    ],
)
def test_what_comes_in(status, code, error):
    assert error_of(status, code) is error


def test_each_code_has_a_status():
    assert all(400 <= status_of(row.code) < 600 for row in TABLE)
