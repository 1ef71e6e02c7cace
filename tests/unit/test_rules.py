"""Patterns of repositories and of tags, and which rule decides."""

import time
from datetime import timedelta

import pytest

from killick.errors import UsageError
from killick.names import Tag
from killick.rules import Immutable, Retention, covering, deciding, fits_repository, fits_tag


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("**", ["a", "a/b/c"], []),
        ("*", ["a", "a-b"], ["a/b"]),
        ("team/*", ["team/app"], ["team", "team/a/b", "steam/app"]),
        ("team/**", ["team/app", "team/a/b"], ["team", "other/team/a"]),
        ("**/app", ["team/app", "a/b/app"], ["app", "team/apple"]),
        ("a.b", ["a.b"], ["axb", "a.b/c"]),
        ("library/golf*", ["library/golftrack", "library/golf"], ["library/golf/x"]),
    ],
)
def test_patterns_of_repositories(pattern, fitting, others):
    assert all(fits_repository(pattern, name) for name in fitting)
    assert not any(fits_repository(pattern, name) for name in others)


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*", ["1.5", "latest", "_x"], []),
        ("release-*", ["release-", "release-1"], ["prerelease-1", "release"]),
        ("latest", ["latest"], ["latest1"]),
        (
            "semver",
            ["1.5.0", "v1.5.0", "0.0.1", "1.5.0-rc.1", "10.20.30-alpine3.20", "1.0.0_build.5"],
            ["1.5", "1", "v1.5", "latest", "01.5.0", "1.5.0.1", "1.5.0rc1", "a1.5.0", "semver"],
        ),
    ],
)
def test_patterns_of_tags(pattern, fitting, others):
    assert all(fits_tag(pattern, Tag(tag)) for tag in fitting)
    assert not any(fits_tag(pattern, Tag(tag)) for tag in others)


@pytest.mark.parametrize("pattern", ["", "x" * 256, "*a" * 4])
def test_what_is_no_pattern(pattern):
    with pytest.raises(UsageError):
        Immutable(repositories=pattern)
    with pytest.raises(UsageError):
        Retention("r", tags=pattern)


def test_a_pattern_with_many_stars_is_quick():
    start = time.perf_counter()
    assert not fits_repository("**a**a**ab", "a" * 255)
    assert time.perf_counter() - start < 5


def test_by_default_semver_tags_of_all_repositories_are_covered():
    assert Immutable().covers("team/app", Tag("1.5.0"))
    assert str(Immutable()) == "semver in **"


def test_the_first_rule_that_covers_a_tag_decides():
    rules = (Immutable("team/**", "x*"), Immutable("**", "*"))
    assert covering(rules, "team/app", Tag("x1")) is rules[0]
    assert covering(rules, "other", Tag("x1")) is rules[1]
    assert covering((), "other", Tag("x1")) is None
    kept = Retention("keep releases", tags="semver")
    thin = Retention("thin", history_older_than=timedelta(days=1))
    assert deciding((kept, thin), "a", Tag("1.5.0")) is kept
    assert deciding((kept, thin), "a", Tag("1.5")) is thin
    assert (kept.ends_history, kept.ends_tags) == (False, False)
    assert (thin.ends_history, thin.ends_tags) == (True, False)
    assert Retention("t", tags_keep_last=3).ends_tags
