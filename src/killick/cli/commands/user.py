"""`killick user`: the accounts of a served registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from killick.cli import registers
from killick.cli.human import ago
from killick.cli.output import Listing, Style, format_options
from killick.cli.printing import write
from killick.cli.registers import Desk, registry_options
from killick.cli.verb import Family, verb
from killick.errors import UsageError
from killick.moments import rfc3339, utc_now

if TYPE_CHECKING:
    from killick.accounts import Account, Directory

_LISTING = Listing(
    {"Name": "NAME", "Role": "ROLE", "State": "STATE", "Tokens": "TOKENS", "Created": "CREATED"},
    ("Name", "Role", "State", "Tokens", "Created"),
    "Name",
)


@dataclass(frozen=True, slots=True)
class _Line:
    account: Account
    tokens: int

    def fields(self) -> Mapping[str, str]:
        account = self.account
        role = "admin" if account.is_admin else "user" if account.password else "robot"
        return {
            "Name": account.name,
            "Role": role,
            "State": "enabled" if account.is_enabled else "disabled",
            "Tokens": str(self.tokens),
            "Created": ago(account.created, utc_now()),
        }

    def document(self) -> Mapping[str, object]:
        account = self.account
        return {
            "name": account.name,
            "admin": account.is_admin,
            "enabled": account.is_enabled,
            "password": account.password is not None,
            "tokens": self.tokens,
            "created": rfc3339(account.created),
        }


@verb(
    "add",
    examples="""
    killick user add ana --admin
    printenv PASSWORD | killick user add ben --password-stdin --root /srv/registry
    killick user add ci --robot
    """,
)
@click.argument("name")
@click.option("--admin", is_flag=True, help="May do everything, everywhere.")
@click.option("--robot", is_flag=True, help="Has no password; access tokens get it in.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@registry_options
def _add(desk: Desk, name: str, **how: bool) -> None:
    """Make an account, and ask for its password.

    The first account closes the registry to whoever has none.
    """
    from killick.accounts import Account, check_name, hashed

    check_name(name)
    if how["robot"] and how["password_stdin"]:
        raise UsageError("--robot and --password-stdin exclude each other")
    password = None if how["robot"] else hashed(registers.asked_password(how["password_stdin"]))
    account = Account(name, utc_now(), password, is_admin=how["admin"])
    desk.change(
        lambda directory: directory.with_new(account),
        "account-added",
        account=name,
        admin=how["admin"],
    )
    write([name])


@verb("rm", examples="killick user rm ben")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@registry_options
def _rm(desk: Desk, names: tuple[str, ...]) -> None:
    """Remove accounts with their tokens. What they pushed stays, and so does its history."""
    for name in names:
        desk.change(_without(name), "account-removed", account=name)
        write([name])


@verb("ls", examples="killick user ls --json")
@format_options(quiet="Only the names.")
@registry_options
def _ls(desk: Desk, style: Style) -> None:
    """List the accounts."""
    directory = desk.read()
    owners = [token.account for token in directory.tokens.values()]
    accounts = sorted(directory.accounts.values(), key=lambda account: account.name)
    _LISTING.show((_Line(account, owners.count(account.name)) for account in accounts), style)


@verb(
    "passwd",
    examples="""
    killick user passwd ana
    printenv PASSWORD | killick user passwd ana --password-stdin
    """,
)
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@registry_options
def _passwd(desk: Desk, name: str, password_stdin: bool) -> None:
    """Give an account another password. Whatever logged in with the old one is logged out."""
    from killick.accounts import hashed

    desk.read().account(name)
    password = hashed(registers.asked_password(password_stdin))
    desk.change(
        lambda directory: _changed(directory, name, password=password, stamp=_new_stamp()),
        "password-changed",
        account=name,
    )
    write([name])


@verb(
    "set",
    examples="""
    killick user set ben --disable
    killick user set ben --enable --admin
    """,
)
@click.argument("name")
@click.option("--admin/--no-admin", default=None, help="Whether it may do everything.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is let in.")
@registry_options
def _set(desk: Desk, name: str, **states: bool | None) -> None:
    """Change what an account is. A disabled one is logged out, and keeps its tokens for later."""
    stated = {key: value for key, value in states.items() if value is not None}
    if not stated:
        raise UsageError("nothing is to be changed", hint="add --admin, --disable or the like")
    changes: dict[str, object] = {f"is_{key}": value for key, value in stated.items()}
    if stated.get("enabled") is False:
        changes["stamp"] = _new_stamp()
    desk.change(
        lambda directory: _changed(directory, name, **changes),
        "account-changed",
        account=name,
        **stated,
    )
    write([name])


def _without(name: str) -> Callable[[Directory], Directory]:
    return lambda directory: directory.without(name)


def _changed(directory: Directory, name: str, **changes: object) -> Directory:
    return directory.with_changed(replace(directory.account(name), **changes))  # type: ignore[arg-type]  # checked by whoever states them


def _new_stamp() -> str:
    import secrets

    return secrets.token_hex(8)


command = Family(
    "user",
    help="Manage the accounts of a registry that Killick serves, also while it runs.",
    verbs=(_add, _ls, _passwd, _rm, _set),
)
