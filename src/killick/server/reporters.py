"""Who may report under which names of hosts: the first who does, unless a rule says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from killick.errors import Denied
from killick.observation import Claimable
from killick.repository import Registry


@dataclass(frozen=True, slots=True)
class ReporterRule:
    """Hosts, and the accounts that alone may report under these names; in both, `*` is anything."""

    hosts: tuple[str, ...]
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reporters:
    """All rules of one registry. Where none is about a host, the first account that reports it."""

    rules: tuple[ReporterRule, ...] = ()

    def check(self, registry: Registry, host: str, account: str) -> None:
        """See that an account may report what a host runs.

        Raises:
            Denied: it may not; whose the name is, is said.
            LimitExceeded: there are too many hosts.
        """
        about = [rule for rule in self.rules if _is_among(host, rule.hosts)]
        if about:
            if not any(_is_among(account, rule.accounts) for rule in about):
                allowed = ", ".join(name for rule in about for name in rule.accounts)
                raise Denied(
                    f"the host name {host} is for reports of {allowed}",
                    hint="the rules [[access.reporter]] of the registry say so",
                )
            return
        holder = registry.claim(host, account) if isinstance(registry, Claimable) else account
        if holder != account:
            raise Denied(
                f"the account {holder} reports under the host name {host}",
                hint="report under another (killick fleet add NAME URL), or have the registry's"
                " administrator write a rule [[access.reporter]]",
            )


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
