"""Accounts and access tokens, as values: a directory of them, and the edits that can be made."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from killick.bounds import bound
from killick.errors import Conflict, LimitExceeded, NotFound, UsageError
from killick.rights import ANONYMOUS, EVERYWHERE, RIGHTS, Right

MOST_NAME_CHARACTERS: Final = bound(64, "characters", "name of an account")
MOST_ENTRIES: Final = bound(10_000, "entries", "accounts of a registry, and access tokens")
"""Accounts, and tokens, that one registry can have: all of them are held in memory."""

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. `password` is a bcrypt hash; None: only tokens get in.

    `stamp` is another one whenever what was given out to the account (bearer and refresh tokens)
    shall count no more.
    """

    name: str
    created: datetime
    password: str | None = field(default=None, repr=False)
    is_admin: bool = False
    is_enabled: bool = True
    stamp: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A secret that gets an account in, with at most these rights, in these repositories.

    `digest` is the SHA-256 of the secret, which is nowhere kept.
    """

    id: str
    account: str
    label: str
    created: datetime
    digest: str = field(repr=False)
    expires: datetime | None = None
    rights: tuple[Right, ...] = RIGHTS
    repositories: tuple[str, ...] = (EVERYWHERE,)


@dataclass(frozen=True, slots=True)
class Directory:
    """All accounts by name, and all access tokens by id. Edits return another directory."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    tokens: Mapping[str, AccessToken] = field(default_factory=dict)

    def account(self, name: str) -> Account:
        """Return an account.

        Raises:
            NotFound: there is none of that name.
        """
        found = self.accounts.get(name)
        if found is None:
            raise NotFound(f"there is no account {name[:80]!r}", hint="killick user ls lists them")
        return found

    def with_new(self, account: Account) -> Directory:
        """Return it with one account more.

        Raises:
            Conflict: there is one of that name.
            LimitExceeded: there are too many.
        """
        if account.name in self.accounts:
            raise Conflict(
                f"there is an account {account.name} already",
                hint="killick user passwd gives it another password",
            )
        _check_room(self.accounts)
        return replace(self, accounts={**self.accounts, account.name: account})

    def with_changed(self, account: Account) -> Directory:
        """Return it with an account that is there in another state.

        Raises:
            NotFound: there is none of that name.
        """
        self.account(account.name)
        return replace(self, accounts={**self.accounts, account.name: account})

    def without(self, name: str) -> Directory:
        """Return it without an account and its tokens.

        Raises:
            NotFound: there is none of that name.
        """
        self.account(name)
        return Directory(
            {key: account for key, account in self.accounts.items() if key != name},
            {key: token for key, token in self.tokens.items() if token.account != name},
        )

    def with_token(self, token: AccessToken) -> Directory:
        """Return it with one token more.

        Raises:
            NotFound: its account is not there.
            LimitExceeded: there are too many.
        """
        self.account(token.account)
        _check_room(self.tokens)
        return replace(self, tokens={**self.tokens, token.id: token})

    def without_token(self, token_id: str) -> Directory:
        """Return it without a token.

        Raises:
            NotFound: there is none of that id.
        """
        if token_id not in self.tokens:
            raise NotFound(
                f"there is no token {token_id[:80]!r}", hint="killick token ls lists them"
            )
        return replace(self, tokens={k: v for k, v in self.tokens.items() if k != token_id})


def check_name(name: str) -> str:
    """Return `name` if an account can be called so.

    Raises:
        UsageError: it can't.
    """
    if not _NAME.fullmatch(name) or len(name) > MOST_NAME_CHARACTERS or name == ANONYMOUS:
        raise UsageError(
            f"{name[:80]!r} can't be the name of an account",
            hint=f"use a-z 0-9, with . _ - between, at most {MOST_NAME_CHARACTERS} characters",
        )
    return name


def _check_room(entries: Mapping[str, object]) -> None:
    if len(entries) >= MOST_ENTRIES:
        raise LimitExceeded(f"a registry has at most {MOST_ENTRIES} of these")
