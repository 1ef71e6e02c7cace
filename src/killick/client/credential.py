"""Secrets, and the one gate through which they leave.

A `Credential` is what a person has for one registry. It has no way to give its secrets away but to
turn into an `Authorization`, which is bound to one origin (scheme, host, port) and hands its value
out for that origin alone. Requests carry `Authorization`s, never texts, so that wherever a redirect
or an upload location leads a request, the secret stays behind.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick.errors import Denied, UsageError

if TYPE_CHECKING:
    from killick.client.origin import Origin

MOST_TOKEN_CHARACTERS = 32 * 1024

_TOKEN = re.compile(r"[!-~]+")


class Authorization:
    """A secret that leaves for one origin only."""

    __slots__ = ("_origin", "_value")

    def __init__(self, origin: Origin, value: str) -> None:
        """Bind `value` to `origin`.

        Raises:
            Denied: secrets may not go there: plain HTTP to another machine.
        """
        if not origin.is_secure:
            raise Denied(
                f"credentials are never sent over plain HTTP to another machine ({origin.netloc})",
                side="remote",
                hint="have the registry speak TLS",
            )
        self._origin = origin
        self._value = value

    @classmethod
    def bearer(cls, origin: Origin, token: str) -> Authorization:
        """Return the header value that shows `token` to `origin`."""
        return cls(origin, f"Bearer {token}")

    def value_for(self, origin: Origin) -> str | None:
        """Return the secret if `origin` is the one that it is bound to, else None: the gate."""
        return self._value if origin == self._origin else None

    def __repr__(self) -> str:
        return f"Authorization({self._origin}, …)"


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a person has for one registry: a name and a password, or a token.

    `identity_token` is an OAuth2 refresh token, to be exchanged for access tokens;
    `registry_token` is shown to the registry as it is.
    """

    username: str = ""
    password: str = ""
    identity_token: str | None = None
    registry_token: str | None = None

    def __post_init__(self) -> None:
        """Check that the parts can stand in a header.

        Raises:
            UsageError: the user name has a colon, or something has control characters.
        """
        if ":" in self.username:
            raise UsageError("a user name can't have a colon in it")
        parts = (self.username, self.password, self.identity_token, self.registry_token)
        if any(c < " " or c == "\x7f" for part in parts for c in part or ""):
            raise UsageError("a user name or a password has control characters in it")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.username or self.password or self.identity_token or self.registry_token)

    def basic(self, origin: Origin) -> Authorization | None:
        """Return user name and password for `origin`, or None if there are none."""
        if not (self.username and self.password):
            return None
        pair = f"{self.username}:{self.password}".encode()
        return Authorization(origin, f"Basic {b64encode(pair).decode()}")

    def refresh(self, origin: Origin) -> Authorization | None:
        """Return the bare identity token for `origin`, a token server, or None."""
        return Authorization(origin, self.identity_token) if self.identity_token else None

    def token(self, origin: Origin) -> Authorization | None:
        """Return the registry token for `origin`, or None."""
        token = self.registry_token
        return Authorization.bearer(origin, token) if token and is_token(token) else None

    def __repr__(self) -> str:
        return f"Credential({self.username!r}, …)"


def is_token(text: object) -> bool:
    """Whether `text` is something that can stand in a header as a token."""
    return (
        isinstance(text, str)
        and len(text) <= MOST_TOKEN_CHARACTERS
        and _TOKEN.fullmatch(text) is not None
    )
