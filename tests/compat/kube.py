"""A real Kubernetes API: kube-apiserver on etcd. No kubelet: tests write the status of pods."""

import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from compat.processes import daemon, find, free_port, listens

ADMIN, REPORTER = "admin-token", "reporter-token"


@dataclass(frozen=True)
class Cluster:
    """The API at `port`; what is asked here is asked by an administrator."""

    port: int
    root: Path

    @property
    def authority(self) -> Path:
        return self.root / "ca.pem"

    def ask(self, method: str, path: str, body: object = None, kind: str = "json") -> Any:
        context = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=context, timeout=30
        )
        headers = {
            "Authorization": f"Bearer {ADMIN}",
            "Content-Type": "application/json"
            if kind == "json"
            else "application/merge-patch+json",
        }
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status < 300, (path, answer.status, text[:500])
        return json.loads(text)

    def make(self, path: str, **document: Any) -> Any:
        return self.ask("POST", path, document)

    def namespace(self, name: str) -> None:
        self.make("/api/v1/namespaces", metadata={"name": name})

    def pod(
        self, namespace: str, name: str, spec: dict[str, Any], **metadata: Any
    ) -> dict[str, Any]:
        """A pod that no scheduler touches: it says itself on which node it is."""
        return self.make(
            f"/api/v1/namespaces/{namespace}/pods",
            metadata={"name": name, **metadata},
            spec={"nodeName": "node-1", **spec},
        )

    def status(self, namespace: str, name: str, status: dict[str, Any]) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        self.ask("PATCH", path, {"status": status}, "merge")

    def node(self, name: str, architecture: str = "amd64") -> None:
        self.make("/api/v1/nodes", metadata={"name": name})
        info = {
            "architecture": architecture,
            "operatingSystem": "linux",
            **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "osImage"), "x"),
            **dict.fromkeys(("containerRuntimeVersion", "kubeletVersion", "kubeProxyVersion"), "x"),
        }
        self.ask("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"nodeInfo": info}}, "merge")

    def kubeconfig(self, path: Path, user: dict[str, Any] | None = None) -> Path:
        """A kubeconfig with the context `test` for a user (None: the administrator)."""
        data = base64.b64encode(self.authority.read_bytes()).decode()
        cluster = {
            "server": f"https://localhost:{self.port}",
            "certificate-authority-data": data,
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user or {"token": ADMIN}}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(json.dumps(document))
        return path


@contextlib.contextmanager
def cluster(root: Path) -> Iterator[Cluster]:
    """A cluster whose files are in the folder `root`."""
    etcd, server = find("etcd"), find("kube-apiserver")
    store, peer, port = free_port(), free_port(), free_port()
    running = Cluster(port, root)
    (root / "tokens.csv").write_text(
        f'{ADMIN},admin,admin,"system:masters"\n{REPORTER},reporter,reporter,"reporters"\n'
    )
    key = _certificates(root)
    url = f"http://127.0.0.1:{store}"
    to_etcd = {
        "data-dir": root / "etcd",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": f"http://127.0.0.1:{peer}",
        "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
        "initial-cluster": f"default=http://127.0.0.1:{peer}",
        "unsafe-no-fsync": "true",
    }
    to_server = {
        "etcd-servers": url,
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "tls-cert-file": root / "server.pem",
        "tls-private-key-file": key,
        "client-ca-file": root / "ca.pem",
        "token-auth-file": root / "tokens.csv",
        "authorization-mode": "RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
        "service-cluster-ip-range": "10.0.0.0/24",
        "feature-gates": "ImageVolume=true,ImageVolumeWithDigest=true",
        # Pods without an account, on nodes that no kubelet ever reports ready.
        "disable-admission-plugins": "ServiceAccount,TaintNodesByCondition",
    }
    with (
        daemon([etcd, *_flags(to_etcd)], ready=lambda: listens(store), log=root / "etcd.log"),
        daemon(
            [server, *_flags(to_server)],
            ready=lambda: _is_ready(running),
            log=root / "apiserver.log",
        ),
    ):
        yield running


def _flags(values: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def _is_ready(running: Cluster) -> bool:
    try:
        # Answers only once the roles that Kubernetes comes with are there.
        running.ask("GET", "/api/v1/namespaces/default")
        running.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view")
    except (OSError, AssertionError, http.client.HTTPException):
        return False
    return True


def _certificates(root: Path) -> Path:
    """Writes an authority, the server's certificate, and a client's; returns the server's key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(root / "ca.pem")
    server = authority.issue_cert("localhost", "127.0.0.1")
    server.cert_chain_pems[0].write_to_path(root / "server.pem")
    server.private_key_pem.write_to_path(root / "server.key")
    names = {"common_name": "reporter", "organization_name": "reporters"}
    client = authority.issue_cert("reporter@example.com", **names)
    client.cert_chain_pems[0].write_to_path(root / "client.pem")
    client.private_key_pem.write_to_path(root / "client.key")
    return root / "server.key"
