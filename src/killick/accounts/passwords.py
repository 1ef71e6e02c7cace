"""Passwords, hashed by bcrypt; and secrets of our own making, which need no slow hash.

bcrypt looks at 72 bytes only, so longer passwords are refused, and not cut: two that begin alike
would be one. Whether an account exists must not show in how long an answer takes, so a password is
always hashed, against a hash of nothing where there is none to compare with.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Final, NamedTuple

from killick.bounds import bound
from killick.errors import UsageError

LEAST_CHARACTERS: Final = 8
MOST_BYTES: Final = bound(72, "bytes", "password")
COST: Final = 12
"""2 to this power rounds: about 0.2 s. Hashes of another cost are taken as they are."""

TOKEN_PREFIX: Final = "killick_"  # noqa: S105 - what tokens begin with, so that scanners know them
_SECRET_BYTES = 32


class Minted(NamedTuple):
    """A new access token: its id, the text that is shown once, and the digest that is kept."""

    id: str
    text: str
    digest: str


def check_password(password: str) -> str:
    """Return `password` if it can be one.

    Raises:
        UsageError: it is too short or too long; the message does not repeat it.
    """
    if len(password) < LEAST_CHARACTERS:
        raise UsageError(f"a password has at least {LEAST_CHARACTERS} characters")
    if password.startswith(TOKEN_PREFIX):
        raise UsageError(f"a password does not begin with {TOKEN_PREFIX}, as access tokens do")
    if not _fits(password):
        raise UsageError(f"a password has at most {MOST_BYTES} bytes, and no NUL")
    return password


def hashed(password: str) -> str:
    """Return the hash of a password; takes about 0.2 s.

    Raises:
        UsageError: it can't be a password.
    """
    import bcrypt

    raw = check_password(password).encode()
    return bcrypt.hashpw(raw, bcrypt.gensalt(COST)).decode()


def is_right(password: str, stored: str | None) -> bool:
    """Return whether `password` is the one whose hash is `stored`; None: it is no one's.

    Takes as long whatever the answer is.
    """
    import bcrypt

    fits = _fits(password)
    raw = password.encode() if fits else b"x" * MOST_BYTES
    try:
        same = bcrypt.checkpw(raw, (stored or _hash_of_nothing()).encode())
    except ValueError:  # somebody wrote into the file what is no hash
        return False
    return same and fits and stored is not None


def mint() -> Minted:
    """Return a new access token, of 256 random bits."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
    text = f"{TOKEN_PREFIX}{token_id}_{secret}"
    return Minted(token_id, text, digest_of(text))


def digest_of(text: str) -> str:
    """Return what is kept of an access token. It has too many bits to be guessed from that."""
    return hashlib.sha256(text.encode()).hexdigest()


def token_id_of(text: str) -> str | None:
    """Return the id in what looks like an access token, else None."""
    if not text.startswith(TOKEN_PREFIX):
        return None
    return text[len(TOKEN_PREFIX) :].partition("_")[0]


def is_token(text: str, digest: str) -> bool:
    """Return whether `text` is the access token whose digest is kept."""
    return hmac.compare_digest(digest_of(text), digest)


@lru_cache(maxsize=1)
def _hash_of_nothing() -> str:
    import bcrypt

    return bcrypt.hashpw(secrets.token_bytes(32).hex().encode(), bcrypt.gensalt(COST)).decode()


def _fits(password: str) -> bool:
    if len(password) > MOST_BYTES or "\0" in password:
        return False
    return len(password.encode(errors="surrogatepass")) <= MOST_BYTES
