"""Import: the tar of a root file system becomes an image of one layer.

The tar is unpacked, hashed, compressed again and hashed again as it streams by, so that memory
stays small whatever its size. The same tar, platform, changes and time make the same image.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO, Protocol

from killick import strictjson
from killick.changes import config_of
from killick.compression import decompressed
from killick.digest import Bytes, Digest, chunks
from killick.errors import ContentError, UploadUnknown
from killick.files import translating
from killick.manifest import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from killick.moments import rfc3339
from killick.platforms import Platform
from killick.repository import Repository, Uploads
from killick.tarball import BLOCK, END, is_header

MOST_BYTES = 1024**4
_LEVEL = 6


def import_rootfs(
    source: BinaryIO,
    target: Repository,
    platform: Platform,
    changes: Sequence[str] = (),
    created: datetime | None = None,
) -> Descriptor:
    """Put the tar in `source` (plain, or as gzip, bzip2, xz or zstd) into `target` as an image.

    `changes` are Dockerfile instructions (CMD, ENV, LABEL …); `created` is told in the config where
    it is given. Returns the descriptor of the manifest.

    Raises:
        UsageError: a change can't be used; nothing was read.
        ContentError: what comes out of `source` is not a tar, or is damaged.
        LimitExceeded: it has more than 1 TiB.
    """
    config: dict[str, Any] = platform.to_json() | {"config": config_of(changes)}
    diff_id, layer = _layer(source, target)
    step: dict[str, Any] = {"comment": "imported from a root file system"}
    if created is not None:
        config["created"] = step["created"] = rfc3339(created)
    config["rootfs"] = {"type": "layers", "diff_ids": [str(diff_id)]}
    config["history"] = [step]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _put(target, OCI_CONFIG, config).to_json(),
        "layers": [layer.to_json()],
    }
    return _put(target, OCI_MANIFEST, manifest)


def _put(target: Repository, media_type: str, value: dict[str, Any]) -> Descriptor:
    content = strictjson.compact(value)
    d = Descriptor.of(media_type, content)
    target.put(d, BytesIO(content))
    return d


class _Sink(Protocol):
    """Takes the bytes of a layer, then makes them content of the target."""

    def write(self, data: Bytes, /) -> object: ...

    def commit(self, digest: Digest, /) -> Descriptor: ...


def _layer(source: BinaryIO, target: Repository) -> tuple[Digest, Descriptor]:
    """Put the tar as a gzip layer; return its diff ID and its descriptor."""
    plain = Digest.of(b"").hasher()
    packed = Digest.of(b"").hasher()
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    with _sink(target) as sink:
        for piece in _checked(decompressed(source, MOST_BYTES)):
            plain.update(piece)
            if data := packer.compress(piece):
                packed.update(data)
                sink.write(data)
        data = packer.flush()
        packed.update(data)
        sink.write(data)
        found = sink.commit(Digest("sha256", packed.hexdigest()))
    return Digest("sha256", plain.hexdigest()), Descriptor(OCI_LAYER_GZIP, found.digest, found.size)


def _checked(stream: BinaryIO) -> Iterator[Bytes]:
    """Yield the stream, once its first bytes have shown that it is a tar."""
    head = b""
    while len(head) < BLOCK and (data := stream.read(BLOCK - len(head))):
        head += data
    if not (is_header(head) or head == END[:BLOCK]):
        raise ContentError(
            "what is to be imported is not a tar of a root file system",
            side="file",
            hint="make one with tar -C DIR -c . (gzip, bzip2, xz and zstd are understood)",
        )
    yield head
    yield from chunks(stream)


@contextmanager
def _sink(target: Repository) -> Iterator[_Sink]:
    if not isinstance(target, Uploads):
        with tempfile.TemporaryFile(prefix="killick-") as file:
            yield _Spool(file, target)
        return
    upload = target.begin()
    try:
        yield upload
    except BaseException:
        with suppress(UploadUnknown):
            upload.cancel()
        raise


class _Spool:
    """A sink for targets that must know the digest first: the layer waits in a temporary file."""

    def __init__(self, file: Any, target: Repository) -> None:  # noqa: ANN401 - tempfile's type has no name
        self._file: BinaryIO = file
        self._target = target

    def write(self, data: Bytes, /) -> None:
        with translating("write the layer to a temporary file"):
            self._file.write(data)

    def commit(self, digest: Digest, /) -> Descriptor:
        d = Descriptor(OCI_LAYER_GZIP, digest, self._file.tell())
        self._file.seek(0)
        self._target.put(d, self._file)
        return d
