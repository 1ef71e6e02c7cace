"""What `user` and `token` share: which registry is meant, its accounts, and who changes them."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from killick.cli import guarding
from killick.cli.context import Session
from killick.cli.settings import data_folder
from killick.errors import NotFound, UsageError
from killick.rights import Who

if TYPE_CHECKING:
    from killick.accounts import Audit, Directory

MOST_PASSWORD_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the accounts of one registry are looked up and changed, for somebody at a shell."""

    root: Path
    audit: Audit
    who: Who

    def read(self) -> Directory:
        """Return the accounts and tokens.

        Raises:
            NotFound: there never were any.
            StoreError: they can't be read.
        """
        from killick.accounts import Place, Register

        register = Register(Place(self.root))
        try:
            version = register.read()
        finally:
            register.close()
        if version.stamp is None:
            raise NotFound(
                f"the registry in {self.root} has no accounts",
                hint="killick user add makes one; --root says which registry is meant",
            )
        return version.directory

    def change(self, edit: Callable[[Directory], Directory], event: str, **details: object) -> None:
        """Change the accounts, which running servers take up at once, and write that down.

        Raises:
            KillickError: whatever `edit` raises; nothing is changed then.
            StoreError: they can't be read or written.
        """
        from killick.accounts import Place, Register

        register = Register(Place(self.root))
        try:
            register.change(edit)
        finally:
            register.close()
        self.audit.record(event, self.who, details)


def registry_options(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command `--root` and `--config`; it gets the `desk` that they lead to."""

    @wraps(function)
    def at_desk(*, root: Path | None, config: Path | None, **named: object) -> int | None:
        session = click.get_current_context().ensure_object(Session)
        return function(desk=desk(session.actor, root, config), **named)

    path = click.Path(path_type=Path)
    decorated: Callable[..., int | None] = at_desk
    for flag, text in (
        ("--config", "The file of settings by which the registry is served."),
        ("--root", "The registry's folder (as serve has it)."),
    ):
        decorated = click.option(flag, type=path, metavar="PATH", help=text)(decorated)
    return decorated


def desk(actor: str, root: Path | None, config: Path | None) -> Desk:
    """Return the desk of the registry in `root`, or of the one that `config` is for.

    Raises:
        UsageError: the settings are wrong.
    """
    from killick.server.configuration import load

    configuration = load(config)
    place = root or configuration.root or data_folder() / "registry"
    return Desk(place, guarding.audit_log(place, configuration.access), Who(actor, "local"))


def asked_password(from_stdin: object) -> str:
    """Return a new password: a line of stdin if that is wanted, else typed twice on a terminal.

    Raises:
        UsageError: it can't be a password, or there is nobody to ask.
    """
    from killick.accounts import check_password

    if from_stdin:
        text = sys.stdin.read(MOST_PASSWORD_CHARACTERS + 1)
        if len(text) > MOST_PASSWORD_CHARACTERS:
            raise UsageError("what came on stdin is too long to be a password")
        return check_password(text.removesuffix("\n").removesuffix("\r"))
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for a password", hint="use --password-stdin")
    password = check_password(getpass.getpass("Password: "))
    if getpass.getpass("The same again: ") != password:
        raise UsageError("the two passwords differ")
    return password
