"""What is said of an image counts for that image only; a tag that is none is refused."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

import images
from hostile.liar import ACCESS
from killick import openvex
from killick.cli import attached
from killick.client import RemoteRegistry
from killick.digest import Digest
from killick.errors import KillickError
from killick.fleet.advice import Advice
from killick.fleet.lore import Lore
from killick.memory import MemoryRegistry, MemoryRepository
from killick.moments import utc_now
from killick.names import Name, Tag
from killick.openvex import Say, compose
from killick.repository import Cause
from killick.server import OPEN, application
from killick.store import Store
from lying import Reply, Site

NAME = Name.parse("a.example/golftrack")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MALFORMED = (
    *(".1", "-1", "1/2", "a b", "a\tb", "a\nb", "a\r\nX: y", "a\x00", "é", "a" * 129, "~1", "1~1"),
    *("@", "a@b", "a:b", "sha256:", "sha256:xyz", "*", "%", "a%2fb", "+1", "$1"),
    *("sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 32, "latest ", " latest", "a,b"),
)


class Lying(MemoryRepository):
    """A repository that lists what is attached to one image under any other, too."""

    subject = None

    def referrers(self, digest, kind=None, last=None, /):
        """Yield what is attached to `subject`, whatever is asked."""
        return super().referrers(self.subject, kind, last)


def fixed(digest):
    """Return the document that says that an image is fixed."""
    return compose("CVE-2026-1", [Say(NAME, digest, "fixed")], "mate@deck", NOW)


def attach(repository, subject, vex, *, without_products=False):
    """Attach a document to an image; without products it is about whatever it is attached to."""
    if without_products:
        raw = json.loads(vex.raw)
        del raw["statements"][0]["products"]
        vex = openvex.parse(json.dumps(raw).encode())
    return attached.attach(repository, subject, vex)


@pytest.fixture
def repository():
    return Lying(str(NAME), MemoryRegistry(), "tester@here", utc_now)


@pytest.mark.parametrize("without_products", [False, True])
def test_a_statement_that_is_listed_under_another_image_says_nothing_of_it(
    repository, without_products
):
    bad = images.image(repository, {"app": b"bad"}).digest
    good = images.image(repository, {"app": b"good"}).digest
    attach(repository, good, fixed(good), without_products=without_products)
    repository.subject = good
    (honest,) = attached.read(repository, NAME, [good])
    assert honest.vex.statements[0].products == (good,)
    swapped = list(attached.read(repository, NAME, [bad]))
    assert swapped == []
    advice = Advice(Lore(MemoryRegistry()), [honest, *swapped])
    assert advice.about(good)
    assert not advice.about(bad)


def test_a_statement_in_one_repository_says_nothing_of_the_images_of_others(repository):
    """Whoever may push to one could else say of any image that all is well."""
    mine = images.image(repository, {"app": b"mine"}).digest
    elsewhere = Digest.of(b"an image of another repository")
    attach(repository, mine, fixed(elsewhere))
    repository.subject = mine
    advice = Advice(Lore(MemoryRegistry()), list(attached.read(repository, NAME, [mine])))
    assert not advice.about(elsewhere)


def test_a_document_whose_bytes_were_exchanged_is_passed_over(repository):
    good = images.image(repository, {"app": b"good"}).digest
    attach(repository, good, fixed(good))
    repository.subject = good
    other = fixed(Digest.of(b"other")).raw
    (layer,) = [d for d, raw in repository._content.items() if raw.startswith(b'{"@context"')]
    repository._content[layer] = other
    assert list(attached.read(repository, NAME, [good])) == []


@pytest.fixture
def client(tmp_path):
    with Store(tmp_path / "store") as store:
        place = store.repository("a/b")
        place.move(Tag("1"), images.image(place), Cause("pushed", "mate@deck"))
        with TestClient(application(store, OPEN)) as opened:
            opened.store = store
            yield opened


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_tag_is_refused_wherever_it_stands(client, text):
    document = client.get("/v2/a/b/manifests/1").content
    headers = {"Content-Type": json.loads(document)["mediaType"]}
    place = quote(text, safe="")
    wish = json.dumps({"digest": str(Digest.of(document))}).encode()
    for method, path, body in (
        ("GET", f"/v2/a/b/manifests/{place}", None),
        ("PUT", f"/v2/a/b/manifests/{place}", document),
        ("DELETE", f"/v2/a/b/manifests/{place}", None),
        ("GET", f"/v2/a/b/_killick/history/{place}", None),
        ("GET", f"/v2/a/b/_oci/tag-history/{place}", None),
        ("POST", f"/v2/a/b/_killick/rollback/{place}", wish),
    ):
        answer = client.request(method, path, content=body, headers=headers)
        assert answer.status_code in (400, 404, 405), (method, path, answer.text)
        assert answer.json()["errors"], (method, path)
    assert [str(tag) for tag in client.store.repository("a/b").tags()] == ["1"]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_tag_in_a_list_ends_in_a_sentence(text):
    """A registry may list anything: what is no tag is the registry's error, and no crash."""
    raw = json.dumps({"name": "a/b", "tags": ["1", text]}).encode()
    with Site(lambda seen: Reply(200, raw, {"Content-Type": "application/json"})) as site:
        with RemoteRegistry(site.domain, ACCESS) as registry, pytest.raises(KillickError):
            list(registry.repository("a/b").tags())
