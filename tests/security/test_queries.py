"""What is asked for by query never becomes a part of a question to the database."""

import itertools

import pytest
from starlette.testclient import TestClient

import images
from killick.digest import Digest
from killick.names import Tag
from killick.repository import Cause
from killick.server import OPEN, application
from killick.store import Store

TAGS = ("1.5", "b", "o", "z")
OTHER = "secret/place"
ABSENT = Digest.of(b"nobody has this")
INJECTIONS = (
    *("'", '"', "';--", "' OR '1'='1", "' OR 1=1--", '" OR ""="', "') OR ('a'='a", "a' || 'b"),
    *("'; DROP TABLE move;--", "'; DELETE FROM tag;--", "' UNION SELECT name FROM repository--"),
    *("x' AND (SELECT load_extension('x'))--", "%", "_", "*", "a%' ESCAPE '!'--", "?1", ":digest"),
    *("1 OR 1=1", "0; DROP TABLE tag", "1)--", "NULL", "-1", "\x00'", "é'", "`x`", "[x]", "{x}"),
)
LISTS = {
    "/v2/_catalog": (("n", "last"), "repositories"),
    "/v2/a/b/tags/list": (("n", "last"), "tags"),
    "/v2/a/b/_killick/tags": (("n", "last"), "tags"),
    "/v2/a/b/_killick/history": (("n", "before"), "moves"),
    "/v2/a/b/_killick/history/b": (("n", "before"), "moves"),
    "/v2/a/b/_killick/chain": (("n", "after"), "entries"),
    "/v2/a/b/_killick/digests/{digest}": (("n", "before"), "tags"),
    "/v2/a/b/_oci/tag-history/b": (("n", "before", "since", "digest"), "manifests"),
    "/v2/a/b/referrers/{digest}": (("n", "last", "artifactType"), "manifests"),
    "/v2/_killick/containers": (("digest", "n", "last"), "containers"),
}
"""Each list: the parameters that it takes, and what its entries stand under."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Store(tmp_path_factory.mktemp("queries") / "store") as store:
        repository = store.repository("a/b")
        d = images.image(repository)
        images.artifact(repository, d)
        for tag in TAGS:
            repository.move(Tag(tag), d, Cause("pushed", "mate@deck"))
        hidden = store.repository(OTHER)
        hidden.move(Tag("hidden"), images.image(hidden, {"x": b"y"}), Cause("pushed", "mate@deck"))
        with TestClient(application(store, OPEN)) as client:
            yield store, client, d.digest


def entries(answer, key):
    """Return the entries of a list, None if there is none in the answer."""
    document = answer.json()
    return document.get(key) if answer.status_code == 200 else None


def test_lists_take_what_is_asked_for_as_text(served):
    """No injection gives more than the list without it, what is elsewhere, or an error of ours."""
    _, client, digest = served
    tried = 0
    for place, (keys, listed) in LISTS.items():
        path = place.format(digest=digest)
        whole = entries(client.get(path), listed)
        assert whole is not None or path == "/v2/_killick/containers", path
        for key, text in itertools.product(keys, INJECTIONS):
            answer = client.get(path, params={key: text})
            assert answer.status_code in (200, 400, 404), (path, key, text, answer.text)
            some = entries(answer, listed) or ()
            assert all(one in whole for one in some), (path, key, text)
            assert "hidden" not in answer.text, (path, key, text)
            tried += 1
    assert tried > 600


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_comes_behind_a_name_is_told_by_its_order_alone(served, text):
    _, client, _ = served
    tags = client.get("/v2/a/b/tags/list", params={"last": text}).json()["tags"]
    assert tags == [tag for tag in sorted(TAGS) if tag > text]
    names = client.get("/v2/_catalog", params={"last": text}).json()["repositories"]
    assert names == [name for name in ("a/b", OTHER) if name > text]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_type_that_nobody_has_finds_nothing(served, text):
    _, client, digest = served
    path = f"/v2/a/b/referrers/{digest}"
    assert len(client.get(path).json()["manifests"]) == 1
    assert client.get(path, params={"artifactType": text}).json()["manifests"] == []


def test_uploads_take_digests_and_names_only(served):
    store, client, _ = served
    before = {str(tag) for tag in store.repository("a/b").tags()}
    for text in INJECTIONS:
        for query in (
            {"mount": text},
            {"mount": str(ABSENT), "from": text},
            {"digest": text},
            {"digest-algorithm": text},
        ):
            answer = client.post("/v2/a/b/blobs/uploads/", params=query, content=b"")
            assert answer.status_code in (202, 400, 404), (query, answer.text)
        place = client.post("/v2/a/b/blobs/uploads/").headers["Location"]
        assert client.put(place, params={"digest": text}, content=b"x").status_code == 400
    assert {str(tag) for tag in store.repository("a/b").tags()} == before


def test_nothing_has_changed_after_all_of_it(served):
    store, client, digest = served
    for place, (keys, _) in LISTS.items():
        for text in INJECTIONS:
            client.get(place.format(digest=digest), params=dict.fromkeys(keys, text))
    assert sorted(map(str, store.repository("a/b").tags())) == sorted(TAGS)
    assert len(list(store.repository("a/b").history())) == len(TAGS)
    repository = store.repository("a/b")
    assert repository.complete(repository.resolve(digest))
    assert not [finding for finding in store.verify() if finding.damage]
