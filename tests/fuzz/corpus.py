"""What fuzzing starts from: for each target, examples of what it reads, made here and kept nowhere.

python -m fuzz.corpus FOLDER      writes them as files, FOLDER/<target>/<number>
"""

import io
import json
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

import images
from killick.compression import zstd
from killick.layout import ArchiveWriter
from killick.manifest import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from killick.memory import MemoryRegistry
from killick.moves import to_json
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import Cause
from killick.tarball import END, header, padding
from killick.transfer import copy, walk
from killick.wire import tag_history
from killick.wire.extensions import LEDGER_EXTENSIONS
from killick.wire.extensions import to_json as announcement

_HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def corpus():
    """Return the examples by target, as bytes."""
    repository = MemoryRegistry().repository("registry.example/team/app")
    root = images.multi_platform(repository, {"app": b"content", "etc/motd": b"hello"})
    moved = repository.move(Tag("1.5"), root, Cause("pushed", "mate@deck"))
    documents = [each.raw for each in walk(repository, root)]
    configs = [
        repository.open(child).read()
        for each in walk(repository, root)
        for child in each.children()
        if child.media_type == OCI_CONFIG
    ]
    told = tag_history.to_json(tag_history.events(repository.history(Tag("1.5"))))
    move = _json(to_json(moved))
    return {
        "reference": _texts(
            *("alpine", "docker.io/library/alpine:3.22", f"a/b@sha256:{_HEX}", "x:1~2"),
            *("[::1]:5000/a", "localhost/a:b@{yesterday}", "registry.example:5000/a__b/c-d:v1.0_x"),
        ),
        "name": _texts("alpine", "registry.example:5000/team/app", "[2001:db8::1]/a"),
        "tag": _texts("1.5", "latest", "_a.b-c"),
        "digest": _texts(f"sha256:{_HEX}", f"sha512:{_HEX}{_HEX}", "a+b.c:abcdef"),
        "document": documents,
        "config": configs,
        "descriptor": [_json(Descriptor.of(OCI_LAYER_GZIP, b"x").to_json())],
        "strict_json": [*documents, b'{"a": [1, 2.5, "\\ud83d\\ude00", null, true]}'],
        "byte_range": [b"\x10\0" + text for text in (b"bytes=0-9", b"bytes=5-", b"bytes=-5")],
        "content_range": _texts("bytes 0-9/10", "bytes 0-9/*", "0-9", "bytes */10"),
        "www_authenticate": _texts(
            'Bearer realm="https://a/t",service="b",scope="repository:a/b:pull,push"',
            'Basic realm="x", Digest nonce="y\\"z", Negotiate abc==',
        ),
        "link": _texts(
            '</v2/a/tags/list?n=5&last=x>; rel="next"', '<a>; rel=prev, <b>; rel="next"'
        ),
        "location": _texts("/v2/a", "https://a:5/b?c#d", "//a/b", "http://[::1]:5000/", "?a=b"),
        "tar": _tars(),
        "archive": _archives(repository, root),
        "stream": _streams(),
        "docker_config": [
            _json({"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cHc="}}}),
            _json({"auths": {"registry.example:5000/team": {"identitytoken": "x"}}}),
            _json({"credHelpers": {"registry.example": "x"}, "credsStore": "y"}),
        ],
        "helper_output": [
            b"\0" + _json({"ServerURL": "a", "Username": "me", "Secret": "pw"}),
            b"\1credentials not found in native keychain",
        ],
        "history": [_json(told)],
        "move": [move],
        "head": [f"12-{_HEX}".encode(), _json({"sequence": 12, "hash": _HEX})],
        "announced": [_json(announcement(LEDGER_EXTENSIONS))],
        "settings": _texts(
            'store = "/x"\njobs = 4\nprogress = "auto"\n',
            '[registries."registry.example:5000"]\nplain_http = true\nca_file = "/x"\n',
        ),
        "template": _texts(
            "{{.Tag}}\t{{json .}}", "{{range .A}}{{if eq .B 1}}x{{else}}{{.C}}{{end}}{{end}}"
        ),
        "moment": _texts("2026-11-01T14:30:05+02:00", "2 hours ago", "3d", "yesterday"),
        "retry_after": _texts("120", "Fri, 31 Dec 1999 23:59:59 GMT"),
        "path": _texts(
            *("a/b/manifests/1.5", f"a/blobs/sha256:{_HEX}", "a/blobs/uploads/x", "_catalog"),
            *("a/_killick/chain", "a/_oci/tag-history/1", "a/tags/list", "a%2Fb/manifests/%2e%2e"),
        ),
        "etags": _texts(f'"sha256:{_HEX}"', 'W/"a", "b"', "*"),
    }


def write(folder: Path):
    """Write the examples as files."""
    for name, examples in corpus().items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for number, example in enumerate(examples):
            (place / str(number)).write_bytes(example)


def _texts(*texts):
    return [text.encode() for text in texts]


def _json(value):
    return json.dumps(value).encode()


def _tars():
    ours = header("a/b", 3) + b"abc" + padding(3) + header("x" * 150, 0) + END
    found = [ours]
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for name, kind in (("d", tarfile.DIRTYPE), ("l/" + "m" * 90, tarfile.SYMTYPE)):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "../x" if kind == tarfile.SYMTYPE else ""
                archive.addfile(info)
            info = tarfile.TarInfo("ф")
            info.size = 5
            archive.addfile(info, io.BytesIO(b"hello"))
        found.append(out.getvalue())
    return found


def _archives(repository, root):
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for docker in (None, Platform.parse("linux/amd64")):
            path = Path(folder) / "archive.tar"
            with ArchiveWriter(path, docker) as archive:
                copy(repository, archive.repository("registry.example/team/app"), root, Tag("1.5"))
            found.append(path.read_bytes())
    return found


def _streams():
    data = bytes(range(256)) * 40
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return [
        images.gzip(data),
        packer.compress(bytes(2_000_000)) + packer.flush(),
        zstd.compress(data),
        zstd.compress(bytes(2_000_000)),
        images.gzip(b"one") + images.gzip(b"two"),
    ]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
