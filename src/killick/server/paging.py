"""Pages: how much was asked for (`n`), and where the next one is (`Link`)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

from killick.server.calls import Call
from killick.server.responses import Headers, Refused
from killick.wire.links import link_to_next

_MOST_DIGITS = 18

Entry = TypeVar("Entry")


def limit(call: Call) -> int:
    """Return how many results are wanted, at most as many as a page may have.

    Raises:
        Refused: (400) `n` is no number.
    """
    most = call.site.limits.page
    stated = number(call, "n")
    return most if stated is None else min(stated, most)


def number(call: Call, key: str) -> int | None:
    """Return the number under `key` in the query; None where it is not there.

    Raises:
        Refused: (400) it is none.
    """
    text = call.query(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        message = f"{key}={text[:20]!r} is not a number"
        raise Refused("PAGINATION_NUMBER_INVALID", message, status=400)
    return int(text[:_MOST_DIGITS])


def first(entries: Iterable[Entry], most: int) -> tuple[list[Entry], bool]:
    """Return the first `most` entries, and whether there are more (after none, nobody asks)."""
    page = list(islice(entries, most + 1))
    return page[:most], len(page) > most > 0


def link(path: str, query: dict[str, str]) -> Headers:
    """Return the header that says where the next page is."""
    return {"Link": link_to_next(f"{path}?{urlencode(query)}")}
