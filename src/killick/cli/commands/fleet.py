"""`killick fleet`: the engines that `ps`, `where` and `scan` ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from killick.cli.engines import engine_of
from killick.cli.fleet_file import Added, FleetFile
from killick.cli.output import Listing, Style, format_options
from killick.cli.printing import write
from killick.cli.verb import Family, verb

_LISTING = Listing({"Name": "NAME", "URL": "URL"}, ("Name", "URL"), "Name")


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    added: Added

    def fields(self) -> Mapping[str, str]:
        return {"Name": self.name, "URL": self.added.url}

    def document(self) -> Mapping[str, object]:
        return {
            "name": self.name,
            "url": self.added.url,
            "ca_file": self.added.ca_file,
            "cert": self.added.cert,
            "key": self.added.key,
        }


@verb(
    "add",
    examples="""
    killick fleet add web1 ssh://ana@web1
    killick fleet add web2 tcp://web2:2376 --ca-file ca.pem --cert cert.pem --key key.pem
    killick fleet add shop kube://shop-production
    """,
)
@click.argument("name")
@click.argument("url")
@click.option("--ca-file", metavar="FILE", help="Trust the certificates in this file (PEM).")
@click.option("--cert", metavar="FILE", help="A client certificate to show (PEM).")
@click.option("--key", metavar="FILE", help="The key of the client certificate.")
def _add(name: str, url: str, **files: str | None) -> None:
    """Add an engine under a name; nothing is asked of it yet.

    URL is unix:///SOCKET, tcp://HOST:PORT, ssh://USER@HOST, context://NAME (of docker),
    cri:///SOCKET, kube://CONTEXT or file://INVENTORY. NAME is what reports call it: on a server
    that takes reports from many machines, it tells them apart.
    """
    paths = {key: str(Path(path).absolute()) if path else None for key, path in files.items()}
    added = Added(url, **paths)
    engine_of(name, added)
    FleetFile().add(name, added)
    write([name])


@verb("ls", examples="killick fleet ls")
@format_options(quiet="Names alone.")
def _ls(style: Style) -> None:
    """List the engines that were added."""
    engines = FleetFile().engines()
    _LISTING.show((_Line(name, added) for name, added in engines.items()), style)


@verb("rm", examples="killick fleet rm web1")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
def _rm(names: tuple[str, ...]) -> None:
    """Forget engines. What the store knows of them is kept."""
    for name in names:
        FleetFile().remove(name)
        write([name])


command = Family(
    "fleet",
    help="Say which engines there are, whose containers are looked at.",
    verbs=(_add, _ls, _rm),
)
