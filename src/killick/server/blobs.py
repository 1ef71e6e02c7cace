"""Blobs: GET (whole, or a range), HEAD and DELETE."""

from __future__ import annotations

from typing import BinaryIO, cast

from starlette.responses import Response

from killick.digest import Digest, VerifyingReader
from killick.errors import Unsupported
from killick.manifest import Descriptor
from killick.repository import Deletable, Located, Repository
from killick.server.calls import Call
from killick.server.conditions import is_fresh
from killick.server.responses import (
    FileAnswer,
    Headers,
    Refused,
    StreamAnswer,
    content_headers,
    empty,
    sending,
)
from killick.wire.ranges import content_range, requested


def get(call: Call) -> Response:
    """Answer with a blob, or with the part of it that `Range` asks for."""
    repository = call.repository
    d = repository.find(Digest.parse(call.item))
    headers = {**content_headers(d), "Accept-Ranges": "bytes"}
    if is_fresh(call, d.digest):
        return Response(status_code=304, headers=headers)
    part = _part(call, d)
    if part is None:
        return _whole(call, repository, d, headers)
    headers["Content-Range"] = content_range(part, d.size)
    if call.is_head:
        return Response(status_code=206, headers={**headers, "Content-Length": str(len(part))})
    with sending(d.digest):
        return StreamAnswer(repository.open(d, part.start), len(part), 206, headers)


def delete(call: Call) -> Response:
    """Remove a blob from the repository."""
    repository = call.repository
    if not isinstance(repository, Deletable):
        raise Unsupported("this registry does not delete blobs")
    digest = Digest.parse(call.item)
    repository.delete(repository.find(digest))
    call.audit("blob-deleted", digest=str(digest))
    return empty(202)


def _part(call: Call, d: Descriptor) -> range | None:
    """Return the positions asked for, None for the whole.

    Raises:
        Refused: (416) there are none such.
    """
    only_if = call.header("if-range")
    if only_if is not None and only_if != f'"{d.digest}"':
        return None
    part = requested(call.header("range"), d.size)
    if part is not None and not part:
        raise Refused(
            "RANGE_INVALID",
            f"the blob has {d.size} bytes, and none in that range",
            headers={"Content-Range": content_range(part, d.size)},
        )
    return part


def _whole(call: Call, repository: Repository, d: Descriptor, headers: Headers) -> Response:
    if call.is_head:
        return Response(headers={**headers, "Content-Length": str(d.size)})
    with sending(d.digest):
        if isinstance(repository, Located):
            path = repository.locate(d)
            if path is not None:
                return FileAnswer(path, d.size, headers)
            return StreamAnswer(repository.open(d), d.size, 200, headers)
        # What is not in our own files may come from a liar: its last bytes wait for the hash.
        reader = VerifyingReader(repository.open(d), d.digest, d.size)
        return StreamAnswer(cast("BinaryIO", reader), d.size, 200, headers)
