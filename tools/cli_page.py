"""Write docs/cli.md: the help of every command, as `killick help` prints it.

python tools/cli_page.py        # after changing what a command takes
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from killick.cli.app import VERBS, killick

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 92

_HEAD = """\
# The command line

Names, options and columns follow the docker command line wherever docker has the command; what it
lacks follows git (`log`, `~1`, `@{date}`). This page is made from the commands' own help by
`tools/cli_page.py`.

- A reference is `name[:tag][@digest]` by docker's rules. `name:tag~N` is what the tag pointed to N
  moves ago, `name:tag@{2026-11-01}` or `name:tag@{2 hours ago}` what it pointed to then (UTC).
- A digest, its hexadecimal digits, or the first six or more of them name whatever is held locally.
- Results go to stdout, progress and messages to stderr. `--format json` (or `--json`) prints one
  JSON object a line for lists, and one document otherwise; `--format '{{.Tag}}'` is a template.
- Exit status: 0 done, 1 failed, 2 wrong usage, 3 a check found something, 4 not found, 5 denied,
  6 content did not match its digest, 130 interrupted.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    with click.Context(killick, info_name="killick", **killick.context_settings) as root:
        for title, verbs in VERBS.items():
            yield f"## {title}\n"
            for name in verbs:
                yield from _helps(root, name)


def _helps(parent: click.Context, name: str) -> Iterator[str]:
    """Yield the help of a command, and of those in it."""
    group = parent.command
    command = group.get_command(parent, name) if isinstance(group, click.Group) else None
    if command is None:
        raise LookupError(name)
    with click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH) as context:
        yield f"### {context.command_path}\n\n```text\n{context.get_help().rstrip()}\n```\n"
        for inner in command.list_commands(context) if isinstance(command, click.Group) else ():
            yield from _helps(context, inner)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
