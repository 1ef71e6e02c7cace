"""Calls to a served registry, one after the other, and what each answer promised."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass, field

from faults.promises import Promise
from faults.world import SERVED
from killick.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor

CHUNKS = 3
_ANSWERS = {200, 201, 202, 204}


class NotAcknowledged(Exception):
    """The registry refused, or went away in the middle of a call."""

    def __init__(self, text, status=None, body=b""):
        super().__init__(text)
        self.status = status
        self.body = body


@dataclass
class Calls:
    """One caller of the registry at `port`; `promised` is what it was told is there."""

    port: int
    promised: list = field(default_factory=list)
    may: list = field(default_factory=list)

    def push_whole(self, data):
        """Push a blob in one piece."""
        location = self._begin()
        self._call("PUT", f"{location}?digest={_digest(data)}", data)
        self._blob(data)

    def push_chunked(self, data):
        """Push a blob in several pieces."""
        location, size = self._begin(), -(-len(data) // CHUNKS)
        for start in range(0, len(data), size):
            location = self.push_part(location, data, start, min(start + size, len(data)))
        self.end_upload(location, data)

    def push_part(self, location, data, start, end):
        """Push a piece of a blob, the first one where there is no location; return the next one."""
        location = location or self._begin()
        stated = {"Content-Range": f"{start}-{end - 1}"}
        return self._call("PATCH", location, data[start:end], stated)["Location"]

    def end_upload(self, location, data):
        """End an upload whose pieces are all there."""
        self._call("PUT", f"{location}?digest={_digest(data)}", b"")
        self._blob(data)

    def put_manifest(self, tag, document):
        """Push a manifest under a tag; a tag that is there moves."""
        self._moving(tag, _digest(document))
        kind = json.loads(document)["mediaType"]
        self._call("PUT", f"/v2/{SERVED}/manifests/{tag}", document, {"Content-Type": kind})
        self._moved(tag, _digest(document))

    def delete_tag(self, tag):
        """Remove a tag; that it is gone already is as good."""
        self._moving(tag, None)
        try:
            self._call("DELETE", f"/v2/{SERVED}/manifests/{tag}")
        except NotAcknowledged as error:
            if error.status != http.client.NOT_FOUND:
                raise
        self._moved(tag, None)

    def delete_digest(self, tag, document):
        """Remove the manifest that a tag points to; that it is gone already is as good."""
        self._moving(tag, None)
        try:
            self._call("DELETE", f"/v2/{SERVED}/manifests/{_digest(document)}")
        except NotAcknowledged as error:
            if error.status != http.client.NOT_FOUND:
                raise
        self._moved(tag, None)

    def roll_back(self, tag, document):
        """Move a tag back to a manifest that it pointed to."""
        self._moving(tag, _digest(document))
        wish = json.dumps({"digest": _digest(document)}).encode()
        self._call("POST", f"/v2/{SERVED}/_killick/rollback/{tag}", wish)
        self._moved(tag, _digest(document))

    def mount(self, data, sister):
        """Let a blob be seen in another repository as well."""
        query = f"mount={_digest(data)}&from={SERVED}"
        self._call("POST", f"/v2/{sister}/blobs/uploads/?{query}")
        self.promised.append(Promise(sister, None, _digest(data)))

    def _begin(self):
        return self._call("POST", f"/v2/{SERVED}/blobs/uploads/")["Location"]

    def _blob(self, data):
        self.promised.append(Promise(SERVED, None, _digest(data)))

    def _moving(self, tag, digest):
        self.may.append(Promise(SERVED, tag, digest))

    def _moved(self, tag, digest):
        self.promised.append(Promise(SERVED, tag, digest))

    def _call(self, method, path, body=None, headers=None):
        """Make one call and return the headers of its answer, if that is a yes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with closing(connection):
            try:
                connection.request(method, path, body, headers or {})
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise NotAcknowledged(f"{method}: {error!r}") from error
        if answer.status not in _ANSWERS:
            raise NotAcknowledged(f"{method}: {answer.status} {said!r}", answer.status, said)
        return answer.headers


def whole(calls):
    """Push an image, its blobs whole."""
    _push(calls, calls.push_whole, b"whole")


def chunked(calls):
    """Push an image, its blobs in pieces."""
    _push(calls, calls.push_chunked, b"chunked")


def move(calls):
    """Push two images under one tag that is there, then remove another."""
    for content in (b"one", b"two"):
        _push(calls, calls.push_whole, content, tag="moved")
    calls.delete_tag("deleted")


def order(calls):
    """Push two images under one tag, roll it back, mount a layer, and delete a manifest."""
    first, layer = _push(calls, calls.push_whole, b"one", tag="moved")
    _push(calls, calls.push_whole, b"two", tag="moved")
    calls.roll_back("moved", first)
    calls.mount(layer, "team/sister")
    gone, _ = _push(calls, calls.push_whole, b"gone", tag="gone")
    calls.delete_digest("gone", gone)


SCRIPTS = {
    "push, whole": whole,
    "push, chunked": chunked,
    "move and delete tags": move,
    "roll back, mount, delete by digest": order,
}


def push_image(calls, content, tag, *, in_chunks=False):
    """Push an image that consists of `content`, and an index of it."""
    _push(calls, calls.push_chunked if in_chunks else calls.push_whole, content, tag)


def _push(calls, push, content, tag="new"):
    """Push an image, and an index of it; return the manifest and its layer."""
    config = json.dumps({"os": "linux", "architecture": "amd64", "x": content.decode()}).encode()
    layer = content * 20_000
    push(config)
    push(layer)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor.of(OCI_CONFIG, config).to_json(),
        "layers": [Descriptor.of(OCI_LAYER_GZIP, layer).to_json()],
    }
    document = json.dumps(manifest).encode()
    calls.put_manifest(tag, document)
    entry = Descriptor.of(OCI_MANIFEST, document).to_json()
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    calls.put_manifest(f"{tag}-index", json.dumps(index).encode())
    return document, layer


def _digest(data):
    return str(Descriptor.of("", data).digest)
