"""What the contract tests share."""

import io
import threading
from contextlib import closing

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def read(repository, d, start=0):
    with closing(repository.open(d, start)) as stream:
        return b"".join(iter(lambda: stream.read(65536), b""))


def blob(content, algorithm="sha256", media_type=BLOB_TYPE):
    return Descriptor(media_type, Digest.of(content, algorithm), len(content))


def put(repository, content, **kwargs):
    d = blob(content, **kwargs)
    repository.put(d, io.BytesIO(content))
    return d


def at_once(*actions):
    """Run the actions in a thread each, all released together; return what they raised."""
    barrier = threading.Barrier(len(actions))
    errors = []

    def run(action):
        barrier.wait()
        try:
            action()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


class Failing(io.RawIOBase):
    """A stream that gives some bytes, then fails as a connection does."""

    def __init__(self, content, error):
        self._content = io.BytesIO(content)
        self._error = error

    def readable(self):
        return True

    def readinto(self, buffer):
        count = self._content.readinto(buffer)
        if not count:
            raise self._error
        return count
