"""`killick serve` as those who run it have it: a process, its settings, its certificates."""

import http.client
import json
import re
import signal
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import trustme

WAIT = 60


class Served:
    """A running `killick serve`. `context` is what trusts its certificate (None: plain HTTP)."""

    def __init__(self, process, port, context=None):
        self.process = process
        self.port = port
        self.context = context

    def connect(self):
        if self.context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=WAIT, context=self.context
        )

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, path):
        status, _, body = self.ask("GET", path)
        assert status == 200, body
        return json.loads(body)

    def workers(self):
        """The process IDs of the workers."""
        done = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return {int(word) for word in done.stdout.split()}


@contextmanager
def serve(*words, context=None, umask=None, stop=True, ends_with=0):
    """Run `killick serve` on a free port of loopback; stop it in the end."""
    command = [sys.executable, "-m", "killick", "serve", "--addr", "127.0.0.1:0", *map(str, words)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=-1 if umask is None else umask,
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"https?://127\.0\.0\.1:(\d+)", line)
        if found is None:
            pytest.fail(f"it did not start: {line}{process.communicate(timeout=WAIT)[1]}")
        served = Served(process, int(found[1]), context)
        yield served
    finally:
        if process.poll() is None and stop:
            process.send_signal(signal.SIGTERM)
        out, served_err = process.communicate(timeout=WAIT)
        if "served" in locals():
            served.err = served_err
    assert process.returncode == ends_with, served_err


def until(condition, why="it did not come to that"):
    """Wait until a condition holds."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(why)


class Certificates:
    """A certificate authority with certificates for loopback, in files."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = trustme.CA()
        self.renew()

    @property
    def settings(self):
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        return ("--set", f"tls.cert={cert}", "--set", f"tls.key={key}")

    def renew(self):
        """Replace the certificate and its key, one after the other, as people do."""
        made = self.authority.issue_cert("127.0.0.1")
        for name, data in (
            ("key.pem", made.private_key_pem.bytes()),
            ("cert.pem", b"".join(blob.bytes() for blob in made.cert_chain_pems)),
        ):
            new = self.folder / f"{name}.new"
            new.write_bytes(data)
            new.replace(self.folder / name)

    def context(self, client=None, **settings):
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        for name, value in settings.items():
            setattr(context, name, value)
        return context
