"""Our reference grammar against docker's own code, on hand-picked and generated strings.

Where the two differ, it is on purpose, and `_deliberate` says why.
"""

import json
import random
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.processes import Tool, find
from killick import Reference

HEX = "0123456789abcdef"
SHA256 = "sha256:" + 4 * HEX
SHA512 = "sha512:" + 8 * HEX

BY_HAND = [
    "", " ", ":", "@", "/", "a", "A", "a/", "/a", "a//b", "a:", ":a", "a@", "a:b:c", "a b", "a\nb",
    "alpine", "alpine:3", "alpine:latest", "library/alpine", "docker.io/alpine", "docker.io",
    "docker.io/", "docker.io/library/alpine", "docker.io/library/a/b", "index.docker.io/alpine",
    "index.docker.io/a/b", "registry-1.docker.io/alpine", "user/name", "User/name", "user/Name",
    "localhost", "localhost/x", "localhost:5000", "localhost:5000/x", "LOCALHOST/x", "localhost/X",
    "example.com", "example.com/x", "Example.COM/x", "example.com:5000", "example.com:5000/x:y",
    "example.com:/x", "example.com:5000a/x", "example.com./x", "-example.com/x", "example-.com/x",
    "docker.io/my.host/x", "docker.io/localhost/x", "docker.io/a:1/b", "foo:5000/x", "foo/x",
    "[::1]/x", "[::1]:5000/x", "[::1]:5000/x:y", "[2001:DB8::1]:5000/a/b", "[::1]", "[]/x", "[g]/x",
    "[fe80::1%eth0]:5000/x", "[::ffff:1.2.3.4]/x", "::1/x", "127.0.0.1/x", "127.0.0.1:5000/x",
    "a.b", "a..b", "a_b", "a__b", "a___b", "a-b", "a---b", "a._b", ".a", "_a", "-a", "a.", "a_",
    "a-", "x/a..b", "x/a__b", "x/a___b", "x/-a", "x/a-", "é", "x/é", "x:é", "\uff41",
    "x:" + 128 * "t", "x:" + 129 * "t", "x:_a", "x:.a", "x:-a", "x:A.b-c_d", "x:a/b", "x:a+b",
    4 * "0123456789abcdef", 64 * "a", 63 * "a", 65 * "a", 64 * "A", 64 * "a" + ":t",
    "x/" + 64 * "a", "docker.io/" + 64 * "a", 64 * "a" + "@" + SHA256, 255 * "p", 256 * "p",
    "x.io/" + 255 * "p", "x.io/" + 256 * "p", "library/" + 247 * "p", 247 * "p", 248 * "p",
    200 * "d" + ".io/" + 255 * "p", "x.io/" + "/".join(128 * ["p"]), "a@" + SHA256, "a:b@" + SHA256,
    "a@" + SHA512, "a:b@" + SHA512, f"a@{SHA256}:b", f"a@{SHA256}@b", "a@" + SHA256[:-1],
    "a@" + SHA256 + "0", "a@" + SHA256.upper(), "a@" + SHA256.replace("a", "A"),
    "a@sha512:" + 4 * HEX, "a@sha256:" + 8 * HEX, "a@sha256:" + 32 * "a", "a@sha256:", "a@sha256",
    SHA256, "@" + SHA256, ":b@" + SHA256, "A@" + SHA256, "https://x.io/a", "docker://x", "a?b",
    "a#b",
]  # fmt: skip

PIECES = [
    *"abz09AZ._-/:@[]", "__", "..", "//", "--", "localhost", "docker.io", "index.docker.io",
    "library", "example.com", ":5000", "[::1]", "latest", "1.5", SHA256, SHA512, "@" + SHA256,
    "@" + SHA512, 64 * "a", 120 * "b", "é",
]  # fmt: skip


def generated(count: int) -> Iterator[str]:
    """Strings near the grammar's edge: pieces of references in any order, and valid ones spoilt."""
    choose = random.Random(20261101)
    alphabet = string.ascii_letters + string.digits + "._-/:@[]"
    for number in range(count):
        if number % 2:
            yield "".join(choose.choices(PIECES, k=choose.randint(1, 7)))
            continue
        text = choose.choice(BY_HAND)
        for _ in range(choose.randint(1, 3)):
            at = choose.randint(0, len(text))
            text = text[:at] + choose.choice(alphabet) + text[at + choose.randint(0, 1) :]
        yield text


@pytest.fixture(scope="module")
def docker_grammar(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    program = tmp_path_factory.mktemp("refgrammar") / "refgrammar"
    source = Path(__file__).parent / "refgrammar"
    Tool(find("go"), "-C", str(source)).run("build", "-o", program, timeout=300)
    return Tool(str(program))


def test_docker_and_killick_read_the_same(docker_grammar: Tool) -> None:
    corpus = list(dict.fromkeys([*BY_HAND, *generated(20_000)]))
    lines = "\n".join(map(json.dumps, corpus)).encode()
    theirs = [json.loads(line) for line in docker_grammar.run(stdin=lines).splitlines()]
    differing = [
        f"{text!r}\n  docker:  {their}\n  killick: {our}"
        for text, their in zip(corpus, theirs, strict=True)
        if (our := _explain(text)) != their and not _deliberate(text, our, their)
    ]
    assert not differing, f"{len(differing)} of {len(corpus)}\n" + "\n".join(differing[:20])
    accepted = sum("path" in their for their in theirs)
    assert 500 < accepted < len(corpus) - 500, "the corpus has to have both sides of the grammar"


def _explain(text: str) -> dict[str, str]:
    try:
        found = Reference.parse(text)
    except ValueError:
        return {"error": ""}
    default_tag = None if found.digest else "latest"  # what docker's own defaults add
    fields = {
        "domain": found.name.domain,
        "path": found.name.path,
        "tag": found.tag or default_tag,
        "digest": found.digest,
        "familiar": found.familiar,
        "canonical": found.canonical,
    }
    return {name: str(value) for name, value in fields.items() if value is not None}


def _deliberate(text: str, our: dict[str, str], their: dict[str, str]) -> bool:
    if "error" in our and "error" in their:
        return True  # the words are each one's own
    if "~" in text or "@{" in text:
        return True  # time travel is ours alone
    if "error" in our and "domain" not in their:
        return (
            True  # docker takes my_host.io/x for a path without any registry; nothing can pull it
        )
    if "error" in our or "error" in their:
        # Digests of algorithms that nobody has registered can be named by us, and not be verified.
        algorithm = text.rpartition("@")[2].partition(":")[0]
        return "error" in their and "@" in text and algorithm not in ("sha256", "sha512")
    # A name on Docker Hub whose first part looks like a host: docker's short form of it would be
    # read as another registry's, ours keeps the domain.
    differing = {name for name in our if our[name] != their.get(name)}
    return (
        differing == {"familiar"}
        and our["familiar"].startswith("docker.io/")
        and _canonical(their["familiar"]) != our["canonical"]
    )


def _canonical(text: str) -> str | None:
    """What a text means, None where it is no reference (as 64 hexadecimal digits are none)."""
    try:
        return Reference.parse(text).canonical
    except ValueError:
        return None
