"""Who calls, and what they may do.

Every endpoint names what it needs (`app`), and the gate is asked before the endpoint runs; so an
endpoint that forgot to ask can't be written. A gate answers from memory where it can (`recall`): a
password costs a tenth of a second to check, and most callers come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from killick.errors import Denied, KillickError
from killick.rights import ANONYMOUS, RIGHTS, Caller, Need, Right, Who

__all__ = [
    "ANONYMOUS",
    "OPEN",
    "READ_ONLY",
    "Auditor",
    "Caller",
    "Everybody",
    "Gate",
    "Issuer",
    "Need",
    "Right",
    "Who",
]


class Gate(Protocol):
    """Where callers are told apart, by the value of their `Authorization` header (or None)."""

    def recall(self, credentials: str | None, /) -> Caller | None:
        """Return a caller who is known without any work that could block; else None."""
        ...

    def identify(self, credentials: str | None, who: Who, /) -> Caller:
        """Return the caller; may block. `who` says where the call comes from.

        Raises:
            Unauthorized: the credentials are wrong.
            Throttled: too many were wrong.
        """
        ...

    def refusal(self, caller: Caller, need: Need, repository: str, /) -> KillickError:
        """Return what a caller is told who lacks a right: to log in, or that it is no use."""
        ...

    def challenge(
        self, realm: str, need: Need | None, repository: str, source: str | None = None, /
    ) -> str:
        """Return the `WWW-Authenticate` header for callers who have to log in at `realm`."""
        ...


@runtime_checkable
class Issuer(Protocol):
    """A gate that gives out tokens itself (docker's token flow)."""

    def issue(self, caller: Caller, asked: tuple[str, ...], /) -> Mapping[str, object]:
        """Return the answer with a bearer token, for those scopes that the caller may have.

        Raises:
            Unauthorized: there is none for this caller.
        """
        ...

    def refresh_token(self, caller: Caller, /) -> str | None:
        """Return a token that `redeem` takes in place of a password, if there is one for them."""
        ...

    def redeem(self, refresh_token: str, /) -> Caller:
        """Return the caller to whom a refresh token was given.

        Raises:
            Unauthorized: it does not count, or not any more.
        """
        ...


@runtime_checkable
class Auditor(Protocol):
    """A gate that keeps a log of what callers did."""

    def record(self, event: str, who: Who, details: Mapping[str, object], /) -> None:
        """Write down an event. May block."""
        ...


@dataclass(frozen=True, slots=True)
class _Anybody:
    needs: frozenset[Need]
    name: str = ANONYMOUS

    def may(self, need: Need, repository: str, /) -> bool:  # noqa: ARG002 - a caller as the others
        return need in self.needs


class Everybody:
    """A gate without accounts: all callers have the same rights; `why` is what the others hear."""

    def __init__(self, *rights: Right, why: str = "this registry is read-only") -> None:
        self._anybody = _Anybody(frozenset({*rights, "list", "login"}))
        self._why = why

    def recall(self, credentials: str | None, /) -> Caller:  # noqa: ARG002 - nobody is told apart
        """Return the one caller that there is."""
        return self._anybody

    def identify(self, credentials: str | None, who: Who, /) -> Caller:  # noqa: ARG002 - nobody is told apart
        """Return the one caller that there is."""
        return self._anybody

    def refusal(self, caller: Caller, need: Need, repository: str, /) -> KillickError:  # noqa: ARG002 - the same for all
        """Return what those hear who want more than all may."""
        return Denied(self._why)

    def challenge(
        self,
        realm: str,  # noqa: ARG002 - nobody can log in
        need: Need | None,  # noqa: ARG002
        repository: str,  # noqa: ARG002
        source: str | None = None,  # noqa: ARG002
        /,
    ) -> str:
        """Return a challenge that no credentials meet."""
        return 'Basic realm="killick"'


OPEN = Everybody(*RIGHTS)
READ_ONLY = Everybody("pull")
