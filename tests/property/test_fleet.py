"""For all fleets: what is said of a container is right, or unknown; never wrong."""

from hypothesis import given, note
from hypothesis import strategies as st

from fleets import AMD64, ARM64, NAME, NOBODY, OTHER, TAG, World, container
from killick.digest import Digest

VULNERABILITY = "CVE-2026-1"
STRANGE = Digest.of(b"a digest that nobody knows")


class Made:
    """A world made by dice: images that share configs, manifests and children; a past; words."""

    def __init__(self, dice):
        self.dice = dice
        self.world = World()
        self.images = self.world.images
        self._build()
        self.series = self._past()
        self.said = self._statements()
        self.hidden = self._teach()

    def _build(self):
        dice, images = self.dice, self.images
        platforms = [dice.choice((AMD64, ARM64)) for _ in range(dice.randint(2, 6))]
        configs = [images.config(f"{n}", p) for n, p in enumerate(platforms)]
        manifests = [images.manifest(c) for c in configs]
        manifests += [
            images.manifest(c, "zstd") for c in configs if dice.random() < 0.4
        ]  # mirrors that compress anew
        attestation = images.manifest(images.config("attestation", NOBODY), "in-toto")
        indexes = []
        for number in range(dice.randint(1, 5)):
            chosen = dice.sample(manifests, dice.randint(1, min(3, len(manifests))))
            children = [(m, images.configs[images.manifests[m]][1]) for m in chosen]
            if dice.random() < 0.3:
                children.append((attestation, NOBODY))
            indexes.append(images.index(children, f"{number}"))
        self.manifests = manifests
        self.roots = indexes + manifests

    def _past(self):
        """Move the tag about; return the distinct digests, newest first, as it was recorded."""
        moves = [self.dice.choice(self.roots) for _ in range(self.dice.randint(1, 6))]
        for digest in moves:
            self.world.move(digest, authoritative=self.dice.random() < 0.5)
        return list(dict.fromkeys(reversed(moves)))

    def _statements(self):
        """Say things of some images, the later ones last."""
        said = {}
        for _ in range(self.dice.randint(0, 3)):
            digest = self.dice.choice(self.roots)
            status = self.dice.choice(("affected", "fixed", "not_affected", "affected"))
            self.world.say(digest, status, VULNERABILITY)
            said[digest] = status
        return said

    def _teach(self):
        known = [*self.images.documents, *self.images.configs]
        share = self.dice.choice((0, 0, 0.2, 0.6))
        hidden = {d for d in known if self.dice.random() < share}
        self.images.teach(self.world.registry, without=hidden)
        return hidden

    def container(self):
        """Return a container, and the config that it truly runs."""
        dice, images = self.dice, self.images
        root = dice.choice(self.roots)
        listed = images.documents[root].children()
        manifest = root
        if root not in images.manifests:
            own = [d.digest for d in listed if d.platform and d.platform.os != "unknown"]
            manifest = dice.choice(own)
        config = images.manifests[manifest]
        platform = images.configs[config][1]
        if root not in images.manifests:
            # An engine takes what suits it best: of two for one platform, the first.
            manifest = next(d.digest for d in listed if d.platform == platform)
            config = images.manifests[manifest]
        words = self._words(root, manifest, config)
        observed = platform if dice.random() < 0.8 else None
        image = dice.choice((f"{NAME}:{TAG}", f"{NAME}@{root}", config.encoded[:12], "app:1"))
        return container(*words, image=image, platform=observed), config

    def _words(self, root, manifest, config):
        """Return the digests that an engine tells, in the manner of one of them."""
        place = self.dice.choice((NAME, OTHER))
        manners = {
            "graph driver": [config, f"{place}@{root}"],
            "graph driver, names lost": [config],
            "containerd store": [root, manifest],
            "podman": [config.encoded, root, f"{NAME}@{manifest}", f"{OTHER}@{root}"],
            "cri": [f"docker-pullable://{place}@{root}"],
            "cri, fallen back": [f"docker://{config}"],
            "cri, both": [f"{place}@{root}", config],
            "nothing": [],
            "something else": [STRANGE],
            "stale name": [STRANGE, f"{NAME}@{self.dice.choice(self.roots)}"],
        }
        manner = self.dice.choice(sorted(manners))
        note(f"in the manner of {manner}")
        self.lies = manner in ("something else", "stale name")
        return manners[manner]


@given(st.randoms(use_true_random=False))
def test_the_tag_is_told_right_or_not_at_all(dice):
    made = Made(dice)
    found, config = made.container()
    verdict = made.world.judge(found)
    note(f"{found}\nruns {config}: {verdict}")
    holds = made.images.holds
    if made.lies:
        # Where nothing is known of either digest, an engine is believed that names both of one.
        assert verdict.status == "unknown" or made.hidden
        return
    if verdict.config is not None:
        assert verdict.config == config
    if verdict.manifest is not None:
        assert holds[verdict.manifest] == {config}
    if verdict.digest is not None:
        assert config in holds[verdict.digest]
    holding = [digest for digest in made.series if config in holds[digest]]
    by_tag = verdict.status if not verdict.findings else None
    if by_tag == "current":
        assert config in holds[made.series[0]]
    elif by_tag == "unchanged-here":
        assert config in holds[made.series[0]]
        assert verdict.held.digest in holding
    elif by_tag == "behind":
        assert made.series[verdict.behind_by] in holding
        if not made.hidden:
            assert config not in holds[made.series[0]]
        if verdict.confidence == "derived":
            assert made.series[verdict.behind_by] == holding[0]
    elif by_tag == "third-build":
        assert not holding


@given(st.randoms(use_true_random=False))
def test_with_all_known_nothing_is_left_open(dice):
    made = Made(dice)
    made.images.teach(made.world.registry)
    found, config = made.container()
    verdict = made.world.judge(found)
    note(f"{found}\nruns {config}: {verdict}")
    if made.lies or not found.claims:
        return
    if len({config for _, config in _candidates(made, found)}) == 1:
        assert verdict.config == config
        assert verdict.status != "unknown" or any(not f.certain for f in verdict.findings)


@given(st.randoms(use_true_random=False))
def test_what_a_later_index_still_holds_is_unchanged_here(dice):
    """Rebuilt is one platform, and the other's image is listed again: as it is, or packed anew."""
    world = World()
    images = world.images
    kept = images.config("kept", AMD64)
    manifest = images.manifest(kept)
    again = images.manifest(kept, "zstd") if dice.random() < 0.5 else manifest
    indexes = [
        images.index([(m, AMD64), (images.manifest(images.config(note, ARM64)), ARM64)], note)
        for m, note in ((manifest, "old"), (again, "new"))
    ]
    between = [
        images.manifest(images.config(f"other {n}", AMD64)) for n in range(dice.randint(0, 3))
    ]
    images.teach(world.registry)
    for digest in (indexes[0], *between, indexes[1]):
        world.move(digest)
    old, new = indexes
    told = dice.choice(([old], [f"{NAME}@{old}", kept], [old, manifest], [kept, manifest, old]))
    verdict = world.judge(container(*told))
    assert (verdict.status, verdict.held.digest) == ("unchanged-here", old)
    assert (verdict.behind_by, verdict.config) == (len(between) + 1, kept)
    # Who tells the new one, or nothing that tells the two apart, runs what the tag points to.
    for told in ([new], [f"{NAME}@{new}", kept], [kept]):
        verdict = world.judge(container(*told))
        assert (verdict.status, verdict.held.digest, verdict.behind_by) == ("current", new, 0)
    # Of the platform that was rebuilt, the old one is behind.
    verdict = world.judge(container(old, platform=ARM64))
    assert (verdict.status, verdict.behind_by) == ("behind", len(between) + 1)


def _candidates(made, found):
    """Yield the images that the words of a container allow, by its own platform or any."""
    for claim in found.claims:
        text = claim.value.rpartition("@")[2].removeprefix("docker://")
        digest = Digest.parse(text if ":" in text else f"sha256:{text}")
        for config in made.images.holds.get(digest, ()):
            platform = made.images.configs[config][1]
            if found.platform in (None, platform):
                yield digest, config


@given(st.randoms(use_true_random=False))
def test_statements_are_brought_to_what_they_cover(dice):
    made = Made(dice)
    found, config = made.container()
    verdict = made.world.judge(found)
    expected = expect(made, config)
    note(f"{found}\nruns {config}: {verdict}\n{expected} by {made.said}")
    if made.lies or verdict.config is None:
        return
    unseen = any(d in made.hidden or _hides(made, d) for d in made.said)
    says = {f.status for f in verdict.findings} or {None}
    if not unseen:
        assert says == {expected if expected != "unchanged" else "affected"}
        if expected == "unchanged":
            assert verdict.status == "unchanged-here"
    elif verdict.status == "affected":
        assert "affected" in {made.said[d] for d in made.said if config in made.images.holds[d]}
    elif verdict.status == "fixed":
        assert "fixed" in {made.said[d] for d in made.said if config in made.images.holds[d]}


def _hides(made, digest):
    return any(child.digest in made.hidden for child in made.images.documents[digest].children())


def expect(made, config):
    """Return what is said of a config, by the rules of docs/where.md and the truth."""
    covering = {d: s for d, s in made.said.items() if config in made.images.holds[d]}
    near = {s for d, s in covering.items() if d in made.images.manifests} or set(covering.values())
    excused = "not_affected" in near and "affected" not in near
    if {"affected", "fixed"} <= set(covering.values()) and not excused:
        return "unchanged"
    return next((s for s in ("affected", "fixed", "not_affected") if s in near), None)
