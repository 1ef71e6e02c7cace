"""The past of a registry's tags: as the registry tells it, else as it was seen from here."""

import json

import pytest

import images as make
from cli_runner import run
from killick.client import RemoteRegistry
from killick.names import Name, Tag
from killick.platforms import Platform
from killick.wire import tag_history
from killick.wire.extensions import LEDGER_EXTENSIONS, to_json
from local_store import observe
from lying import Honest, Reply, Site


def build(text):
    return lambda repository: make.image(repository, {"app": text}, Platform.host())


@pytest.fixture
def name(host, request):
    """The name of a repository of this test's own in the registry."""
    return f"{host}/team/{request.node.name.split('[')[0]}"


@pytest.fixture
def moved(name):
    """The digests that 1.5 had in the registry, oldest first."""
    parsed = Name.parse(name)
    digests = []
    with RemoteRegistry(parsed.domain) as registry:
        repository = registry.repository(parsed.path)
        for text in (b"one", b"two", b"three"):
            d = build(text)(repository)
            repository.tag(Tag("1.5"), d)
            digests.append(str(d.digest))
    return digests


@pytest.fixture
def plain():
    """A registry without any history, whose a/b:1.5 moved once; we saw both places."""
    honest = Honest()
    made = [build(text)(honest.repository()) for text in (b"one", b"two")]
    with Site(honest) as site:
        for d in made:
            honest.repository().tag(Tag("1.5"), d)
            observe(d, f"{site.domain}/a/b", "1.5", origin=site.domain)
        yield f"{site.domain}/a/b", [str(d.digest) for d in made]


def test_log_of_the_registry(name, moved):
    rows = [json.loads(line) for line in run("log", "--remote", "--json", f"{name}:1.5").lines]
    assert [row["digest"] for row in rows] == moved[::-1]
    assert [row["previous"] for row in rows] == [moved[1], moved[0], None]
    for row in rows:
        assert (row["kind"], row["authoritative"]) == ("pushed", True)
        assert (row["actor"], row["repository"]) == ("anonymous@127.0.0.1", name)
    _, newest = run("log", "--remote", "-n", "1", name).lines
    assert newest.split()[-3:] == ["pushed", "anonymous@127.0.0.1", "authoritative"]


def test_log_of_what_the_registry_never_had_is_not_found(name, moved):
    assert run("log", "--remote", f"{name}:none").status == 4
    assert run("log", "--remote", "--observed", name).status == 2


def test_log_of_a_registry_without_history_points_at_what_was_seen(plain):
    name, digests = plain
    ran = run("log", "--remote", f"{name}:1.5")
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "does not announce that it tells the history of its tags" in ran.err
    assert f"killick log --observed {name}:1.5" in ran.err
    seen = [json.loads(line) for line in run("log", "--observed", "--json", name).lines]
    assert [row["digest"] for row in seen] == digests[::-1]


@pytest.mark.parametrize("back", [0, 1, 2])
def test_time_travel_goes_by_the_registrys_own_history(name, moved, back, host):
    ran = run("digest", f"{name}:1.5~{back}")
    assert ran.out == f"{moved[2 - back]}\n"
    assert f"by the history that {host} keeps" in ran.err
    assert run("manifest", f"{name}:1.5~{back}").status == 0
    pulled = run("pull", "-q", f"{name}:1.5~{back}")
    assert pulled.out == f"{name}@{moved[2 - back]}\n"


def test_time_travel_to_a_moment(name, moved, tmp_path):
    rows = [json.loads(line) for line in run("log", "--remote", "--json", name).lines]
    moment = rows[1]["time"]
    assert run("digest", f"{name}:1.5@{{{moment}}}").out == f"{moved[1]}\n"
    copied = run("cp", f"{name}:1.5@{{{moment}}}", f"oci:{tmp_path}/out:then")
    assert copied.status == 0
    assert moved[1] in copied.out
    before = run("digest", f"{name}:1.5@{{2020-01-01}}")
    assert before.status == 4
    assert "killick log --remote" in before.err


def test_what_the_registry_does_not_tell_is_not_made_up(name, moved, host):
    observe(make_descriptor(moved[0]), name, "1.5", origin=host)
    assert run("digest", f"{name}:1.5~3").status == 4


def make_descriptor(digest):
    return make.Descriptor(make.OCI_MANIFEST, make.Digest.parse(digest), 3)


@pytest.mark.parametrize(
    "words", [("digest",), ("pull", "-q"), ("manifest",), ("inspect", "--remote")]
)
def test_without_the_registrys_history_the_observed_one_counts(plain, words):
    name, digests = plain
    ran = run(*words, f"{name}:1.5~1")
    assert ran.status == 0
    assert f"{digests[0]}, by the history that this machine observed" in ran.err
    unknown = run(*words, f"{name}:1.5~7")
    assert unknown.status == 4
    assert "killick log --observed" in unknown.err


def test_rollback_in_the_registry(name, moved):
    ran = run("rollback", "--remote", f"{name}:1.5")
    assert ran.out == f"{name}:1.5 rolled back: {moved[2]} → {moved[1]}\n"
    assert run("digest", f"{name}:1.5").out == f"{moved[1]}\n"
    newest = json.loads(run("log", "--remote", "--json", name).lines[0])
    assert (newest["kind"], newest["previous"]) == ("rolled-back", moved[2])
    assert run("rollback", "--remote", f"{name}:1.5", "--to", moved[0]).status == 0
    again = run("rollback", "--remote", f"{name}:1.5", "--to", moved[0])
    assert again.out == f"{name}:1.5 already points to {moved[0]}\n"
    assert run("rollback", "--remote", f"{name}:1.5", "--to", "~2").status == 0
    assert run("digest", f"{name}:1.5").out == f"{moved[2]}\n"
    assert run("log", name).status == 4


def test_rollback_in_the_registry_to_what_never_was(name, moved):
    for goal in ("~9", "sha256:" + "0" * 64):
        assert run("rollback", "--remote", f"{name}:1.5", "--to", goal).status == 4
    assert run("rollback", "--remote", f"{name}:none").status == 4
    assert run("digest", f"{name}:1.5").out == f"{moved[2]}\n"


def test_rollback_needs_a_registry_that_announces_it(plain):
    name, digests = plain
    ran = run("rollback", "--remote", f"{name}:1.5")
    assert ran.status == 1
    assert "does not announce compare-and-swap" in ran.err
    assert run("digest", f"{name}:1.5").out == f"{digests[1]}\n"


def test_a_registry_that_knows_the_oci_history_alone():
    honest = Honest()
    made = [build(text)(honest.repository()) for text in (b"one", b"two")]
    for d in made:
        honest.repository().tag(Tag("1.5"), d)

    def lie(seen, _):
        if seen.path == "/v2/_oci/ext/discover":
            return Reply(200, json.dumps(to_json(LEDGER_EXTENSIONS[:1])).encode())
        if seen.path == "/v2/a/b/_oci/tag-history/1.5":
            told = tag_history.events(honest.repository().history(Tag("1.5")))
            return Reply(200, json.dumps(tag_history.to_json(told)).encode())
        return None

    honest.lie = lie
    with Site(honest) as site:
        name = f"{site.domain}/a/b"
        assert run("digest", f"{name}:1.5~1").out == f"{made[0].digest}\n"
        (newest, _) = [json.loads(x) for x in run("log", "--remote", "--json", f"{name}:1.5").lines]
        assert (newest["kind"], newest["actor"]) == ("pushed", None)
        assert newest["previous"] == str(made[0].digest)
        assert run("log", "--remote", name).status == 1
        assert run("rollback", "--remote", f"{name}:1.5").status == 1
