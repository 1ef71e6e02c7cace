"""`killick token`: access tokens of a served registry's accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from killick.cli.human import ago
from killick.cli.output import Listing, Style, format_options
from killick.cli.printing import note, write
from killick.cli.registers import Desk, registry_options
from killick.cli.verb import Family, verb
from killick.errors import UsageError
from killick.moments import rfc3339, utc_now
from killick.rights import EVERYWHERE, RIGHTS, check_pattern, check_right

if TYPE_CHECKING:
    from killick.accounts import AccessToken, Directory

USUAL_LIFE = "90d"
NEVER = "never"
MOST_LABEL_CHARACTERS = 100
_TITLES = {
    "ID": "TOKEN ID",
    "Account": "ACCOUNT",
    "Label": "LABEL",
    "Rights": "RIGHTS",
    "Repositories": "REPOSITORIES",
    "Created": "CREATED",
    "Expires": "EXPIRES",
}
_LISTING = Listing(_TITLES, tuple(_TITLES), "ID")


@dataclass(frozen=True, slots=True)
class _Line:
    token: AccessToken
    now: datetime

    def fields(self) -> Mapping[str, str]:
        token = self.token
        return {
            "ID": token.id,
            "Account": token.account,
            "Label": token.label,
            "Rights": ",".join(token.rights),
            "Repositories": ",".join(token.repositories),
            "Created": ago(token.created, self.now),
            "Expires": self._expires(),
        }

    def document(self) -> Mapping[str, object]:
        token = self.token
        return {
            "id": token.id,
            "account": token.account,
            "label": token.label,
            "rights": list(token.rights),
            "repositories": list(token.repositories),
            "created": rfc3339(token.created),
            "expires": rfc3339(token.expires) if token.expires else None,
        }

    def _expires(self) -> str:
        if self.token.expires is None:
            return NEVER
        day = rfc3339(self.token.expires)[:10]
        return day if self.token.expires > self.now else f"{day} (expired)"


@verb(
    "create",
    examples="""
    killick token create ci --label build --right pull --right push --repository 'team-a/**'
    killick token create ana --right pull --expires 30d
    """,
)
@click.argument("account")
@click.option("--label", default="", metavar="TEXT", help="What it is for.")
@click.option("--right", "rights", multiple=True, help=f"Of {', '.join(RIGHTS)}; left out: all.")
@click.option(
    "--repository", "repositories", multiple=True, metavar="PATTERN", help="Left out: everywhere."
)
@click.option("--expires", default=USUAL_LIFE, show_default=True, help="12h, 30d, never.")
@registry_options
def _create(desk: Desk, account: str, **how: tuple[str, ...]) -> None:
    """Print a new access token, which is kept nowhere: it is shown this once.

    It is used in place of the account's password (docker login -u ACCOUNT), and lets it do at most
    what is stated here; never more than the account may.
    """
    from killick.accounts import AccessToken, mint

    label = str(how["label"]) or "-"
    if len(label) > MOST_LABEL_CHARACTERS or not label.isprintable():
        raise UsageError(f"a label has at most {MOST_LABEL_CHARACTERS} characters, on one line")
    minted, now = mint(), utc_now()
    life = _life(str(how["expires"]))
    token = AccessToken(
        id=minted.id,
        account=account,
        label=label,
        created=now,
        digest=minted.digest,
        expires=None if life is None else now + life,
        rights=tuple(check_right(word) for word in how["rights"]) or RIGHTS,
        repositories=tuple(check_pattern(p) for p in how["repositories"]) or (EVERYWHERE,),
    )
    desk.change(
        lambda directory: directory.with_token(token),
        "token-created",
        token=token.id,
        account=account,
        rights=list(token.rights),
        repositories=list(token.repositories),
    )
    write([minted.text])
    note(f"token {token.id} of {account}: this is the only time that it is shown")


@verb("ls", examples="killick token ls ci --json")
@click.argument("account", required=False)
@format_options(quiet="Only the IDs.")
@registry_options
def _ls(desk: Desk, account: str | None, style: Style) -> None:
    """List access tokens, of one account or of all."""
    directory = desk.read()
    if account is not None:
        directory.account(account)
    tokens = [t for t in directory.tokens.values() if account in (None, t.account)]
    tokens.sort(key=lambda token: (token.account, token.created))
    _LISTING.show((_Line(token, utc_now()) for token in tokens), style)


@verb("rm", examples="killick token rm 2f6ad1c09b3e")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@registry_options
def _rm(desk: Desk, ids: tuple[str, ...]) -> None:
    """Take access tokens back. Whatever logged in with one is logged out."""
    for one in ids:
        desk.change(_without(one), "token-removed", token=one)
        write([one])


def _without(token_id: str) -> Callable[[Directory], Directory]:
    return lambda directory: directory.without_token(token_id)


def _life(text: str) -> timedelta | None:
    from killick.server.configuration.values import WrongValue, read

    if text == NEVER:
        return None
    try:
        life: timedelta = read(timedelta, text, is_text=True)
    except WrongValue as error:
        raise UsageError(f"--expires {error}", hint="or never") from None
    if not timedelta(minutes=1) <= life <= timedelta(days=3650):
        raise UsageError("an access token lives for 1m to 3650d", hint="or for ever: never")
    return life


command = Family(
    "token",
    help="Manage access tokens: secrets that let programs in as an account, with limited rights.",
    verbs=(_create, _ls, _rm),
)
