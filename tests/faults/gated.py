"""`python -m faults.gated WORDS…`: killick, one of whose chores waits to be let go.

`FAULTS_CHORE` names the chore. Its thread says which one it is in `<store>.thread`, and begins when
there is `<store>.go`; so strace can be at that thread alone before it makes its first step, while
all else goes on undisturbed. What the chore then does is killick's own.
"""

import os
import sys
import threading
import time
from pathlib import Path

from killick.cli import main
from killick.server.chores import Chores

_run = Chores._run


def _gated(self, chore, lock):
    if chore.name == os.environ["FAULTS_CHORE"]:
        root = os.environ["KILLICK_STORE"]
        Path(f"{root}.thread.new").write_text(str(threading.get_native_id()))
        Path(f"{root}.thread.new").replace(f"{root}.thread")
        while not Path(f"{root}.go").exists():
            time.sleep(0.01)
    _run(self, chore, lock)


Chores._run = _gated

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
