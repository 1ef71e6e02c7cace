"""Scopes of docker's token flow: `repository:team/app:pull,push`, `registry:catalog:*`.

A repository's scope asks for rights in it (`*`: all that there are). What concerns no repository
is of type `registry`: the list of all names as `registry:catalog:*`, rights in the registry as a
whole as `registry:killick:report`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from killick.bounds import bound
from killick.errors import LimitExceeded
from killick.names import is_path
from killick.rights import REGISTRY, RIGHTS, Need

MOST_SCOPES: Final = bound(100, "scopes", "scopes that one token is asked for")
_CATALOG = "catalog"
_WHOLE = "killick"
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Scope:
    """Needs in one repository, or in the registry as a whole (`REGISTRY`)."""

    repository: str
    needs: frozenset[Need]

    def __str__(self) -> str:
        if self.repository != REGISTRY:
            return f"repository:{self.repository}:{','.join(_ordered(self.needs))}"
        if "list" in self.needs:
            return f"registry:{_CATALOG}:{_ANY}"
        return f"registry:{_WHOLE}:{','.join(_ordered(self.needs))}"


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """Return what is asked for; each text holds scopes with spaces between.

    What is no scope, or of a type that is not known, is left out: nothing is granted for it.

    Raises:
        LimitExceeded: there are more than a hundred.
    """
    words = [word for text in texts for word in text.split(" ") if word]
    if len(words) > MOST_SCOPES:
        raise LimitExceeded(f"at most {MOST_SCOPES} scopes can be asked for at once")
    found = (_scope(word) for word in words)
    return tuple(scope for scope in found if scope is not None)


def asking(need: Need, repository: str) -> Scope | None:
    """Return the scope by which a caller gets what an endpoint needs; None: any token will do."""
    if need == "login":
        return None
    needs: frozenset[Need] = frozenset({"pull", need} if need == "push" else {need})
    return Scope(repository, needs)


def to_json(scope: Scope) -> dict[str, object]:
    """Return a scope as it stands in a token."""
    kind, name, _ = str(scope).split(":")
    return {"type": kind, "name": name, "actions": _ordered(scope.needs)}


def from_json(value: object) -> Scope | None:
    """Return the scope that stands in a token of ours, as `to_json` wrote it."""
    match value:
        case {"type": str(kind), "name": str(name), "actions": list(actions)}:
            needs = frozenset(need for need in _NEEDS if need in actions)
            return Scope(REGISTRY if kind == "registry" else name, needs)
    return None


def _scope(word: str) -> Scope | None:
    # A name may have a port's colon in other registries; here none has one.
    kind, _, rest = word.partition(":")
    name, _, actions = rest.rpartition(":")
    if kind == "registry" and name == _CATALOG:
        return Scope(REGISTRY, frozenset({"list"}))
    if kind == "registry" and name == _WHOLE:
        return Scope(REGISTRY, _needs(actions))
    # docker says repository(plugin) for plugins.
    if kind.partition("(")[0] == "repository" and is_path(name):
        return Scope(name, _needs(actions))
    return None


def _needs(actions: str) -> frozenset[Need]:
    words = actions.split(",")
    return frozenset(right for right in RIGHTS if right in words or _ANY in words)


def _ordered(needs: Iterable[Need]) -> Sequence[str]:
    return [need for need in _NEEDS if need in set(needs)]


_NEEDS: Final[tuple[Need, ...]] = (*RIGHTS, "list")
