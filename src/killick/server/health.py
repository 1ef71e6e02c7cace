"""`/healthz`, `/readyz` and `/metrics`: beside the API, for those who run the registry."""

from __future__ import annotations

import ipaddress
import threading
import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from killick.errors import KillickError, StoreError
from killick.rights import REGISTRY
from killick.server.admission import Admission
from killick.server.operations import Operations, Probe
from killick.server.recording import trace_of
from killick.server.responses import Refused, error_answer, json_answer
from killick.server.upkeep import chore_gauges

REMEMBER = 1.0
"""Seconds that an answer of `/readyz` is kept for: whoever asks often asks the disk no oftener."""

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Readiness:
    """Whether the registry can do its work, asked at most once a second."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._mutex = threading.Lock()
        self._asked = float("-inf")
        self._error: StoreError | None = None

    def error(self) -> StoreError | None:
        """Return why it can't; None if it can."""
        with self._mutex:
            if time.monotonic() - self._asked >= REMEMBER:
                try:
                    self._probe()
                    self._error = None
                except StoreError as error:
                    self._error = error
                self._asked = time.monotonic()
            return self._error


class Health:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, operations: Operations, admission: Admission) -> None:
        self._operations = operations
        self._admission = admission
        self._readiness = Readiness(operations.probe)

    async def alive(self, request: Request) -> Response:
        """Say that the process is up."""
        trace_of(request.scope).route = "healthz"
        return json_answer({"status": "up"})

    async def ready(self, request: Request) -> Response:
        """Say whether the storage can be read, and written to unless all is read-only."""
        trace_of(request.scope).route = "readyz"
        error = await run_in_threadpool(self._readiness.error)
        if error is not None:
            answer = error_answer(error)
            answer.status_code = 503
            return answer
        return json_answer({"status": "ready", "read_only": self._operations.read_only})

    async def metrics(self, request: Request) -> Response:
        """Answer with the figures of all workers, to those who may see them."""
        trace_of(request.scope).route = "metrics"
        try:
            await self._admit(request)
        except KillickError as error:
            return error_answer(error)
        return PlainTextResponse(await run_in_threadpool(self._figures), media_type=_TYPE)

    def _figures(self) -> str:
        operations = self._operations
        gauges = [*operations.gauges()]
        if operations.chores is not None:
            gauges += chore_gauges(operations.chores)
        return operations.recorder.figures.text(gauges)

    async def _admit(self, request: Request) -> None:
        show = self._operations.show
        if show == "off":
            raise Refused("NOT_FOUND", "the figures are not shown here", status=404)
        if show == "all" or (show == "loopback" and is_local(request)):
            return
        await self._admission.admit(request, "admin", REGISTRY)


def is_local(request: Request) -> bool:
    """Return whether a request comes from this machine, and not through a proxy on it."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
