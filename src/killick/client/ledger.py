"""The tags of a remote repository, and their past, where the registry keeps it and tells it.

`RemoteRegistry.history` and `RemoteRegistry.ledger` return these, or raise `Unsupported`: that a
repository is remote says nothing about what its registry can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from killick import strictjson
from killick.client.answers import failure
from killick.client.transport import Request
from killick.errors import Conflict, NotFound, Unsupported
from killick.manifest import MOST_DOCUMENT_BYTES
from killick.transfer import fetch_bytes

if TYPE_CHECKING:
    from killick.client.answers import Asked
    from killick.client.origin import Url
    from killick.client.repository import RemoteRepository
    from killick.client.session import Session
    from killick.digest import Digest
    from killick.manifest import Descriptor
    from killick.names import Tag

_DONE = frozenset({200, 201, 202, 204})


class RemoteLedger:
    """The ledger of a repository in a registry that announces Killick's own extension."""

    def __init__(self, session: Session, repository: RemoteRepository) -> None:
        self._session = session
        self._repository = repository

    def swap(self, tag: Tag, to: Descriptor | None, expected: Digest | None, /) -> None:
        """Point a tag at content that is there (None: remove it), if it now points to `expected`.

        Raises:
            Conflict: it does not (None: it exists).
            ManifestUnknown: `to` is not there.
            Unsupported: `to` is not named by a sha256, so that no tag can be put at it.
        """
        condition = _condition(expected)
        if to is None:
            request = Request("DELETE", self._url(f"manifests/{tag}"), condition)
        else:
            if to.digest.algorithm != "sha256":
                raise Unsupported(
                    f"{tag} can be moved to a sha256 only on a condition, not to {to.digest}",
                    side="remote",
                )
            raw = fetch_bytes(self._repository, to, MOST_DOCUMENT_BYTES)
            headers = {"Content-Type": to.media_type, **condition}
            request = Request("PUT", self._url(f"manifests/{tag}"), headers, raw)
        self._change(request, tag, to.digest if to else None, self._repository.asked(tag))

    def roll_back(self, tag: Tag, to: Digest, expected: Digest | None, /) -> None:
        """Point a tag at what it pointed to once, if it now points to `expected`.

        Raises:
            Conflict: it does not (None: it exists).
            ManifestUnknown: it never pointed to `to`, or that is not there any more.
        """
        headers = {"Content-Type": "application/json", **_condition(expected)}
        body = strictjson.compact({"digest": str(to)})
        request = Request("POST", self._url(f"_killick/rollback/{tag}"), headers, body)
        self._change(request, tag, to, self._repository.asked(to))

    def _change(self, request: Request, tag: Tag, to: Digest | None, asked: Asked) -> None:
        """Send a request on a condition; one that met its own success, sent again, is done."""
        retry = self._session.retry()
        actions = "delete,pull,push" if request.method == "DELETE" else "pull,push"
        scopes = self._repository.scopes(actions)
        with self._session.send(request, self._repository.auth, scopes, retry) as response:
            if response.status in _DONE:
                return
            error = failure(response, asked)
        met_itself = isinstance(error, (Conflict, NotFound)) and retry.repeated
        if not (met_itself and self._standing(tag) == to):
            raise error

    def _standing(self, tag: Tag) -> Digest | None:
        try:
            return self._repository.resolve(tag).digest
        except NotFound:
            return None

    def _url(self, rest: str) -> Url:
        return self._session.url(f"/v2/{self._repository.name}/{rest}")


def _condition(expected: Digest | None) -> dict[str, str]:
    return {"If-None-Match": "*"} if expected is None else {"If-Match": f'"{expected}"'}
