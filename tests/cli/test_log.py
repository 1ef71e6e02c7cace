"""`killick log`: every move of every tag, newest first."""

import json

import pytest

import images as make
from cli_runner import run
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import Cause
from local_store import ACTOR, keep, local_store, observe


def build(text):
    return lambda repository: make.image(repository, {"app": text}, Platform.host())


@pytest.fixture
def moves():
    """Two images of `golftrack:1.5`, one of `1.6`, and `1.5` deleted in the end."""
    digests = [keep(build(text)).digest for text in (b"one", b"two")]
    digests.append(keep(build(b"three"), tag="1.6", kind="tagged").digest)
    with local_store() as store:
        repository = store.repository("docker.io/library/golftrack")
        repository.move(Tag("1.5"), None, Cause("deleted", ACTOR))
    return digests


def test_log_is_newest_first_and_says_how_and_who(moves):
    heading, *rows = run("log", "golftrack").lines
    assert heading.split() == ["TIME", "TAG", "DIGEST", "WAS", "HOW", "WHO", "SOURCE"]
    one, two, three = (digest.short for digest in moves)
    assert [row.split()[1:] for row in rows] == [
        ["1.5", "-", two, "deleted", ACTOR, "authoritative"],
        ["1.6", three, "-", "tagged", ACTOR, "authoritative"],
        ["1.5", two, one, "pulled", ACTOR, "authoritative"],
        ["1.5", one, "-", "pulled", ACTOR, "authoritative"],
    ]


def test_log_of_one_tag_and_at_most_n(moves):
    assert len(run("log", "golftrack:1.5").lines) == 4
    assert len(run("log", "-n", "1", "golftrack:1.5").lines) == 2
    assert len(run("log", "-n", "0", "golftrack").lines) == 1
    assert str(moves[0]) in run("log", "--no-trunc", "golftrack:1.5").out


def test_log_since_a_moment(moves):
    assert len(run("log", "--since", "1h", "golftrack").lines) == 5
    assert len(run("log", "--since", "2126-01-01", "golftrack").lines) == 1
    assert run("log", "--since", "soon", "golftrack").status == 2


def test_log_as_json(moves):
    rows = [json.loads(line) for line in run("log", "golftrack:1.5", "--json").lines]
    assert [row["kind"] for row in rows] == ["deleted", "pulled", "pulled"]
    assert rows[0]["digest"] is None
    assert rows[0]["previous"] == rows[1]["digest"] == str(moves[1])
    assert rows[2]["previous"] is None
    for row in rows:
        assert row["repository"] == "golftrack"
        assert row["tag"] == "1.5"
        assert row["actor"] == ACTOR
        assert row["authoritative"] is True
        assert row["time"].endswith("Z")


def test_log_by_template(moves):
    form = "{{.Repository}}:{{.Tag}} {{.Kind}}"
    assert run("log", "--format", form, "-n", "1", "golftrack").lines == ["golftrack:1.5 deleted"]


def test_what_was_observed_of_a_registry_is_a_series_of_its_own():
    d = keep(build(b"one"))
    observe(d, "golftrack", "1.5", origin="docker.io")
    (row,) = run("log", "--observed", "--json", "golftrack:1.5").lines
    found = json.loads(row)
    assert (found["kind"], found["authoritative"]) == ("observed", False)
    assert run("log", "--observed", "golftrack").lines[1].split()[-1] == "observed"
    assert json.loads(run("log", "--json", "golftrack").lines[0])["kind"] == "pulled"


def test_log_of_nothing_is_not_found():
    ran = run("log", "golftrack")
    assert ran.status == 4
    assert ran.out == ""
    assert run("log", "--remote", "golftrack").status == 1
    assert run("log", "golftrack:1.5~1").status == 2


def test_what_was_removed_is_said_to_be():
    d = keep(build(b"to be removed"), tag="gone")
    with local_store() as store:
        store.repository("docker.io/library/golftrack").delete(d)
    told = run("log", "golftrack:gone")
    assert "pulled (content removed)" in told.out
    documents = [json.loads(line) for line in run("log", "golftrack:gone", "--json").lines]
    assert [(one["change"], one["content"]) for one in documents] == [
        ("delete", None),
        ("create", "removed"),
    ]
    assert not any(one["overriding"] for one in documents)
