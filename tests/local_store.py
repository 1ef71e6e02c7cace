"""Images in the store of a test, as a pull or a load would have left them."""

import os
from contextlib import contextmanager
from pathlib import Path

from killick.names import Name, Tag
from killick.repository import Cause
from killick.store import Store

ACTOR = "tester@here"


@contextmanager
def local_store(**options):
    """Yield the store that the command line will find."""
    with Store(Path(os.environ["KILLICK_STORE"]), actor=ACTOR, **options) as store:
        yield store


def keep(make, name="golftrack", tag="1.5", *, kind="pulled"):
    """Let `make(repository)` put an image, point a tag at it, and return its descriptor."""
    with local_store() as store:
        repository = store.repository(str(Name.parse(name)))
        d = make(repository)
        repository.move(Tag(tag), d, Cause(kind, ACTOR))
        return d


def observe(d, name, tag, *, origin):
    """Record that a registry's tag was seen to point to `d`."""
    with local_store() as store:
        repository = store.repository(str(Name.parse(name)))
        repository.move(Tag(tag), d, Cause("observed", ACTOR, origin, False))


def content(d, name="golftrack"):
    """Return the bytes of `d`."""
    with local_store() as store, store.repository(str(Name.parse(name))).open(d) as stream:
        return stream.read()
