"""The `Link` header, as far as paging needs it (RFC 8288; distribution-spec, "Listing Tags")."""

from __future__ import annotations

import re

MOST_CHARACTERS = 16 * 1024

_TARGET = re.compile(r"\s*<([^<>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([A-Za-z0-9*_-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?')


def next_page(value: str | None) -> str | None:
    """Return the target of the link whose relation is `next`, or None where there is none.

    A header that is longer than 16 KiB or is no list of links counts as none. The target is as
    the sender wrote it: relative or absolute, and not to be trusted.
    """
    if value is None or len(value) > MOST_CHARACTERS:
        return None
    position = 0
    while match := _TARGET.match(value, position):
        target, position = match[1], match.end()
        relations: list[str] = []
        while parameter := _PARAMETER.match(value, position):
            position = parameter.end()
            if parameter[1].lower() == "rel":
                relations += (parameter[2] or parameter[3] or "").lower().split()
        if "next" in relations:
            return target
        while position < len(value) and value[position] in " \t,":
            position += 1
    return None


def link_to_next(target: str) -> str:
    """Return the header's value that says that the next page is at `target`, a URL reference."""
    return f'<{target}>; rel="next"'
