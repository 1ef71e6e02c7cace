"""What this machine lacks for a test, in words; and what the harness itself needs of it."""

import os
import shutil
import subprocess
import sys
from functools import cache

REQUIRED = os.environ.get("KILLICK_REQUIRE_FAULTS") == "1"


class Lacking(Exception):
    """Something that a test needs is not there; on a machine that must have it, that is fatal."""


def need(*programs, root=False):
    """Raise `Lacking` unless the programs are there (and we are root)."""
    missing = [name for name in programs if shutil.which(name) is None]
    if not sys.platform.startswith("linux"):
        raise Lacking("it needs Linux")
    if missing:
        raise Lacking(f"{' and '.join(missing)} not installed")
    if root and os.geteuid() != 0:
        raise Lacking("it needs root")
    if "strace" in programs and (said := _tracing()):
        raise Lacking(said)


@cache
def _tracing():
    """Return why processes can't be traced here, if they can't."""
    tried = subprocess.run(
        ["strace", "-qq", "-f", "-o", os.devnull, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"strace can't trace: {tried.stderr.strip()}" if tried.returncode else ""
