"""Talking to one registry: redirects, being let in, and trying again, in one place."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from killick.client.answers import Asked, failure
from killick.client.auth import MOST_TOKEN_BYTES, Answer, Auth
from killick.client.credential import Authorization, Credential
from killick.client.dial import Dialer, Interrupted
from killick.client.messages import Request, Response
from killick.client.origin import Url, origin_of
from killick.client.pool import closed
from killick.client.redirects import follow
from killick.client.retry import AGAIN, Retry, seconds
from killick.client.tls import Trust
from killick.client.transport import Transport
from killick.errors import Unreachable

if TYPE_CHECKING:
    from killick.client.access import Access


class Session:
    """The connections to one registry, and what lets us in there. Safe for many threads.

    `dialer` is for those who connect in another way than by the system's names and addresses.
    """

    def __init__(self, domain: str, access: Access, dialer: Dialer | None = None) -> None:
        self.domain = domain
        self.access = access
        self.origin = origin_of(domain, plain_http=access.plain_http, tls=access.tls)
        self._transport = Transport(dialer or Dialer(access, Trust(access, self.origin)))
        self._closing = threading.Event()

    def auth(self, path: str | None = None) -> Auth:
        """Return what lets us in at the repository `path`, or at the registry itself."""

        def find() -> Credential | None:
            known = self.access.credentials
            return known.find(self.domain, path) if known is not None else None

        return Auth(self.origin, find, self.access.realms)

    def url(self, target: str) -> Url:
        """Return the URL of `target`, a path with a query, at the registry."""
        return Url(self.origin, target)

    def retry(self) -> Retry:
        """Return the tries that one operation has."""
        return Retry(self.access.attempts, self.access.patience)

    def send(
        self,
        request: Request,
        auth: Auth,
        scopes: Sequence[str] = (),
        retry: Retry | None = None,
    ) -> Response:
        """Return the answer to `request`, whatever its status, after as many tries as it takes.

        `retry` is what is left of the tries of a larger operation.

        Raises:
            Unreachable: there is no answer.
            Denied, Unauthorized, ProtocolError: as `once`.
        """
        retry = retry or self.retry()
        while True:
            try:
                response = self.once(request, auth, scopes)
            except Interrupted as error:
                self.pause(retry, error)
                continue
            if response.status not in AGAIN or not self._waited(retry, response):
                return response

    def load(
        self, request: Request, auth: Auth, scopes: Sequence[str], most: int
    ) -> tuple[Response, bytes]:
        """Return the answer to `request`, and its body if the status is 200, tried as `send` does.

        Of any other answer the body is left to be read.

        Raises:
            LimitExceeded: the body has more than `most` bytes.
            Unreachable, Denied, Unauthorized, ProtocolError: as `send`.
        """
        retry = self.retry()
        while True:
            response = self.send(request, auth, scopes, retry)
            if response.status != 200:
                return response, b""
            with response:
                try:
                    return response, response.read(most)
                except Interrupted as error:
                    self.pause(retry, error)

    def _waited(self, retry: Retry, response: Response) -> bool:
        """Wait until it is time for the next try, if there is one."""
        pause = retry.wait(seconds(response.header("Retry-After")))
        if pause is None:
            return False
        response.close()
        self.rest(pause)
        return True

    def pause(self, retry: Retry, error: Interrupted) -> None:
        """Wait until it is time for the next try.

        Raises:
            Unreachable: there is none; it says what `error` says.
        """
        pause = None if self._closing.is_set() else retry.wait()
        if pause is None:
            raise Unreachable(error.message, side="remote", hint=error.hint) from None
        self.rest(pause)

    def rest(self, pause: float) -> None:
        """Wait so many seconds, or until the session is closed.

        Raises:
            Unreachable: it was closed.
        """
        if self._closing.wait(pause):
            raise closed()

    def once(self, request: Request, auth: Auth, scopes: Sequence[str] = ()) -> Response:
        """Return the answer to `request`, redirects followed, after being let in if need be.

        A 401 is answered once, if it comes from the registry itself and `request` can be repeated.

        Raises:
            Interrupted: the connection failed.
            Unreachable: it can't be made.
            Denied: a redirect, or the realm of the tokens, leads where it may not.
            Unauthorized: the token server does not accept the credentials.
            ProtocolError: something does not speak HTTP as it should.
        """
        own = request.url.origin == self.origin
        shown = auth.ready(scopes) if own else None
        response = self._follow(replace(request, authorization=shown))
        repeatable = request.body is None or isinstance(request.body, bytes)
        if response.status != 401 or response.url.origin != self.origin or not repeatable:
            return response
        try:
            renewed = self._renew(response, auth, scopes, shown)
        except BaseException:
            response.close()
            raise
        if renewed is None:
            return response
        response.close()
        return self._follow(replace(request, authorization=renewed))

    def _follow(self, request: Request) -> Response:
        plain_http = bool(self.access.plain_http)
        return follow(self._transport.exchange, request, plain_http=plain_http)

    def _renew(
        self, response: Response, auth: Auth, scopes: Sequence[str], rejected: Authorization | None
    ) -> Authorization | None:
        """Do what it takes to be let in, one thread at a time."""
        headers = response.headers.get_all("WWW-Authenticate", [])
        with auth.lock:
            flow = auth.renew(headers, scopes, rejected)
            try:
                request = next(flow)
                while True:
                    request = flow.send(self._answer(request, response))
            except StopIteration as stop:
                found: Authorization | None = stop.value
                return found

    def _answer(self, request: Request, challenge: Response) -> Answer:
        """Ask a token server, which lies no further inside than the registry."""
        if request.url.origin.host != self.origin.host:
            request = replace(request, innermost=challenge.zone)
        retry = self.retry()
        while True:
            try:
                response = self._follow(request)
                if response.status in AGAIN:
                    if self._waited(retry, response):
                        continue
                    raise failure(response, Asked("token", request.url.origin.netloc))
                with response:
                    return Answer(response.status, response.read(MOST_TOKEN_BYTES))
            except Interrupted as error:
                self.pause(retry, error)

    def close(self) -> None:
        """Close all connections; requests under way fail at once."""
        self._closing.set()
        self._transport.close()
