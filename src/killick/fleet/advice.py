"""What is said about vulnerabilities, brought to containers.

A statement about an index covers what it holds for every platform, and a statement about a manifest
or a config covers whatever runs the same config. Of several statements about one vulnerability and
one image the latest counts; what is said of a platform's own image counts more than what is said
of an index that holds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from killick.digest import Digest
from killick.fleet.lore import Lore
from killick.fleet.running import Running
from killick.knowledge import Advisory
from killick.openvex import Statement, Status

REGISTRY = "registry:"
"""How the source of a document begins that was attached to an image in a repository."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How what runs stands to one vulnerability.

    `status` is what is said; `unchanged` that what was said to be the fix holds the very same.
    `fixed_by` are the images that are said to be fixed, `about` those that the statements name.
    `certain` is False where it holds for some of the candidates only.
    """

    vulnerability: str
    status: Status
    unchanged: bool
    certain: bool
    about: tuple[Digest, ...]
    fixed_by: tuple[Digest, ...]
    note: str | None

    @property
    def is_open(self) -> bool:
        """Whether something is to be done about it."""
        return self.status == "affected"


@dataclass(frozen=True, slots=True)
class _Said:
    product: Digest
    statement: Statement
    direct: bool


class Advice:
    """All that is said, by what it covers. `lore` must know the products by then.

    `products` are the images that something is said of; `unseen` those whose content is not known.
    """

    def __init__(self, lore: Lore, advisories: Iterable[Advisory]) -> None:
        self._lore = lore
        self._covering: dict[Digest, list[tuple[str, _Said]]] = defaultdict(list)
        self._fixes: dict[str, list[Digest]] = defaultdict(list)
        self._settled = _settled([s for a in advisories for s in self._heard(a)])
        self.products = frozenset(product for _, product in self._settled)
        self.unseen: set[Digest] = set()
        for (vulnerability, product), statement in self._settled.items():
            self._spread(vulnerability, product, statement)

    def about(self, digest: Digest) -> list[tuple[str, Statement]]:
        """Return what is said of just this image: the vulnerability, and the statement."""
        found = [(v, s) for (v, product), s in self._settled.items() if product == digest]
        return sorted(found, key=lambda entry: entry[0])

    def findings(self, running: Running) -> list[Finding]:
        """Return how what runs stands to each vulnerability that is said to concern it, or not."""
        if running.doubt is not None:
            return []
        per_candidate = [self._of(candidate, running) for candidate in _candidates(running)]
        concerned = sorted({v for found in per_candidate for v in found})
        return [self._finding(v, [found.get(v, []) for found in per_candidate]) for v in concerned]

    def _heard(self, advisory: Advisory) -> list[Statement]:
        """Return what a document may say: one that lies in a repository speaks of its images only.

        Else whoever may push to one repository could say of any image that all is well.
        """
        if not advisory.source.startswith(REGISTRY):
            return list(advisory.vex.statements)
        home, subject = advisory.source.removeprefix(REGISTRY), advisory.vex.subject
        return [
            replace(s, products=own)
            for s in advisory.vex.statements
            if (own := tuple(d for d in s.products if d == subject or self._is_of(d, home)))
        ]

    def _is_of(self, digest: Digest, repository: str) -> bool:
        """Whether a tag of a repository has or had an image, or an index that lists it."""
        return any(
            stay.repository == repository
            for each in (digest, *self._lore.above(digest))
            for stay in self._lore.stays(each)
        )

    def _spread(self, vulnerability: str, product: Digest, statement: Statement) -> None:
        """Note what a statement covers."""
        node = self._lore.node(product)
        said = _Said(product, statement, node is None or node.kind != "index")
        reach = self._lore.reach(product)
        if reach.open:
            self.unseen.add(product)
        for covered in {product, *reach.configs, *reach.manifests}:
            self._covering[covered].append((vulnerability, said))
        if statement.status == "fixed":
            self._fixes[vulnerability].append(product)

    def _of(self, candidate: frozenset[Digest], running: Running) -> dict[str, list[_Said]]:
        """Return what covers one candidate, by vulnerability; each image's statement once."""
        found: dict[str, dict[Digest, _Said]] = defaultdict(dict)
        # Of an image whose content was never seen, only its own digest can be known again.
        for digest in candidate | (running.claimed & self.unseen):
            for vulnerability, said in self._covering.get(digest, ()):
                found[vulnerability][said.product] = said
        return {v: list(said.values()) for v, said in found.items()}

    def _finding(self, vulnerability: str, cases: list[list[_Said]]) -> Finding:
        judged = [_judge(case) for case in cases]
        said = {s.product: s for case in cases for s in case}
        found = {status for status, _ in judged}
        status = next(s for s in _WORST if s in found)
        statement = next((s.statement for s in said.values() if s.statement.status == status), None)
        return Finding(
            vulnerability,
            status,
            all(unchanged for _, unchanged in judged),
            len({status for status, _ in judged}) == 1,
            tuple(sorted(said)),
            tuple(dict.fromkeys(self._fixes.get(vulnerability, ()))),
            statement.note if statement else None,
        )


_WORST: tuple[Status, ...] = ("affected", "under_investigation", "fixed", "not_affected")


def _candidates(running: Running) -> list[frozenset[Digest]]:
    """Return what is to be looked up for each candidate: its config, else its manifest."""
    if running.configs:
        return [frozenset({config}) for config in sorted(running.configs)]
    if running.manifests:
        return [frozenset({manifest}) for manifest in sorted(running.manifests)]
    return [frozenset(running.claimed)] if running.claimed else []


def _judge(case: list[_Said]) -> tuple[Status | None, bool]:
    """Return the status that follows, and whether the same bits are said to be affected and fixed.

    Who says that they are fixed, while another says that the same are affected, has rebuilt
    something else (another platform, the attestations), whichever of the two speaks of an index.
    But that the platform's own image is not affected counts more than what an index is said to be.
    """
    statuses = {said.statement.status for said in case}
    near = {said.statement.status for said in case if said.direct} or statuses
    if {"affected", "fixed"} <= statuses and not (
        "not_affected" in near and "affected" not in near
    ):
        return "affected", True
    return next((status for status in _WORST if status in near), None), False


def _settled(statements: list[Statement]) -> dict[tuple[str, Digest], Statement]:
    """Return the latest statement for each vulnerability, by the name to show, and image."""
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        while (further := leaders.setdefault(name, name)) != name:
            name = further
        return name

    for statement in statements:
        first, *rest = (leader(name) for name in sorted(statement.names))
        leaders.update(dict.fromkeys(rest, first))
    shown: dict[str, str] = {}
    for name in sorted(leaders, key=lambda name: (not name.startswith("CVE-"), name)):
        shown.setdefault(leader(name), name)
    found: dict[tuple[str, Digest], Statement] = {}
    for statement in statements:
        name = shown[leader(statement.vulnerability)]
        for product in statement.products:
            standing = found.get((name, product))
            if standing is None or standing.time <= statement.time:
                found[name, product] = statement
    return found
