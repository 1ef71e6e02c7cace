"""The tags of a remote repository, and their past, where the registry keeps it and tells it.

`RemoteRegistry.history` and `RemoteRegistry.ledger` return these, or raise `Unsupported`: that a
repository is remote says nothing about what its registry can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from killick import moves, strictjson, travel
from killick.chain import from_json
from killick.client.answers import Asked, failure
from killick.client.listing import pages
from killick.client.messages import Request
from killick.errors import Conflict, ContentError, NotFound, Unsupported
from killick.manifest import MOST_DOCUMENT_BYTES
from killick.names import Name
from killick.transfer import fetch_bytes
from killick.wire import tag_history
from killick.wire.extensions import TAG_HISTORY, WHOLE

if TYPE_CHECKING:
    from killick.client.origin import Url
    from killick.client.repository import RemoteRepository
    from killick.client.session import Session
    from killick.digest import Digest
    from killick.manifest import Descriptor
    from killick.names import Tag
    from killick.repository import Head, Move

_PAGE = 500
_DONE = frozenset({200, 201, 202, 204})


class RemoteHistory:
    """The past of the tags in a registry that announces the `_oci` extension's tag history.

    It tells neither who moved a tag nor how, and one tag at a time.
    """

    def __init__(self, session: Session, repository: RemoteRepository) -> None:
        self._session = session
        self._repository = repository

    def history(self, tag: Tag | None = None, /) -> Iterator[Move]:
        """Yield the moves of one tag, newest first.

        Raises:
            Unsupported: no tag is named.
            ContentError: what the registry tells is no history.
        """
        if tag is None:
            raise Unsupported(
                f"{self._session.domain} tells the history of one tag at a time",
                side="remote",
                hint="name the tag",
            )
        domain = self._session.domain
        rest = f"{TAG_HISTORY}/{tag}?n={_PAGE}"
        told = chain.from_iterable(
            tag_history.from_json(page) for page in _pages(self._session, self._repository, rest)
        )
        name = str(Name(domain, self._repository.name))
        return tag_history.moves(told, name, tag, domain)


class RemoteLedger:
    """The ledger of a repository in a registry that announces Killick's own extension."""

    def __init__(self, session: Session, repository: RemoteRepository) -> None:
        self._session = session
        self._repository = repository

    def history(self, tag: Tag | None = None, /) -> Iterator[Move]:
        """Yield the moves of one tag, or of all, newest first.

        Raises:
            ContentError: what the registry tells is no history.
        """
        domain = self._session.domain
        name = str(Name(domain, self._repository.name))
        rest = f"_killick/history{f'/{tag}' if tag else ''}?n={_PAGE}"
        for page in _pages(self._session, self._repository, rest):
            listed = page.get("moves")
            if not isinstance(listed, list):
                raise ContentError(f"{domain} tells no history", side="remote")
            for value in listed:
                move = moves.from_json(value, f"an entry of the history that {domain} tells")
                yield replace(move, repository=name, cause=replace(move.cause, origin=domain))

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
            headers = {"Content-Type": to.media_type, **WHOLE, **condition}
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
        if not (met_itself and travel.standing(self._repository, tag) == to):
            raise error

    def _url(self, rest: str) -> Url:
        return self._session.url(f"/v2/{self._repository.name}/{rest}")


@dataclass(frozen=True, slots=True)
class Told:
    """A page of a ledger: where all of it ends, and some entries, oldest first."""

    head: Head
    entries: tuple[Move, ...]


def ledger_pages(
    session: Session, repository: RemoteRepository, after: int, most: int
) -> Iterator[Told]:
    """Yield where the ledger ends, and its entries after one; `most` a page (0: none at all).

    Entries name the repository as the registry does, for that is what their hashes are of.

    Raises:
        ContentError: what the registry tells is no ledger.
        NotFound: it tells none.
    """
    rest = f"_killick/chain?n={most}&after={after}"
    where = f"an entry of the ledger that {session.domain} tells"
    for page in _pages(session, repository, rest):
        head, listed = from_json(page.get("head")), page.get("entries")
        if head is None or not isinstance(listed, list):
            raise ContentError(
                f"{session.domain} does not say where its ledger ends", side="remote"
            )
        yield Told(head, tuple(moves.from_json(value, where) for value in listed))


def _pages(session: Session, repository: RemoteRepository, rest: str) -> Iterator[dict[str, Any]]:
    asked = Asked("repository", repository.label, session.domain)
    target = f"/v2/{repository.name}/{rest}"
    return pages(session, repository.auth, target, repository.scopes("pull"), asked)


def _condition(expected: Digest | None) -> dict[str, str]:
    return {"If-None-Match": "*"} if expected is None else {"If-Match": f'"{expected}"'}
