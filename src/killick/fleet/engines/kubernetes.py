"""A Kubernetes cluster: the containers of all pods in all namespaces, by lists alone.

Asked for are pods; nodes, for their platforms; and of ReplicaSets and Jobs no more than who owns
them. Where the last three may not be seen, what they would tell is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from killick.errors import Denied, LimitExceeded, NotFound, UsageError
from killick.fleet.engines import fields, lines, pods
from killick.fleet.engines.fields import Fields, text
from killick.fleet.engines.http import Asking, Dial, Expired
from killick.fleet.engines.kubeconfig import Cluster, User, load, tls_context
from killick.fleet.engines.kubelogin import logged_in
from killick.inventory import MOST_CONTAINERS
from killick.moments import utc_now
from killick.observation import Container, Snapshot
from killick.platforms import Platform

PAGE = 500
_ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_OWNED = {
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "Job": "/apis/batch/v1/jobs",
    "ReplicationController": "/api/v1/replicationcontrollers",
}
"""Owners of pods that have owners themselves, and where they are listed."""


class KubernetesEngine:
    """The cluster of a kubeconfig context (None: the current one, or the one around this pod)."""

    kind = "kubernetes"

    def __init__(self, host: str, context: str | None) -> None:
        self.host = host
        self._context = context

    def snapshot(self, seconds: float, /) -> Snapshot:
        """Return what it says now."""
        cluster, user = load(self._context)
        user = logged_in(user, cluster, seconds)
        dial, authority, prefix = _way(cluster, user)
        headers = list(user.headers)
        if user.token:
            headers.append(("Authorization", f"Bearer {user.token}"))
        with Asking(cluster.server, dial, seconds, headers, authority) as asking:
            taken = utc_now()
            containers = tuple(_Listing(asking, prefix).containers())
        return Snapshot(self.host, self.kind, taken, containers)


def _way(cluster: Cluster, user: User) -> tuple[Dial, str, str]:
    """Return how to connect, the Host header, and what every path begins with.

    Raises:
        UsageError: the address is none, or a secret would go over a line that anybody can read.
    """
    try:
        parts = urlsplit(cluster.server)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    host = parts.hostname or ""
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(f"{cluster.server!r} in kubeconfig is no address", side="file")
    if parts.scheme == "https":
        dial = lines.tls(host, port, tls_context(cluster, user), cluster.name)
    elif user.token:
        raise UsageError(
            f"the token for {cluster.server} is not sent without TLS",
            side="file",
            hint="make it https:// in kubeconfig",
        )
    else:
        dial = lines.tcp(host, port)
    return dial, parts.netloc.rpartition("@")[2], parts.path.rstrip("/")


class _Listing:
    """One listing of a cluster, below the path `prefix`."""

    def __init__(self, asking: Asking, prefix: str) -> None:
        self._asking = asking
        self._prefix = prefix

    def containers(self) -> Iterator[Container]:
        listed = list(self._all("/api/v1/pods"))
        platforms = self._platforms()
        owners = self._owners({pods.owner(pod)[0] for pod in listed})
        count = 0
        for pod in listed:
            platform = platforms.get(text(pod, "spec", "nodeName"))
            workload = pods.workload(pod, owners)
            for container in pods.containers(pod, platform, workload):
                count += 1
                if count > MOST_CONTAINERS:
                    raise LimitExceeded(
                        f"{self._asking.where} has more than {MOST_CONTAINERS} containers",
                        side="engine",
                    )
                yield container

    def _platforms(self) -> dict[str, Platform | None]:
        try:
            return {
                text(node, "metadata", "name"): fields.platform(
                    text(node, "status", "nodeInfo", "operatingSystem"),
                    text(node, "status", "nodeInfo", "architecture"),
                )
                for node in self._all("/api/v1/nodes")
            }
        except Denied:
            return {}

    def _owners(self, kinds: set[str]) -> pods.Owners:
        """Return who owns the owners of pods, as far as they are of such kinds and may be seen."""
        found: dict[tuple[str, str, str], tuple[str, str]] = {}
        for kind, path in _OWNED.items():
            if kind not in kinds:
                continue
            try:
                for item in self._all(path, _ONLY_METADATA):
                    metadata = fields.mapping(item, "metadata")
                    if all(above := pods.owner(item)):
                        key = (kind, text(metadata, "namespace"), text(metadata, "name"))
                        found[key] = above
            except (Denied, NotFound):
                continue
        return found

    def _all(self, path: str, accept: str | None = None) -> Iterator[Fields]:
        """Yield what is listed at `path`, page by page.

        A list takes so long that its pages expire is begun anew, once, and then in one piece.
        """
        try:
            yield from list(self._pages(path, accept, {"limit": str(PAGE)}))
        except Expired:
            yield from self._pages(path, accept, {})

    def _pages(self, path: str, accept: str | None, query: dict[str, str]) -> Iterator[Fields]:
        query = dict(query)
        while True:
            page = self._asking.get(self._prefix + path, accept, **query)
            yield from fields.objects(page, "items")
            following = fields.at(page, "metadata", "continue")
            if not isinstance(following, str) or not following:
                return
            query["continue"] = following
