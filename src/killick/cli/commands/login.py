"""`killick login`: prove who you are to a registry, and have that remembered."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from killick.cli.context import Session, access_options
from killick.cli.printing import note, write
from killick.cli.verb import verb
from killick.errors import UsageError
from killick.names import DOCKER_HUB, is_domain

MOST_PASSWORD_BYTES = 64 * 1024


@verb(
    "login",
    examples="""
    killick login                                      # Docker Hub; asks for name and password
    killick login -u alice registry.example:5000
    printenv TOKEN | killick login -u ci --password-stdin registry.example
    """,
)
@click.argument("host", required=False, default=DOCKER_HUB, metavar="[HOST]")
@click.option("-u", "--username", metavar="NAME", help="The user's name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option("-p", "--password", metavar="TEXT", help="The password (others can see it here).")
@access_options
@click.pass_obj
def command(
    session: Session, host: str, username: str | None, password_stdin: bool, password: str | None
) -> None:
    """Check a name and a password with a registry, and save them if it takes them.

    They are kept where docker keeps them: by its credential helper if one is set up, else in its
    file. HOST is Docker Hub if it is left out.
    """
    from killick.client.credentials import Credential, check

    domain = registry_named(host)
    if password is not None and password_stdin:
        raise UsageError("--password and --password-stdin exclude each other")
    if password is not None:
        note("warning: with -p, others can see the password; use --password-stdin")
    name, secret = _asked(username, _from_stdin(username) if password_stdin else password)
    credential = Credential(name, secret)
    check(domain, credential, session.access_to(domain))
    kept = session.credentials.save(domain, credential)
    if Path(kept).is_absolute():
        note(f"warning: the password is kept unencrypted in {kept}; a credential helper is safer")
    write(["Login Succeeded"])


def registry_named(host: str) -> str:
    """Return the registry that `host` names; docker's URL forms are taken as well.

    Raises:
        UsageError: it names none.
    """
    bare = host.removeprefix("https://").removeprefix("http://").partition("/")[0]
    if bare in ("index.docker.io", "registry-1.docker.io", "hub.docker.com"):
        return DOCKER_HUB
    if not is_domain(bare):
        raise UsageError(f"{host!r} is not a registry", hint="write it as host[:port]")
    return bare


def _from_stdin(username: str | None) -> str:
    if not username:
        raise UsageError("--password-stdin needs a user name", hint="add -u NAME")
    text = sys.stdin.read(MOST_PASSWORD_BYTES)
    if len(text) == MOST_PASSWORD_BYTES:
        raise UsageError("what came on stdin is too long to be a password")
    return text.rstrip("\r\n")


def _asked(username: str | None, password: str | None) -> tuple[str, str]:
    """Return the name and the password, asked for on a terminal where they were not given.

    Raises:
        UsageError: one is missing or empty, and there is nobody to ask.
    """
    if (username is None or password is None) and not sys.stdin.isatty():
        raise UsageError(
            "login needs a user name and a password, and there is no terminal to ask for them",
            hint="use -u NAME --password-stdin",
        )
    if username is None:
        username = click.prompt("Username", err=True)
    if password is None:
        password = getpass.getpass("Password: ")
    if not username or not password:
        raise UsageError("a user name and a password can't be empty")
    return username, password
