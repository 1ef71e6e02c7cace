"""Who keeps a container running, by the labels that those put on it who do."""

from __future__ import annotations

from collections.abc import Mapping

from killick.observation import Workload

_LABELS = (
    # kind, the label with the name, the one with the namespace
    ("Pod", "io.kubernetes.pod.name", "io.kubernetes.pod.namespace"),
    ("compose", "com.docker.compose.service", "com.docker.compose.project"),
    ("compose", "io.podman.compose.service", "io.podman.compose.project"),
    ("swarm", "com.docker.swarm.service.name", "com.docker.stack.namespace"),
    ("nomad", "com.hashicorp.nomad.job_name", "com.hashicorp.nomad.namespace"),
    ("nomad", "com.hashicorp.nomad.alloc_id", ""),
    ("systemd", "PODMAN_SYSTEMD_UNIT", ""),
)


def workload_of(labels: Mapping[str, str]) -> Workload | None:
    """Return the workload that `labels` name, or None."""
    for kind, name, namespace in _LABELS:
        if labels.get(name):
            return Workload(kind, labels[name], labels.get(namespace) or None)
    return None
