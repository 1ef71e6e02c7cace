"""Docker's own configuration: DOCKER_HOST, contexts, and the certificates that go with them.

Contexts are kept in `contexts/meta/<sha256 of the name>/meta.json`, their certificates in
`contexts/tls/<the same>/docker/`; both as docker/cli writes them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from killick import strictjson
from killick.errors import KillickError, NotFound, UsageError
from killick.fleet.engines import fields
from killick.fleet.engines.lines import Tls

DEFAULT = "default"
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine is, what docker calls it (None: nothing), and how to be let in there."""

    url: str
    name: str | None
    tls: Tls | None


def of_environment(environment: Mapping[str, str]) -> Endpoint | None:
    """Return what docker would connect to, if it is told; None: its default socket.

    DOCKER_HOST wins over DOCKER_CONTEXT, and that over the current context of the configuration.

    Raises:
        UsageError: what is named can't be used.
        NotFound: there is no such context.
    """
    folder = _folder(environment)
    if host := environment.get("DOCKER_HOST"):
        tls = _tls_of_environment(environment, folder) if host.startswith("tcp://") else None
        return Endpoint(host, None, tls)
    name = environment.get("DOCKER_CONTEXT") or fields.text(
        _read(folder / "config.json"), "currentContext"
    )
    return of_context(name, environment) if name and name != DEFAULT else None


def of_context(context: str, environment: Mapping[str, str] = os.environ) -> Endpoint:
    """Return what a context of docker's configuration connects to.

    Raises:
        NotFound: there is no such context.
        UsageError: the configuration can't be read.
    """
    folder = _folder(environment) / "contexts"
    key = hashlib.sha256(context.encode()).hexdigest()
    endpoint = fields.mapping(_read(folder / "meta" / key / "meta.json"), "Endpoints", "docker")
    host = fields.text(endpoint, "Host")
    if not host:
        raise NotFound(
            f"docker's configuration has no context {context!r}",
            side="file",
            hint="docker context ls lists them",
        )
    tls = _tls_in(folder / "tls" / key / "docker", endpoint.get("SkipTLSVerify") is not True)
    return Endpoint(host, context, tls if host.startswith("tcp://") else None)


def _tls_of_environment(environment: Mapping[str, str], folder: Path) -> Tls | None:
    """Return docker's settings for TLS: verified where DOCKER_TLS_VERIFY is set to anything."""
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not verify and not environment.get("DOCKER_TLS"):
        return None
    certificates = Path(environment.get("DOCKER_CERT_PATH") or folder)
    return _tls_in(certificates, verify) or Tls(verify=verify)


def _tls_in(folder: Path, verify: bool) -> Tls | None:
    """Return the certificates in a folder as docker names them; None: there are none."""
    ca_file, cert, key = (
        path if (path := folder / name).is_file() else None
        for name in ("ca.pem", "cert.pem", "key.pem")
    )
    return Tls(ca_file, cert, key, verify) if ca_file or cert else None


def _folder(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or "~/.docker").expanduser()


def _read(path: Path) -> object:
    """Return the JSON in a file; None where there is no such file.

    Raises:
        UsageError: it is there and can't be read.
    """
    try:
        with path.open("rb") as file:
            return strictjson.loads(file.read(_MOST_BYTES), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror})", side="file") from None
    except KillickError as error:
        raise UsageError(error.message, side="file") from None
