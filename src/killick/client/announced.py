"""What a registry announces beyond the specification, and what that lets a client do."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from killick import strictjson
from killick.client.answers import Asked, failure
from killick.client.ledger import RemoteHistory, RemoteLedger
from killick.client.listing import MOST_PAGE_BYTES
from killick.client.messages import Request
from killick.errors import ContentError, Unreachable, Unsupported
from killick.wire import extensions as wire

if TYPE_CHECKING:
    from killick.client.auth import Auth
    from killick.client.repository import RemoteRepository
    from killick.client.session import Session
    from killick.repository import Historic


class Announced:
    """The announcements of one registry, asked for once."""

    def __init__(self, session: Session, auth: Auth) -> None:
        self._session = session
        self._auth = auth

    @cached_property
    def extensions(self) -> tuple[wire.Extension, ...]:
        """The extensions; none where the registry knows of no discovery, or lets nobody ask."""
        domain = self._session.domain
        request = Request("GET", self._session.url(f"/v2/{wire.DISCOVER}"))
        with self._session.send(request, self._auth) as response:
            if response.status == 200:
                with suppress(ContentError):
                    return wire.from_json(
                        strictjson.loads(response.read(MOST_PAGE_BYTES), "the extensions")
                    )
                return ()
            error = failure(response, Asked("registry", domain, domain))
        if response.status == 429 or isinstance(error, Unreachable):
            raise error
        return ()

    def history(self, repository: RemoteRepository) -> Historic:
        """Return what tells the past of the tags of a repository.

        Raises:
            Unsupported: the registry does not announce that it tells it.
        """
        if wire.is_ledger(self.extensions):
            return self.ledger(repository)
        if wire.tells_history(self.extensions):
            return RemoteHistory(self._session, repository)
        raise Unsupported(
            f"{self._session.domain} does not announce that it tells the history of its tags",
            side="remote",
        )

    def ledger(self, repository: RemoteRepository) -> RemoteLedger:
        """Return the ledger of a repository.

        Raises:
            Unsupported: the registry does not announce that it keeps one.
        """
        if not wire.is_ledger(self.extensions):
            raise Unsupported(
                f"{self._session.domain} does not announce compare-and-swap for its tags",
                side="remote",
            )
        return RemoteLedger(self._session, repository)
