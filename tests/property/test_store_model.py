"""Whatever is done to it, a store's repository does what one of dictionaries does."""

import io
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from images import artifact, image, index
from killick.errors import KillickError
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import ANYTHING, Cause
from killick.store import Store
from killick.transfer import walk
from stores import START, Clock, blob, read

NAMES = ("docker.io/library/a", "docker.io/library/b")
TAGS = [Tag(text) for text in ("1", "2", "a.b")]
ORIGINS = ["local", "docker.io"]


def _catalogue():
    """Return contents to choose from: images that share parts, an index, artifacts, blobs."""
    place = MemoryRegistry().repository("all")
    one, two = image(place, {"v": b"1"}), image(place, {"v": b"2"}, layers=2)
    roots = [index(place, [(one, None), (two, None)]), artifact(place, one), artifact(place, two)]
    found = {}
    for root in roots:
        for document in walk(place, root):
            for d in (*document.children(), document.descriptor):
                found[d.digest] = (d.plain(), place.open(d).read())
    return [*found.values(), (blob(b""), b""), (blob(b"loose"), b"loose")]


CONTENT = _catalogue()

names = st.sampled_from(NAMES)
contents = st.sampled_from(CONTENT)
documents = st.sampled_from([d for d, _ in CONTENT if d.is_document])
tags = st.sampled_from(TAGS)


class StoreModel(RuleBasedStateMachine):
    """The same calls on a store and on memory, with the same answers or the same errors."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()

    @initialize()
    def open(self):
        self.store = Store(self.folder / "store", actor="x@y", clock=self.clock)
        self.memory = MemoryRegistry("x@y", self.clock)

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
        shutil.rmtree(self.folder)

    def both(self, name, call):
        """Return what `call` gives on the store; it must be what it gives on memory."""
        outcomes = []
        for registry in (self.store, self.memory):
            try:
                outcomes.append(call(registry.repository(name)))
            except KillickError as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]
        return outcomes[0]

    @rule(name=names, content=contents)
    def put(self, name, content):
        self.both(name, lambda r: r.put(content[0], io.BytesIO(content[1])))

    @rule(name=names, content=contents, wrong=st.binary(max_size=3))
    def put_wrong(self, name, content, wrong):
        self.both(name, lambda r: r.put(content[0], io.BytesIO(content[1] + b"!" + wrong)))

    @rule(name=names, content=contents, cut=st.integers(0, 5))
    def ingest(self, name, content, cut):
        d, data = content
        with self.store.repository(name).ingest(d) as coming:
            if not coming.done:
                coming.fill(io.BytesIO(data[coming.offset :]))
        self.memory.repository(name).put(d, io.BytesIO(data))

    @rule(name=names, content=contents, start=st.integers(0, 400))
    def look(self, name, content, start):
        d = content[0]
        self.both(name, lambda r: r.has(d))
        self.both(name, lambda r: read(r, d, start))
        self.both(name, lambda r: r.find(d.digest))
        self.both(name, lambda r: r.resolve(d.digest))
        self.both(name, lambda r: r.complete(d))
        self.both(name, lambda r: list(r.referrers(d.digest)))

    @rule(name=names, sister=names, content=contents)
    def mount(self, name, sister, content):
        if not content[0].is_document:
            self.both(name, lambda r: r.mount(content[0], sister))

    @rule(name=names, content=contents)
    def delete(self, name, content):
        self.both(name, lambda r: r.delete(content[0]))

    @rule(
        name=names,
        tag=tags,
        to=st.none() | documents,
        origin=st.sampled_from(ORIGINS),
        expected=st.just(ANYTHING) | st.none() | documents,
    )
    def move(self, name, tag, to, origin, expected):
        if expected is not ANYTHING and expected is not None:
            expected = expected.digest
        cause = Cause("pushed", "p@q", origin, origin == "local")

        def call(repository):
            made = repository.move(tag, to, cause, expected)
            return made and (made.time, made.tag, made.to, made.previous, made.cause)

        self.both(name, call)

    @rule(seconds=st.integers(-100, 1000))
    def wait(self, seconds):
        self.clock.forward(seconds=seconds)

    @rule()
    def open_again(self):
        self.store.close()
        self.store = Store(self.folder / "store", actor="x@y", clock=self.clock)

    @rule()
    def collect_what_is_young(self):
        """By a clock that always shows the same hour, long ago, no lease has run out."""
        shown, self.clock.now = self.clock.now, START.replace(year=1990)
        self.store.collect()
        self.clock.now = shown

    @invariant()
    def tags_and_ledgers_agree(self):
        if not hasattr(self, "store"):
            return
        for name in NAMES:
            self.both(name, lambda r: list(r.tags()))
            for tag in TAGS:
                self.both(name, lambda r, tag=tag: r.resolve(tag))
            for origin in ORIGINS:
                self.both(name, lambda r, origin=origin: list(r.history(None, origin)))

    @invariant()
    def nothing_is_damaged(self):
        if hasattr(self, "store"):
            # A sparse image is no damage to a registry that accepts it, but no whole one either.
            found = [f for f in self.store.verify() if f.damage and "missing" not in f.problem]
            assert found == []


StoreModel.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStoreModel = StoreModel.TestCase
