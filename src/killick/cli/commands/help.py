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
    """,
)
@click.argument("name", metavar="[COMMAND]", required=False, shell_complete=_verbs)
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Show the help of a command, or the list of commands."""
    root = ctx.find_root()
    group = root.command
    if name is None or not isinstance(group, click.Group):
        click.echo(root.get_help())
        return
    found = group.get_command(root, name)
    if found is None:
        raise UsageError(f"there is no command {name!r}", hint="killick help lists the commands")
    with click.Context(found, info_name=name, parent=root) as context:
        click.echo(found.get_help(context))
