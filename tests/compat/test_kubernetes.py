"""A real Kubernetes API: who owns what, pages, rights, ways to be let in."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from compat.engines import SECONDS, claims
from compat.kube import REPORTER, Cluster
from killick.errors import Denied, Unauthorized
from killick.fleet.engines import engine_at, http, kubernetes
from killick.observation import Container, Snapshot, Workload
from killick.platforms import Platform

INDEX, CONFIG = ("sha256:" + digit * 64 for digit in "ab")
APP = {"name": "app", "image": "golftrack:1.5"}
RIGHTS = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]},
]


def ran(name: str, image_id: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": "golftrack:latest",
        "imageID": image_id,
        "containerID": f"containerd://{name}-id",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-01T12:00:00Z"}},
        **more,
    }


def look(cluster: Cluster, folder: Path, user: dict[str, Any] | None = None) -> Snapshot:
    """What a user (None: the administrator) sees."""
    previous = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(cluster.kubeconfig(folder / "kubeconfig", user))
    try:
        return engine_at("kube://test", "shop").snapshot(SECONDS)
    finally:
        os.environ.pop("KUBECONFIG")
        if previous is not None:
            os.environ["KUBECONFIG"] = previous


def in_namespace(snapshot: Snapshot, namespace: str) -> dict[str, Container]:
    return {
        container.name.partition("/")[2]: container
        for container in snapshot.containers
        if container.name.startswith(f"{namespace}/")
    }


def owned_by(kind: str, thing: dict[str, Any], version: str) -> list[dict[str, Any]]:
    metadata = thing["metadata"]
    found = {"apiVersion": version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"]}
    return [{**found, "controller": True}]


def test_all_kinds_of_containers(on_kubernetes: Cluster, tmp_path: Path) -> None:
    on_kubernetes.namespace("kinds")
    spec = {
        "containers": [
            {
                **APP,
                "imagePullPolicy": "Always",
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            {"name": "late", "image": f"golftrack@{INDEX}"},
        ],
        "initContainers": [{"name": "prepare", "image": "golftrack:1.4"}],
        "volumes": [{"name": "data", "image": {"reference": "courses:7", "pullPolicy": "Never"}}],
    }
    on_kubernetes.pod("kinds", "web", spec, labels={"team": "golf"})
    debug = {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}
    path = "/api/v1/namespaces/kinds/pods/web/ephemeralcontainers"
    on_kubernetes.ask("PATCH", path, {"spec": debug}, "merge")
    mounted = {
        "name": "data",
        "mountPath": "/data",
        "volumeStatus": {"image": {"imageRef": f"courses@{INDEX}"}},
    }
    on_kubernetes.status(
        "kinds",
        "web",
        {
            "containerStatuses": [
                ran("app", f"docker.io/library/golftrack@{INDEX}", volumeMounts=[mounted])
            ],
            "initContainerStatuses": [
                ran("prepare", CONFIG, state={"terminated": {"exitCode": 0}})
            ],
            "ephemeralContainerStatuses": [ran("debug", f"docker-pullable://busybox@{INDEX}")],
        },
    )
    found = in_namespace(look(on_kubernetes, tmp_path), "kinds")
    assert {name: c.role for name, c in found.items()} == {
        "web/app": "container",
        "web/late": "container",
        "web/prepare": "init",
        "web/debug": "ephemeral",
        "web/data": "volume",
    }
    app, late, volume = found["web/app"], found["web/late"], found["web/data"]
    assert (app.id, app.image, app.state) == ("containerd://app-id", "golftrack:1.5", "running")
    assert app.names == ("golftrack:1.5", "golftrack:latest")
    assert (app.host, app.platform) == ("node-1", Platform("linux", "amd64"))
    assert (app.pulls, app.labels) == ("Always", {"team": "golf"})
    assert app.workload == Workload("Pod", "web", "kinds")
    assert app.started is not None
    assert app.created is not None
    ref = f"docker.io/library/golftrack@{INDEX}"
    assert claims(app) == {"status.containerStatuses.imageID": [ref]}
    # What has no status yet is told by its words alone.
    assert (late.state, claims(late)) == ("unknown", {"spec.image": [f"golftrack@{INDEX}"]})
    assert claims(found["web/prepare"]) == {"status.initContainerStatuses.imageID": [CONFIG]}
    assert found["web/prepare"].state == "exited"
    assert claims(found["web/debug"]) == {
        "status.ephemeralContainerStatuses.imageID": [f"docker-pullable://busybox@{INDEX}"]
    }
    assert (volume.image, volume.pulls) == ("courses:7", "Never")
    field = "status.containerStatuses.volumeMounts.volumeStatus.image.imageRef"
    assert claims(volume) == {field: [f"courses@{INDEX}"]}


def test_owners_are_followed_to_the_top(on_kubernetes: Cluster, tmp_path: Path) -> None:
    on_kubernetes.namespace("owners")
    apps, batch = "/apis/apps/v1/namespaces/owners", "/apis/batch/v1/namespaces/owners"
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [APP]}}
    selector = {"matchLabels": labels}
    deployment = on_kubernetes.make(
        f"{apps}/deployments",
        metadata={"name": "web"},
        spec={"selector": selector, "template": template},
    )
    replicas = on_kubernetes.make(
        f"{apps}/replicasets",
        metadata={
            "name": "web-1",
            "ownerReferences": owned_by("Deployment", deployment, "apps/v1"),
        },
        spec={"selector": selector, "template": template},
    )
    job_spec = {"template": {"spec": {"containers": [APP], "restartPolicy": "Never"}}}
    timer = on_kubernetes.make(
        f"{batch}/cronjobs",
        metadata={"name": "nightly"},
        spec={"schedule": "0 3 * * *", "jobTemplate": {"spec": job_spec}},
    )
    job = on_kubernetes.make(
        f"{batch}/jobs",
        metadata={"name": "nightly-1", "ownerReferences": owned_by("CronJob", timer, "batch/v1")},
        spec=job_spec,
    )
    daemon = on_kubernetes.make(
        f"{apps}/daemonsets",
        metadata={"name": "agent"},
        spec={"selector": selector, "template": template},
    )
    for name, kind, thing, version in (
        ("a", "ReplicaSet", replicas, "apps/v1"),
        ("b", "Job", job, "batch/v1"),
        ("c", "DaemonSet", daemon, "apps/v1"),
    ):
        owner = owned_by(kind, thing, version)
        on_kubernetes.pod("owners", name, {"containers": [APP]}, ownerReferences=owner)
    found = in_namespace(look(on_kubernetes, tmp_path), "owners")
    assert {name: container.workload for name, container in found.items()} == {
        "a/app": Workload("Deployment", "web", "owners"),
        "b/app": Workload("CronJob", "nightly", "owners"),
        "c/app": Workload("DaemonSet", "agent", "owners"),
    }


def test_many_pods_come_in_pages(
    on_kubernetes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes, "PAGE", 3)
    on_kubernetes.namespace("pages")
    for number in range(10):
        on_kubernetes.pod("pages", f"web-{number}", {"containers": [APP]})
    assert len(in_namespace(look(on_kubernetes, tmp_path), "pages")) == 10


def test_nothing_but_lists_are_asked_for(
    on_kubernetes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set()
    get = http.Asking.get

    def noted(self: http.Asking, path: str, *more: Any, **query: str) -> Any:
        asked.add(path)
        return get(self, path, *more, **query)

    monkeypatch.setattr(http.Asking, "get", noted)
    look(on_kubernetes, tmp_path)
    assert asked <= {"/api/v1/pods", "/api/v1/nodes", *kubernetes._OWNED.values()}


def allow(cluster: Cluster, name: str, rules: list[dict[str, Any]]) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    cluster.make(f"{rbac}/clusterroles", metadata={"name": name}, rules=rules)
    group = {"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    cluster.make(
        f"{rbac}/clusterrolebindings", metadata={"name": name}, subjects=[group], roleRef=role
    )


def test_rights_and_ways_to_be_let_in(on_kubernetes: Cluster, tmp_path: Path) -> None:
    with pytest.raises(Unauthorized):
        look(on_kubernetes, tmp_path, {"token": "wrong"})
    with pytest.raises(Denied, match="pods is forbidden"):
        look(on_kubernetes, tmp_path, {"token": REPORTER})
    # With no more than the rights on the page about the fleet, everything is seen.
    allow(on_kubernetes, "reporters", RIGHTS)
    whole = look(on_kubernetes, tmp_path)
    script = tmp_path / "login"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": REPORTER},
    }
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(credential)}\nEND\n")
    script.chmod(0o755)
    (tmp_path / "token").write_text(f"{REPORTER}\n")
    files = {"client-certificate": "client.pem", "client-key": "client.key"}
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login"}
    for user in (
        {"token": REPORTER},
        {"tokenFile": "token"},
        {key: str(on_kubernetes.root / name) for key, name in files.items()},
        {"exec": {**plugin, "interactiveMode": "Never"}},
        {"token": "admin-token", "as": "somebody", "as-groups": ["reporters", "others"]},
    ):
        assert look(on_kubernetes, tmp_path, user).containers == whole.containers, user


def test_less_rights_tell_less_and_fail_nothing(on_kubernetes: Cluster, tmp_path: Path) -> None:
    allow(on_kubernetes, "lookers", RIGHTS[:1])
    on_kubernetes.namespace("less")
    on_kubernetes.pod("less", "web", {"containers": [APP]})
    user = {"token": "admin-token", "as": "somebody", "as-groups": ["lookers"]}
    found = in_namespace(look(on_kubernetes, tmp_path, user), "less")
    assert found["web/app"].platform is None
    assert found["web/app"].image == "golftrack:1.5"
