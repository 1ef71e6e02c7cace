"""Lists: tags, repositories and referrers, page by page (`n`, `last`, `Link`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress

from starlette.responses import Response

from killick.digest import Digest
from killick.errors import Denied, NameUnknown, Unsupported
from killick.manifest import MOST_DOCUMENT_BYTES, OCI_INDEX, Descriptor
from killick.repository import Referrers
from killick.server import paging
from killick.server.calls import Call
from killick.server.responses import Headers, json_answer


def tags(call: Call) -> Response:
    """Answer with the tags of a repository, in ASCII order."""
    found = call.repository.tags(call.query("last") or "")
    page, headers = _page(call, f"/v2/{call.name}/tags/list", found)
    if not page and not _exists(call):
        raise NameUnknown(f"there is no repository {call.name}")
    return json_answer({"name": call.name, "tags": page}, headers)


def catalog(call: Call) -> Response:
    """Answer with the names of all repositories that the caller may pull from, in ASCII order."""
    names = call.site.registry.repositories(call.query("last") or "")
    shown = (name for name in names if call.caller.may("list", name))
    page, headers = _page(call, "/v2/_catalog", shown)
    return json_answer({"repositories": page}, headers)


def referrers(call: Call) -> Response:
    """Answer with an index of what has a manifest as its subject."""
    repository = call.repository
    if not isinstance(repository, Referrers):
        # 404 is how a client learns to look for the referrers tag instead (distribution-spec).
        raise NameUnknown("this registry does not list referrers")
    digest, wanted = Digest.parse(call.item), call.query("artifactType")
    last, most = call.query("last"), paging.limit(call)
    found = repository.referrers(digest, wanted, None if last is None else Digest.parse(last))
    page, more = _fitting(found, most)
    headers = {"Content-Type": OCI_INDEX}
    if wanted is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
    if more:
        query = {"n": str(most), "last": page[-1]["digest"]}
        query |= {"artifactType": wanted} if wanted else {}
        headers |= paging.link(f"/v2/{call.name}/referrers/{digest}", query)
    return json_answer({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": page}, headers)


def _fitting(found: Iterable[Descriptor], most: int) -> tuple[list[dict[str, str]], bool]:
    """Return as many descriptors as fit into an index of 4 MiB, and whether there are more."""
    page: list[dict[str, str]] = []
    room = MOST_DOCUMENT_BYTES - 1024
    for d in found:
        value = d.to_json()
        room -= len(json.dumps(value, ensure_ascii=False).encode()) + 1
        if (room < 0 and page) or len(page) == most:
            return page, bool(page)
        page.append(value)
    return page, False


def _page(call: Call, path: str, names: Iterator[str]) -> tuple[list[str], Headers]:
    """Return the first `n` names at most, and the link to the next page if there is one."""
    limit = paging.limit(call)
    page, more = paging.first(map(str, names), limit)
    return page, paging.link(path, {"n": str(limit), "last": page[-1]}) if more else {}


def _exists(call: Call) -> bool:
    """Return whether a repository without (more) tags is known; where nobody can say, it is."""
    if any(True for _ in call.repository.tags()):
        return True
    # No name has a character beyond z, so that none lies between this text and the name itself.
    just_before = f"{call.name[:-1]}{chr(ord(call.name[-1]) - 1)}~"
    with suppress(Unsupported, Denied):
        return next(call.site.registry.repositories(just_before), None) == call.name
    return True
