"""The database's schema. `PRAGMA user_version` says which one a file has.

    repository ─┬─ member ── blob           what a repository holds; disk is shared, sight is not
                ├─ tag, move                names, and their ledger
                └─ kept                     images that are held by digest alone
    document ── edge                        the graph: index → manifest → config, layers; subject
    known ── link                           the same of all that was ever seen, here or elsewhere
    advisory                                what is said about vulnerabilities in images

Digests are text and no row numbers, so that an edge may name what is not here. Times are integer
microseconds since 1970, UTC. `member.unreachable` is when the content was found to have no root,
or was last promised to somebody while it had none (see `leases`).
"""

from __future__ import annotations

import sqlite3

from killick.errors import StoreDamaged, StoreTooNew

VERSION = 1

_TABLES = """
CREATE TABLE repository (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sequence INTEGER NOT NULL DEFAULT 0,   -- of the last entry of its ledger
    head TEXT NOT NULL DEFAULT ''          -- the hash of that entry
);
CREATE TABLE blob (
    digest TEXT PRIMARY KEY,
    encoded TEXT NOT NULL,
    size INTEGER NOT NULL,
    inode INTEGER NOT NULL,                -- the file as it was when its bytes were verified
    mtime INTEGER NOT NULL,
    ctime INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    damaged INTEGER NOT NULL DEFAULT 0,    -- in quarantine, or missing
    orphaned INTEGER                       -- since when no repository has it
) WITHOUT ROWID;
CREATE INDEX blob_encoded ON blob (encoded);
CREATE INDEX blob_orphaned ON blob (orphaned) WHERE orphaned IS NOT NULL;
CREATE TABLE member (
    id INTEGER PRIMARY KEY,                -- the order of arrival
    repository INTEGER NOT NULL REFERENCES repository (id),
    digest TEXT NOT NULL REFERENCES blob (digest),
    document INTEGER NOT NULL,             -- 1: as manifest or index, 0: as blob
    media_type TEXT NOT NULL,
    arrived INTEGER NOT NULL,
    unreachable INTEGER,
    purged INTEGER NOT NULL DEFAULT 0,     -- may go at once, if nobody else is at work
    sparse INTEGER NOT NULL DEFAULT 0,     -- 1: an image that lacked a part when it came
    UNIQUE (repository, digest, document)
);
CREATE INDEX member_digest ON member (digest);
CREATE INDEX member_unreachable ON member (unreachable) WHERE unreachable IS NOT NULL;
CREATE TABLE document (
    digest TEXT PRIMARY KEY REFERENCES blob (digest),
    media_type TEXT NOT NULL,
    artifact_type TEXT,                    -- as the referrers API tells it
    subject TEXT,
    annotations TEXT,                      -- JSON, kept where there is a subject
    config TEXT,
    image INTEGER NOT NULL DEFAULT 0,      -- 1: the config is a container image's
    platform TEXT,                         -- JSON, from the config
    created TEXT,
    total INTEGER                          -- bytes of config and layers, each once
) WITHOUT ROWID;
CREATE INDEX document_kind ON document (artifact_type) WHERE subject IS NOT NULL;
CREATE INDEX document_subject ON document (subject, digest) WHERE subject IS NOT NULL;
CREATE INDEX document_artifact ON document (subject, artifact_type, digest)
    WHERE subject IS NOT NULL;
CREATE INDEX document_config ON document (config) WHERE config IS NOT NULL;
CREATE TABLE edge (
    parent TEXT NOT NULL REFERENCES document (digest) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    child TEXT NOT NULL,
    kind TEXT NOT NULL,                    -- manifest, index, config, layer, blob
    document INTEGER NOT NULL,
    optional INTEGER NOT NULL,             -- a foreign layer
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    platform TEXT,                         -- JSON, from the index
    PRIMARY KEY (parent, position)
) WITHOUT ROWID;
CREATE INDEX edge_child ON edge (child);
CREATE TABLE known (                       -- kept for ever: says nothing about what is here
    digest TEXT PRIMARY KEY,
    kind TEXT NOT NULL,                    -- index, manifest, config
    media_type TEXT NOT NULL,
    size INTEGER,
    platform TEXT,                         -- JSON, a config's
    base TEXT                              -- what a manifest says it was built on
) WITHOUT ROWID;
CREATE TABLE link (
    parent TEXT NOT NULL REFERENCES known (digest),
    position INTEGER NOT NULL,
    child TEXT NOT NULL,
    kind TEXT NOT NULL,                    -- of edge, and diff: a config's diff IDs
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    platform TEXT,                         -- JSON, from the index
    PRIMARY KEY (parent, position)
) WITHOUT ROWID;
CREATE INDEX link_child ON link (child);
CREATE TABLE advisory (
    id INTEGER PRIMARY KEY,                -- the order of arrival
    identifier TEXT NOT NULL,
    source TEXT NOT NULL,                  -- flagged, file:NAME, registry:NAME
    version INTEGER NOT NULL,
    content BLOB NOT NULL,                 -- the OpenVEX document
    subject TEXT,                          -- the image that it is attached to
    UNIQUE (identifier, source)
);
CREATE TABLE tag (
    repository INTEGER NOT NULL REFERENCES repository (id),
    origin TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    PRIMARY KEY (repository, origin, name)
) WITHOUT ROWID;
CREATE INDEX tag_digest ON tag (digest);
CREATE TABLE move (
    repository INTEGER NOT NULL REFERENCES repository (id),
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    origin TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT,
    media_type TEXT,
    size INTEGER,
    previous TEXT,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    authoritative INTEGER NOT NULL,
    overriding INTEGER NOT NULL,           -- 1: against a rule that keeps the tag where it is
    hash TEXT NOT NULL,
    released TEXT,                         -- no part of the entry: who let go of `previous`
    PRIMARY KEY (repository, sequence)
) WITHOUT ROWID;
CREATE INDEX move_series ON move (repository, origin, tag, sequence);
CREATE INDEX move_digest ON move (digest, repository, origin, sequence);
CREATE INDEX move_previous ON move (previous) WHERE previous IS NOT NULL;
CREATE TABLE seen_head (                   -- where the ledgers of registries ended
    repository TEXT NOT NULL,              -- with its registry, as it is written
    tag TEXT NOT NULL,                     -- '': when the ledger itself was asked for
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    digest TEXT,                           -- what the tag pointed to then
    PRIMARY KEY (repository, tag)
) WITHOUT ROWID;
CREATE TABLE host (                        -- whose engines told what they run
    name TEXT PRIMARY KEY,
    engine TEXT NOT NULL,
    taken INTEGER NOT NULL,                -- when it last answered, if it ever did
    failure TEXT                           -- why it could not be asked since
) WITHOUT ROWID;
CREATE TABLE reporter (                    -- who alone may report under a host's name
    host TEXT PRIMARY KEY,
    account TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE sighting (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL REFERENCES host (name) ON DELETE CASCADE,
    identity TEXT NOT NULL,                -- a hash of all that makes it another sighting
    container TEXT NOT NULL,
    engine TEXT NOT NULL,
    document TEXT NOT NULL,                -- JSON, as of when it was last seen
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    here INTEGER NOT NULL,                 -- 1: the host's newest answer has it
    UNIQUE (host, identity)
);
CREATE INDEX sighting_container ON sighting (container);
CREATE INDEX sighting_last ON sighting (last) WHERE here = 0;
CREATE TABLE sighted (
    digest TEXT NOT NULL,
    sighting INTEGER NOT NULL REFERENCES sighting (id) ON DELETE CASCADE,
    PRIMARY KEY (digest, sighting)
) WITHOUT ROWID;
CREATE INDEX sighted_sighting ON sighted (sighting);
CREATE TABLE kept (
    repository INTEGER NOT NULL REFERENCES repository (id),
    digest TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
"""


def version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema that a database has; 0 where it has none yet.

    Raises:
        StoreTooNew: a newer Killick made it.
        StoreDamaged: it has a version, but is not a store's.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise StoreTooNew(
            f"the store has format {found}, and this Killick knows formats up to {VERSION}",
            hint="use the newer Killick that made it, or set KILLICK_STORE to another folder",
        )
    if found < 0:
        raise StoreDamaged("the store's database is none that Killick made")
    return found


def create(connection: sqlite3.Connection) -> None:
    """Lay the tables in an empty database, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
