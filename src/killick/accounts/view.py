"""What one version of the register says of credentials: no files, no clocks, nothing remembered."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import NamedTuple

from killick.accounts import callers, passwords
from killick.accounts.callers import Caller
from killick.accounts.directory import Account, Directory
from killick.accounts.policy import Policy
from killick.accounts.register import Stamp
from killick.errors import Unauthorized


class Proof(NamedTuple):
    """That somebody showed what gets them in as an account, as long as that has this stamp.

    `token` is the id of the access token that they showed; "" where it was the password.
    """

    account: str
    stamp: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One version of the register, the policy that holds with it, and who is known by it."""

    stamp: Stamp
    directory: Directory
    policy: Policy
    anonymous: Caller
    known: dict[bytes, Caller] = field(default_factory=dict)

    def prove(self, name: str, password: str) -> Proof | None:
        """Return the proof that a name and a password (or an access token) belong together.

        Which of the two was wrong shows neither in the answer nor in the time that it takes: about
        0.2 s for a password, next to none for an access token, which can't be guessed.
        """
        account = self.directory.accounts.get(name)
        token_id = passwords.token_id_of(password)
        if token_id is not None:
            return self._prove_token(account, token_id, password)
        stored = account.password if account is not None and account.is_enabled else None
        if not passwords.is_right(password, stored) or account is None:
            return None
        return Proof(account.name, account.stamp)

    def caller(self, proof: Proof) -> Caller:
        """Return the caller that a proof is for, if it still holds.

        Raises:
            Unauthorized: it does not.
        """
        account = self.directory.accounts.get(proof.account)
        if account is None or not account.is_enabled or account.stamp != proof.stamp:
            raise _outdated()
        if not proof.token:
            return callers.by_password(self.policy, account)
        token = self.directory.tokens.get(proof.token)
        if token is None or token.account != account.name:
            raise _outdated()
        return callers.by_token(self.policy, account, token)

    def proof_of(self, caller: Caller) -> Proof:
        """Return the proof that stands for a caller who is let in now.

        Raises:
            Unauthorized: their account is gone.
        """
        account = self.directory.accounts.get(caller.name)
        if account is None:
            raise _outdated()
        return Proof(account.name, account.stamp, caller.token)

    def _prove_token(self, account: Account | None, token_id: str, text: str) -> Proof | None:
        token = self.directory.tokens.get(token_id)
        is_right = passwords.is_token(text, token.digest if token is not None else "0" * 64)
        if token is None or not is_right or account is None or token.account != account.name:
            return None
        return Proof(account.name, account.stamp, token.id) if account.is_enabled else None


def name_and_password(value: str) -> tuple[str, str]:
    """Return what Basic credentials say.

    Raises:
        Unauthorized: they are none.
    """
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        raise Unauthorized("the credentials are not Basic ones") from None
    name, colon, password = text.partition(":")
    if not colon:
        raise Unauthorized("the credentials are not Basic ones")
    return name, password


def _outdated() -> Unauthorized:
    return Unauthorized("the credentials do not count any more")
