"""Where the ledger of a repository ends, told with each tag, so that callers notice a rewriting."""

from __future__ import annotations

from killick import chain
from killick.digest import Digest
from killick.manifest import Descriptor
from killick.names import Tag
from killick.repository import Chained, Head, Repository
from killick.server.responses import Headers

_TRIES = 3


def looked_up(repository: Repository, reference: Tag | Digest) -> tuple[Descriptor, Headers]:
    """Return what a reference points to, with the header that says where the ledger ended then.

    The head is told of tags alone, and only where it is the same before the tag is looked up and
    after: then no move came between, and the two belong together. A repository whose tags move all
    the time may tell none.

    Raises:
        TagUnknown, ManifestUnknown: there is no such thing.
    """
    if isinstance(reference, Digest) or not isinstance(repository, Chained):
        return repository.resolve(reference), {}
    before = repository.head()
    for _ in range(_TRIES):
        found = repository.resolve(reference)
        after = repository.head()
        if after == before:
            return found, header_of(after)
        before = after
    return found, {}


def header_of(head: Head) -> Headers:
    """Return the header that tells a head; none where nothing ever moved."""
    return {chain.HEADER: chain.to_text(head)} if head.sequence else {}
