"""Being let in: challenges, tokens, and which of them serve for what. A policy without I/O.

`Auth.renew` is a generator: it yields the requests that it wants sent (to token servers), is sent
what came back, and returns the `Authorization` to go on with. Whoever drives it does the talking.
Tokens are kept, per realm, service and scopes, until they expire.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from killick import strictjson
from killick.client.credential import Authorization, Credential, is_token
from killick.client.messages import Request
from killick.client.origin import Origin, Url
from killick.client.realms import check_realm, may_have_credentials
from killick.errors import ContentError, ProtocolError, Unauthorized
from killick.wire.challenge import Challenge, parse_challenges

MOST_TOKEN_BYTES = 256 * 1024
MOST_SECONDS = 24 * 3600
CLIENT_ID = "killick"

_DEFAULT_SECONDS = 60
_MOST_SCOPES = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What a token server said: its status and its body."""

    status: int
    body: bytes


Flow = Generator[Request, Answer, Authorization | None]


@dataclass(frozen=True, slots=True)
class _Held:
    authorization: Authorization
    until: float


class Auth:
    """What lets us in at one registry with one credential. `lock` is for whoever drives `renew`.

    `find` gives the credential, and is only asked once the registry has challenged us; `trusted`
    are hosts of token servers that a person vouches for.
    """

    def __init__(
        self,
        registry: Origin,
        find: Callable[[], Credential | None],
        trusted: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lock = threading.Lock()
        self.withheld: str | None = None
        self._registry = registry
        self._find = find
        self._credential: Credential | None = None
        self._is_found = False
        self._trusted = tuple(trusted)
        self._clock = clock
        self._challenge: Challenge | None = None
        self._direct: Authorization | None = None
        self._tokens: dict[tuple[str, str, tuple[str, ...]], _Held] = {}

    def ready(self, scopes: Sequence[str]) -> Authorization | None:
        """Return what is held already for requests that need `scopes`, or None."""
        if self._direct is not None:
            return self._direct
        challenge = self._challenge
        held = self._tokens.get(_key(challenge, scopes)) if challenge else None
        return held.authorization if held and held.until > self._clock() else None

    def renew(
        self, headers: Iterable[str], scopes: Sequence[str], rejected: Authorization | None
    ) -> Flow:
        """Answer the `WWW-Authenticate` `headers` of a 401 to a request that needs `scopes`.

        `rejected` is what the request showed. None is returned where nothing better is at hand.

        Raises:
            Denied: the realm may not be asked, or the credential may not be sent.
            Unauthorized: the token server does not know the credential.
            ProtocolError: its answer holds no token.
        """
        held = self.ready(scopes)
        if held is not None and held is not rejected:
            return held
        challenge = _chosen(parse_challenges(headers))
        if challenge is None:
            return None
        if challenge.scheme == "bearer":
            return (yield from self._bearer(challenge, scopes, rejected))
        return self._shown(self._known().basic(self._registry), rejected)

    def _known(self) -> Credential:
        if not self._is_found:
            self._credential = self._find()
            self._is_found = True
        return self._credential or Credential()

    @property
    def has_credential(self) -> bool:
        """Whether there is anything to show (known once the registry has challenged us)."""
        return not (self._credential or Credential()).is_empty

    def _shown(
        self, authorization: Authorization | None, rejected: Authorization | None
    ) -> Authorization | None:
        """Keep what goes straight to the registry, unless the registry has just refused it."""
        if authorization is None or (rejected is not None and rejected is self._direct):
            return None
        self._direct = authorization
        return authorization

    def _bearer(
        self, challenge: Challenge, scopes: Sequence[str], rejected: Authorization | None
    ) -> Flow:
        direct = self._known().token(self._registry)
        if direct is not None:
            return self._shown(direct, rejected)
        realm = self._realm(challenge)
        wanted = merged_scopes([*scopes, *challenge.parameters.get("scope", "").split()])
        service = challenge.parameters.get("service", "")
        token, lifetime = yield from self._fetch(realm, service, wanted)
        authorization = Authorization.bearer(self._registry, token)
        self._challenge = challenge
        self._tokens[_key(challenge, scopes)] = _Held(authorization, self._clock() + lifetime)
        return authorization

    def _realm(self, challenge: Challenge) -> Url:
        realm = Url.parse(challenge.parameters.get("realm", ""))
        check_realm(realm.origin, self._registry)
        return realm

    def _fetch(
        self, realm: Url, service: str, scopes: Sequence[str]
    ) -> Generator[Request, Answer, tuple[str, float]]:
        credential = self._known()
        trusted = may_have_credentials(realm.origin, self._registry, self._trusted)
        if not trusted and not credential.is_empty:
            self.withheld = (
                f"{self._registry.netloc} wants its credentials sent to {realm.origin.host}, "
                "which is not known to belong to it"
            )
            credential = Credential()
        refresh = credential.refresh(realm.origin)
        if refresh is not None:
            answer = yield _exchange(realm, service, scopes, refresh)
            if answer.status not in (404, 405):
                return _token(answer, realm, shown=True)
        basic = credential.basic(realm.origin)
        query = urlencode([("service", service)] if service else [], quote_via=quote)
        query += "".join(f"&scope={quote(s, safe=':/,*')}" for s in scopes)
        url = realm.with_query(query.lstrip("&")) if query else realm
        answer = yield Request("GET", url, authorization=basic, budget=MOST_TOKEN_BYTES)
        return _token(answer, realm, shown=basic is not None)


def _exchange(realm: Url, service: str, scopes: Sequence[str], refresh: Authorization) -> Request:
    """Return the OAuth2 request that gets an access token for an identity token."""
    form = {
        "grant_type": "refresh_token",
        "service": service,
        "client_id": CLIENT_ID,
        "scope": " ".join(scopes),
        "refresh_token": refresh.value_for(realm.origin) or "",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request("POST", realm, headers, urlencode(form).encode(), budget=MOST_TOKEN_BYTES)


def _token(answer: Answer, realm: Url, shown: bool) -> tuple[str, float]:
    """Return the token in an answer, and for how many seconds to use it."""
    if answer.status in (400, 401, 403):
        said = "does not accept the credentials" if shown else "gives no token without a login"
        raise Unauthorized(f"{realm.origin.host} {said}", side="remote")
    fields = _fields(answer, realm)
    token = fields.get("token") or fields.get("access_token")
    if answer.status != 200 or not isinstance(token, str) or not is_token(token):
        raise ProtocolError(
            f"{realm.origin.host} gave no token (status {answer.status})", side="remote"
        )
    lifetime = fields.get("expires_in")
    if not isinstance(lifetime, int | float) or not 0 < lifetime <= MOST_SECONDS:
        lifetime = _DEFAULT_SECONDS
    # Some of the time has passed on the way, and a request has to arrive before the end.
    return token, lifetime * 0.9


def _fields(answer: Answer, realm: Url) -> dict[str, Any]:
    try:
        fields = strictjson.loads(answer.body, "the answer of the token server")
    except ContentError:
        fields = None
    if not isinstance(fields, dict):
        raise ProtocolError(
            f"{realm.origin.host} answers a request for a token with something else "
            f"(status {answer.status})",
            side="remote",
        )
    return fields


def _chosen(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: a token rather than a password."""
    best = None
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
        if challenge.scheme == "basic" and best is None:
            best = challenge
    return best


def _key(challenge: Challenge, scopes: Sequence[str]) -> tuple[str, str, tuple[str, ...]]:
    parameters = challenge.parameters
    return parameters.get("realm", ""), parameters.get("service", ""), tuple(sorted(scopes))


def merged_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes (`type:name:action,…`) with those of one resource made into one, sorted."""
    actions: dict[str, set[str]] = {}
    for scope in scopes:
        resource, _, listed = scope.rpartition(":")
        if resource and len(scope) <= 1024:
            actions.setdefault(resource, set()).update(filter(None, listed.split(",")))
    merged = [f"{resource}:{','.join(sorted(a))}" for resource, a in sorted(actions.items())]
    return merged[:_MOST_SCOPES]
