"""A snapshot of an engine as JSON: one form in inventory files, in the store and over HTTP.

An object with `host`, `engine`, `taken` (RFC 3339), `containers`, and `failure` where the engine
could not be asked. Of a container only `id` and `image` must be there; what is absent or null is
unknown. Fields that are not known here are left alone, so that a newer Killick may add some.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast, get_args

from killick.errors import BadPlatform, ContentError, LimitExceeded
from killick.moments import rfc3339
from killick.observation import Claim, Container, Role, Snapshot, Workload
from killick.platforms import Platform

MOST_CONTAINERS = 100_000
MOST_CHARACTERS = 1024
"""Of any one text."""
MOST_ITEMS = 256
"""Claims, names or labels of one container."""

_ROLES = get_args(Role)


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return the object for a snapshot."""
    return {
        "host": snapshot.host,
        "engine": snapshot.engine,
        "taken": rfc3339(snapshot.taken),
        "failure": snapshot.failure,
        "containers": [container_to_json(container) for container in snapshot.containers],
    }


def container_to_json(container: Container) -> dict[str, Any]:
    """Return the object for one container."""
    workload = container.workload
    return {
        "id": container.id,
        "name": container.name,
        "image": container.image,
        "claims": [{"field": claim.field, "value": claim.value} for claim in container.claims],
        "names": list(container.names),
        "platform": container.platform.to_json() if container.platform else None,
        "state": container.state,
        "role": container.role,
        "host": container.host,
        "created": rfc3339(container.created) if container.created else None,
        "started": rfc3339(container.started) if container.started else None,
        "workload": {"kind": workload.kind, "name": workload.name, "namespace": workload.namespace}
        if workload
        else None,
        "pulls": container.pulls,
        "labels": dict(container.labels),
    }


def from_json(value: object, where: str) -> Snapshot:
    """Return the snapshot in a parsed document; `where` names it in errors.

    Raises:
        ContentError: it is not what `to_json` makes.
        LimitExceeded: it has more containers, or a container has more or longer texts, than the
            limits above.
    """
    reader = _Reader(where)
    fields = reader.mapping(value, "")
    containers = fields.get("containers") or ()
    if not isinstance(containers, list | tuple):
        raise reader.wrong("containers", "a list")
    reader.check_count(containers, MOST_CONTAINERS, "containers")
    return Snapshot(
        host=reader.text(fields, "host"),
        engine=reader.text(fields, "engine"),
        taken=reader.time(fields, "taken"),
        containers=tuple(
            container_from_json(item, f"{where}, container {number}")
            for number, item in enumerate(containers, 1)
        ),
        failure=reader.optional(fields, "failure"),
    )


def container_from_json(value: object, where: str) -> Container:
    """Return the container in a parsed object; `where` names it in errors.

    Raises:
        ContentError, LimitExceeded: as `from_json`.
    """
    reader = _Reader(where)
    fields = reader.mapping(value, "")
    identifier, role = reader.text(fields, "id"), reader.optional(fields, "role") or "container"
    if role not in _ROLES:
        raise reader.wrong("role", f"one of {', '.join(_ROLES)}")
    return Container(
        id=identifier,
        name=reader.optional(fields, "name") or identifier,
        image=reader.text(fields, "image"),
        claims=tuple(_claim(reader, item) for item in reader.items(fields, "claims")),
        names=reader.texts(fields, "names"),
        platform=_platform(reader, fields.get("platform")),
        state=reader.optional(fields, "state") or "unknown",
        role=cast("Role", role),
        host=reader.optional(fields, "host"),
        created=reader.optional_time(fields, "created"),
        started=reader.optional_time(fields, "started"),
        workload=_workload(reader, fields.get("workload")),
        pulls=reader.optional(fields, "pulls"),
        labels=reader.labels(fields, "labels"),
    )


def _claim(reader: _Reader, value: object) -> Claim:
    fields = reader.mapping(value, "claims")
    return Claim(reader.text(fields, "field"), reader.text(fields, "value"))


def _platform(reader: _Reader, value: object) -> Platform | None:
    """Return the platform in OCI's object, or in a text such as `linux/arm64`."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return Platform.parse(value)
        except BadPlatform as error:
            raise reader.wrong("platform", "a platform such as linux/arm64") from error
    fields = reader.mapping(value, "platform")
    for key in ("os", "architecture", "variant", "os.version"):
        reader.optional(fields, key)
    reader.texts(fields, "os.features")
    return Platform.from_json(fields)


def _workload(reader: _Reader, value: object) -> Workload | None:
    if value is None:
        return None
    fields = reader.mapping(value, "workload")
    return Workload(
        reader.text(fields, "kind"),
        reader.text(fields, "name"),
        reader.optional(fields, "namespace"),
    )


class _Reader:
    """Takes values of the right type out of objects; `where` is what its errors speak of."""

    def __init__(self, where: str) -> None:
        self._where = where

    def wrong(self, key: str, wanted: str) -> ContentError:
        subject = f"{key} of {self._where}" if key else self._where
        return ContentError(f"{subject} is not {wanted}")

    def check_count(self, items: Iterable[object], most: int, key: str) -> None:
        if len(tuple(items)) > most:
            raise LimitExceeded(f"{self._where} has more than {most} {key}")

    def mapping(self, value: object, key: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key, "a JSON object")
        return value

    def items(self, fields: dict[str, Any], key: str) -> list[Any]:
        value = fields.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        self.check_count(value, MOST_ITEMS, key)
        return value

    def _checked(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        if len(value) > MOST_CHARACTERS:
            raise LimitExceeded(f"{key} of {self._where} is longer than {MOST_CHARACTERS}")
        return value

    def text(self, fields: dict[str, Any], key: str) -> str:
        return self._checked(fields.get(key), key)

    def optional(self, fields: dict[str, Any], key: str) -> str | None:
        value = fields.get(key)
        return None if value is None else self._checked(value, key)

    def texts(self, fields: dict[str, Any], key: str) -> tuple[str, ...]:
        return tuple(self._checked(item, key) for item in self.items(fields, key))

    def labels(self, fields: dict[str, Any], key: str) -> dict[str, str]:
        found = fields.get(key)
        if found is None:
            return {}
        pairs = self.mapping(found, key)
        self.check_count(pairs, MOST_ITEMS, key)
        return {self._checked(k, key): self._checked(v, key) for k, v in pairs.items()}

    def time(self, fields: dict[str, Any], key: str) -> datetime:
        text = self.text(fields, key)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.wrong(key, "a time such as 2026-11-01T12:00:00Z")

    def optional_time(self, fields: dict[str, Any], key: str) -> datetime | None:
        return None if fields.get(key) is None else self.time(fields, key)
