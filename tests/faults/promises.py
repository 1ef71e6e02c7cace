"""What was acknowledged, and whether a store still keeps it."""

from contextlib import closing
from dataclasses import dataclass

from killick.digest import CHUNK, Digest
from killick.errors import KillickError
from killick.manifest import Descriptor, Manifest
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import BLOB_TYPE
from killick.store import Store
from killick.transfer import walk


@dataclass(frozen=True)
class Promise:
    """A tag points to a digest (None: nowhere); without a tag, a repository has a blob."""

    repository: str
    tag: str | None
    digest: str | None

    @property
    def key(self):
        return self.repository, self.tag or self.digest

    def kept(self, store):
        """Return whether the store keeps it; its content is `verify`'s business."""
        repository = store.repository(self.repository)
        if self.tag is None:
            return repository.has(_blob(repository, self.digest))
        return standing(repository, self.tag) == self.digest

    def __str__(self):
        return f"{self.repository}:{self.tag or ''} → {self.digest or 'nothing'}"


@dataclass(frozen=True)
class Before:
    """What a store promised before the operation that is tried: tags, and the ledger's entries."""

    promises: tuple[Promise, ...]
    moves: frozenset

    @classmethod
    def of(cls, root):
        with Store(root) as store:
            return cls(tuple(_tags(store)), frozenset(moves(store)))


def problems(root, before, promised=(), may=(), damaged=frozenset()):
    """Yield, in words, what of a store is not as it must be after whatever happened to it.

    `promised` was acknowledged since; `may` is what an operation under way may have done as well;
    `damaged` are the digests of what was no good before.
    """
    latest = {each.key: each for each in (*before.promises, *promised)}
    under_way = {each.key: each for each in may}
    try:
        with Store(root) as store:
            yield from damage(store, damaged)
            yield from _lost_entries(store, before)
            for key, promise in latest.items():
                new = under_way.get(key)
                if not (promise.kept(store) or (new is not None and new.kept(store))):
                    yield f"lost what was acknowledged: {promise}"
            yield from _unreadable(store)
    except KillickError as error:
        yield f"the store can't be used: {error.message}"


def damage(store, known=frozenset()):
    """Yield what `verify` finds, save what is only untidy, or known."""
    for finding in store.verify():
        if finding.damage and finding.digest not in known:
            yield f"verify: {finding.digest or 'the store'} {finding.problem}"


def moves(store):
    """Yield every entry of every ledger, as far as it must never change."""
    for name in store.repositories():
        origins = {"local", name.partition("/")[0]}
        for origin in origins:
            for move in store.repository(name).history(origin=origin):
                to = str(move.to.digest) if move.to else None
                yield name, move.sequence, str(move.tag), to, move.cause.kind


def standing(repository, ref):
    """Return the digest that a tag or a digest stands for; None if there is no such thing."""
    try:
        return str(repository.resolve(Digest.parse(ref) if ":" in ref else Tag(ref)).digest)
    except KillickError:
        return None


def _tags(store):
    for name in store.repositories():
        repository = store.repository(name)
        for tag in repository.tags():
            yield Promise(name, str(tag), str(repository.resolve(tag).digest))


def _lost_entries(store, before):
    for entry in sorted(before.moves - frozenset(moves(store)), key=str):
        yield f"the ledger lost {entry}"


def _unreadable(store):
    """Read all that tags name, as a pull from here would; say nothing if it can be read."""
    list(store.images(Platform.host(), past=True))
    for name in store.repositories():
        repository = store.repository(name)
        for tag in repository.tags():
            try:
                _read(repository, repository.resolve(tag))
            except KillickError as error:
                yield f"{name}:{tag} can't be read: {error.message}"


def _read(repository, root):
    for document in walk(repository, root, skip=lambda d: not repository.has(d)):
        if isinstance(document, Manifest):
            for child in document.children():
                with closing(repository.open(child)) as stream:
                    while stream.read(CHUNK):
                        pass


def _blob(repository, digest):
    try:
        return repository.find(Digest.parse(digest))
    except KillickError:
        return Descriptor(BLOB_TYPE, Digest.parse(digest), 0)
