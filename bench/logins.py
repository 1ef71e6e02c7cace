"""How long a wrong password takes, by whom it is for: it must not show whether an account exists.

python bench/logins.py [TRIES]      # each kind is tried so often, in turn; 300: about 4 minutes

Beside the time that passes, the thread's own time is shown, in which other programs do not count.
"""

from __future__ import annotations

import base64
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from killick.accounts import (
    Account,
    AccountsGate,
    Audit,
    Keyring,
    Parts,
    Place,
    Policy,
    Register,
    Signer,
    Tries,
    hashed,
    to_nowhere,
)
from killick.errors import Unauthorized
from killick.moments import utc_now
from killick.rights import Who

KINDS = {"an account": "ana", "nobody": "nobody", "a robot": "ci", "a disabled account": "gone"}


def main() -> None:
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        gate = made(Place(Path(folder)))
        passed: dict[str, list[float]] = {kind: [] for kind in KINDS}
        own: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number in range(tries):
            for kind in random.sample(list(KINDS), len(KINDS)):
                since, since_own = time.perf_counter(), time.thread_time()
                attempt(gate, KINDS[kind], number)
                own[kind].append(time.thread_time() - since_own)
                passed[kind].append(time.perf_counter() - since)
        gate.close()
    for kind in KINDS:
        print(f"{kind:20} {against(passed, kind)}   {against(own, kind)} own")


def against(seconds: dict[str, list[float]], kind: str) -> str:
    """Return the median, and how far it is from that of an account."""
    median = statistics.median(seconds[kind])
    return f"{median * 1000:7.2f} ms {median / statistics.median(seconds['an account']) - 1:+7.2%}"


def made(place: Place) -> AccountsGate:
    register, now = Register(place), utc_now()
    for account in (
        Account("ana", now, hashed("correct horse")),
        Account("ci", now, None),
        Account("gone", now, hashed("correct horse"), is_enabled=False),
    ):
        register.change(lambda directory, a=account: directory.with_new(a))
    signer, tries, audit = Signer(Keyring(place)), Tries(place), Audit(to_nowhere)
    return AccountsGate(Parts(register, Policy(), Policy(), signer, tries, audit))


def attempt(gate: AccountsGate, name: str, number: int) -> None:
    """Try a wrong password, each time from another address, so that nobody has to wait."""
    credentials = "Basic " + base64.b64encode(f"{name}:wrong {number}".encode()).decode()
    who = Who("", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    try:
        gate.identify(credentials, who)
    except Unauthorized:
        return
    raise SystemExit("a wrong password got in")


if __name__ == "__main__":
    main()
