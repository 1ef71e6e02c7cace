"""The OpenAPI 3.1 document of the registry: all endpoints, those of the specification and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from killick import __version__
from killick.server.openapi.operations import JSON, OPERATIONS, PATHS, Operation
from killick.server.openapi.parts import ANSWER_HEADERS, IN_PATH, QUERY, REQUEST_HEADERS, SCHEMAS

__all__ = ["OPERATIONS", "PATHS", "Operation", "document"]

_FOR_ALL = {
    400: "a name, a digest or a parameter is none",
    401: "credentials are missing, or wrong",
    403: "the caller may not",
    429: "too many wrong passwords",
    503: "the registry can't do that now",
}
_BESIDE = {
    "/healthz": ("Is the process up?", {200: "it is"}),
    "/readyz": ("Can the registry do its work?", {200: "it can", 503: "it can't"}),
    "/metrics": (
        "Figures in Prometheus' text format",
        {200: "the figures", 403: "the caller may not see them", 404: "they are off"},
    ),
}


def document() -> dict[str, Any]:
    """Return the document, as JSON has it."""
    paths: dict[str, Any] = {
        path: {
            "parameters": [_in_path(name) for name in re.findall(r"\{(\w+)\}", path)],
            **_methods(OPERATIONS[kind]),
        }
        for kind, templates in PATHS.items()
        for path in templates
    }
    for path, (summary, answers) in _BESIDE.items():
        told = {str(status): {"description": text} for status, text in answers.items()}
        paths[path] = {"get": {"summary": summary, "responses": told, "security": []}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Killick, a registry in which tags keep their history",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "The OCI distribution API, and what Killick adds below _killick.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
        "security": [{}, {"basic": []}, {"bearer": []}],
    }


def _methods(operations: Mapping[str, Operation]) -> dict[str, Any]:
    found = {method.lower(): _operation(one) for method, one in operations.items()}
    if "GET" in operations:
        found["head"] = _operation(operations["GET"], body=False)
    return found


def _operation(one: Operation, *, body: bool = True) -> dict[str, Any]:
    parameters = [_query(name) for name in one.query] + [_header(name) for name in one.headers]
    told: dict[str, Any] = {"summary": one.summary, "responses": _responses(one, body=body)}
    if parameters:
        told["parameters"] = parameters
    if one.takes is not None:
        told["requestBody"] = {"content": _content(one.takes, one.accepts)}
    return told


def _responses(one: Operation, *, body: bool) -> dict[str, Any]:
    meanings = _FOR_ALL | dict(one.answers)
    found: dict[str, Any] = {str(s): {"description": meanings[s]} for s in sorted(meanings)}
    first = str(next(iter(one.answers)))
    for status, answer in found.items():
        if int(status) >= 400 and body:
            answer["content"] = _content("Errors", (JSON,))
    if one.schema is not None and body:
        found[first]["content"] = _content(one.schema, one.types)
    if one.sends:
        found[first]["headers"] = {
            name: {"description": ANSWER_HEADERS[name], "schema": {"type": "string"}}
            for name in one.sends
        }
    return found


def _content(schema: str, types: tuple[str, ...]) -> dict[str, Any]:
    return {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}} for kind in types}


def _in_path(name: str) -> dict[str, Any]:
    about, schema = IN_PATH[name]
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


def _query(key: str) -> dict[str, Any]:
    name, about, schema = QUERY[key]
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _header(name: str) -> dict[str, Any]:
    about = REQUEST_HEADERS[name]
    return {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}
