"""A registry over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from killick.client.access import Access
from killick.client.answers import Asked, failure, media_type, unexpected
from killick.client.listing import PAGE, pages, query, texts
from killick.client.messages import Request
from killick.client.repository import RemoteRepository
from killick.client.session import Session
from killick.errors import ProtocolError, Unauthorized, Unsupported
from killick.names import DOCKER_HUB, is_path

if TYPE_CHECKING:
    from killick.client.announced import Announced
    from killick.client.dial import Dialer
    from killick.client.ledger import RemoteLedger, Told
    from killick.observation import Snapshot
    from killick.repository import Historic
    from killick.wire.extensions import Extension

_CATALOG = ("registry:catalog:*",)


class RemoteRegistry:
    """The registry at `domain` (`docker.io`, `127.0.0.1:5000`). Safe for many threads at once.

    Close it, or use it as a context manager: it keeps connections. `dialer` is for those who
    connect in another way than by the system's names and addresses.

    Raises:
        UsageError: `domain` is no host.
    """

    def __init__(
        self, domain: str, access: Access | None = None, dialer: Dialer | None = None
    ) -> None:
        self.domain = domain
        self._session = Session(domain, access or Access(), dialer)
        self._auth = self._session.auth()
        self._lock = threading.Lock()
        self._repositories: dict[str, RemoteRepository] = {}

    def repository(self, name: str, /) -> RemoteRepository:
        """Return the repository at the path `name`; nothing is looked up.

        On Docker Hub, a path of one part is in `library/`.
        """
        if self.domain == DOCKER_HUB and "/" not in name:
            name = f"library/{name}"
        with self._lock:
            if name not in self._repositories:
                self._repositories[name] = RemoteRepository(self._session, name)
            return self._repositories[name]

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the names of all repositories (after `after`), in ASCII order.

        Raises:
            Unsupported: the registry does not list them.
        """
        asked = Asked("registry", self.domain, self.domain)
        listed = pages(
            self._session, self._auth, f"/v2/_catalog{query(None, after)}", _CATALOG, asked
        )
        try:
            names = texts(listed, "repositories")
        except ProtocolError as error:
            raise Unsupported(
                f"{self.domain} does not list its repositories", side="remote", hint=error.message
            ) from None
        yield from sorted(name for name in names if is_path(name) and name > after)

    def extensions(self) -> tuple[Extension, ...]:
        """Return what the registry announces beyond the specification; it is asked once.

        A registry that knows of no discovery, or lets nobody ask, announces nothing.
        """
        return self._announced.extensions

    def history(self, name: str, /) -> Historic:
        """Return what tells the past of the tags of the repository at the path `name`.

        Raises:
            Unsupported: the registry does not announce that it tells it.
        """
        return self._announced.history(self.repository(name))

    def ledger(self, name: str, /) -> RemoteLedger:
        """Return the ledger of the repository at the path `name`.

        Raises:
            Unsupported: the registry does not announce that it keeps one.
        """
        return self._announced.ledger(self.repository(name))

    def chain(self, name: str, /, after: int, most: int = PAGE) -> Iterator[Told]:
        """Yield, page by page, where the ledger of a repository ends, and its entries after one.

        Raises:
            NotFound: the registry tells no such thing.
            ContentError: what it tells is none.
        """
        from killick.client.ledger import ledger_pages

        return ledger_pages(self._session, self.repository(name), after, most)

    def report(self, snapshot: Snapshot) -> None:
        """Tell the registry what an engine said.

        Raises:
            Unsupported: it takes no reports.
            LimitExceeded: the report is larger than it would take.
            Denied: it takes none from us.
        """
        from killick.client.reports import send

        send(self._session, self._auth, snapshot)

    @cached_property
    def _announced(self) -> Announced:
        # Late, as few commands ask, and all wait for imports.
        from killick.client.announced import Announced

        return Announced(self._session, self._auth)

    def ping(self) -> None:
        """Check that a registry is there, and lets us in.

        Raises:
            Unauthorized: it wants a login, or another one.
            ProtocolError: what is there is no registry.
            Unreachable: nothing is there.
        """
        asked = Asked("registry", self.domain, self.domain)
        request = Request("GET", self._session.url("/v2/"))
        with self._session.send(request, self._auth) as response:
            if response.status != 200:
                raise failure(response, asked)
            if media_type(response) in ("text/html", "application/xhtml+xml"):
                raise unexpected(response, asked)

    def check_login(self) -> None:
        """Check that the registry lets us in, with all the credentials there are.

        Raises:
            Unauthorized: it does not, or they may not be shown where it wants them shown.
        """
        self.ping()
        if self._auth.withheld is not None:
            raise Unauthorized(
                self._auth.withheld,
                side="remote",
                hint="if it does belong to it, list that host as a trusted realm",
            )

    def close(self) -> None:
        """Close all connections; requests under way fail at once."""
        self._session.close()

    def __enter__(self) -> RemoteRegistry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
