"""From kubeconfig files, or from within a pod: where a cluster is, and how to be let in.

Known are tokens, token files, client certificates, plugins (`exec`) and impersonation. Paths in a
file are relative to its folder; of several files in KUBECONFIG, the first that says a thing wins.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killick.errors import NotFound, Unsupported, UsageError
from killick.fleet.engines import fields
from killick.fleet.engines.fields import Fields, text

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster's API is, and whom to trust there.

    `ca` is PEM (None: the system's own); `name` is whose certificate is wanted (None: the host's).
    """

    server: str
    ca: bytes | None = None
    name: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class User:
    """Who asks: a token, a certificate with its key (PEM), a plugin, headers to impersonate."""

    token: str | None = None
    cert: bytes | None = None
    key: bytes | None = None
    plugin: Fields | None = None
    headers: tuple[tuple[str, str], ...] = ()
    folder: Path = Path()


def load(context: str | None, environment: Mapping[str, str] = os.environ) -> tuple[Cluster, User]:
    """Return the cluster and the user of a context (None: the current one; else this pod's own).

    Raises:
        NotFound: there is no such context, or no configuration at all.
        UsageError: the configuration can't be read.
        Unsupported: it wants something that is not known here.
    """
    found = [(path, _read(path)) for path in _files(environment)]
    current = (text(config, "current-context") for _, config in found)
    name = context or next(filter(None, current), "")
    if not name:
        if host := environment.get("KUBERNETES_SERVICE_HOST"):
            return _in_cluster(host, environment.get("KUBERNETES_SERVICE_PORT") or "443")
        raise NotFound(
            "there is no kubeconfig with a current context, and this is no pod",
            hint="set KUBECONFIG, or name a context: kube://CONTEXT",
        )
    _, chosen = _named(found, "contexts", name, "context")
    cluster_path, cluster = _named(found, "clusters", text(chosen, "cluster"), "cluster")
    user_path, user = _named(found, "users", text(chosen, "user"), "user")
    return _cluster(cluster, cluster_path.parent), _user(user, user_path.parent)


def _files(environment: Mapping[str, str]) -> list[Path]:
    named = environment.get("KUBECONFIG") or "~/.kube/config"
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part]


def _read(path: Path) -> Fields:
    """Return what a file says; nothing where it is missing."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise UsageError(f"{path} is too large for a kubeconfig", side="file")
        return fields.mapping({"": YAML(typ="safe", pure=True).load(raw)}, "")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror})", side="file") from None
    except (YAMLError, ValueError, RecursionError):
        raise UsageError(f"{path} is not YAML", side="file") from None


def _named(
    configs: Iterable[tuple[Path, Fields]], kind: str, name: str, what: str
) -> tuple[Path, Fields]:
    for path, config in configs:
        for entry in fields.objects(config, kind):
            if text(entry, "name") == name:
                return path, fields.mapping(entry, what)
    raise NotFound(
        f"the kubeconfig has no {what} {name!r}",
        side="file",
        hint="kubectl config get-contexts lists the contexts",
    )


def _cluster(said: Fields, folder: Path) -> Cluster:
    if said.get("proxy-url"):
        raise Unsupported("a proxy-url in kubeconfig is not supported", side="file")
    return Cluster(
        server=text(said, "server"),
        ca=_pem(said, "certificate-authority", folder),
        name=text(said, "tls-server-name") or None,
        verify=said.get("insecure-skip-tls-verify") is not True,
    )


def _user(said: Fields, folder: Path) -> User:
    if said.get("auth-provider"):
        raise Unsupported(
            "an auth-provider in kubeconfig is not supported",
            side="file",
            hint="use an exec plugin, as kubectl wants it since version 1.26",
        )
    headers = [("Impersonate-Group", group) for group in fields.texts(said, "as-groups")]
    if account := text(said, "as"):
        headers.append(("Impersonate-User", account))
    token = _secret(said.get("token"))
    if path := text(said, "tokenFile"):
        token = _file(folder / path).decode(errors="replace").strip()
    return User(
        token=token,
        cert=_pem(said, "client-certificate", folder),
        key=_pem(said, "client-key", folder),
        plugin=fields.mapping(said, "exec") or None,
        headers=tuple(headers),
        folder=folder,
    )


def _in_cluster(host: str, port: str) -> tuple[Cluster, User]:
    shown = f"[{host}]" if ":" in host else host
    token = _file(SERVICE_ACCOUNT / "token").decode(errors="replace").strip()
    cluster = Cluster(f"https://{shown}:{port}", _file(SERVICE_ACCOUNT / "ca.crt"))
    return cluster, User(token=token)


def _secret(value: object) -> str | None:
    """Return a token, which may be longer than other texts."""
    return value.strip() if isinstance(value, str) and value.strip() else None


def _pem(said: Fields, key: str, folder: Path) -> bytes | None:
    """Return what `key-data` holds in base64, else the file that `key` names."""
    data = said.get(f"{key}-data")
    if isinstance(data, str) and data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise UsageError(f"{key}-data in kubeconfig is not base64", side="file") from None
    path = text(said, key)
    return _file(folder / path) if path else None


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror})", side="file") from None


def tls_context(cluster: Cluster, user: User) -> ssl.SSLContext:
    """Return what to trust at the cluster, and what to present there.

    Raises:
        UsageError: a certificate or a key is none.
    """
    try:
        authority = cluster.ca.decode("ascii") if cluster.ca else None
        context = ssl.create_default_context(cadata=authority)
        if not cluster.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if user.cert:
            _present(context, user.cert, user.key or b"")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UsageError(f"a certificate in kubeconfig can't be used ({reason})") from None
    return context


def _present(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    # The ssl module takes certificates to present from files alone.
    with tempfile.NamedTemporaryFile(prefix="killick-") as file:
        file.write(cert + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def plugin_words(said: Fields, folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Return the command line of a plugin, and what its environment has in addition.

    Raises:
        UsageError: there is none.
        Unsupported: it needs a terminal.
    """
    command = text(said, "command")
    if not command:
        raise UsageError("an exec plugin in kubeconfig has no command", side="file")
    if text(said, "interactiveMode") == "Always":
        raise Unsupported(f"the login plugin {command} needs a terminal", side="file")
    if "/" in command:
        command = str(folder / command)
    extra = {text(e, "name"): text(e, "value") for e in fields.objects(said, "env")}
    return [command, *fields.texts(said, "args")], extra
