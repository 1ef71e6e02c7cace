"""`killick help`."""

from __future__ import annotations

import click

from killick.cli.verb import verb
from killick.errors import UsageError


def _verbs(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    group = ctx.find_root().command
    names = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [name for name in names if name.startswith(incomplete)]


@verb(
    "help",
    examples="""
    killick help
    killick help pull
    killick help user add
    """,
)
@click.argument("names", metavar="[COMMAND…]", nargs=-1, shell_complete=_verbs)
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command, or the list of commands."""
    context = ctx.find_root()
    for name in names:
        group = context.command
        found = group.get_command(context, name) if isinstance(group, click.Group) else None
        if found is None:
            raise UsageError(
                f"there is no command {' '.join(names)!r}", hint="killick help lists the commands"
            )
        context = click.Context(found, info_name=name, parent=context)
    click.echo(context.get_help())
