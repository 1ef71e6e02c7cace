"""Telling a registry what an engine said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from killick import inventory, strictjson
from killick.client.answers import Asked, failure
from killick.client.messages import Request
from killick.errors import LimitExceeded, Unsupported
from killick.wire.reports import MOST_REPORT_BYTES, PATH_REPORTS, SCOPE

if TYPE_CHECKING:
    from killick.client.auth import Auth
    from killick.client.session import Session
    from killick.observation import Snapshot

_DONE = frozenset({200, 201, 202, 204})
_NO_SUCH_PATH = frozenset({404, 405})


def send(session: Session, auth: Auth, snapshot: Snapshot) -> None:
    """Send one snapshot; to send it twice does no harm.

    Raises:
        Unsupported: the registry takes no reports.
        LimitExceeded: the report is larger than a registry takes.
        Denied: it takes none from us.
    """
    body = strictjson.compact(inventory.to_json(snapshot))
    if len(body) > MOST_REPORT_BYTES:
        raise LimitExceeded(
            f"what {snapshot.host} runs is more than the {MOST_REPORT_BYTES} bytes of a report"
        )
    headers = {"Content-Type": "application/json"}
    request = Request("POST", session.url(PATH_REPORTS), headers, body)
    domain = session.domain
    with session.send(request, auth, (SCOPE,), session.retry()) as response:
        if response.status in _DONE:
            return
        if response.status in _NO_SUCH_PATH:
            raise Unsupported(
                f"{domain} takes no reports",
                side="remote",
                hint="a registry that killick serve runs takes them",
            )
        raise failure(response, Asked("registry", domain, domain))
