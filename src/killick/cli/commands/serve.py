"""`killick serve`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from killick.cli import guarding, serving
from killick.cli.context import Session
from killick.cli.settings import data_folder
from killick.cli.verb import verb
from killick.errors import UsageError

if TYPE_CHECKING:
    from killick.server.configuration.access import Anonymous


@verb(
    "serve",
    examples="""
    killick serve
    killick serve --addr 127.0.0.1:0 --root ./registry
    killick serve --addr :5000 --anonymous pull
    killick serve --store
    """,
)
@click.option("--addr", default="127.0.0.1:5000", show_default=True, help="Where; port 0: any.")
@click.option("--root", type=click.Path(path_type=Path), help="The registry's folder; made if new.")
@click.option("--store", "of_store", is_flag=True, help="Serve the local store, to be read only.")
@click.option(
    "--anonymous",
    type=click.Choice(["pull", "all"]),
    help="What callers may do (loopback addresses: all; elsewhere: has to be said).",
)
@click.pass_obj
def command(
    session: Session, addr: str, root: Path | None, of_store: bool, anonymous: str | None
) -> None:
    """Run a registry that docker, podman, skopeo, crane and Killick can push to and pull from.

    Everything that a tag ever pointed to stays pullable by its digest. It runs until it is told to
    stop (Ctrl-C), and prints where it listens.
    """
    from killick.server import run
    from killick.server.configuration.access import Access
    from killick.store import Store

    if of_store and (root is not None or anonymous == "all"):
        raise UsageError(
            "--store serves the local store, to be read only", hint="leave the other off"
        )
    host, port = serving.parse_address(addr)
    access = Access(anonymous=cast("Anonymous", anonymous))
    alone = serving.is_loopback(host)
    place = session.settings.store if of_store else (root or data_folder() / "registry")
    if of_store and anonymous is None and not alone:
        raise UsageError(f"{addr} can be reached from other machines", hint="add --anonymous pull")
    if of_store:
        make = partial(serving.local_store, str(place), session.actor)
    else:
        guarding.check(place, access, addr, alone=alone)
        make = partial(serving.registry, str(place), session.actor, access, alone)
    # What is wrong with it is to be said before anything is announced, and not by a worker.
    Store(place, actor=session.actor, read_only=of_store).close()
    if of_store:
        may = "anybody may pull"
    else:
        may = guarding.announced(place, access, alone=alone)
        guarding.record_rules(place, access, session.actor)

    def announce(url: str) -> None:
        click.echo(f"Serving {place} at {url} ({may})")

    run(make, (host, port), announce)
