"""`killick version`."""

from __future__ import annotations

import platform

import click

from killick import __version__
from killick.cli.output import Style, format_options, show_document
from killick.cli.verb import verb
from killick.platforms import Platform


@verb(
    "version",
    examples="""
    killick version
    killick version --json
    killick version --format '{{.Version}}'
    """,
)
@format_options()
@click.pass_obj
def command(_session: object, style: Style) -> None:
    """Show the version of Killick; with --json also Python's, and the platform."""
    document = {
        "Version": __version__,
        "Python": platform.python_version(),
        "Platform": str(Platform.host()),
        "System": f"{platform.system()} {platform.release()}",
    }
    show_document(document, style, [f"killick {__version__}"])
