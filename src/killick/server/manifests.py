"""Manifests: GET, HEAD, PUT and DELETE, by tag and by digest."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from io import BytesIO

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from killick import travel
from killick.bounds import bound
from killick.digest import Digest, verify
from killick.errors import LimitExceeded, ManifestUnknown, Unsupported
from killick.manifest import (
    MOST_DOCUMENT_BYTES,
    Descriptor,
    Document,
    Index,
    parse_document,
)
from killick.names import Tag
from killick.repository import (
    ANYTHING,
    BLOB_TYPE,
    Content,
    Deletable,
    Expected,
    Kind,
    Knowing,
    Ledger,
    Move,
    Referrers,
    Repository,
    Together,
)
from killick.rules import BY_SPECIFICATION, Governed
from killick.server.bodies import whole
from killick.server.calls import Call
from killick.server.conditions import expected, is_conditional, is_fresh
from killick.server.heads import looked_up
from killick.server.responses import Refused, content_headers, empty, sending
from killick.transfer import fetch_bytes
from killick.wire.extensions import CHANGE

MOST_TAGS = bound(100, "tags", "tags that one push sets")
_MOST_NAMED = 10

_log = logging.getLogger(__name__)


def get(call: Call) -> Response:
    """Answer with the verbatim bytes of a manifest."""
    repository = call.repository
    d, said = looked_up(repository, call.reference())
    if call.wants_whole:
        _check_whole(call, repository, d)
    headers = {**content_headers(d), **said}
    if is_fresh(call, d.digest):
        return Response(status_code=304, headers=headers)
    if call.is_head:
        return Response(headers={**headers, "Content-Length": str(d.size)})
    with sending(d.digest):
        return Response(fetch_bytes(repository, d, MOST_DOCUMENT_BYTES), headers=headers)


async def put(call: Call) -> Response:
    """Take a manifest, and point a tag at it."""
    raw = await whole(call, call.site.limits.manifest)
    return await run_in_threadpool(_put, call, raw)


def _put(call: Call, raw: bytes) -> Response:
    repository = call.repository
    reference = call.reference()
    document = parse_document(raw, call.header("content-type"))
    digest = reference if isinstance(reference, Digest) else document.digest
    verify(raw, digest, len(raw))
    subject = document.subject
    _check_parts(call, repository, document)
    tags = _wanted(call, repository, reference)
    d = Descriptor(document.media_type, digest, len(raw))
    repository.put(d, BytesIO(raw))
    changes = _move(call, tags, d)
    headers = {
        "Location": f"/v2/{call.name}/manifests/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    if subject is not None and isinstance(repository, Referrers):
        headers["OCI-Subject"] = str(subject.digest)
    answer = empty(201, headers)
    for tag in tags if isinstance(reference, Digest) else ():
        answer.headers.append("OCI-Tag", tag)
    for change in changes:
        answer.headers.append(CHANGE, change)
    return answer


def delete(call: Call) -> Response:
    """Remove a tag (no content goes with it), or a manifest with its tags."""
    repository = call.repository
    reference = call.reference()
    if is_conditional(call):
        expectation = expected(call, travel.standing(repository, reference))
    else:
        expectation = ANYTHING
    if isinstance(reference, Tag):
        changes = _move(call, {reference: expectation}, None)
        return empty(202, {CHANGE: changes[0]} if changes else None)
    if isinstance(repository, Deletable):
        repository.delete(repository.resolve(reference), call.cause("deleted"))
        call.audit("manifest-deleted", digest=str(reference))
    else:
        raise Unsupported("this registry does not delete manifests")
    return empty(202)


def _wanted(call: Call, repository: Repository, reference: Tag | Digest) -> dict[Tag, Expected]:
    """Return the tags that a push moves, with what each must point to until then.

    A condition is about each of these tags; without any, about the manifest itself.

    Raises:
        Conflict: something does not point where the caller wants.
    """
    tags = [reference] if isinstance(reference, Tag) else _tags_asked_for(call)
    if not is_conditional(call):
        return dict.fromkeys(tags, ANYTHING)
    if not tags:
        expected(call, travel.standing(repository, reference))
    return {tag: expected(call, travel.standing(repository, tag), tag) for tag in tags}


def _tags_asked_for(call: Call) -> list[Tag]:
    """Return the tags in the query of a push by digest (`?tag=a&tag=b`)."""
    asked = call.request.query_params.getlist("tag")
    if len(asked) > MOST_TAGS:
        raise LimitExceeded(f"at most {MOST_TAGS} tags can be set at once")
    return [Tag(text) for text in dict.fromkeys(asked)]


def _check_whole(call: Call, repository: Repository, d: Descriptor) -> None:
    """Hide an image that lacks a part from a caller who asks for whole ones only.

    Of an index, any part may be elsewhere.
    """
    if not d.is_index and isinstance(repository, Knowing) and not repository.complete(d):
        raise ManifestUnknown(f"{call.name} has {d.digest}, but not all that it needs")


def _check_parts(call: Call, repository: Content, document: Document) -> None:
    """Refuse a document before its parts are there, where that is the rule.

    Registries take sparse manifests by default (distribution-spec); a caller can ask for more.
    """
    registry = call.site.registry
    policy = registry.policy if isinstance(registry, Governed) else BY_SPECIFICATION
    if policy.sparse and (isinstance(document, Index) or not call.wants_whole):
        return
    parts = {d.digest: d for d in document.children() if not d.is_foreign}
    missing = [d.digest for d in parts.values() if not repository.has(_as_part(document, d))]
    if missing:
        raise Refused(
            "MANIFEST_BLOB_UNKNOWN",
            f"the manifest needs what is not in this repository: {missing[0]}",
            detail={"digests": [str(digest) for digest in missing[:_MOST_NAMED]]},
        )


def _as_part(document: Document, d: Descriptor) -> Descriptor:
    is_manifest = isinstance(document, Index) and d.is_document
    return d if is_manifest else Descriptor(BLOB_TYPE, d.digest, d.size)


def _move(call: Call, tags: Mapping[Tag, Expected], to: Descriptor | None) -> list[str]:
    """Move all tags, or none where that is possible; return what that changed, as headers say it.

    Nothing is returned where nobody keeps account.
    """
    repository = call.repository
    if isinstance(repository, Ledger):
        kind: Kind = "deleted" if to is None else "pushed"
        cause = call.cause(kind)
        if isinstance(repository, Together):
            made = repository.move_all(tags, to, cause)
        else:
            made = [repository.move(tag, to, cause, wanted) for tag, wanted in tags.items()]
        return [_told(call, tag, to, move) for tag, move in zip(tags, made, strict=True)]
    if any(wanted is not ANYTHING for wanted in tags.values()):
        raise Unsupported("this registry can't compare and swap its tags")
    for tag in tags:
        if to is None:
            repository.untag(tag)
        else:
            repository.tag(tag, to)
    return []


def _told(call: Call, tag: Tag, to: Descriptor | None, made: Move | None) -> str:
    """Note what was done to a tag, and return it as a header says it."""
    if made is None:
        _log.info("%s:%s stands at %s already", call.name, tag, to.digest if to else None)
        call.count_move("no-op")
        return f'no-op; tag="{tag}"'
    call.audit_move(made)
    was = f'; previous="{made.previous}"' if made.previous else ""
    return f'{made.change}; tag="{tag}"{was}'
