"""The directory as JSON: what is written, and what is taken back, strictly.

An unknown field is refused, not passed over: it may be a restriction that a newer Killick keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from killick import strictjson
from killick.accounts.directory import AccessToken, Account, Directory, check_name
from killick.errors import ContentError, StoreDamaged, UsageError
from killick.moments import parse_moment, rfc3339, utc_now
from killick.rights import check_pattern, check_right

VERSION: Final = 1

_ACCOUNT = {"name", "created", "password", "admin", "enabled", "stamp"}
_TOKEN = {"id", "account", "label", "created", "digest", "expires", "rights", "repositories"}
_Entry = TypeVar("_Entry")


def written(directory: Directory) -> bytes:
    """Return a directory as JSON, an entry a line."""
    accounts = (_account_json(account) for account in directory.accounts.values())
    tokens = (_token_json(token) for token in directory.tokens.values())
    parts = (
        f'"version": {VERSION}',
        f'"accounts": [{_lines(accounts)}]',
        f'"tokens": [{_lines(tokens)}]',
    )
    return ("{" + ",\n".join(parts) + "}\n").encode()


def read(data: bytes, place: str) -> Directory:
    """Return the directory that `data`, which lies in `place`, is.

    Raises:
        StoreDamaged: it is none; the message says why, and holds nothing of it that is secret.
    """
    try:
        fields = _fields(strictjson.loads(data, "it"), {"version", "accounts", "tokens"})
        if fields["version"] != VERSION:
            raise ContentError("its version is unknown")
        accounts = [_account(value) for value in _list(fields["accounts"])]
        tokens = [_token(value) for value in _list(fields["tokens"])]
        directory = Directory({a.name: a for a in accounts}, {t.id: t for t in tokens})
        if len(directory.accounts) < len(accounts) or len(directory.tokens) < len(tokens):
            raise ContentError("a name is in it twice")
        if any(token.account not in directory.accounts for token in tokens):
            raise ContentError("a token in it is of no account")
    except (ContentError, UsageError) as error:
        raise StoreDamaged(
            f"{place} is not a file of accounts: {error.message}",
            hint="put it back from a backup; until then nobody is let in",
        ) from None
    return directory


def _lines(entries: Iterable[Mapping[str, object]]) -> str:
    return ",".join("\n" + json.dumps(entry) for entry in entries)


def _account_json(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "created": rfc3339(account.created),
        "password": account.password,
        "admin": account.is_admin,
        "enabled": account.is_enabled,
        "stamp": account.stamp,
    }


def _token_json(token: AccessToken) -> dict[str, object]:
    return {
        "id": token.id,
        "account": token.account,
        "label": token.label,
        "created": rfc3339(token.created),
        "digest": token.digest,
        "expires": rfc3339(token.expires) if token.expires else None,
        "rights": list(token.rights),
        "repositories": list(token.repositories),
    }


def _account(value: object) -> Account:
    fields = _fields(value, _ACCOUNT)
    password = fields["password"]
    return Account(
        name=check_name(_text(fields, "name")),
        created=_moment(fields, "created"),
        password=None if password is None else _text(fields, "password"),
        is_admin=_flag(fields, "admin"),
        is_enabled=_flag(fields, "enabled"),
        stamp=_text(fields, "stamp"),
    )


def _token(value: object) -> AccessToken:
    fields = _fields(value, _TOKEN)
    return AccessToken(
        id=_text(fields, "id"),
        account=_text(fields, "account"),
        label=_text(fields, "label"),
        created=_moment(fields, "created"),
        digest=_text(fields, "digest"),
        expires=None if fields["expires"] is None else _moment(fields, "expires"),
        rights=_each(fields["rights"], check_right),
        repositories=_each(fields["repositories"], check_pattern),
    )


def _fields(value: object, known: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(known):
        raise ContentError("an entry has not the fields that it should")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ContentError("a list is none")
    return value


def _each(value: object, check: Callable[[str], _Entry]) -> tuple[_Entry, ...]:
    return tuple(check(item if isinstance(item, str) else "") for item in _list(value))


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str) or not value:
        raise ContentError(f"{key} of an entry is not a text")
    return value


def _flag(fields: Mapping[str, Any], key: str) -> bool:
    value = fields[key]
    if not isinstance(value, bool):
        raise ContentError(f"{key} of an entry is neither true nor false")
    return value


def _moment(fields: Mapping[str, Any], key: str) -> datetime:
    return parse_moment(_text(fields, key), utc_now())
