"""Credential helpers: programs that keep secrets (docker-credential-helpers' protocol).

`docker-credential-<name> get|store|erase` reads a server address, or JSON, and writes JSON.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from killick import strictjson
from killick.client.credential import Credential
from killick.errors import ContentError, Denied, KillickError, Unsupported

if TYPE_CHECKING:
    import subprocess

SECONDS = 60.0
TOKEN_USER = "<token>"  # noqa: S105 - the user name by which helpers mark identity tokens

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NOT_FOUND = b"credentials not found"


def get(name: str, server: str) -> Credential | None:
    """Return what helper `name` keeps for `server`, or None.

    Raises:
        Unsupported: there is no such helper.
        Denied: it fails.
        ContentError: it answers with something else.
    """
    done = _run(name, "get", server.encode())
    if done.returncode != 0:
        if _NOT_FOUND in done.stdout + done.stderr:
            return None
        raise _failed(name, "get")
    try:
        fields: Any = strictjson.loads(done.stdout, f"the answer of the credential helper {name}")
    except KillickError as error:
        raise error.at("local") from None
    user = fields.get("Username") if isinstance(fields, dict) else None
    secret = fields.get("Secret") if isinstance(fields, dict) else None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise ContentError(f"the credential helper {name} answers with something else")
    if user == TOKEN_USER:
        return Credential(identity_token=secret)
    return Credential(user, secret)


def store(name: str, server: str, credential: Credential) -> None:
    """Have helper `name` keep `credential` for `server`.

    Raises:
        Unsupported: there is no such helper.
        Denied: it fails.
    """
    token = credential.identity_token
    entry = {
        "ServerURL": server,
        "Username": TOKEN_USER if token else credential.username,
        "Secret": token or credential.password,
    }
    if _run(name, "store", json.dumps(entry).encode()).returncode != 0:
        raise _failed(name, "store")


def erase(name: str, server: str) -> bool:
    """Have helper `name` forget what it keeps for `server`; return whether it did."""
    return _run(name, "erase", server.encode()).returncode == 0


def _run(name: str, action: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    # Late, as few have a helper, and everybody waits for imports.
    import subprocess

    if not _NAME.fullmatch(name):
        raise Unsupported(f"{name[:80]!r} is not the name of a credential helper")
    program = f"docker-credential-{name}"
    try:
        return subprocess.run(  # noqa: S603 - the name was checked, and there is no shell
            [program, action], input=data, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Denied(f"the credential helper {program} did not answer in time") from None
    except OSError:
        raise Unsupported(
            f"the credential helper {program} can't be run",
            hint="install it, or take its name out of docker's config.json",
        ) from None


def _failed(name: str, action: str) -> Denied:
    return Denied(
        f"the credential helper docker-credential-{name} failed to {action} a credential",
        hint=f"see what docker-credential-{name} list says",
    )
