"""Lists that come in pages: tags, repositories, referrers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from killick import strictjson
from killick.client.answers import Asked, failure, unexpected
from killick.client.messages import Request, Response
from killick.errors import ContentError, LimitExceeded, ProtocolError
from killick.wire.links import next_page

if TYPE_CHECKING:
    from killick.client.auth import Auth
    from killick.client.session import Session

MOST_PAGES = 5_000
MOST_ENTRIES = 500_000
MOST_PAGE_BYTES = 8 * 1024 * 1024
PAGE = 1000


def pages(
    session: Session, auth: Auth, target: str, scopes: Sequence[str], asked: Asked
) -> Iterator[dict[str, Any]]:
    """Yield the pages of a list, JSON objects; the next one is where the `Link` header says.

    Raises:
        NotFound and others: as `failure` reads the first answer that is not 200.
        ProtocolError: a page is no JSON object, is elsewhere, or came before.
        LimitExceeded: there are more than 5,000 pages, or one has more than 8 MiB.
    """
    url = session.url(target)
    seen = {url}
    while True:
        request = Request("GET", url, {"Accept": "application/json, */*;q=0.5"})
        response, raw = session.load(request, auth, scopes, MOST_PAGE_BYTES)
        if response.status != 200:
            raise failure(response, asked)
        yield _object(response, raw, asked)
        link = next_page(response.header("Link"))
        if link is None:
            return
        url = url.join(link)
        if url.origin != session.origin:
            raise ProtocolError(
                f"{session.domain} continues its list at {url.origin}, another place",
                side="remote",
            )
        if url in seen:
            raise ProtocolError(f"{session.domain} sends the same page again", side="remote")
        if len(seen) >= MOST_PAGES:
            raise LimitExceeded(
                f"{session.domain} has more than {MOST_PAGES} pages of {asked.phrase}",
                side="remote",
            )
        seen.add(url)


def _object(response: Response, raw: bytes, asked: Asked) -> dict[str, Any]:
    try:
        page = strictjson.loads(raw, "the list")
    except LimitExceeded:
        raise
    except ContentError:
        page = None
    if not isinstance(page, dict):
        raise unexpected(response, asked)
    return page


def texts(listed: Iterator[dict[str, Any]], key: str, most: int | None = None) -> list[str]:
    """Return the texts under `key` of all pages, or the first `most`, each once.

    Raises:
        ProtocolError: something else is there, or a page brings nothing new but leads on.
        LimitExceeded: there are more than 500,000.
    """
    found: dict[str, None] = {}
    for page in listed:
        before = len(found)
        values = page.get(key) or []
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise ProtocolError(f"the registry's list of {key} is none", side="remote")
        found.update(dict.fromkeys(values))
        if most is not None and len(found) >= most:
            break
        if len(found) > MOST_ENTRIES:
            raise LimitExceeded(f"the registry lists more than {MOST_ENTRIES} {key}", side="remote")
        if values and len(found) == before:
            raise endless(key)
    return list(found)[:most]


def endless(what: str) -> ProtocolError:
    """Return the error of a list that repeats itself from page to page."""
    return ProtocolError(f"the registry's list of {what} repeats itself", side="remote")


def query(n: int | None, after: str) -> str:
    """Return the query of a request for a list: `n` entries a page, after `after` (if not "")."""
    last = f"&last={quote(after, safe='')}" if after else ""
    return f"?n={min(n or PAGE, PAGE)}{last}"
