"""How long a wrong password takes, by whom it is for: it must not show whether an account exists.

python bench/logins.py [TRIES]      # each kind is tried so often, in turn; 300: about 4 minutes
"""

from __future__ import annotations

import base64
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
        seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number in range(tries):
            for kind, name in KINDS.items():
                seconds[kind].append(timed(gate, name, number))
        gate.close()
    reference = statistics.median(seconds["an account"])
    for kind, measured in seconds.items():
        median = statistics.median(measured)
        print(f"{kind:20} median {median * 1000:7.2f} ms  {median / reference - 1:+7.2%}")


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


def timed(gate: AccountsGate, name: str, number: int) -> float:
    """Try a wrong password, each time from another address, so that nobody has to wait."""
    credentials = "Basic " + base64.b64encode(f"{name}:wrong {number}".encode()).decode()
    who = Who("", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    started = time.perf_counter()
    try:
        gate.identify(credentials, who)
    except Unauthorized:
        return time.perf_counter() - started
    raise SystemExit("a wrong password got in")


if __name__ == "__main__":
    main()
