"""A registry whose ledger does not go on from where it was seen to end is reported, naming both."""

import json
import sqlite3
from contextlib import closing

import pytest
from starlette.testclient import TestClient

import images
from cli_runner import run
from killick.chain import EMPTY, HEADER, follow
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import Cause
from killick.server import OPEN, application
from local_store import local_store
from lying import Reply, Site

PUSHED = Cause("pushed", "mate@deck")
TAG = Tag("1.5")


class Simulator:
    """A registry over memory whose past can be put back, cut and forged; it counts its calls."""

    def __init__(self):
        self.forge = None
        self.calls = []
        self.start_anew()

    def start_anew(self):
        self.registry = MemoryRegistry()
        self.repository = self.registry.repository("team/app")
        self.client = TestClient(application(self.registry, OPEN))

    def push(self, content, tag=TAG):
        d = images.image(self.repository, {"app": content}, Platform.host())
        self.repository.move(tag, d, PUSHED)
        return str(d.digest)

    def go_back(self, moves):
        """Be as it was so many moves ago."""
        left = list(self.repository.entries(0))[:-moves]
        content = self.repository._content, self.repository._documents
        self.start_anew()
        self.repository._content, self.repository._documents = content
        for move in left:
            self.repository.move(move.tag, move.to, move.cause)
        # Times are part of the entries: what is there again is what was there.
        self.repository._moves[:] = left
        self.repository._heads[1:] = [head for _, head in follow(self.repository._heads[0], left)]

    def __call__(self, seen):
        self.calls.append(f"{seen.method} {seen.path.rpartition('/')[0].rpartition('/')[2]}")
        answer = self.client.request(
            seen.method, seen.target, content=seen.body, headers=seen.headers
        )
        headers = {name.title(): value for name, value in answer.headers.items()}
        reply = Reply(answer.status_code, answer.content, headers)
        return (self.forge and self.forge(seen, reply)) or reply


@pytest.fixture
def simulator():
    return Simulator()


@pytest.fixture
def name(simulator):
    with Site(simulator) as site:
        yield f"{site.domain}/team/app"


def head_of(name, tag="1.5"):
    with local_store() as store:
        return next(seen for seen in store.heads(name) if seen.tag == tag)


def is_reported(ran, before, now):
    assert ran.status == 1
    assert "was rewritten" in ran.err
    assert f"entry {before.sequence} ({before.hash[:12]}…)" in ran.err
    assert f"entry {now.sequence} ({now.hash[:12]}…)" in ran.err
    assert "--accept" in ran.err
    return True


def test_a_ledger_that_grows_is_in_order_and_costs_one_request_more(simulator, name):
    simulator.push(b"one")
    run("pull", f"{name}:1.5")
    first = head_of(name).head
    digest = [simulator.push(b"%d" % n) for n in range(5)][-1]
    simulator.calls.clear()
    assert run("digest", f"{name}:1.5").lines == [digest]
    assert simulator.calls == ["HEAD manifests", "GET _killick"]
    assert head_of(name).head.sequence == first.sequence + 5
    simulator.calls.clear()
    assert run("digest", f"{name}:1.5").lines == [digest]
    assert simulator.calls == ["HEAD manifests"]


def test_another_tag_that_moves_does_not_matter(simulator, name):
    digest = simulator.push(b"one")
    run("pull", f"{name}:1.5")
    for n in range(3):
        simulator.push(b"other %d" % n, Tag("1.6"))
    assert run("digest", f"{name}:1.5").lines == [digest]
    assert run("digest", f"{name}:1.6").status == 0


@pytest.mark.parametrize("back", [1, 5, 10])
@pytest.mark.parametrize("verb", ["pull", "digest", "manifest", "inspect --remote", "cp"])
def test_a_registry_that_was_set_back(simulator, name, verb, back, tmp_path):
    for n in range(11):
        simulator.push(b"%d" % n)
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    held = run("images", "--digests", "--no-trunc").out
    simulator.go_back(back)
    ran = run(*verb.split(), f"{name}:1.5", *([f"oci:{tmp_path}/layout"] if verb == "cp" else []))
    assert is_reported(ran, before, simulator.repository.head())
    assert "sha256" not in ran.out
    assert run("images", "--digests", "--no-trunc").out == held
    assert head_of(name).head == before


def test_a_fork_that_is_longer(simulator, name):
    for n in range(5):
        simulator.push(b"%d" % n)
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    simulator.go_back(2)
    for n in range(5):
        simulator.push(b"fork %d" % n)
    assert is_reported(run("pull", f"{name}:1.5"), before, simulator.repository.head())


def test_a_fork_of_the_same_length(simulator, name):
    for n in range(5):
        simulator.push(b"%d" % n)
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    simulator.go_back(1)
    simulator.push(b"fork")
    assert is_reported(run("pull", f"{name}:1.5"), before, simulator.repository.head())


def test_a_registry_that_started_anew_is_accepted_on_order(simulator, name):
    simulator.push(b"one")
    simulator.push(b"two")
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    simulator.start_anew()
    digest = simulator.push(b"three")
    now = simulator.repository.head()
    assert is_reported(run("pull", f"{name}:1.5"), before, now)
    looked = run("log", "--remote", "--no-trunc", f"{name}:1.5")
    assert is_reported(looked, before, now)
    assert digest in looked.out
    assert run("log", "--remote", "--accept", f"{name}:1.5").status == 0
    assert run("pull", f"{name}:1.5").status == 0
    assert run("digest", "--local", f"{name}:1.5").lines == [digest]


def test_accepting_is_about_registries():
    assert run("log", "--accept", "golftrack").status == 2


def test_log_follows_the_ledger(simulator, name):
    simulator.push(b"one")
    assert run("log", "--remote", name).status == 0
    simulator.push(b"two")
    assert run("log", "--remote", name).status == 0
    before = simulator.repository.head()
    simulator.go_back(1)
    assert is_reported(run("log", "--remote", name), before, simulator.repository.head())


def test_an_answer_that_the_ledger_contradicts(simulator, name):
    """The head is the true one, and the tag is said to be where it was before."""
    old, new = simulator.push(b"one"), simulator.push(b"two")
    run("pull", f"{name}:1.5")

    def frozen(seen, reply):
        if not seen.path.endswith("/manifests/1.5"):
            return None
        raw = simulator.client.get(seen.path.replace("1.5", old))
        return Reply(200, raw.content, reply.headers | {"Docker-Content-Digest": old})

    simulator.forge = frozen
    ran = run("pull", f"{name}:1.5")
    assert ran.status == 1
    assert old in ran.err
    assert new in ran.err
    simulator.push(b"three", Tag("1.6"))
    assert run("digest", f"{name}:1.5").status == 1


@pytest.mark.parametrize(
    "entries",
    [
        lambda listed: [],
        lambda listed: listed[:1],
        lambda listed: listed[1:],
        lambda listed: listed[::-1],
        lambda listed: [listed[0] | {"actor": "mallory"}, *listed[1:]],
        lambda listed: [listed[0] | {"tag": "1.6"}, *listed[1:]],
        lambda listed: [None],
        lambda listed: {},
    ],
    ids=["none", "short", "late", "backwards", "actor", "tag", "null", "object"],
)
def test_entries_that_do_not_lead_there(simulator, name, entries):
    simulator.push(b"one")
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    for n in range(3):
        simulator.push(b"%d" % n)

    def lie(seen, reply):
        if "_killick/chain" not in seen.path:
            return None
        page = json.loads(reply.body)
        changed = page | {"entries": entries(page["entries"])}
        return Reply(200, json.dumps(changed).encode(), {"Content-Type": "application/json"})

    simulator.forge = lie
    assert is_reported(run("pull", f"{name}:1.5"), before, simulator.repository.head())


def test_a_ledger_that_is_announced_and_not_told(simulator, name):
    simulator.push(b"one")
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    simulator.push(b"two")
    simulator.forge = lambda seen, reply: Reply(404) if "/_killick/" in seen.path else None
    assert is_reported(run("pull", f"{name}:1.5"), before, simulator.repository.head())


def test_a_head_that_is_not_said_any_more_is_a_warning(simulator, name):
    simulator.push(b"one")
    run("pull", f"{name}:1.5")

    def silent(seen, reply):
        headers = {k: v for k, v in reply.headers.items() if k.lower() != HEADER.lower()}
        return Reply(reply.status, reply.body, headers)

    simulator.forge = silent
    ran = run("pull", f"{name}:1.5")
    assert ran.status == 0
    assert "does not say any more where its ledger" in ran.err


def test_an_answer_that_somebody_else_was_given_later_is_no_rollback(simulator, name):
    """Another process asked after us, and wrote down what it saw before us."""
    simulator.push(b"one")
    simulator.push(b"two")
    run("pull", f"{name}:1.5")
    older = simulator.repository._heads[1]
    asked = []

    def late(seen, reply):
        if seen.method == "HEAD" and not asked:
            asked.append(seen)
            return Reply(200, b"", reply.headers | {HEADER: f"{older.sequence}-{older.hash}"})
        return None

    simulator.forge = late
    assert run("pull", f"{name}:1.5").status == 0
    assert asked


def test_no_store_is_made_for_a_digest(simulator, name, tmp_path):
    simulator.push(b"one")
    assert run("digest", f"{name}:1.5").status == 0
    assert not (tmp_path / "store").exists()


def test_a_store_that_can_not_be_written_to_checks_all_the_same(simulator, name, monkeypatch):
    simulator.push(b"one")
    run("pull", f"{name}:1.5")
    before = head_of(name).head
    simulator.start_anew()
    simulator.push(b"two")
    from killick.errors import StoreReadOnly
    from killick.store import Store

    def refuse(*_):
        raise StoreReadOnly("read-only")

    monkeypatch.setattr(Store, "keep_head", refuse)
    assert is_reported(run("digest", f"{name}:1.5"), before, simulator.repository.head())


def test_the_served_store_tells_heads_that_verify_agrees_with(host, tmp_path):
    """The head over HTTP is the one that the ledger's own check ends with."""
    from killick.client import RemoteRegistry

    with RemoteRegistry(host) as registry:
        repository = registry.repository("team/heads")
        for n in range(3):
            repository.tag(TAG, images.image(repository, {"n": b"%d" % n}))
        sighting = repository.sight(TAG)
        (page,) = registry.chain("team/heads", 0)
    assert sighting.head == page.head
    assert [head for _, head in follow(EMPTY, page.entries)][-1] == page.head


@pytest.mark.parametrize("statement", ["UPDATE seen_head SET hash = '0'", "DELETE FROM seen_head"])
def test_what_is_kept_decides(simulator, name, statement, tmp_path):
    simulator.push(b"one")
    run("pull", f"{name}:1.5")
    with closing(sqlite3.connect(tmp_path / "store" / "store.db")) as connection:
        connection.execute(statement)
        connection.commit()
    simulator.push(b"two")
    assert run("pull", f"{name}:1.5").status == (1 if "UPDATE" in statement else 0)
