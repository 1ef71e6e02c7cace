"""The `killick` command: its verbs, imported one by one as they are called."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from importlib import import_module

import click

from killick import __version__
from killick.cli.context import Session
from killick.cli.errors import guarded

VERBS: dict[str, dict[str, str]] = {
    "Images": {
        "pull": "Bring images into the local store",
        "push": "Send images from the local store to their registry",
        "images": "List local images",
        "tag": "Give an image another name",
        "rmi": "Remove names of local images",
        "import": "Make an image of a root file system",
        "inspect": "Show everything known about an image",
        "history": "Show the layers of an image",
        "cp": "Copy an image from anywhere to anywhere",
        "save": "Write images to an archive",
        "load": "Read images from an archive",
    },
    "Registries": {
        "digest": "Show what a tag points to, by digest",
        "tags": "List the tags of a repository",
        "manifest": "Print a manifest, byte by byte",
        "login": "Log in to a registry",
        "logout": "Log out of a registry",
    },
    "Server": {
        "serve": "Run a registry",
        "user": "Manage the accounts of a registry that is served",
        "token": "Manage access tokens of such accounts",
    },
    "Ledger": {
        "log": "Show what tags pointed to, when, and who moved them",
        "rollback": "Move a tag back to what it pointed to before",
        "what": "Explain any digest",
    },
    "Fleet": {
        "where": "Show which containers run which images of a tag",
        "ps": "List containers with the images that they really run",
        "flag": "Say that an image is affected by a vulnerability, or fixed",
        "unflag": "Take back what was said with flag",
        "flags": "List what is said about vulnerabilities in images",
        "fleet": "Say which engines there are, whose containers are looked at",
        "scan": "Look at all containers, and remember what was seen",
    },
    "Store": {
        "verify": "Check what is stored against its digests",
        "gc": "Remove what nothing needs any more",
    },
    "Killick": {
        "completion": "Print the completion script for a shell",
        "help": "Show the help of a command",
        "version": "Show the version",
    },
}
"""The verbs with their one-line help, so that `killick --help` imports none of them."""

_MODULES = {"import": "import_"}


class Verbs(click.Group):
    """A group whose commands are modules of `killick.cli.commands`, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Return the names of all verbs, in the order of the help."""
        return [name for verbs in VERBS.values() for name in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click calls it
        """Return the command of a verb, or None if there is no such verb."""
        if not any(cmd_name in verbs for verbs in VERBS.values()):
            return None
        module = import_module(f"killick.cli.commands.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as click calls it
        """Write the verbs by group."""
        for title, verbs in VERBS.items():
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()))

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Return the verbs and options that begin with `incomplete`, without importing any."""
        verbs = [
            click.shell_completion.CompletionItem(name, help=text)
            for name, text in _matching(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)


def _matching(incomplete: str) -> Iterator[tuple[str, str]]:
    for verbs in VERBS.values():
        yield from ((name, text) for name, text in verbs.items() if name.startswith(incomplete))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Run 'killick COMMAND --help' for what a command takes, with examples.",
)
@click.option("--debug", is_flag=True, help="Show where in the code an error arose.")
@click.version_option(message=f"killick {__version__}")
@click.pass_context
def killick(ctx: click.Context, debug: bool) -> None:
    """Container images by digest: pull, push and serve them, and never lose what a tag meant."""
    session = ctx.ensure_object(Session)
    session.debug = session.debug or debug
    ctx.call_on_close(session.close)


def run(words: list[str]) -> int:
    """Run one command line and return its exit status; nothing is raised."""
    session = Session()

    def call() -> int:
        status = killick.main(words, prog_name="killick", standalone_mode=False, obj=session)
        return status if isinstance(status, int) else 0

    # The objects that imports made live to the end: the collector need not look at them again.
    gc.freeze()
    return guarded(call, session, words)
