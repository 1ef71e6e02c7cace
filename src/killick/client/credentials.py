"""The logins of a person: docker's and Podman's files, and credential helpers."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from killick.client import helpers
from killick.client.access import Access
from killick.client.authfile import HUB_KEY, AuthFile
from killick.client.credential import Credential
from killick.client.registry import RemoteRegistry
from killick.errors import Unauthorized

__all__ = ["Credential", "Credentials", "check"]


class Credentials:
    """Where logins are kept: the first file is written, all are read, in their order.

    Helpers are asked once for each registry. Safe for many threads at once.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        """Use `files`, of which none need exist."""
        self._files = [AuthFile(path) for path in files]
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], Credential | None] = {}

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Credentials:
        """Return the logins of this person; files are read when they are needed.

        `REGISTRY_AUTH_FILE` comes first if it is set; then docker's `config.json` (in
        `DOCKER_CONFIG`, or `~/.docker`); then Podman's `auth.json` of this session
        (`XDG_RUNTIME_DIR`), and the lasting one (`~/.config/containers`).
        """
        env = os.environ if environment is None else environment
        home = Path(env.get("HOME") or Path.home())
        files = [Path(env["REGISTRY_AUTH_FILE"])] if env.get("REGISTRY_AUTH_FILE") else []
        files.append(Path(env.get("DOCKER_CONFIG") or home / ".docker") / "config.json")
        if env.get("XDG_RUNTIME_DIR"):
            files.append(Path(env["XDG_RUNTIME_DIR"], "containers", "auth.json"))
        config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
        files.append(config / "containers" / "auth.json")
        return cls(files)

    def find(self, domain: str, path: str | None = None, /) -> Credential | None:
        """Return the login for the registry `domain`, or for its repository `path`; None: none.

        In each file: a helper for this registry, then entries, then the helper for all others.

        Raises:
            ContentError, Denied: a file or a helper's answer is not what it should be.
            Unsupported: a helper that a file names can't be run.
        """
        for file in self._files:
            helper = file.helper_for(domain)
            if helper and helper[1]:
                found = self._ask(helper[0], domain)
                if found is not None:
                    return found
            found = file.find(domain, path)
            if found is None and helper and not helper[1]:
                found = self._ask(helper[0], domain)
            if found is not None:
                return found
        return None

    def save(self, domain: str, credential: Credential) -> str:
        """Keep `credential` for `domain`, by the helper that the first file names, or in it.

        Returns where it is kept, for people.

        Raises:
            ContentError: the file is none such.
            StoreError, Denied, Unsupported: the file can't be written, or the helper failed.
        """
        file = self._files[0]
        helper = file.helper_for(domain)
        with self._lock:
            self._kept.clear()
        if helper is None or credential.registry_token:
            file.put(domain, credential)
            return str(file.path)
        helpers.store(helper[0], _server(domain), credential)
        file.put(domain, None)
        return f"docker-credential-{helper[0]}"

    def erase(self, domain: str) -> bool:
        """Forget the login for `domain`, wherever it is kept; return whether there was one.

        Logins for namespaces of the registry (Podman's) stay.

        Raises:
            ContentError: a file is none such.
            StoreError, Denied, Unsupported: a file can't be written, or a helper can't be run.
        """
        erased = False
        for file in self._files:
            helper = file.helper_for(domain)
            if helper is not None and helpers.get(helper[0], _server(domain)) is not None:
                erased = helpers.erase(helper[0], _server(domain)) or erased
            erased = file.remove(domain) or erased
        with self._lock:
            self._kept.clear()
        return erased

    def _ask(self, helper: str, domain: str) -> Credential | None:
        key = (helper, domain)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = helpers.get(helper, _server(domain))
            return self._kept[key]


class _Only:
    """One credential, for whatever asks."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def find(self, _domain: str, _path: str | None = None, /) -> Credential | None:
        """Return the credential."""
        return self._credential


def check(domain: str, credential: Credential, access: Access | None = None) -> None:
    """Check that the registry `domain` accepts `credential`; `login` does so before it saves.

    Raises:
        Unauthorized: it does not, or wants it shown where it may not be shown.
        Unreachable, ProtocolError, Denied: there is no registry, or it is not secure.
    """
    if credential.is_empty:
        raise Unauthorized("the user name and the password are empty")
    with RemoteRegistry(
        domain, replace(access or Access(), credentials=_Only(credential))
    ) as registry:
        try:
            registry.ping()
        except Unauthorized:
            # Not "log in first", which is what anybody else is told: this was the login.
            raise Unauthorized(
                f"{domain} does not accept this user name and password",
                side="remote",
                hint="check both; many registries want an access token for a password",
            ) from None
        registry.check_login()


def _server(domain: str) -> str:
    """Return the name of a registry as helpers know it."""
    return HUB_KEY if domain == "docker.io" else domain
