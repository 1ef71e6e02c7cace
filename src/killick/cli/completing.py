"""What the shell offers after Tab: names that are in the local store, and digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from killick.cli.context import Session
from killick.cli.human import familiar
from killick.errors import KillickError
from killick.platforms import Platform

if TYPE_CHECKING:
    import click

MOST_OFFERED = 500

_DIGEST = re.compile(r"sha256:[0-9a-f]*|[0-9a-f]{2,}")


def local_names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the local images whose name or digest begins with `incomplete`."""
    return _offer(incomplete, _names(ctx, incomplete))


def local_repositories(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Return the local repositories whose name begins with `incomplete`."""
    return _offer(incomplete, _repositories(ctx))


def _offer(incomplete: str, names: Iterator[str]) -> list[str]:
    """Return what fits; a shell that completes is no place for errors, so there are none then."""
    try:
        fitting = (name for name in names if name.startswith(incomplete))
        return list(islice(dict.fromkeys(fitting), MOST_OFFERED))
    except KillickError:
        return []


def _repositories(ctx: click.Context) -> Iterator[str]:
    for text in ctx.ensure_object(Session).reading.repositories():
        yield familiar(text)


def _names(ctx: click.Context, incomplete: str) -> Iterator[str]:
    as_digest = _DIGEST.fullmatch(incomplete)
    for row in ctx.ensure_object(Session).reading.images(Platform.host()):
        if row.tag is not None:
            yield f"{familiar(row.repository)}:{row.tag}"
        if as_digest:
            digest = row.descriptor.digest
            yield str(digest) if ":" in incomplete else digest.encoded
