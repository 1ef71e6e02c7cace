"""One file with credentials: docker's `config.json`, or Podman's `auth.json`.

    {"auths": {"<key>": {"auth": "<base64 of user:password>", "identitytoken": "…"}},
     "credHelpers": {"<key>": "<helper>"}, "credsStore": "<helper>"}

A key is a registry's host, possibly with a scheme and a path before and after it, as old dockers
wrote it; Podman's may be namespaces (`quay.io/team`), of which the longest that fits counts. Other
things in the file belong to others: an edit keeps them, their order and the indentation.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from killick import strictjson
from killick.client.credential import Credential
from killick.errors import ContentError, Denied, KillickError, StoreError
from killick.files import replace_file

MOST_BYTES = 4 * 1024 * 1024
HUB_KEY = "https://index.docker.io/v1/"

_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io")
_API = re.compile(r"/v[12]/?$")
_INDENT = re.compile(rb"\{\r?\n([ \t]+)\"")


class AuthFile:
    """A file with credentials, which need not exist. It is read anew each time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def helper_for(self, domain: str) -> tuple[str, bool] | None:
        """Return the helper that keeps what belongs to `domain`, and whether for it alone.

        Raises:
            ContentError, Denied: the file is none such, or can't be read.
        """
        fields = self._fields()
        for key, name in _section(fields, "credHelpers").items():
            if host_of(key) in _hosts(domain) and isinstance(name, str) and name:
                return name, True
        name = fields.get("credsStore")
        return (name, False) if isinstance(name, str) and name else None

    def find(self, domain: str, path: str | None) -> Credential | None:
        """Return the credential of the longest key that fits the repository, or None.

        Raises:
            ContentError, Denied: the file, or the entry, is none such, or can't be read.
        """
        auths = _section(self._fields(), "auths")
        by_key = {host_of(key): entry for key, entry in reversed(auths.items())}
        for wanted in _candidates(domain, path):
            entry = by_key.get(wanted)
            if isinstance(entry, dict) and (credential := _decoded(entry, self.path)):
                return credential
        return None

    def put(self, domain: str, credential: Credential | None) -> None:
        """Set the entry of `domain`; None leaves an empty one, as docker does beside a helper.

        Raises:
            ContentError: the file is none such.
            StoreError, Denied: it can't be read or written.
        """
        key = HUB_KEY if domain in _HUB_HOSTS else domain
        with self._editing() as fields:
            auths = fields.setdefault("auths", {})
            if not isinstance(auths, dict):
                raise ContentError(f"{self.path} has no object in its auths", side="file")
            old = auths.get(key)
            others = dict(old) if isinstance(old, dict) else {}
            for secret in ("auth", "username", "password", "identitytoken", "registrytoken"):
                others.pop(secret, None)
            auths[key] = others | (_encoded(credential) if credential else {})

    def remove(self, domain: str) -> bool:
        """Remove the entries of `domain` itself (not of its namespaces); return if there were any.

        Raises:
            ContentError: the file is none such.
            StoreError, Denied: it can't be read or written.
        """
        keys = [k for k in _section(self._fields(), "auths") if host_of(k) in _hosts(domain)]
        if not keys:
            return False
        with self._editing() as fields:
            for key in keys:
                fields["auths"].pop(key, None)
        return True

    def _fields(self) -> dict[str, Any]:
        raw = self._read()
        if not raw.strip():
            return {}
        try:
            fields = strictjson.loads(raw, str(self.path))
        except KillickError as error:
            raise error.at("file") from None
        if not isinstance(fields, dict):
            raise ContentError(f"{self.path} is not a JSON object", side="file")
        return fields

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            raise Denied(f"{self.path} can't be read ({error.strerror})", side="file") from None
        if len(raw) > MOST_BYTES:
            raise ContentError(f"{self.path} is too large to be a list of logins", side="file")
        return raw

    @contextmanager
    def _editing(self) -> Iterator[dict[str, Any]]:
        """Read the file, and write it back as a whole when the block is done."""
        path = self.path.resolve()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(path.parent):
                before = self._read()
                fields = self._fields()
                yield fields
                replace_file(path, _printed(fields, before), mode=0o600)
        except OSError as error:
            raise StoreError(
                f"{self.path} can't be written ({error.strerror})", side="file"
            ) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other edits of ours out: each reads the file, and writes it back as a whole."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _printed(fields: dict[str, Any], before: bytes) -> bytes:
    """Return the file's new content, indented as it was, or as docker does it."""
    match = _INDENT.match(before.lstrip())
    indent: str | None = match[1].decode() if match else "\t"
    if before.strip() and b"\n" not in before.strip():
        indent = None
    end = b"\n" if before.endswith(b"\n") else b""
    return json.dumps(fields, indent=indent, ensure_ascii=False).encode() + end


def host_of(key: str) -> str:
    """Return a key as `host[:port][/namespace]`: without the scheme and the API's path."""
    _, found, rest = key.partition("://")
    return _API.sub("", rest if found else key).rstrip("/").lower()


def _hosts(domain: str) -> Sequence[str]:
    return _HUB_HOSTS if domain in _HUB_HOSTS else (domain.lower(),)


def _candidates(domain: str, path: str | None) -> Iterator[str]:
    """Yield the keys that fit a repository, the longest first."""
    parts = path.split("/") if path else []
    for count in range(len(parts), -1, -1):
        for host in _hosts(domain):
            yield "/".join([host, *parts[:count]])


def _section(fields: dict[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _decoded(entry: dict[str, Any], path: Path) -> Credential | None:
    def text(key: str) -> str:
        value = entry.get(key)
        return value if isinstance(value, str) else ""

    user, password = text("username"), text("password")
    if text("auth"):
        try:
            pair = base64.b64decode(text("auth"), validate=True).decode()
        except (binascii.Error, ValueError):
            raise ContentError(f"{path} has an auth that is not base64", side="file") from None
        user, _, password = pair.rstrip("\0").partition(":")
    credential = Credential(
        user, password, text("identitytoken") or None, text("registrytoken") or None
    )
    return None if credential.is_empty else credential


def _encoded(credential: Credential) -> dict[str, str]:
    entry = {}
    if credential.username:
        pair = f"{credential.username}:{credential.password}".encode()
        entry["auth"] = base64.b64encode(pair).decode()
    if credential.identity_token:
        entry["identitytoken"] = credential.identity_token
    if credential.registry_token:
        entry["registrytoken"] = credential.registry_token
    return entry
