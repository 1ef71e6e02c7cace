"""What each method does on each kind of path: the words and names of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from killick.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from killick.server.routes import Kind

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
FORM: Final = "application/x-www-form-urlencoded"
DOCUMENTS: Final = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one kind of path.

    `answers` maps statuses to what they mean; `schema` is the body of the first of them, in the
    media types `types`. `query` and `headers` name parameters; `takes` is the schema of the
    request's body, in the media types `accepts`; `sends` names headers of the first answer.
    """

    summary: str
    answers: Mapping[int, str]
    schema: str | None = None
    types: tuple[str, ...] = (JSON,)
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    takes: str | None = None
    accepts: tuple[str, ...] = (JSON,)
    sends: tuple[str, ...] = ()


_NO_REPOSITORY = {404: "there is no such repository, or it keeps no history"}
_CONDITIONS = ("If-Match", "If-None-Match")
_PAGED = ("Link",)
_UPLOAD = ("Location", "Range", "Docker-Upload-UUID")
_MADE = ("Location", "Docker-Content-Digest")
_NO_UPLOAD = {404: "there is no such upload"}
_PIECE = {
    400: "the body is not what Content-Range or the digest says",
    413: "the blob is too large",
    416: "the piece does not go on where the upload stands; Range says where that is",
}

PATHS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "base": ("/v2/",),
    "openapi": ("/v2/_killick/openapi.json",),
    "token": ("/v2/_killick/token",),
    "catalog": ("/v2/_catalog",),
    "discover": ("/v2/_oci/ext/discover", "/v2/{name}/_oci/ext/discover"),
    "tag-history": ("/v2/{name}/_oci/tag-history/{tag}",),
    "history": ("/v2/{name}/_killick/history", "/v2/{name}/_killick/history/{tag}"),
    "digests": ("/v2/{name}/_killick/digests/{digest}",),
    "standing": ("/v2/{name}/_killick/tags",),
    "rollback": ("/v2/{name}/_killick/rollback/{tag}",),
    "chain": ("/v2/{name}/_killick/chain",),
    "tags": ("/v2/{name}/tags/list",),
    "referrers": ("/v2/{name}/referrers/{digest}",),
    "manifest": ("/v2/{name}/manifests/{reference}",),
    "blob": ("/v2/{name}/blobs/{digest}",),
    "uploads": ("/v2/{name}/blobs/uploads/",),
    "upload": ("/v2/{name}/blobs/uploads/{upload}",),
    "reports": ("/v2/_killick/reports",),
    "containers": ("/v2/_killick/containers",),
    "chores": ("/v2/_killick/chores",),
    "chore": ("/v2/_killick/chores/{chore}",),
}
"""Where each kind of path is. The name of a repository may have slashes."""

OPERATIONS: Final[Mapping[Kind, Mapping[str, Operation]]] = {
    "base": {"GET": Operation("Is this a registry, and am I logged in?", {200: "yes"}, "Nothing")},
    "openapi": {"GET": Operation("This document", {200: "the document"}, "Document")},
    "token": {
        "GET": Operation(
            "A token for Basic credentials, or for nobody",
            {200: "the token", 404: "this registry gives out no tokens"},
            "Token",
            query=("service", "scope", "account", "offline_token"),
        ),
        "POST": Operation(
            "A token for the credentials in a form",
            {200: "the token", 400: "the form is none", 404: "this registry gives out no tokens"},
            "Token",
            takes="TokenForm",
            accepts=(FORM,),
        ),
    },
    "catalog": {
        "GET": Operation(
            "The repositories that the caller may pull from, in ASCII order",
            {200: "a page of names"},
            "Catalog",
            query=("n", "last"),
            sends=_PAGED,
        )
    },
    "discover": {
        "GET": Operation(
            "What is offered beyond the specification", {200: "the extensions"}, "Extensions"
        )
    },
    "tag-history": {
        "GET": Operation(
            "What a tag pointed to, by the draft of the OCI extension; newest first",
            {200: "a page of events, as an index", **_NO_REPOSITORY},
            "Index",
            (OCI_INDEX,),
            query=("n", "before-time", "since", "digest", "sequence"),
            sends=_PAGED,
        )
    },
    "history": {
        "GET": Operation(
            "The moves of all tags, or of one; newest first",
            {200: "a page of moves", **_NO_REPOSITORY},
            "History",
            query=("n", "before"),
            sends=_PAGED,
        )
    },
    "digests": {
        "GET": Operation(
            "Which tags point to a manifest, or ever did; newest first",
            {200: "a page of holdings", **_NO_REPOSITORY},
            "Holdings",
            query=("n", "before"),
            sends=_PAGED,
        )
    },
    "standing": {
        "GET": Operation(
            "The tags, each with the move that put it where it stands; in ASCII order",
            {200: "a page of moves", **_NO_REPOSITORY},
            "Standing",
            query=("n", "last"),
            sends=_PAGED,
        )
    },
    "rollback": {
        "POST": Operation(
            "Move a tag back to what it pointed to once",
            {
                200: "where it points now",
                400: "the body says neither a digest nor how far back",
                403: "the caller may not, or a rule keeps the tag where it is",
                404: "it never pointed there, or that was removed",
                412: "it does not point where the condition says, or moved meanwhile",
            },
            "RolledBack",
            headers=(*_CONDITIONS, "Killick-Override"),
            takes="Rollback",
        )
    },
    "chain": {
        "GET": Operation(
            "Where the ledger ends, and its entries after one; oldest first",
            {200: "the head, and a page of entries", **_NO_REPOSITORY},
            "Chain",
            query=("n", "after"),
            sends=_PAGED,
        )
    },
    "tags": {
        "GET": Operation(
            "The tags of a repository, in ASCII order",
            {200: "a page of tags", 404: "there is no such repository"},
            "Tags",
            query=("n", "last"),
            sends=_PAGED,
        )
    },
    "referrers": {
        "GET": Operation(
            "What has a manifest as its subject, in the order of digests",
            {200: "a page of descriptors, as an index"},
            "Index",
            (OCI_INDEX,),
            query=("n", "last-digest", "artifactType"),
            sends=(*_PAGED, "OCI-Filters-Applied"),
        )
    },
    "manifest": {
        "GET": Operation(
            "A manifest, byte for byte",
            {
                200: "the manifest",
                304: "the caller has it",
                404: "there is none such",
            },
            "Bytes",
            DOCUMENTS,
            headers=("If-None-Match", "Killick-Complete"),
            sends=("Docker-Content-Digest", "ETag", "Killick-Head"),
        ),
        "PUT": Operation(
            "Take a manifest, and point tags at it",
            {
                201: "it is there, and durable; the tags point to it",
                400: "it is none, is not that of the digest, or needs what is not there",
                403: "the caller may not, or a rule keeps a tag where it is",
                412: "the tag does not point where the condition says",
                413: "it is too large",
            },
            query=("tag",),
            headers=(*_CONDITIONS, "Killick-Complete", "Killick-Override"),
            takes="Bytes",
            accepts=DOCUMENTS,
            sends=(*_MADE, "OCI-Subject", "OCI-Tag", "Killick-Change"),
        ),
        "DELETE": Operation(
            "Remove a tag (no content goes), or a manifest by digest with its tags",
            {
                202: "it is gone, for all callers",
                403: "the caller may not, or a rule keeps a tag that needs it",
                404: "there is none such",
                412: "the tag does not point where the condition says",
            },
            headers=(*_CONDITIONS, "Killick-Override"),
            sends=("Killick-Change",),
        ),
    },
    "blob": {
        "GET": Operation(
            "A blob, or a part of it",
            {
                200: "the blob",
                206: "the part",
                304: "the caller has it",
                404: "there is none such",
                416: "it has no bytes in that range",
            },
            "Bytes",
            (BYTES,),
            headers=("Range", "If-Range", "If-None-Match"),
            sends=("Docker-Content-Digest", "ETag", "Accept-Ranges"),
        ),
        "DELETE": Operation(
            "Remove a blob from a repository",
            {
                202: "it is gone, for all callers",
                403: "the caller may not, or a rule keeps a tag that needs it",
                404: "there is none such",
            },
            headers=("Killick-Override",),
        ),
    },
    "uploads": {
        "POST": Operation(
            "Begin an upload; or take a blob whole, or from a sister repository",
            {
                202: "it has begun",
                201: "the blob is there, and durable",
                400: "the digest is none, or not that of the body",
                413: "the blob is too large",
            },
            query=("mount", "from", "digest-of-body", "digest-algorithm"),
            takes="Bytes",
            accepts=(BYTES,),
            sends=(*_UPLOAD, "OCI-Chunk-Min-Length"),
        )
    },
    "upload": {
        "GET": Operation(
            "How much of an upload has come", {204: "that much", **_NO_UPLOAD}, sends=_UPLOAD
        ),
        "PATCH": Operation(
            "The next piece of an upload",
            {202: "it was taken", **_PIECE, **_NO_UPLOAD},
            headers=("Content-Range",),
            takes="Bytes",
            accepts=(BYTES,),
            sends=_UPLOAD,
        ),
        "PUT": Operation(
            "The last piece, if there is one, and the digest of the whole",
            {201: "the blob is there, and durable", **_PIECE, **_NO_UPLOAD},
            query=("digest-of-body",),
            headers=("Content-Range",),
            takes="Bytes",
            accepts=(BYTES,),
            sends=_MADE,
        ),
        "DELETE": Operation("Forget an upload", {204: "it is forgotten", **_NO_UPLOAD}),
    },
    "reports": {
        "POST": Operation(
            "What a host runs",
            {
                201: "it is kept",
                400: "it is no report",
                404: "this registry keeps no reports",
                413: "it is too long",
            },
            "Reported",
            takes="Document",
        )
    },
    "containers": {
        "GET": Operation(
            "The containers of which a digest was told, those seen last first",
            {200: "a page of containers", 404: "this registry keeps no reports"},
            "Containers",
            query=("digest", "n", "skip"),
            sends=_PAGED,
        )
    },
    "chores": {
        "GET": Operation(
            "What came of all chores", {200: "the chores", 404: "there are none"}, "Chores"
        )
    },
    "chore": {
        "GET": Operation(
            "What came of a chore", {200: "the chore", 404: "there is none such"}, "Chore"
        ),
        "POST": Operation(
            "Start a chore, or say what it would do",
            {
                202: "it has begun",
                200: "what it would do",
                404: "there is none such",
                409: "it is under way",
            },
            "Chore",
            query=("dry-run",),
        ),
    },
}
