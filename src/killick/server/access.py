"""Who calls, and what they may do.

Every endpoint names the right that it takes (`app`), and the gate is asked before the endpoint
runs; so an endpoint that forgot to ask can't be written. A gate answers from memory where it can
(`recall`): a password costs a tenth of a second to check, and most callers come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from killick.errors import Denied, KillickError

Right = Literal["pull", "push", "delete", "report", "admin"]
"""`push` also moves tags and rolls them back; `delete` removes tags and content; `report` tells
what a host runs; `admin` runs the registry's chores."""

ANONYMOUS = "anonymous"


class Caller(Protocol):
    """Whoever sent a request."""

    @property
    def name(self) -> str:
        """The account, or `ANONYMOUS`: what the ledger and the log say."""
        ...

    def may(self, right: Right, repository: str, /) -> bool:
        """Return whether the caller has a right in a repository (which need not exist)."""
        ...


class Gate(Protocol):
    """Where callers are told apart, by the value of their `Authorization` header (or None)."""

    def recall(self, credentials: str | None, /) -> Caller | None:
        """Return a caller who is known without any work that could block; else None."""
        ...

    def identify(self, credentials: str | None, /) -> Caller:
        """Return the caller; may block.

        Raises:
            Unauthorized: the credentials are wrong.
        """
        ...

    def refusal(self, caller: Caller, right: Right, repository: str, /) -> KillickError:
        """Return what a caller is told who lacks a right: to log in, or that it is no use."""
        ...


@dataclass(frozen=True, slots=True)
class _Anybody:
    rights: frozenset[Right]
    name: str = ANONYMOUS

    def may(self, right: Right, repository: str, /) -> bool:  # noqa: ARG002 - a caller as the others
        return right in self.rights


class Everybody:
    """A gate without accounts: all callers have the same rights; `why` is what the others hear."""

    def __init__(self, *rights: Right, why: str = "this registry is read-only") -> None:
        self._anybody = _Anybody(frozenset(rights))
        self._why = why

    def recall(self, credentials: str | None, /) -> Caller:  # noqa: ARG002 - nobody is told apart
        """Return the one caller that there is."""
        return self._anybody

    def identify(self, credentials: str | None, /) -> Caller:  # noqa: ARG002 - nobody is told apart
        """Return the one caller that there is."""
        return self._anybody

    def refusal(self, caller: Caller, right: Right, repository: str, /) -> KillickError:  # noqa: ARG002 - the same for all
        """Return what those hear who want more than all may."""
        return Denied(self._why)


OPEN = Everybody("pull", "push", "delete", "report", "admin")
READ_ONLY = Everybody("pull")
