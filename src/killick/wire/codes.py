"""The one table between Killick's errors and the protocol's: OCI error codes and HTTP statuses.

The server reads it from left to right (the first row of an error's nearest class says what goes
out), the client from right to left (a code says more than a status).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from killick import errors
from killick.errors import KillickError


class Row(NamedTuple):
    """`error` goes over the wire as `code` under `status`."""

    error: type[KillickError]
    code: str
    status: int


TABLE: Final = (
    Row(errors.NameUnknown, "NAME_UNKNOWN", 404),
    Row(errors.ManifestUnknown, "MANIFEST_UNKNOWN", 404),
    Row(errors.TagUnknown, "MANIFEST_UNKNOWN", 404),
    Row(errors.BlobUnknown, "BLOB_UNKNOWN", 404),
    Row(errors.BlobUnknown, "MANIFEST_BLOB_UNKNOWN", 400),
    Row(errors.Incomplete, "MANIFEST_BLOB_UNKNOWN", 400),
    Row(errors.UploadUnknown, "BLOB_UPLOAD_UNKNOWN", 404),
    Row(errors.NotFound, "NOT_FOUND", 404),
    Row(errors.BadReference, "NAME_INVALID", 400),
    Row(errors.DigestMismatch, "DIGEST_INVALID", 400),
    Row(errors.BadDigest, "DIGEST_INVALID", 400),
    Row(errors.UnverifiableDigest, "DIGEST_INVALID", 400),
    Row(errors.LimitExceeded, "SIZE_INVALID", 413),
    Row(errors.ContentError, "MANIFEST_INVALID", 400),
    Row(errors.Unauthorized, "UNAUTHORIZED", 401),
    Row(errors.Denied, "DENIED", 403),
    Row(errors.StoreReadOnly, "DENIED", 403),
    Row(errors.Conflict, "PRECONDITION_FAILED", 412),
    Row(errors.ProtocolError, "UPSTREAM_INVALID", 502),
    Row(errors.ProtocolError, "BLOB_UPLOAD_INVALID", 416),
    Row(errors.ProtocolError, "RANGE_INVALID", 416),
    Row(errors.Unsupported, "UNSUPPORTED", 405),
    Row(errors.RateLimited, "TOOMANYREQUESTS", 429),
    Row(errors.Throttled, "TOOMANYREQUESTS", 429),
    Row(errors.Unreachable, "UNAVAILABLE", 503),
    Row(errors.StoreFull, "UNAVAILABLE", 507),
    Row(errors.UsageError, "UNSUPPORTED", 400),
    Row(errors.KillickError, "UNKNOWN", 500),
)

_FIRST_BY_ERROR: Final = {row.error: row for row in reversed(TABLE)}
_FIRST_BY_CODE: Final = {row.code: row for row in reversed(TABLE)}
_BY_STATUS: Final = {
    401: errors.Unauthorized,
    403: errors.Denied,
    404: errors.NotFound,
    405: errors.Unsupported,
    408: errors.Unreachable,
    412: errors.Conflict,
    413: errors.LimitExceeded,
    429: errors.RateLimited,
    501: errors.Unsupported,
}


def row_of(error: KillickError) -> Row:
    """Return how `error` goes over the wire: the row of its nearest class."""
    return next(_FIRST_BY_ERROR[c] for c in type(error).__mro__ if c in _FIRST_BY_ERROR)


def status_of(code: str) -> int:
    """Return the status that goes with an OCI code of the table."""
    return _FIRST_BY_CODE[code].status


def error_of(status: int, code: str | None = None) -> type[KillickError]:
    """Return the class of error that an answer stands for.

    A known code decides, unless it is one that says nothing; else the status: 5xx is
    `Unreachable`, anything unforeseen is `ProtocolError`.
    """
    if code in _FIRST_BY_CODE and code not in ("UNKNOWN", "UNAVAILABLE"):
        return _FIRST_BY_CODE[code].error
    fallback = errors.Unreachable if status >= 500 else errors.ProtocolError
    return _BY_STATUS.get(status, fallback)
