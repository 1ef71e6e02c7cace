"""`killick serve`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from killick.cli import guarding, serving
from killick.cli.context import Session
from killick.cli.settings import data_folder
from killick.cli.verb import verb
from killick.errors import UsageError

if TYPE_CHECKING:
    from killick.server.configuration import Configuration

_FLAGS = ("addr", "root", "store", "workers", "read_only", "anonymous")
"""Settings that have an option of their own."""


@verb(
    "serve",
    examples="""
    killick serve
    killick serve --addr 127.0.0.1:0 --root ./registry
    killick serve --addr :5000 --anonymous pull
    killick serve --config /etc/killick/serve.toml
    killick serve --config serve.toml --set limits.blob=10GiB --check
    killick serve --store
    """,
)
@click.option("--addr", help="Where; port 0: any.  [default: 127.0.0.1:5000]")
@click.option("--root", metavar="DIR", help="The registry's folder; made if new.")
@click.option("--store", is_flag=True, help="Serve the local store, to be read only.")
@click.option(
    "--anonymous",
    type=click.Choice(["none", "pull", "all"]),
    help="What callers may do (loopback addresses: all; elsewhere: has to be said).",
)
@click.option("--read-only", is_flag=True, help="Refuse all that would change something.")
@click.option("--workers", help="Worker processes.  [default: 1 on loopback, else one a core]")
@click.option("--config", metavar="FILE", type=Path, help="Settings, in TOML; see docs/serve.md.")
@click.option("--set", "assigned", multiple=True, metavar="KEY=VALUE", help="Any one setting.")
@click.option("--check", is_flag=True, help="Print the settings in force, and end.")
@click.option("--limits", is_flag=True, help="Print every limit and its value, and end.")
@click.option("--ping", is_flag=True, help="Ask the one that runs whether it is up, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --limits: as JSON.")
@click.pass_obj
def command(
    session: Session, /, config: Path | None, assigned: tuple[str, ...], **options: object
) -> None:
    """Run a registry that docker, podman, skopeo, crane and Killick can push to and pull from.

    Everything that a tag ever pointed to stays pullable by its digest. It runs until it is told to
    stop (Ctrl-C), and prints where it listens. Settings come from a file, then from variables
    (KILLICK_SERVE_…), then from options.
    """
    from killick.server.configuration import assignments, load, shown

    given = {name: options[name] for name in _FLAGS if options[name] not in (None, False)}
    configuration = load(config, flags=assignments(assigned) | _as_flags(given))
    if options["limits"]:
        _print_limits(configuration, bool(options["as_json"]))
    elif options["ping"]:
        serving.ping(configuration)
    elif options["check"]:
        serving.check(configuration, _place(session, configuration))
        click.echo(shown(configuration), nl=False)
    else:
        _serve(session, configuration)


def _as_flags(given: dict[str, object]) -> dict[str, tuple[str, str]]:
    """Return options as `load` takes them: by the name of their setting."""
    return {
        "access.anonymous" if name == "anonymous" else name: (
            "true" if value is True else str(value),
            f"--{name.replace('_', '-')}",
        )
        for name, value in given.items()
    }


def _print_limits(configuration: Configuration, as_json: bool) -> None:
    from killick.cli.limits import limits_in_force

    rows = limits_in_force(configuration)
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], indent=2))
        return
    width = max(len(row.shown) for row in rows)
    for row in rows:
        setting = f" ({row.setting})" if row.setting else ""
        click.echo(f"{row.shown:>{width}}  {row.about}{setting}")


def _serve(session: Session, /, configuration: Configuration) -> None:
    from killick.server import run
    from killick.store import Store

    place = _place(session, configuration)
    serving.check(configuration, place)
    # What is wrong with it is to be said before anything is announced, and not by a worker.
    read_only = configuration.store or configuration.read_only
    Store(place, actor=session.actor, read_only=read_only).close()
    if not configuration.store:
        guarding.record_rules(place, configuration.access, session.actor)
    make = partial(
        serving.local_store if configuration.store else serving.registry,
        configuration,
        str(place),
        session.actor,
    )

    def announce(url: str) -> None:
        click.echo(f"Serving {place} at {url} ({serving.who_may(configuration, place)})")

    address = serving.parse_address(configuration.addr)
    run(make, address, announce, serving.terms(configuration))


def _place(session: Session, /, configuration: Configuration) -> Path:
    if configuration.store:
        return session.settings.store
    if configuration.root is None:
        return data_folder() / "registry"
    if not configuration.root.parts:
        raise UsageError("root must be a folder")
    return configuration.root
