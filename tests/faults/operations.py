"""The operations that are tried: what is run, and what is promised when it ends well."""

from dataclasses import dataclass, field

from faults.promises import Promise
from faults.world import GARBAGE, KEPT, LOADED, SERVED
from killick.names import Name

FOUND = 3
NOT_FOUND = 4


@dataclass(frozen=True)
class Operation:
    """One command line. `again` are the statuses that a second run may end with.

    `status` is that of a run that does what it has to do. One that only `looks` acknowledges no
    change: that it could not note what it saw is no loss.
    """

    name: str
    start: str
    words: tuple[str, ...]
    promised: tuple[Promise, ...] = ()
    again: frozenset = field(default=frozenset({0}))
    status: int = 0
    looks: bool = False


def operations(world):
    """Return every operation of the command line that changes a store."""
    pulled = f"127.0.0.1:{world.registry.port}/{SERVED}"
    pushed = f"127.0.0.1:{world.registry.port}/pushed/app"
    first, second, many = (str(d.digest) for d in (world.first, world.second, world.many))
    old = str(world.begun and world.old.digest)
    done_before = frozenset({0, NOT_FOUND})
    return [
        Operation("first pull", "empty", ("pull", f"{pulled}:1"), (Promise(pulled, "1", first),)),
        Operation("pull", "begun", ("pull", f"{pulled}:2"), (Promise(pulled, "2", second),)),
        Operation("tag", "begun", ("tag", "kept:2", "kept:1"), (Promise(KEPT, "1", many),)),
        Operation(
            "tag elsewhere",
            "begun",
            ("tag", "kept:1", "other:1"),
            (Promise(str(Name.parse("other")), "1", first),),
        ),
        Operation(
            "rmi", "begun", ("rmi", "kept:2"), (Promise(KEPT, "2", None),), again=done_before
        ),
        Operation(
            "rmi --purge",
            "begun",
            ("rmi", "--purge", "kept:2"),
            (Promise(KEPT, "2", None),),
            again=done_before,
        ),
        Operation("load", "begun", ("load", "-i", world.archive), (Promise(LOADED, "1", second),)),
        Operation("import", "begun", ("import", world.tar, f"{GARBAGE}:new")),
        Operation("gc", "begun", ("gc",)),
        Operation(
            "rmi by digest",
            "begun",
            ("rmi", "--force", f"kept@{many}"),
            (Promise(KEPT, "2", None),),
            again=done_before,
        ),
        Operation(
            "rollback",
            "begun",
            ("rollback", "kept:1", "--to", old),
            (Promise(KEPT, "1", old),),
        ),
        Operation("push", "begun", ("push", f"{pushed}:1")),
        Operation("verify", "begun", ("verify",), looks=True),
        Operation(
            "verify of damage",
            "rotten",
            ("verify",),
            again=frozenset({FOUND}),
            status=FOUND,
            looks=True,
        ),
    ]
