"""Parameters, headers and schemas that the operations of the OpenAPI document name."""

from __future__ import annotations

from typing import Any, Final, get_args

from killick.repository import Change, Kind, Presence

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_DIGEST: Final = {"type": "string", "pattern": "^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"}
_ETAG = "the digest in quotes is the entity tag"


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _object(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": sorted(fields), "properties": fields}


IN_PATH: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "name": ("the repository; it may have slashes, which are not escaped", _TEXT),
    "reference": ("a tag or a digest", _TEXT),
    "tag": ("a tag", {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"}),
    "digest": ("a digest", _DIGEST),
    "upload": ("what Location said when the upload began", _TEXT),
    "chore": ("the name of a chore", _TEXT),
}

QUERY: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "n": ("n", "at most so many results; 0: none", _NUMBER),
    "last": ("last", "only what comes behind this", _TEXT),
    "last-digest": ("last", "only what comes behind this digest", _DIGEST),
    "before": ("before", "only moves of a smaller sequence", _NUMBER),
    "before-time": ("before", "only events before this", _TIME),
    "since": ("since", "only events since this", _TIME),
    "sequence": ("sequence", "where the next page begins", _NUMBER),
    "after": ("after", "only entries of a larger sequence", _NUMBER),
    "digest": ("digest", "only of this manifest", _DIGEST),
    "digest-of-body": ("digest", "the digest of the whole blob", _DIGEST),
    "digest-algorithm": ("digest-algorithm", "of which algorithm the digest will be", _TEXT),
    "artifactType": ("artifactType", "only what is of this type", _TEXT),
    "tag": (
        "tag",
        "with a digest in the path: a tag to point at it; of several, all move or none",
        _TEXT,
    ),
    "mount": ("mount", "the digest of a blob that a sister repository has", _DIGEST),
    "from": ("from", "that repository; left out: any that the caller may pull from", _TEXT),
    "skip": ("skip", "leave out the first so many", _NUMBER),
    "dry-run": ("dry-run", "1: only say what would be done", _TEXT),
    "service": ("service", "the registry, as it calls itself", _TEXT),
    "scope": ("scope", "repository:NAME:ACTIONS; may be repeated", _TEXT),
    "account": ("account", "the name of the account", _TEXT),
    "offline_token": ("offline_token", "true: a refresh token too", _TEXT),
}
"""Parameters of queries: their name there, what they are for, and what they look like."""

REQUEST_HEADERS: Final = {
    "If-Match": f"only if the tag points here; {_ETAG}",
    "If-None-Match": f"for a GET: answer 304 if it is this; else: * only if there is none; {_ETAG}",
    "If-Range": f"answer with the part only if the blob is this; {_ETAG}",
    "Range": "which bytes",
    "Content-Range": "where the piece belongs: FIRST-LAST",
    "Killick-Complete": "required: no image that lacks its config or a layer is taken, or told of",
    "Killick-Override": "immutable: move a tag that a rule keeps in place; takes the right admin",
}

ANSWER_HEADERS: Final = {
    "Link": 'where the next page is: <URL>; rel="next"',
    "Location": "where it is",
    "Range": "0-LAST: how much has come",
    "ETag": "the digest, in quotes",
    "Accept-Ranges": "bytes",
    "Docker-Content-Digest": "the digest",
    "Docker-Upload-UUID": "the upload",
    "OCI-Subject": "the digest of the subject, which was taken note of",
    "OCI-Tag": "a tag that points to the manifest now; one header for each",
    "OCI-Filters-Applied": "artifactType, where that was asked for",
    "OCI-Chunk-Min-Length": "how long pieces had better be, where that is configured",
    "Killick-Change": 'create, overwrite, no-op or delete; tag="…"; previous="…"; one for each tag',
    "Killick-Head": "SEQUENCE-HASH: where the ledger ended then",
}

_MOVE: Final = _object(
    sequence=_NUMBER,
    time=_TIME,
    repository=_TEXT,
    tag=_TEXT,
    to=_or_null(_ref("Descriptor")),
    digest=_or_null(_DIGEST),
    previous=_or_null(_DIGEST),
    kind={"enum": list(get_args(Kind))},
    actor=_TEXT,
    origin=_TEXT,
    authoritative={"type": "boolean"},
    overriding={"type": "boolean"},
    change={"enum": [change for change in get_args(Change) if change != "no-op"]},
    content={"enum": [*get_args(Presence), None]},
)

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "Bytes": {},
    "Nothing": {"type": "object", "maxProperties": 0},
    "Document": {"type": "object"},
    "Errors": _object(
        errors=_list(
            {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": _TEXT, "message": _TEXT, "detail": {}},
            }
        )
    ),
    "Descriptor": {
        "type": "object",
        "required": ["mediaType", "digest", "size"],
        "properties": {
            "mediaType": _TEXT,
            "digest": _DIGEST,
            "size": _NUMBER,
            "artifactType": _TEXT,
            "annotations": {"type": "object", "additionalProperties": _TEXT},
        },
    },
    "Index": _object(
        schemaVersion={"const": 2}, mediaType=_TEXT, manifests=_list(_ref("Descriptor"))
    ),
    "Catalog": _object(repositories=_list(_TEXT)),
    "Tags": _object(name=_TEXT, tags=_list(_TEXT)),
    "Extensions": _object(
        extensions=_list(
            {
                "type": "object",
                "required": ["name", "url", "description", "endpoints"],
                "properties": {
                    "name": _TEXT,
                    "url": _TEXT,
                    "description": _TEXT,
                    "endpoints": _list(_TEXT),
                    "features": _list(_TEXT),
                },
            }
        )
    ),
    "Move": _MOVE,
    "History": _object(name=_TEXT, moves=_list(_ref("Move"))),
    "Standing": _object(name=_TEXT, tags=_list(_ref("Move"))),
    "Holdings": _object(
        name=_TEXT,
        digest=_DIGEST,
        content={"enum": [*get_args(Presence), None]},
        tags=_list(_object(tag=_TEXT, since=_TIME, until=_or_null(_TIME), kind=_TEXT, actor=_TEXT)),
    ),
    "Rollback": {
        "oneOf": [
            _object(digest=_DIGEST),
            _object(back=_NUMBER),
            {"type": "object", "maxProperties": 0},
        ]
    },
    "RolledBack": _object(
        name=_TEXT,
        tag=_TEXT,
        digest=_DIGEST,
        previous=_or_null(_DIGEST),
        change={"enum": ["rollback", "no-op"]},
        move=_or_null(_ref("Move")),
    ),
    "Chain": _object(
        name=_TEXT, head=_object(sequence=_NUMBER, hash=_TEXT), entries=_list(_ref("Move"))
    ),
    "Token": {
        "type": "object",
        "required": ["token"],
        "properties": {
            "token": _TEXT,
            "access_token": _TEXT,
            "refresh_token": _TEXT,
            "expires_in": _NUMBER,
            "issued_at": _TIME,
        },
    },
    "TokenForm": {
        "type": "object",
        "required": ["grant_type"],
        "properties": {
            "grant_type": {"enum": ["password", "refresh_token"]},
            "service": _TEXT,
            "scope": _TEXT,
            "username": _TEXT,
            "password": _TEXT,
            "refresh_token": _TEXT,
            "access_type": _TEXT,
            "client_id": _TEXT,
        },
    },
    "Reported": _object(host=_TEXT, containers=_NUMBER),
    "Containers": _object(
        digest=_DIGEST,
        containers=_list(
            _object(host=_TEXT, engine=_TEXT, first=_TIME, last=_TIME, container={"type": "object"})
        ),
    ),
    "Chores": _object(chores=_list(_ref("Chore"))),
    "Chore": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": _TEXT,
            "every": {"type": ["number", "null"]},
            "outcome": {"enum": ["never", "running", "done", "failed", "interrupted"]},
            "started": _or_null(_TIME),
            "finished": _or_null(_TIME),
            "succeeded": _or_null(_TIME),
            "result": {"type": "object"},
            "error": {"type": ["string", "null"]},
            "would": {"type": "object"},
        },
    },
}
