"""Login plugins of kubeconfig (`exec`): programs that print a token or a certificate.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from dataclasses import replace
from typing import Any

from killick import strictjson
from killick.errors import KillickError, Unauthorized
from killick.fleet.engines import fields
from killick.fleet.engines.kubeconfig import Cluster, User, plugin_words

_API = "client.authentication.k8s.io/v1"
_MOST_SAID = 200


def logged_in(user: User, cluster: Cluster, seconds: float) -> User:
    """Return the user with what its plugin, if it has one, gives it.

    Raises:
        Unauthorized: the plugin fails, or takes longer than so many seconds.
        UsageError, Unsupported: it can't be run.
    """
    if user.plugin is None:
        return user
    words, extra = plugin_words(user.plugin, user.folder)
    version = fields.text(user.plugin, "apiVersion") or _API
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": _info(user, cluster, version)}
    try:
        done = subprocess.run(  # noqa: S603 - the command stands in the user's own configuration
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        hint = fields.text(user.plugin, "installHint") or None
        raise Unauthorized(
            f"the login plugin {words[0]} is not installed", side="local", hint=hint
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(words[0], str(error)) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise _failed(words[0], said[-1])
    return _with_status(user, words[0], done.stdout)


def _info(user: User, cluster: Cluster, version: str) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if user.plugin and user.plugin.get("provideClusterInfo") is True:
        about: dict[str, Any] = {"server": cluster.server}
        if cluster.ca:
            about["certificate-authority-data"] = b64encode(cluster.ca).decode()
        if cluster.name:
            about["tls-server-name"] = cluster.name
        if not cluster.verify:
            about["insecure-skip-tls-verify"] = True
        spec["cluster"] = about
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})


def _with_status(user: User, command: str, printed: bytes) -> User:
    try:
        status = fields.mapping(strictjson.loads(printed, "it"), "status")
    except KillickError:
        raise _failed(command, "it printed no credential") from None
    token, cert, key = (
        value if isinstance(value := status.get(name), str) and value else None
        for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if token is None and not (cert and key):
        raise _failed(command, "it printed no credential")
    return replace(
        user,
        token=token or user.token,
        cert=cert.encode() if cert else user.cert,
        key=key.encode() if key else user.key,
    )


def _failed(command: str, reason: str) -> Unauthorized:
    return Unauthorized(f"the login plugin {command} failed: {reason[:_MOST_SAID]}", side="local")
