"""What every verb's click command has in common: examples at the end of its help, and `--debug`."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent

import click

from killick.cli.context import Session


class Verb(click.Command):
    """A command whose help ends with `examples`, kept as they were written."""

    examples: str = ""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as click calls it
        """Write the examples, unwrapped."""
        if self.examples:
            formatter.write_paragraph()
            formatter.write("Examples:\n" + indent(self.examples, "  ") + "\n")


def verb(name: str, *, examples: str) -> Callable[[Callable[..., int | None]], Verb]:
    """Return a decorator that makes the command `name`; the function's docstring is its help.

    The function returns the exit status (None: 0). `examples` are shell lines; they are dedented.
    """

    def decorate(function: Callable[..., int | None]) -> Verb:
        command = click.command(name, cls=Verb)(function)
        command.examples = dedent(examples).strip("\n")
        command.params.append(_debug_option())
        return command

    return decorate


def _debug_option() -> click.Option:
    """Return `--debug` for a verb, so that it may stand before or behind the verb."""
    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, hidden=True, callback=_set_debug
    )


def _set_debug(ctx: click.Context, _parameter: click.Parameter, value: object) -> None:
    if value:
        ctx.ensure_object(Session).debug = True


class Family(click.Group):
    """A command that only has commands in it: `killick user add` is `add` in `user`."""

    def __init__(self, name: str, *, help: str, verbs: tuple[Verb, ...]) -> None:  # noqa: A002 - as click calls it
        super().__init__(name, help=help, commands={one.name or "": one for one in verbs})
        self.params.append(_debug_option())
        self._verbs = verbs

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as click calls it
        """Write the first example of each command."""
        formatter.write_paragraph()
        first = [one.examples.partition("\n")[0] for one in self._verbs]
        formatter.write("Examples:\n" + indent("\n".join(first), "  ") + "\n")
