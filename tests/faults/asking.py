"""One caller of a registry, who keeps a connection, and remembers what was promised to it."""

import http.client
import json
import time
from dataclasses import dataclass

from killick.digest import Digest
from killick.manifest import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'


@dataclass
class Answer:
    """An answer; `asked` and `told` are when the question left and the answer was there."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    asked: float
    told: float

    def document(self):
        """Return the body, which is JSON."""
        return json.loads(self.body)


class Caller:
    """Calls to the registry on `port`."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def __call__(self, method, path, body=None, headers=None):
        asked = time.monotonic()
        for last in (False, True):
            try:
                self._connection.request(method, path, body, headers or {})
                answer = self._connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # An idle connection may be closed by the server just as a call is made on it.
                self._connection.close()
                if last or method not in ("GET", "HEAD", "POST"):
                    raise
        said = answer.read()
        return Answer(answer.status, answer.headers, said, asked, time.monotonic())

    def close(self):
        self._connection.close()

    def upload(self, name, data):
        """Push a blob in one piece; return the answer that acknowledges it, or does not."""
        begun = self("POST", f"/v2/{name}/blobs/uploads/")
        if begun.status != 202:
            return begun
        location = begun.headers["Location"]
        mark = "&" if "?" in location else "?"
        return self("PUT", f"{location}{mark}digest={Digest.of(data)}", data)

    def put_manifest(self, name, reference, document, **headers):
        kind = {"Content-Type": OCI_MANIFEST, **headers}
        return self("PUT", f"/v2/{name}/manifests/{reference}", document, kind)


def manifest(layers, note):
    """Return the bytes of a manifest of these layers; `note` makes it another one each time."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor.of(OCI_CONFIG, CONFIG).to_json(),
        "layers": [Descriptor.of(OCI_LAYER_GZIP, layer).to_json() for layer in layers],
        "annotations": {"note": note},
    }
    return json.dumps(document).encode()
