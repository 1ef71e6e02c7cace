"""Single cases of the judgement: the golftrack story, and what tools get wrong about it."""

from dataclasses import replace

import pytest

from fleets import AMD64, ARM64, NAME, NOBODY, OTHER, START, TAG, World, container, snapshot
from killick.digest import Digest
from killick.fleet.derived import Bases
from killick.fleet.lore import Lore
from killick.fleet.next_step import next_steps
from killick.fleet.past import Held
from killick.fleet.running import Finder, find
from killick.fleet.where import where
from killick.fleet.words import read
from killick.manifest import BASE_DIGEST
from killick.names import Name, Tag
from killick.observation import Snapshot, Workload

STRANGE = Digest.of(b"nobody knows me")


class Story(World):
    """1.5 moved from `old` to `new`: indexes for two platforms. All is known."""

    def __init__(self, *, keep_arm64=False):
        super().__init__()
        made = self.images
        self.old_configs = [made.config("old", p) for p in (AMD64, ARM64)]
        self.new_configs = [made.config("new", AMD64), made.config("new", ARM64)]
        if keep_arm64:
            self.new_configs[1] = self.old_configs[1]
        self.old = self._index(self.old_configs, "old")
        self.new = self._index(self.new_configs, "new")
        made.teach(self.registry)
        self.move(self.old)
        self.move(self.new)

    def _index(self, configs, note):
        made = self.images
        children = [(made.manifest(c), made.configs[c][1]) for c in configs]
        attestation = made.manifest(made.config(f"{note} attested", NOBODY), "in-toto")
        return made.index([*children, (attestation, NOBODY)], note)


@pytest.fixture
def story():
    return Story()


def status(world, *claims, **more):
    verdict = world.judge(container(*claims, **more))
    return verdict.status, verdict.confidence


def test_an_image_id_leads_to_the_tags_digest(story):
    verdict = story.judge(container(story.old_configs[0]))
    assert (verdict.status, verdict.behind_by, verdict.confidence) == ("behind", 1, "derived")
    assert verdict.digest == story.old


def test_the_digest_of_the_index_is_exact(story):
    assert status(story, f"{NAME}@{story.new}") == ("current", "exact")


def test_words_alone_are_an_inference(story):
    found = container(image=f"{NAME}@{story.old}")
    assert story.judge(found).confidence == "inferred"
    assert story.judge(found).status == "behind"


def test_words_do_not_overrule_what_the_engine_tells(story):
    wish = ("spec.image", f"{NAME}@{story.new}")
    found = container(wish, ("status.imageID", f"{NAME}@{story.old}"), image=wish[1])
    assert status(story, wish, ("status.imageID", f"{NAME}@{story.old}"), image=wish[1]) == (
        "behind",
        "exact",
    )
    assert story.judge(found).digest == story.old


def test_digests_that_contradict_each_other_are_unknown(story):
    assert status(story, story.old_configs[0], story.new_configs[0])[0] == "unknown"


def test_what_one_digest_leaves_open_another_one_settles(story):
    claims = (f"{NAME}@{story.old}", story.old_configs[1])
    assert story.judge(container(*claims, platform=None)).config == story.old_configs[1]
    assert story.judge(container(claims[0], platform=None)).config is None


def test_contradicting_digests_leave_no_candidates(story):
    running = find(
        story.view().lore,
        read(container(f"{NAME}@{story.old}", story.new_configs[0])),
        AMD64,
    )
    assert (running.configs, running.manifests) == (frozenset(), frozenset())
    assert running.doubt == "its digests contradict each other"


def test_a_stale_name_beside_an_unknown_id_is_not_believed(story):
    assert status(story, STRANGE, f"{NAME}@{story.new}")[0] == "unknown"


def test_no_digest_is_unknown(story):
    assert status(story) == ("unknown", "unknown")


def test_a_fix_that_left_this_platform_alone_is_none():
    story = Story(keep_arm64=True)
    claim = f"{NAME}@{story.old}"
    assert status(story, claim, platform=ARM64) == ("unchanged-here", "exact")
    assert status(story, claim, platform=AMD64) == ("behind", "exact")
    story.say(story.old, "affected")
    story.say(story.new, "fixed")
    verdict = story.judge(container(claim, platform=ARM64))
    assert (verdict.status, verdict.is_affected) == ("unchanged-here", True)
    assert verdict.words == "unchanged-here CVE-2026-1"
    assert story.judge(container(claim, platform=AMD64)).words == "affected CVE-2026-1"


def test_without_a_platform_all_candidates_must_agree():
    story = Story(keep_arm64=True)
    story.say(story.images.documents[story.old].children()[0].digest, "affected")
    found = container(f"{NAME}@{story.old}", platform=None)
    assert story.judge(found).status == "unknown"


def test_one_of_two_candidates_that_the_tag_still_has_leaves_it_unknown():
    """An index may list two images for one platform; which of them runs is not told."""
    world = World()
    made = world.images
    first, second = (made.manifest(made.config(label, AMD64)) for label in ("first", "second"))
    both = made.index([(first, AMD64), (second, AMD64)])
    made.teach(world.registry)
    world.move(both)
    world.move(first)
    assert status(world, f"{NAME}@{both}") == ("unknown", "exact")
    assert status(world, f"{NAME}@{both}", second) == ("behind", "exact")
    assert status(world, f"{NAME}@{both}", first) == ("current", "exact")


def test_a_mirror_that_compresses_anew_runs_the_same(story):
    mirrored = story.images.manifest(story.old_configs[0], "zstd")
    story.images.teach(story.registry)
    story.say(story.old, "affected")
    verdict = story.judge(container(f"{OTHER}@{mirrored}", image=f"{OTHER}:1.5"))
    assert (verdict.status, verdict.digest) == ("affected", story.old)
    assert verdict.confidence == "derived"


def test_another_build_under_the_same_tag(story):
    third = story.images.manifest(story.images.config("third", AMD64))
    story.images.teach(story.registry)
    assert status(story, third)[0] == "third-build"


def test_a_tag_that_was_rolled_back_is_current_again(story):
    story.move(story.old)
    assert status(story, story.old_configs[0])[0] == "current"
    verdict = story.judge(container(story.new_configs[0]))
    assert (verdict.status, verdict.behind_by) == ("behind", 1)


def test_a_tag_that_is_gone_has_no_present(story):
    story.move(None)
    assert story.judge(container(story.new_configs[0])).behind_by == 1
    assert story.past().present is None


def test_what_was_never_learned_may_be_it():
    story = Story()
    blank = World()
    blank.images = story.images
    story.images.teach(blank.registry, without={story.old})
    blank.move(story.old)
    blank.move(story.new)
    assert status(blank, story.old_configs[0])[0] == "unknown"
    assert status(blank, f"{NAME}@{story.old}") == ("behind", "exact")


def test_a_flagged_digest_is_known_again_where_nothing_else_is():
    world = World()
    gone = world.images.manifest(world.images.config("gone", AMD64))
    world.say(gone, "affected")
    assert status(world, STRANGE, f"{NAME}@{gone}")[0] == "affected"


def test_the_latest_statement_about_an_image_counts(story):
    story.say(story.old, "affected")
    story.say(story.old, "not_affected")
    verdict = story.judge(container(story.old_configs[0]))
    assert (verdict.status, [f.status for f in verdict.findings]) == ("behind", ["not_affected"])


def test_what_is_said_of_a_platforms_own_image_counts_more(story):
    story.say(story.old, "affected")
    story.say(story.images.documents[story.old].children()[1].digest, "not_affected")
    claim = f"{NAME}@{story.old}"
    assert status(story, claim, platform=ARM64)[0] == "behind"
    assert status(story, claim, platform=AMD64)[0] == "affected"


def test_a_repository_speaks_of_its_own_images_only(story):
    story.say(story.old, "affected")
    story.say(story.old, "not_affected", source=f"registry:{OTHER}")
    assert status(story, story.old_configs[0])[0] == "affected"
    story.say(story.old, "not_affected", source=f"registry:{NAME}")
    assert status(story, story.old_configs[0])[0] == "behind"


def report(world, *containers, derived=False, **more):
    view = world.view()
    past = world.past()
    bases = Bases(view.lore, [held.digest for held in past.held]) if derived else None
    return where(view, past, [snapshot(*containers, **more)], bases)


def test_where_puts_everyone_in_a_place(story):
    third = story.images.manifest(story.images.config("third", AMD64))
    story.images.teach(story.registry)
    story.move(third, tag=Tag("1.4"))
    found = report(
        story,
        container(story.old_configs[0], name="old"),
        container(story.old_configs[0], name="by-id", image=story.old_configs[0].encoded[:12]),
        container(f"{NAME}@{story.new}", name="new"),
        container(third, name="third"),
        container(third, name="other-tag", image=f"{NAME}:1.4"),
        container(name="mute"),
        container(STRANGE, name="nameless", image=str(STRANGE)),
        container(STRANGE, name="redis", image="redis:7"),
    )
    rows = [[j.seen.container.name for j in row.containers] for row in found.rows]
    assert rows == [["new"], ["by-id", "old"], ["third"]]
    assert [row.held.back for row in found.rows] == [0, 1, None]
    assert [j.seen.container.name for j in found.unplaced] == ["other-tag"]
    assert [j.verdict.status for j in found.unplaced] == ["current"]
    assert [j.seen.container.name for j in found.unknown] == ["mute", "nameless"]
    assert found.summary == {"unknown": 2, "third-build": 1, "behind": 2, "current": 2}


def test_where_tells_of_engines_that_failed(story):
    dead = Snapshot("web2", "docker", story.now, failure="no answer")
    found = where(story.view(), story.past(), [dead], None)
    assert [s.host for s in found.failed] == ["web2"]


def test_images_built_on_it_are_found_by_their_layers(story):
    made = story.images
    layers = ("base", "app")
    app = made.manifest(made.config("app", AMD64, layers), layers=layers)
    says = made.manifest(
        made.config("says", AMD64, ("else",)),
        layers=("else",),
        annotations={BASE_DIGEST: str(story.old)},
    )
    stranger = made.manifest(made.config("stranger", AMD64, ("x", "base")), layers=("x", "base"))
    made.teach(story.registry)
    found = report(
        story,
        *(
            container(digest, name=name, image="shop:1")
            for name, digest in (("app", app), ("says", says), ("stranger", stranger))
        ),
        derived=True,
    )
    assert [j.seen.container.name for j in found.derived] == ["app", "says"]
    assert [set(j.bases) for j in found.derived] == [{story.old, story.new}, {story.old}]


def test_an_image_without_layers_is_no_base(story):
    made = story.images
    empty = made.manifest(made.config("empty", AMD64, ()), layers=())
    app = made.manifest(made.config("app", AMD64, ("a",)), layers=("a",))
    made.teach(story.registry)
    story.move(empty)
    assert report(story, container(app, image="shop:1"), derived=True).derived == ()


@pytest.mark.parametrize(
    ("engine", "more", "words"),
    [
        ("docker", {}, "a bare `docker restart` runs the old image"),
        ("podman", {}, "a bare `podman restart` runs the old image"),
        ("docker", {"workload": Workload("compose", "web", "shop")}, "`docker compose pull`"),
        ("podman", {"workload": Workload("systemd", "web.service")}, "`systemctl restart UNIT`"),
        ("docker", {"workload": Workload("swarm", "web")}, "`docker service update"),
        (
            "kubernetes",
            {"workload": Workload("Deployment", "web", "shop"), "pulls": "Always"},
            "`kubectl rollout restart` pulls",
        ),
        (
            "kubernetes",
            {"workload": Workload("Deployment", "web", "shop"), "pulls": "IfNotPresent"},
            "runs the old image on nodes that have it",
        ),
        ("kubernetes", {"workload": Workload("Pod", "web"), "pulls": "Always"}, "delete them"),
        ("kubernetes", {"workload": Workload("Pod", "web")}, "make them anew with"),
        ("containerd", {}, "whoever made the pod"),
        ("inventory", {}, "what a bare restart would run is not known"),
        ("docker", {"image": f"{NAME}@{STRANGE}"}, "pinned by digest"),
    ],
)
def test_what_to_do_next(story, engine, more, words):
    found = container(story.old_configs[0], **more)
    (sentence,) = next_steps(report(story, found, engine=engine))
    assert words in sentence
    assert sentence.startswith(engine)


def test_nothing_is_to_be_done_where_all_run_the_present(story):
    assert next_steps(report(story, container(story.new_configs[0]))) == []


def test_a_tag_that_points_to_the_affected_image_is_no_cure(story):
    story.say(story.new, "affected")
    found = container(story.new_configs[0])
    assert next_steps(report(story, found)) == [
        "no digest of this tag is known that is not affected: build and push one first"
    ]
    story.say(story.old, "fixed")
    (sentence,) = next_steps(report(story, found))
    assert "the tag does not point to the fix" in sentence
    assert str(story.old) in sentence


def test_a_fix_that_changed_nothing_here_has_to_be_made_anew():
    story = Story(keep_arm64=True)
    story.say(story.old, "affected")
    story.say(story.new, "fixed")
    (sentence,) = next_steps(report(story, container(story.old_configs[1], platform=ARM64)))
    assert "rebuild it first" in sentence


def test_local_names_have_a_past_too():
    world = World()
    made = world.images
    old, new = (made.manifest(made.config(text, AMD64)) for text in ("old", "new"))
    made.teach(world.registry)
    for digest in (old, new):
        world.move(digest, origin="elsewhere")  # another series says nothing
    assert world.past().held == ()
    verdict = world.judge(container(old))
    assert verdict.status == "unknown"


def test_what_a_container_of_a_digest_or_an_id_is_called(story):
    view = story.view()
    found = container(story.old_configs[0], image=story.old_configs[0].encoded)
    judged = view.by_its_own_tag(view.look(snapshot(found), found))
    assert judged.tags == (f"{NAME.familiar}:{TAG}~1",)
    assert (judged.verdict.status, judged.verdict.behind_by) == ("behind", 1)
    named = replace(found, image=f"{NAME}@{story.old}")
    judged = view.by_its_own_tag(view.look(snapshot(named), named))
    assert judged.tags == (f"{TAG}~1",)


def test_a_tag_nobody_recorded_leaves_it_unknown(story):
    view = story.view()
    found = container(story.old_configs[0], image=f"{Name.parse('shop')}:9")
    assert view.by_its_own_tag(view.look(snapshot(found), found)).verdict.status == "unknown"


def test_a_newer_digest_that_nobody_looked_at_may_be_it_as_well(story):
    """A config alone does not say by which index it came, and one of these was never seen."""
    later = story.images.index([(story.images.manifest(story.old_configs[0]), AMD64)], "later")
    story.move(later)
    verdict = story.judge(container(story.old_configs[0]))
    assert (verdict.status, verdict.held.digest, verdict.behind_by) == ("unknown", story.old, None)
    assert status(story, story.old, story.old_configs[0]) == ("behind", "exact")


def test_what_only_a_local_name_had_is_behind_nothing():
    world = World()
    made = world.images
    mine, theirs = (made.manifest(made.config(label, AMD64)) for label in ("mine", "theirs"))
    made.teach(world.registry)
    world.move(theirs)
    beside = Held(mine, START, None, "local", None)
    past = replace(world.past(), held=(*world.past().held, beside))
    view, found = world.view(), container(mine)
    verdict = view.against(view.look(snapshot(found), found), past).verdict
    assert (verdict.status, verdict.behind_by) == ("third-build", None)
    assert verdict.held.source == "local"


def test_one_vulnerability_that_is_open_outweighs_another_that_is_fixed(story):
    story.say(story.old, "fixed", "CVE-2026-1")
    story.say(story.old, "affected", "CVE-2026-2")
    verdict = story.judge(container(story.old))
    assert (verdict.status, verdict.words) == ("affected", "affected CVE-2026-2")


def test_of_several_images_that_it_may_have_come_by_none_is_named(story):
    made = story.images
    config = made.config("elsewhere", AMD64)
    manifest = made.manifest(config)
    one, two = (made.index([(manifest, AMD64)], note) for note in ("one", "two"))
    made.teach(story.registry)
    for claimed in ([config], [one, two], [config, one, two]):
        verdict = story.judge(container(*claimed))
        assert (verdict.status, verdict.digest, verdict.config) == ("third-build", None, config)
    assert story.judge(container(config, one)).digest == one


def test_what_was_found_is_forgotten_when_something_is_learned(story):
    lore = Lore(story.registry)
    finder, made = Finder(lore), story.images
    config = made.config("later", AMD64)
    manifest = made.manifest(config)
    words = read(container(manifest))
    assert finder.find(words, AMD64).config is None
    made.teach(story.registry)
    assert finder.find(words, AMD64).config is None  # nobody has said that there is more to know
    lore.forget()
    assert finder.find(words, AMD64).config == config
