"""The token service of docker's token flow: credentials for a token, by GET and by POST.

GET has a Basic header, or none for anonymous tokens, as in distribution's token specification; POST
has a form, as in its OAuth2 variant (RFC 6749, grants `password` and `refresh_token`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from killick.bounds import bound
from killick.errors import NotFound, Throttled, Unauthorized, UsageError
from killick.server.access import Caller, Issuer
from killick.server.bodies import whole
from killick.server.calls import Call
from killick.server.responses import json_answer

MOST_FORM_BYTES = bound(64 * 1024, "bytes", "form that asks for a token")
MOST_FIELDS = 50
_UNCACHED = {"Cache-Control": "no-store"}


async def get(call: Call) -> Response:
    """Answer with a token for whoever the header says it is."""
    issuer = _issuer(call)
    asked = tuple(call.request.query_params.getlist("scope"))
    answer = await _issued(call, issuer, call.caller, asked)
    if call.query("offline_token") == "true":
        answer |= await _refreshable(issuer, call.caller)
    return json_answer(answer, _UNCACHED)


async def post(call: Call) -> Response:
    """Answer with a token for whoever the form says it is."""
    issuer = _issuer(call)
    form = _form(await whole(call, MOST_FORM_BYTES))
    try:
        caller = await _caller(call, issuer, form)
    except (Unauthorized, Throttled) as error:
        raise call.site.admission.turned_away(call.request, error, None, "") from None
    answer = await _issued(call, issuer, caller, (form.get("scope", ""),))
    if form["grant_type"] == "refresh_token":
        answer["refresh_token"] = form["refresh_token"]
    elif form.get("access_type") == "offline":
        answer |= await _refreshable(issuer, caller)
    return json_answer(answer, _UNCACHED)


async def _issued(
    call: Call, issuer: Issuer, caller: Caller, asked: tuple[str, ...]
) -> dict[str, object]:
    try:
        return {**await run_in_threadpool(issuer.issue, caller, asked)}
    except Unauthorized as error:
        raise call.site.admission.turned_away(call.request, error, None, "") from None


async def _refreshable(issuer: Issuer, caller: Caller) -> dict[str, object]:
    token = await run_in_threadpool(issuer.refresh_token, caller)
    return {} if token is None else {"refresh_token": token}


async def _caller(call: Call, issuer: Issuer, form: Mapping[str, str]) -> Caller:
    match form:
        case {"grant_type": "password", "username": name, "password": password}:
            header = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
            return await call.site.admission.known(call.request, header)
        case {"grant_type": "refresh_token", "refresh_token": token}:
            return await run_in_threadpool(issuer.redeem, token)
    raise UsageError("the form is neither a password grant nor a refresh_token grant")


def _form(raw: bytes) -> dict[str, str]:
    """Return the fields of a form, each of which is there once.

    Raises:
        UsageError: it is none.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise UsageError("the body is not a form") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise UsageError("a field is twice in the form")
    return form


def _issuer(call: Call) -> Issuer:
    gate = call.site.gate
    if not isinstance(gate, Issuer):
        raise NotFound("this registry gives out no tokens")
    return gate
