"""A registry seen under other names: how the local store is shown as one registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from killick.names import is_path
from killick.repository import Registry, Repository


class RenamedRegistry:
    """A registry whose repositories go by other names.

    `inner` says what a repository is called in `registry`; `outer` what to call one of its
    repositories here (None: it can't be shown). Repositories keep all their capabilities.
    """

    def __init__(
        self, registry: Registry, inner: Callable[[str], str], outer: Callable[[str], str | None]
    ) -> None:
        self._registry = registry
        self._inner = inner
        self._outer = outer

    def repository(self, name: str, /) -> Repository:
        """Return the repository that is called `name` here."""
        return self._registry.repository(self._inner(name))

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the names of all repositories that can be shown (after `after`), in ASCII order."""
        names = (self._outer(name) for name in self._registry.repositories())
        yield from sorted(name for name in names if name is not None and name > after)


def visible_name(name: str) -> str | None:
    """Return how a served store calls `host:port/path`: `host_port/path`.

    None where the host can't be written in a path (IPv6 literals, upper case).
    """
    domain, slash, path = name.partition("/")
    shown = domain.replace(":", "_") + slash + path
    return shown if is_path(shown) else None


def stored_name(name: str) -> str:
    """Return the name in the store of what `visible_name` shows; hosts have no `_` of their own."""
    domain, slash, path = name.partition("/")
    return domain.replace("_", ":") + slash + path
