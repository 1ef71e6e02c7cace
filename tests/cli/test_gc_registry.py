"""`killick gc` over the folder of a served registry, by its rules of retention."""

from datetime import timedelta

import pytest

import images
from cli_runner import run
from killick.moments import utc_now
from killick.names import Tag
from killick.repository import BLOB_TYPE, Cause
from killick.server.configuration import Configuration
from killick.store import Store
from stores import Clock

LEASE = Configuration().chores.lease
RULES = """
require_complete = true

[[immutable]]
tags = "v*"

[[retention]]
name = "nightlies"
tags = "nightly*"
history_keep_last = 1
tags_older_than = "30d"
"""


@pytest.fixture
def registry(tmp_path):
    """The folder of a registry whose tags moved in November 2025, and what they pointed to."""
    clock = Clock(Clock().now - timedelta(days=365))
    root = tmp_path / "registry"
    with Store(root, clock=clock, retention=None) as store:
        repository = store.repository("team/app")
        made = [images.image(repository, {"n": bytes([n])}) for n in range(4)]
        for tag in ("nightly", "stable", "v1"):
            for d in made if tag == "nightly" else made[:1]:
                repository.move(Tag(tag), d, Cause("pushed", "mate@deck"))
    (tmp_path / "serve.toml").write_text(RULES)
    return root, made


def test_a_rehearsal_says_what_would_go_and_by_which_rule(tmp_path, registry):
    root, made = registry
    where = ["--root", str(root), "--config", str(tmp_path / "serve.toml")]
    said = run("gc", *where, "--dry-run").out
    for n in (1, 0):
        assert (
            f"Would let go of the past of team/app:nightly, {made[n].digest}"
            " (rule nightlies: not among the last 1)" in said
        )
    assert (
        f"Would let go of tag team/app:nightly, at {made[3].digest}"
        " (rule nightlies: older than 30 days)" in said
    )
    assert "Reclaimable space: " in said
    with Store(root, retention=None) as store:
        assert len(list(store.repository("team/app").history())) == 6
        assert "nightly" in list(store.repository("team/app").tags())


def test_it_lets_go_and_collects(tmp_path, registry):
    root, made = registry
    where = ["--root", str(root), "--config", str(tmp_path / "serve.toml")]
    said = run("gc", *where).out
    assert f"Let go of tag team/app:nightly, at {made[3].digest}" in said
    later = Clock(Clock().now + timedelta(days=365))
    with Store(root, clock=later, retention=None, lease=LEASE) as store:
        repository = store.repository("team/app")
        assert sorted(repository.tags()) == ["stable", "v1"]
        newest = next(repository.history(Tag("nightly")))
        assert (newest.change, newest.cause.actor) == ("delete", "rule nightlies")
        gone = {d.digest for d in store.collect().removed}
        # What the tag had when it was deleted, and one before that, are its past from now on.
        assert [d.digest in gone for d in made] == [False, True, False, False]
        assert repository.complete(made[0])


def test_a_registry_keeps_its_history_where_no_rule_says_otherwise(registry):
    root, made = registry
    assert run("gc", "--root", root).status == 0
    with Store(root, retention=None) as store:
        assert all(store.repository("team/app").complete(d) for d in made)


def test_a_folder_that_is_not_there_is_no_registry(tmp_path):
    wrong = run("gc", "--root", tmp_path / "nothing")
    assert wrong.status == 2
    assert "is no registry's folder" in wrong.err


def test_settings_of_another_kind_are_refused(tmp_path):
    settings = tmp_path / "serve.toml"
    settings.write_text("store = true\n")
    wrong = run("gc", "--config", settings)
    assert wrong.status == 2
    assert "is about serving the local store" in wrong.err
    settings.write_text("[[retention]]\nname = 'x'\nrepositories = 'a*b*c*d*'\n")
    wrong = run("gc", "--config", settings)
    assert wrong.status == 2
    assert "repositories is no pattern" in wrong.err


def test_a_lease_that_the_registry_states_holds_for_others_who_collect(tmp_path, registry):
    root, _ = registry
    a_minute_ago = Clock(utc_now() - timedelta(minutes=1))
    with Store(root, clock=a_minute_ago, retention=None) as store:
        d = images.put(store.repository("team/app"), BLOB_TYPE, b"promised a minute ago")
    config = tmp_path / "lease.toml"
    for lease, stays in (("1h", True), ("10s", False)):
        config.write_text(f'[chores]\nlease = "{lease}"\n')
        run("gc", "--root", str(root), "--config", str(config))
        assert (root / "blobs" / "sha256" / d.digest.encoded).exists() is stays
