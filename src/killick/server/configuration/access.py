"""`[access]`: who may do what, and where callers find the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from killick.errors import UsageError
from killick.rights import MOST_STARS, Right, check_pattern
from killick.server.configuration.table import Wrong, setting
from killick.server.proxies import network

Anonymous = Literal["none", "pull", "all"]
MOST_HOST_CHARACTERS = 1024
_URL = re.compile(r"https?://[^/?#\s\"\\]+")


@dataclass(frozen=True, slots=True)
class AccessRule:
    """`[[access.rule]]`: rights in some repositories, for some accounts."""

    repositories: tuple[str, ...] = setting(help='patterns, such as "team-a/**"')
    rights: tuple[Right, ...] = setting(help="of pull, push, delete, report and admin")
    accounts: tuple[str, ...] = setting((), help='names; "ci-*" for several')
    groups: tuple[str, ...] = setting((), help="names of groups")


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """`[[access.group]]`: accounts under one name, for rules."""

    name: str = setting(help="what rules call it")
    accounts: tuple[str, ...] = setting(help="names of accounts")


@dataclass(frozen=True, slots=True)
class AccessReporter:
    """`[[access.reporter]]`: names of hosts, and the accounts that alone may report them."""

    hosts: tuple[str, ...] = setting(help='names of hosts; "web-*" for several')
    accounts: tuple[str, ...] = setting(help='names of accounts; "ci-*" for several')

    def __post_init__(self) -> None:
        """Look for rules about nothing, and for patterns that cost much."""
        for key, patterns in (("hosts", self.hosts), ("accounts", self.accounts)):
            if not patterns:
                raise Wrong(key, "names nothing")
            for pattern in patterns:
                if len(pattern) > MOST_HOST_CHARACTERS or pattern.count("*") > MOST_STARS:
                    raise Wrong(key, f"has a pattern that is too long: {pattern[:80]}")
                if any(character in pattern for character in "?[]"):
                    raise Wrong(key, f"has a pattern with more than stars in it: {pattern}")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what."""

    anonymous: Anonymous | None = setting(
        None, help="what callers without an account may do; left out: all on loopback"
    )
    public: tuple[str, ...] = setting(
        (), help="patterns of the repositories from which anybody may pull"
    )
    public_url: str | None = setting(
        None,
        help="where callers find it, as https://host[:port]; left out: by their Host",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), help="networks of the proxies whose X-Forwarded-For and -Proto are believed"
    )
    audit: str | None = setting(
        None, help="where the audit log goes: off, stderr or a file; left out: into the root"
    )
    rule: tuple[AccessRule, ...] = setting((), help="rules; without one, accounts pull and push")
    group: tuple[AccessGroup, ...] = setting((), help="groups, for rules")
    reporter: tuple[AccessReporter, ...] = setting(
        (), help="who may report which hosts; without one, who does so first"
    )

    def __post_init__(self) -> None:
        """Look for what can't be."""
        if self.public_url is not None and not _URL.fullmatch(self.public_url):
            raise Wrong("public_url", "is not a URL of a host", hint="write https://host[:port]")
        try:
            for pattern in self.public:
                check_pattern(pattern)
        except UsageError as error:
            raise Wrong("public", f"is wrong: {error.message}", hint=error.hint) from None
        try:
            for text in self.trusted_proxies:
                network(text)
        except UsageError as error:
            raise Wrong("trusted_proxies", f"is wrong: {error.message}", hint=error.hint) from None
