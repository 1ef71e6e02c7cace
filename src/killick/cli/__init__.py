"""The command line. `main` is the console script."""

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
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["version"], ["--version"]):
        sys.stdout.write(f"killick {__version__}\n")
        return 0
    from killick.cli.app import run

    return run(words)
