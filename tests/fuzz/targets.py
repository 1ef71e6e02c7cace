"""What is fuzzed: one function for each parser, from bytes to nothing.

A target fails by any exception: an assertion of its own, or an error that is not one of Killick's.
Bytes that a parser refuses in the way it promises are no failure. `make fuzz` feeds them by
coverage (atheris); the tests by the corpus, and by what Hypothesis draws.
"""

import atexit
import io
import json
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from killick import chain, moves, strictjson
from killick.cli.settings import Settings
from killick.cli.templates import Template
from killick.client import helpers, retry
from killick.client.authfile import AuthFile
from killick.client.origin import Url
from killick.compression import decompressed
from killick.digest import Digest
from killick.errors import BadDigest, BadReference, ContentError, KillickError, UsageError
from killick.layout import Archive
from killick.manifest import DOCUMENT_TYPES, Config, Descriptor, Index, Manifest, parse_document
from killick.moments import parse_moment, rfc3339, utc_now
from killick.names import Name, Reference, Tag, is_path
from killick.server.conditions import matches
from killick.server.routes import target_of
from killick.tarball import members
from killick.transfer import walk
from killick.wire import challenge, extensions, links, ranges, tag_history

TARGETS = {}

_MOST_UNPACKED = 1_000_000
_HOST = Url.parse("https://registry.example/v2/")


def target(function):
    """Add a function to the table."""
    TARGETS[function.__name__] = function
    return function


@cache
def _folder():
    """Return a folder of this process, in which one file lies."""
    folder = Path(tempfile.mkdtemp(prefix="killick-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _text(data):
    return data.decode("utf-8", "surrogateescape")


def _json(data):
    """Return the value that some bytes stand for, if they do."""
    return strictjson.loads(data, "the bytes")


@target
def reference(data):
    """What is accepted is printed in a way that means the same, and its path leads nowhere else."""
    with suppress(BadReference):
        found = Reference.parse(_text(data))
        again = Reference.parse(str(found))
        assert again == found, (found, again)
        assert is_path(found.name.path)
        parts = found.name.path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert os.path.normpath(found.name.path) == found.name.path


@target
def name(data):
    with suppress(BadReference):
        found = Name.parse(_text(data))
        assert Name.parse(str(found)) == found


@target
def tag(data):
    with suppress(BadReference):
        found = Tag(_text(data))
        assert 0 < len(found) <= 128
        assert "/" not in found
        assert found not in (".", "..")


@target
def digest(data):
    """Only what has a known length is a digest, and it is printed as it was."""
    with suppress(BadDigest):
        found = Digest.parse(_text(data))
        assert str(found) == _text(data)
        assert "/" not in str(found)
        assert ".." not in str(found)
        lengths = {"sha256": 64, "sha512": 128}
        if found.algorithm in lengths:
            assert len(found.encoded) == lengths[found.algorithm]
            assert set(found.encoded) <= set("0123456789abcdef")


@target
def document(data):
    """A document is taken or refused by every type alike, and its bytes are kept."""
    for kind in (None, *sorted(DOCUMENT_TYPES)):
        with suppress(ContentError):
            found = parse_document(data, kind)
            assert found.raw == data
            for child in found.children():
                assert child.size >= 0
            assert isinstance(found, Manifest | Index)
            if kind is not None:
                assert found.media_type == kind


@target
def config(data):
    with suppress(ContentError):
        found = Config.parse(data)
        for part in ("platform", "created", "diff_ids"):
            with suppress(ContentError):
                getattr(found, part)


@target
def descriptor(data):
    with suppress(ContentError):
        found = Descriptor.from_json(_json(data))
        assert Descriptor.from_json(found.to_json()) == found


@target
def strict_json(data):
    """What is accepted means what the standard library says."""
    with suppress(ContentError):
        value = strictjson.loads(data, "it")
        assert value == json.loads(data)
        assert strictjson.loads(strictjson.compact(value), "it") == value


@target
def byte_range(data):
    """A range is that of a slow reading, byte by byte."""
    header = data[2:].decode("latin-1")
    size = int.from_bytes(data[:2], "big")
    found = ranges.requested(header, size)
    if found is not None:
        assert found.start >= 0
        assert found.stop <= size or not found
        assert found == _slow_range(header, size)
        ranges.content_range(found, size)


def _slow_range(header, size):
    span = header.split("=", 1)[1]
    head, tail = (part.strip() for part in span.split("-", 1))
    if not head:
        wanted = [i for i in range(size) if size - i <= int(tail)]
        return range(max(size - int(tail), 0), size) if wanted else range(size, size)
    start = int(head)
    if start >= size:
        return range(start, size if not tail else min(int(tail) + 1, size))
    end = size - 1 if not tail else min(int(tail), size - 1)
    return range(start, end + 1)


@target
def content_range(data):
    found = ranges.parse_content_range(data.decode("latin-1"))
    if found is not None:
        assert 0 <= found.start < found.stop
        assert found.size is None or found.stop <= found.size


@target
def www_authenticate(data):
    """What is printed of a challenge is one line, and is read again as the same."""
    found = challenge.parse_challenges([data.decode("latin-1")])
    assert len(found) <= challenge.MOST_CHALLENGES
    for each in found:
        printed = str(each)
        assert printed.isprintable()
        assert len(each.parameters) <= challenge.MOST_PARAMETERS


@target
def link(data):
    found = links.next_page(data.decode("latin-1"))
    if found is not None:
        assert found in data.decode("latin-1")
        with suppress(KillickError):
            url = _HOST.join(found)
            assert "\r" not in str(url)
            assert "\n" not in str(url)


@target
def location(data):
    """Where a redirect leads has one meaning: what is printed is parsed as the same."""
    with suppress(KillickError):
        url = _HOST.join(data.decode("latin-1"))
        assert Url.parse(str(url)) == url
        assert url.origin.scheme in ("http", "https")
        assert all(32 < ord(c) < 127 for c in url.target)


@target
def tar(data):
    with suppress(ContentError):
        for member in members(lambda offset, count: data[offset : offset + count]):
            assert member.size >= 0
            assert member.name


@target
def archive(data):
    """An archive is read in place: nothing beside it is made or changed."""
    folder = _folder()
    file = folder / "it"
    file.write_bytes(data)
    with suppress(KillickError):
        with Archive(file) as opened:
            for repository_name in opened.repositories():
                repository = opened.repository(repository_name)
                for each in repository.tags():
                    list(walk(repository, repository.resolve(each)))
    assert [path.name for path in folder.iterdir()] == ["it"]
    assert file.read_bytes() == data


@target
def stream(data):
    """No more comes out of a compressed stream than is allowed."""
    out, unpacked = 0, decompressed(io.BytesIO(data), _MOST_UNPACKED)
    with suppress(ContentError):
        while piece := unpacked.read(65536):
            out += len(piece)
    assert out <= _MOST_UNPACKED


@target
def docker_config(data):
    path = _folder() / "it"
    path.write_bytes(data)
    file = AuthFile(path)
    for domain in ("docker.io", "registry.example:5000"):
        with suppress(KillickError):
            file.helper_for(domain)
        with suppress(KillickError):
            file.find(domain, "team/app")


@target
def helper_output(data):
    """What a credential helper prints is a credential or an error, and no secret is in that."""
    code, out = (data[0] % 2, data[1:]) if data else (0, b"")
    done = SimpleNamespace(returncode=code, stdout=out, stderr=b"")
    with mock.patch.object(helpers, "_run", lambda *_: done):
        try:
            helpers.get("fuzz", "registry.example")
        except KillickError as error:
            assert error.message.isprintable()


@target
def history(data):
    with suppress(ContentError):
        value = _json(data)
        if isinstance(value, dict):
            told = list(tag_history.from_json(value))
            list(tag_history.moves(told, "r/x", Tag("1"), "r"))


@target
def move(data):
    with suppress(ContentError):
        found = moves.from_json(_json(data), "it")
        assert moves.from_json(moves.to_json(found), "it") == found
        chain.entry_hash(found, "")


@target
def head(data):
    found = chain.from_text(_text(data))
    if found is not None:
        assert chain.to_text(found) == _text(data)
    with suppress(ContentError):
        chain.from_json(_json(data))


@target
def announced(data):
    with suppress(ContentError):
        for each in extensions.from_json(_json(data)):
            assert isinstance(each.name, str)
            each.to_json()


@target
def settings(data):
    path = _folder() / "it"
    path.write_bytes(data)
    with suppress(UsageError):
        Settings.load({"KILLICK_CONFIG": str(path), "HOME": str(path.parent)})


@target
def template(data):
    with suppress(UsageError):
        Template(_text(data))


@target
def moment(data):
    with suppress(UsageError):
        rfc3339(parse_moment(_text(data), utc_now()))


@target
def retry_after(data):
    found = retry.seconds(data.decode("latin-1"))
    assert found is None or found >= 0


@target
def path(data):
    """A path leads to a repository whose name is one, or is refused."""
    with suppress(KillickError):
        found = target_of(b"/v2/" + data)
        assert found.name == "" or is_path(found.name)
        assert "/" not in found.item


@target
def etags(data):
    known = Digest.of(b"")
    assert matches(data.decode("latin-1"), None) is False
    matches(data.decode("latin-1"), known)
