"""Who may do what: rules that grant rights; what none grants is not allowed.

An administrator may do everything. Without rules, every account may pull and push everywhere; with
rules, only what they grant. Anonymous callers may pull where it is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from killick.accounts.directory import AccessToken, Account
from killick.errors import UsageError
from killick.rights import REGISTRY, RIGHTS, Right, check_pattern, check_right, fits

READ_ONLY: Final[frozenset[Right]] = frozenset({"pull", "admin"})
"""What can be done at most while nothing may change: an administrator may still look."""
WITHOUT_RULES: Final[frozenset[Right]] = frozenset({"pull", "push"})
_ACCOUNT_PATTERN = re.compile(r"[a-z0-9._*-]{1,64}")


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives rights in the repositories of some patterns to some accounts and groups.

    `accounts` are names, in which `*` stands for any characters.
    """

    repositories: tuple[str, ...]
    rights: tuple[Right, ...]
    accounts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @classmethod
    def stated(
        cls,
        repositories: Iterable[str],
        rights: Iterable[str],
        accounts: Iterable[str] = (),
        groups: Iterable[str] = (),
    ) -> Rule:
        """Return the rule that these words state.

        Raises:
            UsageError: one of them is none of its kind, or the rule is about nobody or nothing.
        """
        rule = cls(
            tuple(check_pattern(pattern) for pattern in repositories),
            tuple(check_right(word) for word in rights),
            tuple(_check_accounts(pattern) for pattern in accounts),
            tuple(groups),
        )
        if not rule.repositories or not rule.rights:
            raise UsageError("a rule of access states repositories and rights")
        if not rule.accounts and not rule.groups:
            raise UsageError("a rule of access states accounts or groups")
        return rule

    def covers(self, right: Right, repository: str) -> bool:
        """Return whether it gives this right there (to whomever)."""
        return right in self.rights and any(fits(p, repository) for p in self.repositories)


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of one registry.

    `anonymous` is what callers without an account may do everywhere; `public` are the patterns of
    repositories from which they may pull. Nobody may do more than `most`.
    """

    rules: tuple[Rule, ...] = ()
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    anonymous: frozenset[Right] = frozenset()
    public: tuple[str, ...] = ()
    most: frozenset[Right] = frozenset(RIGHTS)

    def __post_init__(self) -> None:
        """Look for words that mean nothing.

        Raises:
            UsageError: a rule names a group that there is not, or a pattern is none.
        """
        for pattern in self.public:
            check_pattern(pattern)
        for rule in self.rules:
            for group in rule.groups:
                if group not in self.groups:
                    raise UsageError(f"a rule of access names the group {group!r}, which is none")

    def allows(self, account: Account, right: Right, repository: str) -> bool:
        """Return whether an account has a right in a repository."""
        if not account.is_enabled or right not in self.most:
            return False
        if account.is_admin:
            return True
        if not self.rules:
            # The registry as a whole is an administrator's business unless a rule says otherwise.
            return right in WITHOUT_RULES and repository != REGISTRY
        return any(
            rule.covers(right, repository) and self._is_meant(rule, account.name)
            for rule in self.rules
        )

    def allows_anonymous(self, right: Right, repository: str) -> bool:
        """Return whether anybody has a right in a repository."""
        if right in self.anonymous:
            return right in self.most
        return right == "pull" and any(fits(pattern, repository) for pattern in self.public)

    @property
    def is_public(self) -> bool:
        """Whether there is anything that anybody may do."""
        return bool(self.anonymous or self.public)

    def _is_meant(self, rule: Rule, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in rule.accounts) or any(
            name in self.groups[group] for group in rule.groups
        )


def token_allows(token: AccessToken, right: Right, repository: str) -> bool:
    """Return whether an access token lets its account use a right there."""
    return right in token.rights and any(fits(p, repository) for p in token.repositories)


def _check_accounts(pattern: str) -> str:
    if not _ACCOUNT_PATTERN.fullmatch(pattern) or pattern.count("*") > 8:
        raise UsageError(
            f"{pattern[:80]!r} is no name of accounts", hint='write a name, or "ci-*" for several'
        )
    return pattern
