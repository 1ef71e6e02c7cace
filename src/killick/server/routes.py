"""Where a path leads: repository names have slashes, so paths are read from their end."""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import unquote

from killick.errors import BadReference, NotFound
from killick.names import is_path

Kind = Literal["base", "catalog", "tags", "manifest", "blob", "uploads", "upload", "referrers"]

_MOST_CHARACTERS = 2048
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
    raise NotFound("the registry's API has no such path")
