"""`killick completion`: the script that teaches a shell to complete."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from killick.cli.printing import write
from killick.cli.verb import verb

_SHELLS = ("bash", "zsh", "fish")
_COLONS = """
# Image names have colons and at signs in them, at which bash would take words apart.
COMP_WORDBREAKS=${COMP_WORDBREAKS//[:@]/}
"""


@verb(
    "completion",
    examples="""
    eval "$(killick completion bash)"         # in ~/.bashrc
    eval "$(killick completion zsh)"          # in ~/.zshrc, after compinit
    killick completion fish | source          # in ~/.config/fish/config.fish
    """,
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands, options and local image names."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}", ctx)
    script = kind(ctx.find_root().command, {}, "killick", "_KILLICK_COMPLETE")
    # Past the subclass: bash's looks for a bash on this machine, which need not be the user's.
    text = ShellComplete.source(script)
    write([text.strip("\n") + (_COLONS if shell == "bash" else "")])
