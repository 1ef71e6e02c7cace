"""Extension discovery: what this registry offers beyond the specification."""

from __future__ import annotations

from starlette.responses import Response

from killick.repository import Ledger
from killick.server.calls import Call
from killick.server.openapi import document
from killick.server.responses import json_answer
from killick.wire.extensions import LEDGER_EXTENSIONS, PLAIN_EXTENSIONS, to_json

_ANY = "any"
"""The name of a repository, which need not exist: those of one registry are all of one kind."""


def describe(call: Call) -> Response:  # noqa: ARG001 - a handler as the others
    """Answer with the OpenAPI document of this registry."""
    return json_answer(document())


def discover(call: Call) -> Response:
    """Answer with the extensions of a repository, or of the registry."""
    repository = call.site.registry.repository(call.name or _ANY)
    known = LEDGER_EXTENSIONS if isinstance(repository, Ledger) else PLAIN_EXTENSIONS
    return json_answer(to_json(known))
