"""The gate of a registry with accounts: who calls, remembered until the register changes.

What was found out about a caller is kept in memory under a keyed hash of the header that they sent,
and counts as long as the file of accounts is the one that it was found out from. So a change takes
effect on the next call, on every worker. A password that was right once is not hashed again while
its account has the same stamp, however often the file changes.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from killick import rights
from killick.accounts import callers, scopes
from killick.accounts.audit import Audit
from killick.accounts.bearer import LIFE, SERVICE, Claims, Signer
from killick.accounts.callers import Bearer, Caller
from killick.accounts.policy import Policy
from killick.accounts.register import Register
from killick.accounts.tries import Tries
from killick.accounts.view import Proof, View, name_and_password
from killick.errors import Denied, KillickError, Throttled, Unauthorized
from killick.moments import rfc3339, utc_now
from killick.rights import RIGHTS, Need, Who

MOST_REMEMBERED: Final = 10_000
MOST_HEADER_CHARACTERS: Final = 16 * 1024 + 16
TELL_AGAIN: Final = 60.0
"""Seconds in which the audit log is told once only that an address has to wait."""

_KEY_BYTES = 32
_MARK_BYTES = 16
_Kept = TypeVar("_Kept")
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gate stands on.

    `policy` holds where there are accounts, `without` while there never were any.
    """

    register: Register
    policy: Policy
    without: Policy
    signer: Signer
    tries: Tries
    audit: Audit
    clock: Callable[[], float] = time.time


class AccountsGate:
    """Tells callers apart by accounts. Safe to use from several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._register = parts.register
        self._clock = parts.clock
        self._keyed = hashlib.blake2b(key=os.urandom(_KEY_BYTES), digest_size=_MARK_BYTES)
        self._mutex = threading.Lock()
        self._reading = threading.Lock()
        self._proofs: dict[bytes, Proof] = {}
        self._told: dict[str, float] = {}
        self._view: View | None = None

    def recall(self, credentials: str | None, /) -> Caller | None:
        """Return a caller who is known without any work that could block; costs about 1 µs."""
        view = self._view
        if view is None or view.stamp != self._register.lately():
            return None
        if credentials is None:
            return view.anonymous
        found = view.known.get(self._mark(credentials))
        if found is None or found.until <= self._clock():
            return None
        return found

    def identify(self, credentials: str | None, who: Who, /) -> Caller:
        """Return the caller who sends this `Authorization` header; may take 0.2 s and more.

        Raises:
            Unauthorized: the credentials are wrong.
            Throttled: too many were wrong.
            StoreError: the accounts can't be read; then nobody is let in.
        """
        view = self._current()
        if credentials is None:
            return view.anonymous
        if len(credentials) > MOST_HEADER_CHARACTERS:
            raise Unauthorized("the credentials are too long")
        scheme, _, value = credentials.partition(" ")
        if scheme.lower() == "bearer":
            caller = self._by_bearer(view, value.strip())
        elif scheme.lower() == "basic":
            caller = self._by_basic(view, credentials, value.strip(), who)
        else:
            raise Unauthorized("the registry takes Basic and Bearer credentials only")
        if caller.until <= self._clock():
            raise Unauthorized("the credentials have run out")
        self._keep(view.known, self._mark(credentials), caller)
        return caller

    def refusal(self, caller: rights.Caller, need: Need, repository: str, /) -> KillickError:
        """Return what a caller is told who lacks a right; the same whether the place exists."""
        view = self._view
        if view is not None and need not in view.policy.most and need in RIGHTS:
            return Denied("this registry is read-only for now")
        where = f" in {repository}" if repository else ""
        if isinstance(caller, Bearer) and caller.whole.looks(need, repository):
            return Unauthorized(f"the token was not made for this: {need}{where}")
        if caller.name == rights.ANONYMOUS:
            return Unauthorized("authentication is required")
        return Denied(f"the account may not do this: {need}{where}")

    def challenge(
        self, realm: str, need: Need | None, repository: str, source: str | None = None, /
    ) -> str:
        """Return the `WWW-Authenticate` header that leads to the token service at `realm`.

        `source` is another repository, which the caller wants to pull from.
        """
        parts = [f'realm="{realm}"', f'service="{SERVICE}"']
        found = [None if need is None else scopes.asking(need, repository)]
        if source is not None:
            found.append(scopes.asking("pull", source))
        if asked := " ".join(str(scope) for scope in found if scope is not None):
            parts.append(f'scope="{asked}"')
        return "Bearer " + ",".join(parts)

    def issue(self, caller: rights.Caller, asked: tuple[str, ...], /) -> Mapping[str, object]:
        """Return a bearer token for what is asked for, as far as the caller may do it now.

        Raises:
            Unauthorized: the caller shows nothing, and nothing is public; or shows a bearer token,
                which can't be made to last longer.
            LimitExceeded: too much is asked for.
        """
        view = self._current()
        if isinstance(caller, Bearer) or not isinstance(caller, Caller):
            raise Unauthorized("a token is not to be had with a token")
        if caller.is_anonymous and not view.policy.is_public:
            raise Unauthorized("authentication is required")
        granted = []
        for scope in scopes.parse_scopes(asked):
            needs = frozenset(need for need in scope.needs if caller.looks(need, scope.repository))
            if needs:
                granted.append(scopes.Scope(scope.repository, needs))
        token = self._parts.signer.sign(_claims(view, caller, tuple(granted)), "access")
        return {
            "token": token,
            "access_token": token,
            "expires_in": int(LIFE["access"].total_seconds()),
            "issued_at": rfc3339(utc_now()),
            "scope": " ".join(map(str, granted)),
        }

    def refresh_token(self, caller: rights.Caller, /) -> str | None:
        """Return a token that `redeem` takes in place of the caller's password; None for anybody.

        It ends with the password, with the access token that the caller came with, or by itself.
        """
        if isinstance(caller, Bearer) or not isinstance(caller, Caller) or caller.is_anonymous:
            return None
        return self._parts.signer.sign(_claims(self._current(), caller, ()), "refresh")

    def redeem(self, refresh_token: str, /) -> Caller:
        """Return the caller to whom a refresh token was given.

        Raises:
            Unauthorized: it is not one that counts now.
        """
        view = self._current()
        claims = self._parts.signer.check(refresh_token, "refresh")
        caller = view.caller(Proof(claims.account, claims.stamp, claims.token))
        if caller.until <= self._clock():
            raise Unauthorized("the credentials have run out")
        return caller

    def record(self, event: str, who: Who, details: Mapping[str, object], /) -> None:
        """Write an event into the audit log. May block."""
        self._parts.audit.record(event, who, details)

    def close(self) -> None:
        """Close what the gate stands on."""
        self._register.close()
        self._parts.tries.close()

    def _current(self) -> View:
        """Return the view of the register as it is now, read anew if it changed."""
        with self._reading:
            view = self._view
            if view is None or view.stamp != self._register.stamp():
                stamp, directory = self._register.read()
                exists = stamp is not None
                policy = self._parts.policy if exists else self._parts.without
                anybody = callers.anonymous(policy, may_stay=not exists)
                view = self._view = View(stamp, directory, policy, anybody)
            return view

    def _by_bearer(self, view: View, text: str) -> Caller:
        claims = self._parts.signer.check(text, "access")
        whole = view.anonymous
        if claims.account:
            whole = view.caller(Proof(claims.account, claims.stamp, claims.token))
        return Bearer(whole, claims.access, claims.expires)

    def _by_basic(self, view: View, credentials: str, value: str, who: Who) -> Caller:
        mark = self._mark(credentials)
        proof = self._proofs.get(mark)
        if proof is not None:
            try:
                return view.caller(proof)
            except Unauthorized:
                self._proofs.pop(mark, None)
        name, password = name_and_password(value)
        self._check_tries(name, who)
        proof = view.prove(name, password)
        # What was typed as a name that there is not may be a password, and is not written down.
        known = name if name in view.directory.accounts else "unknown"
        seen = Who(known, who.address, who.request)
        if proof is None:
            self._parts.tries.failed(name, who.address)
            self._parts.audit.record("login-failed", seen, {})
            raise Unauthorized("the name or the password is wrong")
        caller = view.caller(proof)
        self._parts.tries.succeeded(name, who.address)
        self._keep(self._proofs, mark, proof)
        self._parts.audit.record("login", seen, {"token": proof.token or None})
        return caller

    def _check_tries(self, name: str, who: Who) -> None:
        try:
            self._parts.tries.check(name, who.address)
        except Throttled as error:
            now = self._clock()
            if now - self._told.get(who.address, 0.0) > TELL_AGAIN:
                self._keep(self._told, who.address, now)
                self._parts.audit.record("throttled", who, {"wait": error.wait})
            raise

    def _mark(self, credentials: str) -> bytes:
        mark = self._keyed.copy()  # half the time of a new one with the key
        mark.update(credentials.encode("utf-8", "surrogatepass"))
        return mark.digest()

    def _keep(self, known: dict[_Key, _Kept], key: _Key, value: _Kept) -> None:
        with self._mutex:
            if len(known) >= MOST_REMEMBERED and key not in known:
                known.pop(next(iter(known)))
            known[key] = value


def _claims(view: View, caller: Caller, access: tuple[scopes.Scope, ...]) -> Claims:
    """Return what a token for a caller says."""
    if caller.is_anonymous:
        return Claims(access=access)
    return Claims(*view.proof_of(caller), access)
