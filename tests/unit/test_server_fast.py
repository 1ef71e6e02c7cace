"""The hot path gives the very answers of the application that it stands before, or none."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest

import images
from killick.digest import Digest
from killick.names import Tag
from killick.repository import BLOB_TYPE, Cause
from killick.server import OPEN, Everybody, Limits, Operations, application
from killick.server.drain import Drain
from killick.server.fast import MOST_PATHS, Fast
from killick.server.recording import Recorder
from killick.store import Store

NAME = "team/app"
BLOB = b"layer " * 1000
DELETED = Cause("deleted", "tester@here")
LOOP = asyncio.Runner()


class Slow:
    """A registry without the capability that the hot path takes."""

    def __init__(self, inner):
        self.repository = inner.repository
        self.repositories = inner.repositories


@dataclass
class Counting:
    """A store that counts what it gave at a glance."""

    inner: Store
    given: list = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def repository(self, name, /):
        return self.inner.repository(name)

    def repositories(self, after="", /):
        return self.inner.repositories(after)

    def glance(self, repository, ref, /):
        return self._counted(self.inner.glance(repository, ref))

    def glance_blob(self, repository, digest, /):
        return self._counted(self.inner.glance_blob(repository, digest))

    def glance_tags(self, repository, after, most, /):
        return self._told(self.inner.glance_tags(repository, after, most))

    def glance_repositories(self, after, most, /):
        return self._told(self.inner.glance_repositories(after, most))

    def _told(self, names):
        if names:
            self.given.append(tuple(names))
        return names

    def _counted(self, found):
        if found is not None:
            self.given.append(found.digest)
        return found


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store", actor="tester@here") as opened:
        yield Counting(opened)


@pytest.fixture
def filled(store):
    """Return the descriptors of what is there, by name."""
    repository = store.repository(NAME)
    image = images.image(repository, layers=2)
    both = images.multi_platform(repository)
    empty = images.put(repository, BLOB_TYPE, b"")
    found = {"image": image, "index": both, "empty": empty}
    for tag, d in (("1.5", image), ("multi", both)):
        repository.tag(Tag(tag), d)
    document = images.image(repository, {"x": BLOB})
    repository.tag(Tag("2.0"), document)
    found["other"] = document
    return found


def call(app, method, path, headers=(), *, files=True):
    """Send one request as ASGI has it; return the messages of the answer."""
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"here"), (b"x-request-id", b"r1"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {"http.response.pathsend": {}} if files else {},
    }
    sent = []
    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return asked.pop() if asked else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    LOOP.run(app(scope, receive, send))
    return [{key: value for key, value in message.items() if value} for message in sent]


def status(answer):
    return answer[0]["status"]


def blobs_of(store, d):
    with store.inner.repository(NAME).open(d) as stream:
        text = stream.read().decode()
    return [Digest.parse(f"sha256:{part[:64]}") for part in text.split("sha256:")[1:]]


REFERENCES = [
    "1.5", "multi", "image", "index", "layer", "absent", "none", "-x", "sha256:abc", "empty",
]  # fmt: skip
REQUESTS = [
    ("", ()),
    ("?n=1", ()),
    ("", ((b"if-none-match", b'"x"'),)),
    ("", ((b"if-none-match", b"*"),)),
    ("", ((b"killick-complete", b"required"),)),
    ("", ((b"range", b"bytes=1-3"),)),
    ("", ((b"range", b"bytes=99999999-"),)),
    ("", ((b"if-range", b'"x"'), (b"range", b"bytes=1-3"))),
    ("", ((b"accept", b"text/plain"), (b"authorization", b"Basic eDp5"))),
    ("", ((b"authorization", b"Basic eDp5"), (b"authorization", b"Basic eDp5"))),
]


def _path(store, filled, kind, reference):
    known = {name: str(d.digest) for name, d in filled.items()}
    known["layer"] = str(blobs_of(store, filled["image"])[-1])
    known["absent"] = str(Digest.of(b"absent"))
    return f"/v2/{NAME}/{kind}/{known.get(reference, reference)}"


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_answers_are_those_of_the_application(store, filled, kind, reference):
    fast, slow = application(store, OPEN), application(Slow(store), OPEN)
    path = _path(store, filled, kind, reference)
    for method in ("GET", "HEAD") * 2:  # the first makes the path known
        for query, headers in REQUESTS:
            for files in (True, False):
                expected = call(slow, method, path + query, headers, files=files)
                assert call(fast, method, path + query, headers, files=files) == expected


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("manifests", "1.5"), ("manifests", "image"), ("manifests", "index"), ("blobs", "layer")],
)
def test_what_is_common_is_given_at_a_glance(store, filled, kind, reference):
    app = application(store, OPEN)
    path = _path(store, filled, kind, reference)
    for method in ("GET", "HEAD"):
        call(app, "GET", path)
        before = len(store.given)
        assert status(call(app, method, path)) == 200
        assert len(store.given) == before + 1


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?n=1", ()),
        ("", ((b"range", b"bytes=0-"),)),
        ("", ((b"if-none-match", b'"x"'),)),
        ("", ((b"killick-complete", b"required"),)),
        ("", ((b"authorization", b"Basic eDp5"), (b"authorization", b"Basic eDp5"))),
    ],
)
def test_what_is_unusual_is_left_to_the_application(store, filled, query, headers):
    app = application(store, OPEN)
    path = f"/v2/{NAME}/manifests/1.5"
    for _ in range(2):
        call(app, "GET", path)
    before = len(store.given)
    assert before
    assert call(app, "GET", path + query, headers)
    assert len(store.given) == before


def test_an_escaped_path_is_what_it_spells(store, filled):
    fast, slow = application(store, OPEN), application(Slow(store), OPEN)
    for path in ("/v2/team/%61pp/manifests/1%2E5", f"/v2/{NAME}/manifests/1.5/", "/v2//x/blobs/y"):
        for _ in range(2):
            assert call(fast, "GET", path) == call(slow, "GET", path)


def test_a_tag_that_moved_or_went_is_seen_at_once(store, filled):
    app = application(store, OPEN)
    path = f"/v2/{NAME}/manifests/1.5"
    call(app, "GET", path)
    with Store(store.inner.root, actor="another@process") as other:
        repository = other.repository(NAME)
        repository.tag(Tag("1.5"), filled["other"])
        call(app, "GET", f"/v2/{NAME}/manifests/{filled['other'].digest}")
        answer = call(app, "GET", path)
        assert store.given[-1] == str(filled["other"].digest)
        assert Digest.of(answer[1]["body"]) == filled["other"].digest
        repository.untag(Tag("1.5"))
        assert status(call(app, "GET", path)) == 404


def test_what_was_deleted_by_digest_is_gone_at_once(store, filled):
    app = application(store, OPEN)
    image = filled["image"]
    layer = blobs_of(store, image)[-1]
    paths = [
        f"/v2/{NAME}/manifests/{image.digest}",
        f"/v2/{NAME}/manifests/1.5",
        f"/v2/{NAME}/blobs/{layer}",
    ]
    for path in paths * 2:
        assert status(call(app, "GET", path)) == 200
    with Store(store.inner.root, actor="another@process") as other:
        repository = other.repository(NAME)
        repository.delete(image, DELETED)
        repository.delete(repository.find(layer))
    for path in paths:
        for method in ("GET", "HEAD"):
            assert status(call(app, method, path)) == 404


class Changeable:
    """A gate whose one caller may be changed."""

    def __init__(self):
        self.inner = Everybody("pull")
        self.remembers = True

    def recall(self, credentials, /):
        return self.inner.recall(credentials) if self.remembers else None

    def identify(self, credentials, who, /):
        return self.inner.identify(credentials, who)

    def refusal(self, caller, need, repository, /):
        return self.inner.refusal(caller, need, repository)


def test_rights_that_were_taken_away_are_gone_at_once(store, filled):
    gate = Changeable()
    app = application(store, gate)
    path = f"/v2/{NAME}/manifests/1.5"
    call(app, "GET", path)
    assert status(call(app, "GET", path)) == 200
    assert len(store.given) == 1
    gate.inner = Everybody("push", why="no more")
    refused = call(app, "GET", path)
    assert status(refused) == 403
    assert b"no more" in refused[1]["body"]
    assert len(store.given) == 1


def test_callers_who_are_not_known_by_heart_take_the_long_way(store, filled):
    gate = Changeable()
    app = application(store, gate)
    path = f"/v2/{NAME}/manifests/1.5"
    call(app, "GET", path)
    gate.remembers = False
    assert status(call(app, "GET", path)) == 200
    assert not store.given


def test_only_what_was_asked_for_lately_is_remembered(store, filled):
    app = application(store, OPEN)
    fast = app
    assert isinstance(fast, Fast)
    call(app, "GET", f"/v2/{NAME}/manifests/1.5")
    for number in range(MOST_PATHS):
        fast._note(b"/v2/x/manifests/t%d" % number, b"")
    call(app, "GET", f"/v2/{NAME}/manifests/1.5")
    assert not store.given
    call(app, "GET", f"/v2/{NAME}/manifests/1.5")
    assert len(store.given) == 1


LISTS = [
    "", "?n=1", "?n=2", "?n=0", "?n=5000", "?n=1&last=1.5", "?last=1.5", "?last=multi",
    "?n=1&last=", "?last=1.5&n=1", "?n=x", "?n=1&n=2", "?n=1&last=a%2Fb", "?n=1&last=a/b",
    "?n=1last=1.5", "?&n=1", "?n=1&", "?N=1",
    "?n=1&last=%C3%A9", "?n=-1", "?x=1", "?n=1&last=a+b", "?last",
]  # fmt: skip


@pytest.mark.parametrize("query", LISTS)
@pytest.mark.parametrize("path", [f"/v2/{NAME}/tags/list", "/v2/_catalog", "/v2/none/tags/list"])
def test_lists_are_those_of_the_application(store, filled, path, query):
    images.image(store.repository("zoo/z"))
    for limits in (Limits(), Limits(page=2)):
        fast, slow = application(store, OPEN, limits), application(Slow(store), OPEN, limits)
        for method in ("GET", "HEAD", "GET", "GET"):
            expected = call(slow, method, path + query)
            assert call(fast, method, path + query) == expected


@pytest.mark.parametrize("path", [f"/v2/{NAME}/tags/list", "/v2/_catalog"])
@pytest.mark.parametrize("query", ["", "?n=1", "?n=100&last=0"])
def test_lists_are_given_at_a_glance_and_change_at_once(store, filled, path, query):
    app = application(store, OPEN)
    call(app, "GET", path + query)
    assert not store.given
    before = call(app, "GET", path + query)
    assert len(store.given) == 1
    with Store(store.inner.root, actor="another@process") as other:
        images.image(other.repository("1"))
        other.repository(NAME).tag(Tag("1.0"), filled["image"])
    after = call(app, "GET", path + query)
    assert len(store.given) == 2
    assert after[1] != before[1]


def test_a_long_list_is_left_to_the_application(store, filled, monkeypatch):
    monkeypatch.setattr("killick.server.fast.MOST_NAMES", 2)
    store.inner.repository(NAME).tag(Tag("0"), filled["image"])
    fast, slow = application(store, OPEN), application(Slow(store), OPEN)
    for query in ("", "?n=2", "?n=1"):
        for _ in range(2):
            path = f"/v2/{NAME}/tags/list{query}"
            assert call(fast, "GET", path) == call(slow, "GET", path)
    assert [len(names) for names in store.given] == [3, 3, 2]


class OnlyIn(Everybody):
    """A gate whose one caller may see some repositories only."""

    def __init__(self, *names):
        super().__init__("pull")
        self.names = names
        self.name = "mate"

    def recall(self, credentials, /):
        return self

    def identify(self, credentials, who, /):
        return self

    def may(self, need, repository, /):
        return need == "login" or repository in ("", *self.names)


def test_lists_show_nobody_what_is_not_for_them(store, filled):
    images.image(store.repository("secret/app"))
    gate = OnlyIn(NAME)
    app = application(store, gate)
    for _ in range(2):
        answer = call(app, "GET", "/v2/_catalog")
        assert json.loads(answer[1]["body"]) == {"repositories": [NAME]}
        assert status(call(app, "GET", f"/v2/{NAME}/tags/list")) == 200
        assert status(call(app, "GET", "/v2/secret/app/tags/list")) == 403
    gate.names = ("secret/app",)
    assert status(call(app, "GET", f"/v2/{NAME}/tags/list")) == 403
    answer = call(app, "GET", "/v2/_catalog")
    assert json.loads(answer[1]["body"]) == {"repositories": ["secret/app"]}


class Kept:
    """A log that keeps what it is told."""

    def __init__(self):
        self.all = []
        self.add = self.all.append

    def close(self):
        pass


def test_what_was_given_at_a_glance_is_recorded_as_all_is(store, filled):
    logs = Kept(), Kept()
    apps = [
        application(place, OPEN, operations=Operations(Recorder(log=log)))
        for place, log in zip((store, Slow(store)), logs, strict=True)
    ]
    layer = blobs_of(store, filled["image"])[-1]
    for app in apps:
        for path in ("manifests/1.5", f"blobs/{layer}", "tags/list", "manifests/none"):
            for method in ("GET", "HEAD", "GET"):
                call(app, method, f"/v2/{NAME}/{path}")
    assert len(store.given) == 5
    told = [[seen._replace(seconds=0.0) for seen in log.all] for log in logs]
    # Of an answer to HEAD, the long way counts bytes that the server then leaves out.
    gets = [[seen for seen in each if seen.method == "GET"] for each in told]
    heads = [[seen._replace(sent=0) for seen in each if seen.method == "HEAD"] for each in told]
    assert gets[0] == gets[1]
    assert heads[0] == heads[1]
    assert all(0 < seen.seconds < 60 for seen in logs[0].all)


def test_a_failed_sending_is_recorded_too(store, filled):
    recorder = Recorder()
    app = application(store, OPEN, operations=Operations(recorder))
    path = f"/v2/{NAME}/manifests/1.5"
    call(app, "GET", path)

    async def fail(message):
        raise ConnectionResetError

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [], "client": None, "extensions": {},
    }  # fmt: skip
    with pytest.raises(ConnectionResetError):
        LOOP.run(app(scope, None, fail))
    expected = 'killick_http_requests_total{method="GET",route="manifest",status="200"} 2'
    assert expected in recorder.figures.text().splitlines()


def test_answers_ask_to_close_once_the_worker_leaves(store, filled):
    drain = Drain()
    app = application(store, OPEN, operations=Operations(drain=drain))
    path = f"/v2/{NAME}/manifests/1.5"
    call(app, "GET", path)
    assert (b"connection", b"close") not in call(app, "GET", path)[0]["headers"]
    drain.has_begun = True
    assert (b"connection", b"close") in call(app, "GET", path)[0]["headers"]
