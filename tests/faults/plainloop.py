"""`python -m faults.plainloop WORDS…`: killick on the event loop of asyncio.

For when writes shall fail. uvloop's loop is woken by a write, which strace can't tell from one to a
file. No disk ever refuses that, and libuv gives up the process where it fails. asyncio's loop is
woken by a `send`.
"""

import sys
from types import SimpleNamespace

from granian.constants import Loops

from killick.cli import main
from killick.server import supervisor

supervisor.Loops = SimpleNamespace(uvloop=Loops.asyncio)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
