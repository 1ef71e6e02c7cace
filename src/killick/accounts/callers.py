"""Callers: who somebody turned out to be, and what they may do, remembered per repository.

They live as long as the version of the register that they were made from, so what they remember
can't be out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Final

from killick.accounts.directory import AccessToken, Account
from killick.accounts.policy import Policy, token_allows
from killick.accounts.scopes import Scope
from killick.rights import ANONYMOUS, Need, Right

MOST_REMEMBERED: Final = 4096

Allows = Callable[[Right, str], bool]
ALL_OPEN: Final[frozenset[Need]] = frozenset({"login", "list"})


class Caller:
    """Somebody, and what they may do by `allows`.

    `doors` are those of `login` and `list` that are open to them; what stands in the list is what
    they may pull. `until` is when what they showed runs out (seconds since 1970). `token` is the id
    of the access token that they came with, or "".
    """

    __slots__ = ("_allows", "_open", "_remembered", "name", "token", "until")

    def __init__(
        self,
        name: str,
        allows: Allows,
        doors: frozenset[Need] = ALL_OPEN,
        *,
        token: str = "",
        until: float = inf,
    ) -> None:
        self.name = name
        self.token = token
        self.until = until
        self._allows = allows
        self._open = doors
        self._remembered: dict[tuple[str, str], bool] = {}

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody said who they are."""
        return self.name == ANONYMOUS

    def may(self, need: Need, repository: str, /) -> bool:
        """Return whether they have a right there, or may be shown that it exists (`list`)."""
        key = (need, repository)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self.looks(need, repository)
        return found

    def looks(self, need: Need, repository: str) -> bool:
        """Return the same, without remembering."""
        if need == "login":
            return need in self._open
        if need == "list":
            return self._allows("pull", repository) if repository else need in self._open
        return self._allows(need, repository)


class Bearer(Caller):
    """Somebody with a bearer token: `whole` is what they may do now, of which they get `access`."""

    __slots__ = ("_access", "whole")

    def __init__(self, whole: Caller, access: Iterable[Scope], until: float) -> None:
        super().__init__(whole.name, whole.looks, token=whole.token, until=min(until, whole.until))
        self.whole = whole
        self._access: Mapping[str, frozenset[Need]] = _merged(access)

    def looks(self, need: Need, repository: str) -> bool:
        """Return whether the token was made for it, and they still may."""
        if need == "login":
            return True
        if need == "list":
            return "list" in self._access.get("", ()) and (
                not repository or self.whole.looks("pull", repository)
            )
        return need in self._access.get(repository, ()) and self.whole.looks(need, repository)


def anonymous(policy: Policy, *, may_stay: bool) -> Caller:
    """Return whoever shows nothing; `may_stay`: also where one has to say who one is."""
    doors: frozenset[Need] = ALL_OPEN if may_stay else frozenset()
    if policy.is_public:
        doors |= {"list"}
    return Caller(ANONYMOUS, policy.allows_anonymous, doors)


def by_password(policy: Policy, account: Account) -> Caller:
    """Return an account that came in by its password."""
    return Caller(account.name, lambda r, where: policy.allows(account, r, where))


def by_token(policy: Policy, account: Account, token: AccessToken) -> Caller:
    """Return an account that came in by one of its access tokens."""

    def allows(right: Right, where: str) -> bool:
        return token_allows(token, right, where) and policy.allows(account, right, where)

    until = inf if token.expires is None else token.expires.timestamp()
    return Caller(account.name, allows, token=token.id, until=until)


def _merged(access: Iterable[Scope]) -> Mapping[str, frozenset[Need]]:
    merged: dict[str, frozenset[Need]] = {}
    for scope in access:
        merged[scope.repository] = merged.get(scope.repository, frozenset()) | scope.needs
    return merged
