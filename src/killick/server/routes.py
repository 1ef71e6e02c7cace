"""Where a path leads: repository names have slashes, so paths are read from their end."""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import unquote

from killick.bounds import bound
from killick.errors import BadReference, NotFound
from killick.names import is_path

Kind = Literal[
    "base",
    "catalog",
    "discover",
    "tags",
    "manifest",
    "blob",
    "uploads",
    "upload",
    "referrers",
    "tag-history",
    "history",
    "digests",
    "standing",
    "rollback",
    "reports",
    "containers",
    "chain",
    "chores",
    "chore",
    "token",
    "openapi",
]

_MOST_CHARACTERS = bound(2048, "characters", "path of a request")
_KINDS: dict[str, Kind] = {"manifests": "manifest", "blobs": "blob", "referrers": "referrers"}


class Target(NamedTuple):
    """What a path names: a kind of thing, in a repository, by tag, digest or upload id."""

    kind: Kind
    name: str = ""
    item: str = ""


def target_of(path: bytes) -> Target:
    """Return what `path`, as it was sent (escapes and all), names below `/v2/`.

    Each part is unescaped once, after the split.

    Raises:
        NotFound: the API has no such path.
        BadReference: the repository's name is none, or a slash is escaped.
    """
    text = path.decode("latin-1").partition("?")[0]
    if len(text) > _MOST_CHARACTERS:
        raise NotFound("the path is too long")
    parts = [unquote(part, errors="replace") for part in text.split("/")]
    if parts[:2] != ["", "v2"]:
        raise NotFound("the registry's API is below /v2/")
    if any("/" in part for part in parts):
        raise BadReference("the path has an escaped slash")
    rest = parts[2:]
    if rest in ([], [""]):
        return Target("base")
    if rest == ["_catalog"]:
        return Target("catalog")
    if rest == ["_oci", "ext", "discover"]:
        return Target("discover")
    if rest in (["_killick", "reports"], ["_killick", "containers"]):
        return Target("reports" if rest[1] == "reports" else "containers")
    if rest[:2] == ["_killick", "chores"] and len(rest) <= 3:
        return Target("chore", "", rest[2]) if rest[2:] else Target("chores")
    if rest in (["_killick", "token"], ["_killick", "openapi.json"]):
        return Target("token" if rest[1] == "token" else "openapi")
    target = _in_repository(rest)
    if not is_path(target.name):
        raise BadReference(f"{target.name[:200]!r} is not the name of a repository")
    return target


def _in_repository(parts: list[str]) -> Target:
    match parts:
        case [*name, "tags", "list"]:
            return Target("tags", "/".join(name))
        case [*name, "blobs", "uploads", ""] | [*name, "blobs", "uploads"]:
            return Target("uploads", "/".join(name))
        case [*name, "blobs", "uploads", item]:
            return Target("upload", "/".join(name), item)
        case [*name, "manifests" | "blobs" | "referrers" as kind, item]:
            return Target(_KINDS[kind], "/".join(name), item)
    return _in_extension(parts)


def _in_extension(parts: list[str]) -> Target:
    """Return what is meant below `_oci` and `_killick`: no repository's name has such a part."""
    match parts:
        case [*name, "_oci", "ext", "discover"]:
            return Target("discover", "/".join(name))
        case [*name, "_oci", "tag-history", item]:
            return Target("tag-history", "/".join(name), item)
        case [*name, "_killick", "history"]:
            return Target("history", "/".join(name))
        case [*name, "_killick", "history", item]:
            return Target("history", "/".join(name), item)
        case [*name, "_killick", "digests", item]:
            return Target("digests", "/".join(name), item)
        case [*name, "_killick", "tags"]:
            return Target("standing", "/".join(name))
        case [*name, "_killick", "rollback", item]:
            return Target("rollback", "/".join(name), item)
        case [*name, "_killick", "chain"]:
            return Target("chain", "/".join(name))
    raise NotFound("the registry's API has no such path")
