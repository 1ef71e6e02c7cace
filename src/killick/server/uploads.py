"""Uploads of blobs: in one call, in pieces, or by mounting what a sister repository has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import aclosing, suppress
from itertools import islice

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from killick.digest import CANONICAL, Digest
from killick.errors import BadDigest, NotFound, Unauthorized
from killick.manifest import Descriptor
from killick.names import is_path
from killick.repository import Holders, Mountable, Upload, Uploads
from killick.server.access import ANONYMOUS
from killick.server.admission import mount_source
from killick.server.bodies import Behind, content_length, gathered
from killick.server.calls import Call
from killick.server.responses import Refused, empty
from killick.wire.ranges import held, parse_content_range

MOST_HOLDERS = 10_000
"""Repositories that are looked at for one of which a caller may pull."""


async def begin(call: Call) -> Response:
    """POST: mount a blob, take one whole, or start an upload."""
    mount = call.query("mount")
    if mount is not None:
        _check_source(call)
        mounted = await run_in_threadpool(_mount, call, Digest.parse(mount))
        if mounted is not None:
            return _created(call, mounted)
    digest = call.query("digest")
    wanted = None if digest is None else Digest.parse(digest)
    algorithm = wanted.algorithm if wanted else call.query("digest-algorithm") or CANONICAL
    upload = await run_in_threadpool(_begin, call, algorithm)
    if wanted is None:
        answer = _accepted(call, upload, 202)
        if call.site.limits.chunk:
            answer.headers["OCI-Chunk-Min-Length"] = str(call.site.limits.chunk)
        return answer
    finished = False
    try:
        await _append(call, upload, _check_range(call, upload))
        d = await run_in_threadpool(upload.commit, wanted)
        finished = True
    finally:
        if not finished:
            await run_in_threadpool(upload.cancel)
    return _created(call, d)


def _begin(call: Call, algorithm: str) -> Upload:
    if call.site.operations.count_uploads() >= call.site.limits.uploads:
        raise Refused(
            "TOOMANYREQUESTS",
            f"{call.site.limits.uploads} uploads are open, and more can't be",
            headers={"Retry-After": "60"},
        )
    return _uploads(call).begin(algorithm)


async def append(call: Call) -> Response:
    """PATCH: take the next piece."""
    upload, position = await run_in_threadpool(_resume, call)
    await _append(call, upload, position)
    return _accepted(call, upload, 202)


async def finish(call: Call) -> Response:
    """PUT: take the last piece, if there is one, and make the blob visible."""
    digest = call.query("digest")
    if digest is None:
        raise BadDigest("the upload can't be finished without its digest in the query")
    wanted = Digest.parse(digest)
    upload, position = await run_in_threadpool(_resume, call)
    await _append(call, upload, position)
    return _created(call, await run_in_threadpool(upload.commit, wanted))


async def status(call: Call) -> Response:
    """GET: say how much has come."""
    return _accepted(call, await run_in_threadpool(_find, call), 204)


async def cancel(call: Call) -> Response:
    """DELETE: forget the upload."""
    await run_in_threadpool(lambda: _find(call).cancel())
    return empty(204)


def _uploads(call: Call) -> Uploads:
    repository = call.repository
    if isinstance(repository, Uploads):
        return repository
    return call.site.spool.at(call.name, repository)


def _find(call: Call) -> Upload:
    return _uploads(call).upload(call.item)


def _resume(call: Call) -> tuple[Upload, int]:
    """Return the upload, and the position at which the body goes on with it."""
    upload = _find(call)
    return upload, _check_range(call, upload)


async def _append(call: Call, upload: Upload, position: int) -> None:
    most = call.site.limits.blob - position
    async with Behind() as behind, aclosing(gathered(call, most)) as batches:
        async for pieces in batches:
            await behind.do(_write, call, upload, position, pieces)
            position += sum(map(len, pieces))
            del pieces  # not held while the next are waited for


def _check_range(call: Call, upload: Upload) -> int:
    """Return where the body goes on, which must be where the upload stands."""
    header = call.header("content-range")
    if header is None:
        return upload.size
    stated = parse_content_range(header)
    length = content_length(call)
    if stated is None or (length is not None and length != stated.stop - stated.start):
        raise Refused(
            "SIZE_INVALID", f"Content-Range {header!r} is not that of the body", status=400
        )
    if stated.start != upload.size:
        raise _out_of_order(call, upload)
    return stated.start


def _write(call: Call, upload: Upload, position: int, pieces: list[bytes]) -> None:
    if upload.size != position:
        raise _out_of_order(call, upload)
    for piece in pieces:
        upload.write(piece)


def _out_of_order(call: Call, upload: Upload) -> Refused:
    return Refused(
        "BLOB_UPLOAD_INVALID",
        f"the upload holds {upload.size} bytes, and goes on there",
        headers=_headers(call, upload),
    )


def _mount(call: Call, digest: Digest) -> Descriptor | None:
    """Return the blob if it is here already, or could be mounted; else an upload begins."""
    repository = call.repository
    with suppress(NotFound):
        return repository.find(digest)
    if not isinstance(repository, Mountable):
        return None
    for sister in _sisters(call, digest):
        with suppress(NotFound):
            d = call.site.registry.repository(sister).find(digest)
            if repository.mount(d, sister):
                return d
    return None


def _check_source(call: Call) -> None:
    """Have a caller log in anew whose token lacks what their account may do: pull from the source.

    Whoever may not pull from there sends the blob instead.

    Raises:
        Refused: (401) another token would do.
    """
    source = mount_source(call.request)
    if source is None or call.caller.may("pull", source):
        return
    refusal = call.site.gate.refusal(call.caller, "pull", source)
    if isinstance(refusal, Unauthorized) and call.caller.name != ANONYMOUS:
        raise call.site.admission.turned_away(call.request, refusal, "push", call.name)


def _sisters(call: Call, digest: Digest) -> Iterator[str]:
    """Yield where a blob may be mounted from: only from what the caller may pull."""
    registry, stated = call.site.registry, call.query("from")
    names: Iterable[str] = ()
    if stated is not None:
        names = (stated,) if is_path(stated) else ()
    elif isinstance(registry, Holders):
        names = islice(registry.holders(digest), MOST_HOLDERS)
    return (name for name in names if call.caller.may("pull", name))


def _headers(call: Call, upload: Upload) -> dict[str, str]:
    return {
        "Location": f"/v2/{call.name}/blobs/uploads/{upload.id}",
        "Range": held(upload.size),
        "Docker-Upload-UUID": upload.id,
    }


def _accepted(call: Call, upload: Upload, code: int) -> Response:
    return empty(code, _headers(call, upload))


def _created(call: Call, d: Descriptor) -> Response:
    return empty(
        201,
        {
            "Location": f"/v2/{call.name}/blobs/{d.digest}",
            "Docker-Content-Digest": str(d.digest),
        },
    )
