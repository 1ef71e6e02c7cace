"""What guards a served registry: its accounts, by what the configuration says of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from killick.errors import UsageError
from killick.rights import RIGHTS, Right, Who

if TYPE_CHECKING:
    from killick.accounts import AccountsGate, Audit, Policy
    from killick.accounts.audit import Sink
    from killick.accounts.register import Version
    from killick.server.configuration import Configuration
    from killick.server.configuration.access import Access, Anonymous


def gate(root: Path, configuration: Configuration, *, alone: bool) -> AccountsGate:
    """Return the gate of the registry in `root`; `alone`: only this machine can reach it.

    Raises:
        UsageError: the rules contradict themselves.
    """
    from killick.accounts import AccountsGate, Keyring, Parts, Place, Register, Signer, Tries

    place, access = Place(root), configuration.access
    return AccountsGate(
        Parts(
            register=Register(place),
            policy=policy(configuration, access.anonymous or "none"),
            without=policy(configuration, access.anonymous or ("all" if alone else "none")),
            signer=Signer(Keyring(place)),
            tries=Tries(place),
            audit=audit_log(place.root, access),
        )
    )


def check(root: Path, configuration: Configuration, *, alone: bool) -> None:
    """See that it is said who may use a registry that others can reach.

    Raises:
        UsageError: it is not, or the rules contradict themselves, or passwords would go in clear.
        StoreError: the accounts can't be read.
    """
    addr, access = configuration.addr, configuration.access
    policy(configuration, "none")
    said = alone or access.anonymous is not None or access.public
    if not said and _read(root).stamp is None:
        raise UsageError(
            f"{addr} can be reached from other machines, and there are no accounts",
            hint=f"make one (killick user add NAME --admin --root {root}), or say what anybody may"
            " do, by --anonymous pull or --anonymous all",
        )


def check_wire(root: Path, configuration: Configuration) -> None:
    """See that passwords do not travel readably to a registry that others can reach.

    Raises:
        UsageError: they would.
        StoreError: the accounts can't be read.
    """
    if configuration.tls.is_on or configuration.plain_http or _read(root).stamp is None:
        return
    raise UsageError(
        f"{configuration.addr} can be reached from other machines, and passwords would travel there"
        " readably",
        hint="turn TLS on (tls.cert and tls.key); or, where a proxy does that, add"
        " --set plain_http=true",
    )


def announced(root: Path, configuration: Configuration, *, alone: bool) -> str:
    """Return who may do what, in a few words."""
    access, exists = configuration.access, _read(root).stamp is not None
    anonymous = access.anonymous or ("none" if exists or not alone else "all")
    if anonymous == "all" and configuration.read_only:
        anonymous = "pull"
    anybody = {"all": "anybody may pull, push and delete", "pull": "anybody may pull"}.get(
        anonymous, "anybody may pull from some repositories" if access.public else ""
    )
    words = [anybody] if anybody else []
    return ", ".join(["by accounts", *words] if exists else words) or "nobody may do anything"


def policy(configuration: Configuration, anonymous: Anonymous) -> Policy:
    """Return the rules of a configuration.

    Raises:
        UsageError: one of them is wrong.
    """
    from killick.accounts import READ_ONLY, Policy, Rule

    access = configuration.access
    anybody: dict[Anonymous, frozenset[Right]] = {
        "none": frozenset(),
        "pull": frozenset({"pull"}),
        "all": frozenset(RIGHTS),
    }
    rules = (Rule.stated(r.repositories, r.rights, r.accounts, r.groups) for r in access.rule)
    return Policy(
        rules=tuple(rules),
        groups={group.name: frozenset(group.accounts) for group in access.group},
        anonymous=anybody[anonymous],
        public=access.public,
        most=READ_ONLY if configuration.read_only else frozenset(RIGHTS),
    )


def _read(root: Path) -> Version:
    from killick.accounts import Place, Register

    register = Register(Place(root))
    try:
        return register.read()
    finally:
        register.close()


def audit_log(root: Path, access: Access) -> Audit:
    """Return the audit log of the registry in `root`."""
    from killick.accounts import Audit

    return Audit(_sink(root, access.audit))


def record_rules(root: Path, access: Access, actor: str) -> None:
    """Write into the audit log by which rules the registry is served from now on."""
    rules = [
        f"{','.join((*r.accounts, *(f'@{group}' for group in r.groups)))}:"
        f" {','.join(r.rights)} in {','.join(r.repositories)}"
        for r in access.rule
    ]
    details = {
        "anonymous": access.anonymous,
        "public": list(access.public),
        "rules": rules,
        "groups": {group.name: list(group.accounts) for group in access.group},
    }
    audit_log(root, access).record("rules", Who(actor, "local"), details)


def _sink(root: Path, stated: str | None) -> Sink:
    from killick.accounts import FileSink, Place, to_nowhere, to_stderr

    if stated == "off":
        return to_nowhere
    if stated == "stderr":
        return to_stderr
    place = Place(root)
    if stated is not None:
        return FileSink(Path(stated).expanduser())
    return FileSink(place.audit, place)
