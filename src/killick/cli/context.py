"""A `Session`: what one run of the command knows, opened when it is first needed.

Every verb gets it by `@click.pass_obj`. Options that many verbs share (`access_options`) are kept
here instead of being passed on, so that verbs have few parameters.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from killick.cli.settings import ACCESS, PROGRESS, Settings
from killick.errors import UsageError
from killick.moments import utc_now
from killick.names import Name

if TYPE_CHECKING:
    from datetime import datetime

    from killick.client import Access, RemoteRegistry
    from killick.client.credentials import Credentials
    from killick.client.repository import RemoteRepository
    from killick.store import Store

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Resource = TypeVar("Resource", bound=AbstractContextManager[Any])


class Session:
    """One run: the settings, the store, the registries and who is asking."""

    def __init__(self) -> None:
        self.debug = False
        self.now: datetime = utc_now()
        self.access: dict[str, Any] = {}
        self.stated_progress: str | None = None
        self.hurry: float | None = None
        """After how many seconds a registry counts as silent, for commands that can do without."""
        self._open = ExitStack()
        self._registries: dict[str, RemoteRegistry] = {}

    def close(self) -> None:
        """Close what was opened."""
        self._open.close()

    def enter(self, resource: Resource) -> Resource:
        """Return `resource`, entered; it is left when the run ends."""
        self._open.enter_context(resource)
        return resource

    @cached_property
    def settings(self) -> Settings:
        """What `config.toml` and the environment say.

        Raises:
            UsageError: the file is wrong.
        """
        return Settings.load()

    @property
    def progress(self) -> str:
        """How to show progress: `auto`, `plain` or `none`."""
        return self.stated_progress or self.settings.progress

    @cached_property
    def actor(self) -> str:
        """Who moves tags here, as the ledger calls them: `user@host`."""
        return f"{_user()}@{socket.gethostname()}"

    @cached_property
    def store(self) -> Store:
        """The local store.

        Raises:
            StoreError: it can't be opened.
        """
        from killick.store import Store

        return self._open.enter_context(Store(self.settings.store, actor=self.actor))

    @cached_property
    def reading(self) -> Store:
        """The local store for a command that only looks: one that can't be written will do.

        Raises:
            StoreError: it can't be opened.
        """
        from killick.errors import StoreReadOnly
        from killick.store import Store

        try:
            return self.store
        except StoreReadOnly:
            root = self.settings.store
            return self._open.enter_context(Store(root, actor=self.actor, read_only=True))

    @cached_property
    def credentials(self) -> Credentials:
        """The credentials that docker's and Podman's files hold."""
        from killick.client.credentials import Credentials

        return Credentials.load()

    def registry(self, domain: str) -> RemoteRegistry:
        """Return the registry at `domain`; nothing is asked of it yet.

        Raises:
            UsageError: the options of access contradict each other.
        """
        from killick.client import RemoteRegistry

        if domain not in self._registries:
            registry = RemoteRegistry(domain, self.access_to(domain))
            self._registries[domain] = self._open.enter_context(registry)
        return self._registries[domain]

    def remote(self, name: Name) -> RemoteRepository:
        """Return the repository `name` of its registry."""
        return self.registry(name.domain).repository(name.path)

    def access_to(self, domain: str) -> Access:
        """Return how to reach `domain`: what the options say, else what the settings say.

        Raises:
            UsageError: they contradict each other.
        """
        from killick.client import Access

        stated = {**self.settings.registries.get(domain, {})}
        if {"tls", "plain_http"} & self.access.keys():
            stated = {k: v for k, v in stated.items() if k not in ("tls", "plain_http")}
        stated |= self.access
        if stated.get("tls") and stated.get("plain_http"):
            raise UsageError("TLS and plain HTTP exclude each other", hint="leave one of them out")
        ca_file, cert, key = (_path(stated.get(name)) for name in ("ca_file", "cert", "key"))
        return Access(
            plain_http=stated.get("plain_http"),
            tls=stated.get("tls", False),
            ca_file=ca_file,
            cert=cert,
            key=key,
            insecure_skip_verify=stated.get("insecure_skip_verify", False),
            credentials=self.credentials,
            **self._haste,
        )

    @property
    def _haste(self) -> dict[str, Any]:
        """What of `Access` is otherwise where nobody wants to wait for long."""
        if self.hurry is None:
            return {}
        return {"attempts": 2, "patience": self.hurry, "timeout": self.hurry}


def access_options(function: Decorated) -> Decorated:
    """Give a command the options by which registries are reached; they go into the session."""
    for flag, text in (
        ("--insecure-skip-verify", "Accept any certificate (dangerous)."),
        ("--plain-http", "Speak HTTP without TLS (the default for loopback addresses)."),
        ("--tls", "Speak TLS to loopback addresses, too."),
    ):
        function = _option(flag, is_flag=True, help=text)(function)
    for flag, text in (
        ("--key", "The key of the client certificate."),
        ("--cert", "A client certificate to show (PEM)."),
        ("--ca-file", "Trust the certificates in this file (PEM) as well."),
    ):
        path = click.Path(exists=True, dir_okay=False)
        function = _option(flag, type=path, metavar="FILE", help=text)(function)
    return function


def progress_option(function: Decorated) -> Decorated:
    """Give a command `--progress`; it goes into the session."""
    return click.option(
        "--progress",
        type=click.Choice(PROGRESS),
        expose_value=False,
        callback=_keep_progress,
        help="Bars on a terminal (auto), lines, or nothing.",
    )(function)


def _keep_progress(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    ctx.ensure_object(Session).stated_progress = value


def _option(flag: str, **settings: Any) -> Callable[[Decorated], Decorated]:  # noqa: ANN401 - click's own options
    return click.option(flag, expose_value=False, callback=_keep_access, **settings)


def _keep_access(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    name = parameter.name or ""
    if value and name in ACCESS:
        ctx.ensure_object(Session).access[name] = value


def _path(stated: str | None) -> Path | None:
    return Path(stated).expanduser() if stated else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
