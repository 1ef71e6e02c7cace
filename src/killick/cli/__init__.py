"""The command line. `main` is the console script."""

import os
import sys

from killick import __version__

TYPE_CHECKING = False  # typing's own would cost its import
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run one command line (None: the process's own) and return its exit status.

    The plain question for the version is answered before anything is imported: scripts and shell
    prompts ask it often, and click alone takes longer to import than Python to start.
    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _fill_gaps()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["version"], ["--version"]):
        sys.stdout.write(f"killick {__version__}\n")
        return 0
    from killick.cli.app import run

    return run(words)


def _fill_gaps() -> None:
    """Take the places of standard streams that whoever started us had closed.

    Else a file of the store would get the number, and somebody's message would go into it. Reading
    finds nothing then, messages go nowhere, but output fails: it must not be lost in silence.
    """
    streams = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
    for name, flags in streams:
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))
