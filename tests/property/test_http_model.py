"""Whatever a served store is asked, it answers as a model of dictionaries does, and never 5xx."""

import json
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from starlette.testclient import TestClient

from images import artifact, image, index
from killick import chain, moves
from killick.digest import Digest
from killick.manifest import Index, parse_document
from killick.memory import MemoryRegistry
from killick.rules import BY_SPECIFICATION, Policy
from killick.server import OPEN, application
from killick.store import Store
from killick.transfer import walk

NAMES = ("a", "a-b/c")
TAGS = ("1", "1.5", "a.b-c")
ODD_NAMES = ("A", "a//b", "..", "a/%2e%2e/b", "a/_b", "-a", "é", "%00", "a" * 300)
METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW")
ENDS = ("", "manifests/1", "blobs/x", "blobs/uploads/", "blobs/uploads/x", "tags/list", "x")


def _catalogue():
    """Return documents and blobs by digest: images that share parts, an index, referrers."""
    place = MemoryRegistry().repository("all")
    one, two = image(place, {"v": b"1"}), image(place, {"v": b"2"}, layers=2)
    roots = [index(place, [(one, None), (two, None)]), artifact(place, one), artifact(place, two)]
    documents, blobs = {}, {}
    for root in roots:
        for document in walk(place, root):
            documents[document.digest] = document
            for d in document.children():
                if not d.is_document:
                    blobs[d.digest] = place.open(d).read()
    blobs |= {Digest.of(data): data for data in (b"", b"loose", bytes(3000))}
    return documents, blobs


DOCUMENTS, BLOBS = _catalogue()

names = st.sampled_from(NAMES)
tags = st.sampled_from(TAGS)
digests = st.sampled_from(sorted(BLOBS, key=str))
manifests = st.sampled_from(sorted(DOCUMENTS, key=str))
references = st.one_of(tags, manifests.map(str))


class Model:
    """What one repository holds."""

    def __init__(self):
        self.blobs = set()
        self.documents = {}
        self.tags = {}
        self.moves = []

    @property
    def is_known(self):
        return bool(self.blobs or self.documents or self.moves)

    def resolve(self, reference):
        """Return the digest that a reference leads to, or None."""
        if ":" in reference:
            digest = Digest.parse(reference)
            return digest if digest in self.documents else None
        return self.tags.get(reference)

    def move(self, tag, digest):
        if self.tags.get(tag) != digest:
            self.moves.append((tag, str(digest) if digest else None, self._previous(tag)))
        if digest is None:
            self.tags.pop(tag, None)
        else:
            self.tags[tag] = digest

    def _previous(self, tag):
        return str(self.tags[tag]) if tag in self.tags else None

    def lacks(self, document):
        """Return whether the repository lacks something that a document names."""
        return any(
            d.digest not in (self.documents if d.is_document else self.blobs)
            for d in document.children()
        )

    def is_whole(self, document):
        """Return whether all that a document names is here, and all that that names."""
        return not self.lacks(document) and all(
            self.is_whole(self.documents[d.digest]) for d in document.children() if d.is_document
        )

    def referrers(self, digest):
        return {
            str(d.digest)
            for d in self.documents.values()
            if d.subject and d.subject.digest == digest
        }


class HttpModel(RuleBasedStateMachine):
    """A registry over a store, and what it has to say. It takes images in part, as is specified."""

    policy = BY_SPECIFICATION

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        policy = self.policy
        self.store = Store(self.folder / "store", actor="x@y", retention=None, policy=policy)
        served = application(self.store, OPEN)
        self.client = TestClient(served, raise_server_exceptions=False)
        self.models = {name: Model() for name in NAMES}
        self.uploads = {}
        self.turn = 0

    def teardown(self):
        for name in NAMES:
            self.ledger_is_what_happened(name)
        self.client.close()
        self.store.close()
        shutil.rmtree(self.folder)

    def refused(self, model, document):
        """Return whether a document gets no name because something is missing."""
        return not self.policy.sparse and not model.is_whole(document)

    def ask(self, method, path, *statuses, **options):
        answer = self.client.request(method, path, **options)
        assert answer.status_code in statuses, (method, path, answer.status_code, answer.text[:300])
        return answer

    # Blobs

    @rule(name=names, digest=digests)
    def push_whole(self, name, digest):
        query = urlencode({"digest": str(digest)})
        self.ask("POST", f"/v2/{name}/blobs/uploads/?{query}", 201, content=BLOBS[digest])
        self.models[name].blobs.add(digest)

    @rule(name=names, digest=digests, wrong=st.binary(min_size=1, max_size=4))
    def push_wrong(self, name, digest, wrong):
        query = urlencode({"digest": str(digest)})
        body = BLOBS[digest] + wrong
        self.ask("POST", f"/v2/{name}/blobs/uploads/?{query}", 400, content=body)

    @rule(name=names)
    def begin(self, name):
        answer = self.ask("POST", f"/v2/{name}/blobs/uploads/", 202)
        self.uploads[answer.headers["Location"]] = (name, b"")

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), digest=digests, offset=st.integers(-1, 1))
    def append(self, data, digest, offset):
        place = data.draw(st.sampled_from(sorted(self.uploads)))
        name, held = self.uploads[place]
        body = BLOBS[digest][:1000]
        start = len(held) + offset
        if not body or start < 0:
            return
        stated = {"Content-Range": f"{start}-{start + len(body) - 1}"}
        answer = self.ask("PATCH", place, 416 if offset else 202, content=body, headers=stated)
        if not offset:
            self.uploads[place] = (name, held + body)
        self._says(answer, place)
        self._says(self.ask("GET", place, 204), place)

    def _says(self, answer, place):
        held = len(self.uploads[place][1])
        assert answer.headers["Range"] == f"0-{max(held - 1, 0)}"

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), digest=digests, right=st.booleans())
    def finish(self, data, digest, right):
        place = data.draw(st.sampled_from(sorted(self.uploads)))
        name, held = self.uploads.pop(place)
        body = BLOBS[digest][:500]
        whole = held + body
        stated = Digest.of(whole if right else whole + b"!")
        self.ask(
            "PUT",
            f"{place}?{urlencode({'digest': str(stated)})}",
            201 if right else 400,
            content=body,
        )
        if right:
            BLOBS.setdefault(stated, whole)
            self.models[name].blobs.add(stated)
        self.ask("GET", place, 404)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def cancel(self, data):
        place = data.draw(st.sampled_from(sorted(self.uploads)))
        del self.uploads[place]
        self.ask("DELETE", place, 204)
        self.ask("PUT", f"{place}?digest={Digest.of(b'')}", 404)

    @rule(name=names, sister=names, digest=digests)
    def mount(self, name, sister, digest):
        query = urlencode({"mount": str(digest), "from": sister})
        found = digest in self.models[name].blobs or digest in self.models[sister].blobs
        answer = self.ask("POST", f"/v2/{name}/blobs/uploads/?{query}", 201 if found else 202)
        if found:
            self.models[name].blobs.add(digest)
        else:
            self.uploads[answer.headers["Location"]] = (name, b"")

    @rule(name=names, data=st.data(), start=st.integers(0, 4000), stop=st.integers(0, 4000))
    def look(self, name, data, start, stop):
        held = sorted(self.models[name].blobs, key=str)
        digest = data.draw(st.sampled_from(held) if held else digests)
        data, place = BLOBS[digest], f"/v2/{name}/blobs/{digest}"
        if digest not in self.models[name].blobs:
            self.ask("HEAD", place, 404)
            self.ask("GET", place, 404)
            return
        assert self.ask("HEAD", place, 200).headers["Content-Length"] == str(len(data))
        whole = self.ask("GET", place, 200)
        assert whole.content == data
        assert whole.headers["Docker-Content-Digest"] == str(digest)
        part = self.ask("GET", place, 200, 206, 416, headers={"Range": f"bytes={start}-{stop}"})
        if stop < start or start >= len(data):
            assert part.status_code == 416
        else:
            assert (part.status_code, part.content) == (206, data[start : stop + 1])
        fresh = {"If-None-Match": f'"{digest}"'}
        self.ask("GET", place, 304, headers=fresh)

    @rule(name=names, digest=digests)
    def delete_blob(self, name, digest):
        found = digest in self.models[name].blobs
        self.ask("DELETE", f"/v2/{name}/blobs/{digest}", 202 if found else 404)
        self.models[name].blobs.discard(digest)

    # Manifests

    @rule(name=names, tag=tags, digest=manifests, extra=st.lists(tags, max_size=2))
    def put_manifest(self, name, tag, digest, extra):
        """Push by a tag, or (with `extra`) by the digest, with tags in the query."""
        model, document = self.models[name], DOCUMENTS[digest]
        query = urlencode([("tag", each) for each in extra])
        place = f"/v2/{name}/manifests/{f'{digest}?{query}' if extra else tag}"
        headers = {"Content-Type": document.media_type}
        if self.refused(model, document):
            self.ask("PUT", place, 404, 400, content=document.raw, headers=headers)
            if not model.lacks(document):
                # It is the name that was refused, and not the index, some image of which has a gap.
                model.documents[digest] = document
            return
        answer = self.ask("PUT", place, 201, content=document.raw, headers=headers)
        assert answer.headers["Docker-Content-Digest"] == str(digest)
        assert ("OCI-Subject" in answer.headers) is bool(document.subject)
        model.documents[digest] = document
        for each in dict.fromkeys(extra or [tag]):
            model.move(each, digest)

    @rule(name=names, tag=tags, digest=manifests)
    def push_image(self, name, tag, digest):
        """Push all that a manifest needs, and then the manifest."""
        document = DOCUMENTS[digest]
        if not isinstance(document, Index):
            for d in document.children():
                self.push_whole(name, d.digest)
        self.put_manifest(name, tag, digest, [])

    @rule(name=names, tag=tags, digest=manifests, expected=st.none() | manifests)
    def swap(self, name, tag, digest, expected):
        model, document = self.models[name], DOCUMENTS[digest]
        if self.refused(model, document):
            return
        condition = {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
        headers = {"Content-Type": document.media_type} | condition
        holds = model.tags.get(tag) == expected
        self.ask(
            "PUT",
            f"/v2/{name}/manifests/{tag}",
            201 if holds else 412,
            content=document.raw,
            headers=headers,
        )
        if holds:
            model.documents[digest] = document
            model.move(tag, digest)

    @rule(name=names, digest=manifests, cut=st.integers(0, 400), kind=st.sampled_from(["", "x/y"]))
    def put_nonsense(self, name, digest, cut, kind):
        raw = DOCUMENTS[digest].raw[:cut]
        headers = {"Content-Type": kind} if kind else {}
        if len(raw) < len(DOCUMENTS[digest].raw):
            self.ask("PUT", f"/v2/{name}/manifests/1", 400, content=raw, headers=headers)

    @rule(name=names, reference=references)
    def get_manifest(self, name, reference):
        model, place = self.models[name], f"/v2/{name}/manifests/{reference}"
        digest = model.resolve(reference)
        if digest is None:
            self.ask("GET", place, 404)
            self.ask("HEAD", place, 404)
            return
        answer = self.ask("GET", place, 200)
        assert answer.content == DOCUMENTS[digest].raw
        assert answer.headers["Content-Type"] == DOCUMENTS[digest].media_type
        head = self.ask("HEAD", place, 200)
        assert head.headers["Docker-Content-Digest"] == str(digest)
        if ":" not in reference:
            assert chain.from_text(head.headers[chain.HEADER]).sequence == len(model.moves)

    @rule(name=names, data=st.data())
    def delete_manifest(self, name, data):
        model = self.models[name]
        held = sorted([*model.tags, *map(str, model.documents)])
        reference = data.draw(st.sampled_from(held) if held else references)
        digest = model.resolve(reference)
        self.ask("DELETE", f"/v2/{name}/manifests/{reference}", 202 if digest else 404)
        if digest is None:
            return
        if ":" not in reference:
            model.move(reference, None)
            return
        for tag in sorted(tag for tag, at in model.tags.items() if at == digest):
            model.move(tag, None)
        del model.documents[digest]

    @rule(name=names, tag=tags, back=st.integers(0, 3))
    def roll_back(self, name, tag, back):
        model = self.models[name]
        tag = model.moves[-1][0] if model.moves else tag
        past = [to for each, to, _ in reversed(model.moves) if each == tag]
        goal = _back(past, back)
        wish = json.dumps({"back": back}).encode()
        found = goal is not None and Digest.parse(goal) in model.documents
        whole = found and not self.refused(model, model.documents[Digest.parse(goal)])
        place = f"/v2/{name}/_killick/rollback/{tag}"
        self.ask("POST", place, *((200,) if whole else (400, 404)), content=wish)
        if whole:
            model.move(tag, Digest.parse(goal))

    # Lists

    @rule(name=names, n=st.none() | st.integers(0, 5), last=st.none() | tags)
    def list_tags(self, name, n, last):
        model = self.models[name]
        query = {k: v for k, v in (("n", n), ("last", last)) if v is not None}
        place = f"/v2/{name}/tags/list?{urlencode(query)}"
        if not model.is_known:
            self.ask("GET", place, 404)
            return
        answer = self.ask("GET", place, 200)
        wanted = [tag for tag in sorted(model.tags) if last is None or tag > last]
        assert answer.json() == {"name": name, "tags": wanted if n is None else wanted[:n]}
        assert ("Link" in answer.headers) is (n is not None and 0 < n < len(wanted))

    @rule()
    def list_repositories(self):
        listed = self.ask("GET", "/v2/_catalog", 200).json()["repositories"]
        assert listed == sorted(name for name, model in self.models.items() if model.is_known)

    @rule(name=names, digest=manifests)
    def list_referrers(self, name, digest):
        answer = self.ask("GET", f"/v2/{name}/referrers/{digest}", 200).json()
        found = [each["digest"] for each in answer["manifests"]]
        assert len(found) == len(set(found))
        assert set(found) == self.models[name].referrers(digest)

    # What nobody should ask

    @rule(
        method=st.sampled_from(METHODS),
        name=st.sampled_from(ODD_NAMES) | names,
        end=st.sampled_from(ENDS) | st.text(max_size=10),
        query=st.sampled_from(
            ["", "?n=-1", "?n=x", "?digest=x", "?digest=", "?mount=x&from=..", "?%"]
        ),
        headers=st.dictionaries(
            st.sampled_from(
                ["Range", "Content-Range", "If-Match", "If-None-Match", "Content-Type"]
            ),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
            max_size=2,
        ),
        body=st.binary(max_size=10),
    )
    def ask_nonsense(self, method, name, end, query, headers, body):
        """No nonsense is answered by 5xx; what it may do, if it is none, is taken over."""
        place = f"/v2/{name}/{end}{query}"
        if method in ("PUT", "POST", "PATCH", "DELETE") and name in NAMES:
            return  # this may be sense, and has rules of its own above
        if any(ord(c) < 32 or c in "#\x7f" for c in place):
            return
        answer = self.client.request(method, place, content=body, headers=headers)
        assert answer.status_code < 500, (method, place, answer.text)

    @invariant()
    def one_repository_is_what_happened_to_it(self):
        """Look at one repository after each step, by turns; at the end all have been looked at."""
        self.turn += 1
        name = NAMES[self.turn % len(NAMES)]
        self.ledger_is_what_happened(name)
        for digest, document in self.models[name].documents.items():
            answer = self.ask("GET", f"/v2/{name}/manifests/{digest}", 200)
            assert parse_document(answer.content, document.media_type).digest == digest

    def ledger_is_what_happened(self, name):
        page = self.ask("GET", f"/v2/{name}/_killick/chain", 200).json()
        told = [moves.from_json(entry, "an entry") for entry in page["entries"]]
        found = [
            (str(m.tag), m.to and str(m.to.digest), m.previous and str(m.previous)) for m in told
        ]
        assert found == self.models[name].moves
        assert chain.reached(chain.EMPTY, told) == chain.from_json(page["head"])
        assert all(a.sequence + 1 == b.sequence for a, b in pairwise(told))
        history = self.ask("GET", f"/v2/{name}/_killick/history", 200).json()["moves"]
        assert [move["sequence"] for move in history] == [m.sequence for m in reversed(told)]


def _back(past, count):
    """Return what a tag pointed to `count` distinct digests ago; `past` is newest first."""
    if count == 0:
        return past[0] if past else None
    seen = []
    for position, to in enumerate(past):
        if to is None or to in seen:
            continue
        seen.append(to)
        if position > 0:
            count -= 1
        if count == 0:
            return to
    return None


class StrictHttpModel(HttpModel):
    """One that takes whole images only."""

    policy = Policy(sparse=False)


LIMITS = settings(
    max_examples=10,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestHttpModel = HttpModel.TestCase
TestStrictHttpModel = StrictHttpModel.TestCase
TestHttpModel.settings = TestStrictHttpModel.settings = LIMITS
