"""Bearer and refresh tokens: JSON Web Tokens that this registry signs, and that only it checks.

One algorithm, HMAC with SHA-256 (the signer and the checker are the same, so there is no public
key to confuse with a secret), and a header of exactly three fields: nothing in a token says where a
key is to be had. A token says who asked and what was granted; what its account may do *now* is
looked at on each use.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from killick.accounts import scopes
from killick.accounts.keyring import LONGEST_LIFE, Keyring
from killick.accounts.scopes import Scope
from killick.bounds import bound
from killick.errors import Unauthorized
from killick.moments import utc_now

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

Use = Literal["access", "refresh"]

SERVICE: Final = "killick"
ALGORITHM: Final = "HS256"
LIFE: Final[dict[Use, timedelta]] = {"access": timedelta(minutes=5), "refresh": LONGEST_LIFE}
MOST_CHARACTERS: Final = bound(16 * 1024, "characters", "bearer token")
SKEW: Final = 30
"""Seconds that the clock may have stepped back since a token was made."""

_AUDIENCE: Final[dict[Use, str]] = {"access": SERVICE, "refresh": f"{SERVICE}:refresh"}
_HEADER = {"alg", "typ", "kid"}
_CLAIMS = {"iss", "aud", "sub", "iat", "nbf", "exp", "jti", "stamp", "token", "access"}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: the account ("": anonymous), its stamp, and what was granted.

    `token` is the id of the access token that the account came in with ("": by its password).
    """

    account: str = ""
    stamp: str = ""
    token: str = ""
    access: tuple[Scope, ...] = ()
    expires: int = 0


class Signer:
    """Signs claims and checks what comes back, with the keys of one ring."""

    def __init__(self, keyring: Keyring, clock: Callable[[], datetime] = utc_now) -> None:
        self._keyring = keyring
        self._clock = clock

    def sign(self, claims: Claims, use: Use) -> str:
        """Return a token that says `claims` from now on, for as long as its use allows.

        Raises:
            StoreError: the keys can't be read or made.
        """
        from joserfc import jwt

        key, now = self._keyring.signing(), int(self._clock().timestamp())
        value = {
            "iss": SERVICE,
            "aud": _AUDIENCE[use],
            "sub": claims.account,
            "iat": now,
            "nbf": now,
            "exp": now + int(LIFE[use].total_seconds()),
            "jti": secrets.token_hex(8),
            "stamp": claims.stamp,
            "token": claims.token,
            "access": [scopes.to_json(scope) for scope in claims.access],
        }
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.id}
        return jwt.encode(header, value, _octets(key.secret), algorithms=[ALGORITHM])

    def check(self, text: str, use: Use) -> Claims:
        """Return what a token says, if it is one of ours, for this use, and has not run out.

        Raises:
            Unauthorized: it is not; the message does not say which check it failed.
            StoreError: the keys can't be read.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError

        if len(text) > MOST_CHARACTERS or text.count(".") != 2 or not text.isascii():
            raise _refused()
        try:
            token = jwt.decode(text, self._find_key, algorithms=[ALGORITHM])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise _refused() from None
        return _claims(token.claims, use, int(self._clock().timestamp()))

    def _find_key(self, token: Any) -> OctKey:  # noqa: ANN401 - joserfc's guest protocol
        header = token.headers()
        if header.keys() != _HEADER or header["typ"] != "JWT" or not isinstance(header["kid"], str):
            raise _refused()
        key = self._keyring.known(header["kid"])
        if key is None:
            raise _refused()
        return _octets(key.secret)


def _octets(secret: str) -> OctKey:
    from joserfc.jwk import OctKey

    return OctKey.import_key(bytes.fromhex(secret))


def _claims(value: dict[str, Any], use: Use, now: int) -> Claims:
    if value.keys() != _CLAIMS:
        raise _refused()
    moments = value["iat"], value["nbf"], value["exp"]
    texts = value["sub"], value["stamp"], value["token"]
    access = value["access"]
    if (
        (value["iss"], value["aud"]) != (SERVICE, _AUDIENCE[use])
        or not all(type(moment) is int for moment in moments)
        or not all(isinstance(text, str) for text in texts)
        or not isinstance(access, list)
        or value["nbf"] > now + SKEW
        or value["exp"] <= now
    ):
        raise _refused()
    granted = tuple(scope for one in access if (scope := scopes.from_json(one)) is not None)
    return Claims(*texts, granted, value["exp"])


def _refused() -> Unauthorized:
    return Unauthorized("the token is not one that this registry takes now")
