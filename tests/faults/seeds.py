"""Faults planted on purpose, one at a time: each takes away one thing that keeps the promises.

`test` names what has to notice it, a kind of test here or tests of `make test`; `operation` narrows
it to the command in which it shows, and `share` says how many of the points of the short form are
tried. A seed that its test lets through is a fault of this harness. `FAULTS_SEED=name` plants one.
"""

from dataclasses import dataclass

DURABLE = "killick.store.durable"
DATABASE = "killick.store.database"
COMMIT = "killick.store.commit"
LEDGER = "killick.store.ledger"
COLLECT = "killick.store.collect"
LEASES = "killick.store.leases"
BLOBS = "killick.store.blobs"
DIGEST = "killick.digest"
REALMS = "killick.client.realms"
DIAL = "killick.client.dial"
REDIRECTS = "killick.client.redirects"
BODY = "killick.client.body"
STRICTJSON = "killick.strictjson"
MANIFEST = "killick.manifest"
TARFILES = "killick.layout.tarfiles"
COMPRESSION = "killick.compression"
HEADS = "killick.cli.heads"
ANSWERS = "killick.store.answers"
CONDITIONS = "killick.server.conditions"
ADMISSION = "killick.server.admission"


@dataclass(frozen=True)
class Seed:
    """A fault: which lines of a module are replaced by which."""

    name: str
    test: str
    module: str
    edits: tuple[tuple[str, str], ...]
    operation: str = ""
    share: float = 0.5


_ALL = (
    # What the disk is told
    Seed(
        "content is not synced",
        "order",
        DURABLE,
        (
            (
                "        os.fsync(descriptor)\n    except OSError as error:\n        remove(path)",
                "        pass\n    except OSError as error:\n        remove(path)",
            ),
        ),
    ),
    Seed(
        "names are not synced",
        "order",
        DURABLE,
        (("    for directory in directories:\n        sync_directory(directory)\n", ""),),
    ),
    Seed(
        "new folders are not synced",
        "order",
        DURABLE,
        (("    sync_directory(path.parent)\n\n\ndef create", "\n\ndef create"),),
    ),
    Seed(
        "commits are not synced",
        "order",
        DATABASE,
        (("PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),),
    ),
    Seed(
        "an fsync that failed is ignored",
        "errors",
        DURABLE,
        (
            (
                "        remove(path)\n        raise translate(error, path) from error",
                "        pass",
            ),
        ),
        operation="load",
    ),
    Seed(
        "errors of the disk are not translated",
        "errors",
        DURABLE,
        (
            (
                "    except OSError as error:\n        raise translate(error, path) from error\n"
                "\n\ndef make_directory",
                "    finally:\n        pass\n\n\ndef make_directory",
            ),
        ),
        operation="load",
    ),
    # What happens together, and in which order
    Seed(
        "rows come before files",
        "crash",
        COMMIT,
        (
            ("            durable.publish([(path, self._path(a)) for a, path in fresh])\n", ""),
            ("Shape.of(self._path(arrival).stat())", "Shape.of(arrival.temporary.stat())"),
            (
                "                    self._insert(connection, arrival, shapes.get(arrival))\n",
                "                    self._insert(connection, arrival, shapes.get(arrival))\n"
                "            durable.publish([(path, self._path(a)) for a, path in fresh])\n",
            ),
        ),
        operation="load",
    ),
    Seed(
        "a move and its entry are two commits",
        "crash",
        LEDGER,
        (
            (
                "    series = (home, cause.origin, wish.tag)\n",
                "    series = (home, cause.origin, wish.tag)\n"
                "    connection.execute('COMMIT')\n"
                "    connection.execute('BEGIN IMMEDIATE')\n",
            ),
        ),
        operation="rmi",
        share=3,
    ),
    Seed(
        "gc removes files before rows",
        "crash",
        COLLECT,
        (
            (
                "                    gone += _drop_blob(connection, digest)\n",
                "                    gone += _drop_blob(connection, digest)\n"
                "                for d in gone:\n"
                "                    durable.remove(self._blobs.path(d.digest))\n",
            ),
        ),
        operation="gc",
    ),
    Seed(
        "commits don't share a lock with gc",
        "races",
        COMMIT,
        (("        with locks.shared(self._context.places.commit_lock):\n", "        if True:\n"),),
    ),
    Seed(
        "compare and swap does not compare",
        "races",
        LEDGER,
        (
            (
                "    if wish.expected is not ANYTHING and wish.expected != previous:\n",
                "    if False:\n",
            ),
        ),
    ),
    Seed(
        "writers don't wait for each other",
        "races",
        DATABASE,
        (
            (
                "            _begin(connection)\n            with",
                '            connection.execute("BEGIN")\n            with',
            ),
        ),
    ),
    # What was promised
    Seed(
        "a promise writes no lease",
        "leases",
        LEASES,
        (("        if unreachable is None or self._context.read_only:\n", "        if True:\n"),),
    ),
    Seed(
        "fresh content has no lease",
        "leases",
        COMMIT,
        (
            (
                "                now,\n                now,\n            ),",
                "                now,\n                0,\n            ),",
            ),
        ),
    ),
    Seed(
        "long transfers don't renew their leases",
        "leases",
        LEASES,
        (("            renew(connection, touched, self._context.now())\n", "            pass\n"),),
    ),
    Seed(
        "gc does not look again",
        "leases",
        COLLECT,
        (
            (
                "                if graph.is_live(connection, repository, digest, retained):\n",
                "                if False:\n",
            ),
            (
                '"DELETE FROM member WHERE id = :id AND (unreachable < :before"\n'
                '                    " OR (unreachable IS NOT NULL AND purged AND :purge))",',
                '"DELETE FROM member WHERE id = :id AND (1 OR :before OR :purge)",',
            ),
        ),
    ),
    # What is verified
    Seed(
        "what comes in is not verified",
        "damage",
        DIGEST,
        (("        if actual != self.digest.encoded:\n", "        if False:\n"),),
    ),
    Seed(
        "every file counts as known to be good",
        "damage",
        BLOBS,
        (("        return Shape.of(stat) == held.shape and", "        return True or"),),
    ),
    Seed(
        "damage is not put away",
        "damage",
        BLOBS,
        (
            (
                "            if inode != (shape.inode if shape else None):\n",
                "            if True:\n",
            ),
        ),
    ),
    Seed(
        "the ledger is not checked",
        "damage",
        LEDGER,
        (("        elif entry_hash(made, before) != row[-1]:\n", "        elif False:\n"),),
    ),
    Seed(
        "rows are not checked against files",
        "damage",
        BLOBS,
        (
            (
                "        if file is None:\n            return False\n",
                "        if file is None:\n            return True\n",
            ),
        ),
    ),
    Seed(
        "images in part get a name",
        "unit/test_store_lapsed.py",
        LEDGER,
        (
            (
                "    if part is not None:\n        raise Incomplete(",
                "    if False:\n        raise Incomplete(",
            ),
        ),
    ),
    Seed(
        "stamps of the future stay",
        "clocks",
        COLLECT,
        (
            (
                "UPDATE blob SET orphaned = :now WHERE orphaned > :now",
                "UPDATE blob SET orphaned = 0 WHERE 0 AND :now",
            ),
        ),
    ),
    # Where credentials go, and whom the client listens to
    Seed(
        "any realm gets the password",
        "liars",
        REALMS,
        (("    if host == registry.host or", "    if True or"),),
        operation="foreign realm: another host",
    ),
    Seed(
        "nobody looks where an address lies",
        "liars",
        DIAL,
        (("            if zone > innermost or (", "            if False and ("),),
        operation="redirect from outside to: inner.example.org",
    ),
    Seed(
        "redirects go on and on",
        "liars",
        REDIRECTS,
        (("MOST_REDIRECTS = 5\n", "MOST_REDIRECTS = 60\n"),),
        operation="redirect loop: ever new",
    ),
    Seed(
        "any part of a blob is taken",
        "unit/test_client_transfers.py::test_another_part_than_asked_for_is_an_error",
        BODY,
        (("            if not right or (match", "            if False and (match"),),
    ),
    # What is read from outside
    Seed(
        "keys may come twice",
        "unit/test_strictjson.py",
        STRICTJSON,
        (("    if len(found) != len(pairs):", "    if False:"),),
    ),
    Seed(
        "nesting has no end",
        "unit/test_strictjson.py",
        STRICTJSON,
        (("        if depth > MOST_DEPTH:", "        if False:"),),
    ),
    Seed(
        "sizes may be negative",
        "unit/test_manifest.py",
        MANIFEST,
        (("or not 0 <= size <= MOST_SIZE", "or not size <= MOST_SIZE"),),
    ),
    Seed(
        "members of archives may lead out",
        "unit/test_archive.py",
        TARFILES,
        (('    if name.startswith("/") or ".." in parts:', "    if False:"),),
    ),
    Seed(
        "what unpacks has no limit",
        "unit/test_compression.py",
        COMPRESSION,
        (("        if self._left < 0:", "        if False:"),),
    ),
    # What a tag may mean, and who may move it
    Seed(
        "heads of ledgers are not compared",
        "cli/test_rewritten.py",
        HEADS,
        (("    if head != now.head:\n", "    if False:\n"),),
    ),
    Seed(
        "a tag may be elsewhere than its ledger says",
        "cli/test_rewritten.py::test_an_answer_that_the_ledger_contradicts",
        HEADS,
        (("    if stands and to != now.digest:\n", "    if False:\n"),),
    ),
    Seed(
        "conditions are not looked at",
        "unit/test_server_manifests.py::test_compare_and_swap",
        CONDITIONS,
        (("    if not wanted or (", "    if False and ("),),
    ),
    Seed(
        "commits of others are not noticed",
        "unit/test_store_answers.py::test_a_commit_of_another_process_is_seen_at_once",
        ANSWERS,
        (("        if state == self._state:\n", "        if True:\n"),),
    ),
    Seed(
        "rights are not asked for",
        "unit/test_server_access.py::test_the_matrix",
        ADMISSION,
        (("        if need is None or caller.may(need, repository):", "        if True:"),),
    ),
)

SEEDS = {seed.name: seed for seed in _ALL}
