"""Which image a container runs: from the digests that its engine told, looked up one by one.

Each digest that is known says which configs may be running; all of them together leave those that
none excludes. If none is left, they contradict each other, and nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from killick.digest import Digest
from killick.fleet.lore import Lore, Reach
from killick.fleet.words import Claimed, Words
from killick.platforms import Platform


@dataclass(frozen=True, slots=True)
class Running:
    """What a container runs, as far as it is known.

    `configs` are the candidates, of which one is what runs (usually there is just one); empty where
    it is not known. `manifests` likewise, for comparing where configs were never seen. `named` are
    the digests that were claimed and fit: indexes and manifests that it was started from.
    `pinned` says that only the words that it was started with name a digest. `evidence` tells how
    each claim was read; `doubt`, if any, why none of them can be gone by.
    """

    configs: frozenset[Digest] = frozenset()
    manifests: frozenset[Digest] = frozenset()
    named: tuple[Digest, ...] = ()
    claimed: frozenset[Digest] = frozenset()
    platform: Platform | None = None
    pinned: bool = False
    evidence: tuple[str, ...] = field(default=(), compare=False)
    doubt: str | None = None

    @property
    def config(self) -> Digest | None:
        """The config, if there is but one candidate."""
        return next(iter(self.configs)) if len(self.configs) == 1 else None

    @property
    def manifest(self) -> Digest | None:
        """The platform's manifest, if there is but one candidate."""
        return next(iter(self.manifests)) if len(self.manifests) == 1 else None

    def is_within(self, reach: Reach) -> bool:
        """Whether an image that reaches so far holds what runs, whichever candidate that is."""
        if self.configs:
            return self.configs <= reach.configs
        return bool(self.manifests) and self.manifests <= reach.manifests

    def may_be_within(self, reach: Reach) -> bool:
        """Whether such an image holds one of the candidates, or may hold it for all we know."""
        return bool(self.configs & reach.configs or self.manifests & reach.manifests or reach.open)


_Read = tuple[Claimed, Reach | None]


def find(lore: Lore, words: Words, platform: Platform | None) -> Running:
    """Return what a container runs whose engine says `words`, on a machine of `platform`."""
    claims = words.claims
    if not claims and words.asked is not None and words.asked.digest is not None:
        claims = (Claimed("image", words.asked.digest, words.asked.name, wished=True),)
    if not claims:
        return Running(platform=platform, doubt="its engine told no digest")
    read = [(claim, _reach(lore, claim, platform)) for claim in claims]
    told = [entry for entry in read if not entry[0].wished]
    base = Running(
        claimed=frozenset(claim.digest for claim, _ in told or read),
        platform=platform,
        pinned=not told,
        evidence=tuple(_evidence(lore, claim) for claim in claims),
    )
    found = _narrow(lore, base, told or read)
    return found if found.doubt is not None else _with_wishes(lore, found, read)


class Finder:
    """`find` for thousands: what was found is remembered until the lore learns something."""

    def __init__(self, lore: Lore) -> None:
        self._lore = lore
        self._lessons = lore.lessons
        self._found: dict[tuple[Words, Platform | None], Running] = {}

    def find(self, words: Words, platform: Platform | None) -> Running:
        """Return what a container runs whose engine says `words`, on a machine of `platform`."""
        if self._lessons != self._lore.lessons:
            self._lessons = self._lore.lessons
            self._found.clear()
        key = (words, platform)
        if key not in self._found:
            self._found[key] = find(self._lore, words, platform)
        return self._found[key]


def _narrow(lore: Lore, base: Running, read: list[_Read]) -> Running:
    """Return `base` with what all claims together leave."""
    known = [(claim, reach) for claim, reach in read if reach is not None]
    if not known:
        return base
    whole = [(claim, reach) for claim, reach in known if reach.is_whole]
    documents = tuple(dict.fromkeys(c.digest for c, _ in known if _is_document(lore, c.digest)))
    if not whole:
        manifests = frozenset.intersection(*(reach.manifests for _, reach in known))
        return replace(base, manifests=manifests, named=documents)
    configs = frozenset.intersection(*(reach.configs for _, reach in whole))
    doubt = _doubt(configs, read, whole)
    if doubt is not None:
        return replace(base, doubt=doubt)
    manifests = _manifests(lore, configs, [c.digest for c, _ in known], base.platform)
    return replace(base, configs=configs, manifests=manifests, named=documents)


def _with_wishes(lore: Lore, found: Running, read: list[_Read]) -> Running:
    """Return `found` with the digests that it was started with, where these hold what runs."""
    fitting = [
        claim.digest
        for claim, reach in read
        if claim.wished and reach is not None and found.configs and found.configs <= reach.configs
    ]
    documents = [digest for digest in fitting if _is_document(lore, digest)]
    return replace(
        found,
        claimed=found.claimed | frozenset(fitting),
        named=tuple(dict.fromkeys((*found.named, *documents))),
    )


def _doubt(
    configs: frozenset[Digest],
    read: list[_Read],
    whole: list[tuple[Claimed, Reach]],
) -> str | None:
    """Return why the claims can't be believed, None where they can.

    What an image is called by (`repo@digest`) may be stale; what stands alone is about the image
    itself. So if only the former is known, while the latter is not, the two may be of two images.
    """
    if not configs:
        return "its digests contradict each other"
    alone = [(c, reach) for c, reach in read if c.name is None]
    if any(c.name is None for c, _ in whole):
        return None
    strange = next((c for c, reach in alone if reach is None), None)
    if strange is None:
        return None
    return f"{strange.digest.encoded[:12]} ({strange.field}) is not known, and need not be the same"


def _reach(lore: Lore, claim: Claimed, platform: Platform | None) -> Reach | None:
    """Return what a claim allows, None where its digest is not known, or is no image's."""
    node = lore.node(claim.digest)
    if node is None or node.kind not in ("config", "manifest", "index"):
        return None
    reach = lore.reach(claim.digest, platform)
    if not (reach.configs or reach.manifests):
        # None of its children suits the machine as it was observed; so that is not believed.
        reach = lore.reach(claim.digest)
    return reach


def _manifests(
    lore: Lore, configs: frozenset[Digest], claimed: list[Digest], platform: Platform | None
) -> frozenset[Digest]:
    """Return the manifests that may be running: of the configs, and below what was claimed."""
    of_configs = frozenset(m for config in configs for m in lore.parents(config, "config"))
    direct = of_configs & frozenset(claimed)
    if direct:
        return direct
    below = [lore.reach(digest, platform).manifests & of_configs for digest in claimed]
    named = frozenset[Digest]().union(*below)
    return named or of_configs


def _is_document(lore: Lore, digest: Digest) -> bool:
    node = lore.node(digest)
    return node is not None and node.kind in ("manifest", "index")


def _evidence(lore: Lore, claim: Claimed) -> str:
    node = lore.node(claim.digest)
    kind = "not known" if node is None else _KINDS[node.kind]
    where = f" of {claim.name}" if claim.name else ""
    return f"{claim.field}: {claim.digest}{where} is {kind}"


_KINDS = {
    "index": "an index",
    "manifest": "a manifest",
    "config": "a config",
    "layer": "a layer, which tells nothing here",
    "diff": "a diff ID, which tells nothing here",
    "blob": "a blob, which tells nothing here",
}
