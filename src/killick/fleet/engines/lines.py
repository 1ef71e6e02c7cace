"""Ways to an engine: a Unix socket, TCP with and without TLS, and ssh."""

from __future__ import annotations

import os
import shlex
import socket
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from killick.errors import Unreachable, UsageError
from killick.fleet.engines.http import Dial, Line

_MOST_SSH_MESSAGE = 300
_SECONDS_TO_END = 5


@dataclass(frozen=True, slots=True)
class Tls:
    """What to trust at the other end, and what to present there (files in PEM)."""

    ca_file: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """Return the settings as the ssl module wants them.

        Raises:
            UsageError: a file can't be read, or is not what it should be.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if not self.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            files = ", ".join(str(f) for f in (self.ca_file, self.cert, self.key) if f)
            raise UsageError(f"the certificates can't be used ({files}: {reason})") from None
        return context


def unix(path: str) -> Dial:
    """Return the way to a Unix socket."""

    def dial(seconds: float) -> Line:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.settimeout(seconds)
            line.connect(path)
        except BaseException:
            line.close()
            raise
        return line

    return dial


def tcp(host: str, port: int) -> Dial:
    """Return the way to a TCP port."""

    def dial(seconds: float) -> Line:
        line = socket.create_connection((host, port), timeout=seconds)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    return dial


def tls(host: str, port: int, context: ssl.SSLContext, name: str | None = None) -> Dial:
    """Return the way to a TCP port with TLS; `name` is whose certificate is wanted there."""
    plain = tcp(host, port)

    def dial(seconds: float) -> Line:
        line = plain(seconds)
        assert isinstance(line, socket.socket)  # noqa: S101 - what tcp() makes
        try:
            return context.wrap_socket(line, server_hostname=name or host)
        except BaseException:
            line.close()
            raise

    return dial


def ssh(destination: str, port: int | None, path: str | None) -> Dial:
    """Return the way to the engine of another machine, by the ssh program with all its settings.

    There, docker's or Podman's own `system dial-stdio` connects to the socket at `path` (None: the
    default one).
    """
    command = ["ssh", "-T", "-o", "BatchMode=yes"]
    command += ["-p", str(port)] if port else []

    def dial(seconds: float) -> Line:
        patience = ["-o", f"ConnectTimeout={max(int(seconds), 1)}"]
        words = [*command, *patience, "--", destination, _remote_command(path)]
        return _Program(words, destination)

    return dial


def _remote_command(path: str | None) -> str:
    docker, podman = "docker", "podman"
    if path:
        docker += f" --host {shlex.quote(f'unix://{path}')}"
        podman += f" --url {shlex.quote(f'unix://{path}')}"
    first, second = (podman, docker) if path and "podman" in path else (docker, podman)
    program = first.partition(" ")[0]
    script = (
        f"command -v {program} >/dev/null && exec {first} system dial-stdio;"
        f" exec {second} system dial-stdio"
    )
    return f"sh -c {shlex.quote(script)}"


class _Program:
    """The standard streams of a program, as a line."""

    def __init__(self, command: list[str], destination: str) -> None:
        self._destination = destination
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ssh, with the words of the one who asks
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            ours.close()
            raise Unreachable("there is no ssh on this machine", side="local") from None
        finally:
            theirs.close()
        self._line = ours

    def settimeout(self, value: float | None) -> None:
        self._line.settimeout(value)

    def sendall(self, data: bytes) -> None:
        with suppress(BrokenPipeError):  # receiving then says why
            self._line.sendall(data)

    def recv_into(self, buffer: memoryview) -> int:
        try:
            count = self._line.recv_into(buffer)
        except ConnectionResetError:  # it ended with our question unread
            count = 0
        if count == 0 and self._failed():
            raise Unreachable(f"ssh {self._destination} failed: {self._said()}", side="engine")
        return count

    def _failed(self) -> bool:
        try:
            return self._process.wait(_SECONDS_TO_END) != 0
        except subprocess.TimeoutExpired:
            return False

    def close(self) -> None:
        self._line.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def _said(self) -> str:
        """Return the last line of what ssh complained of."""
        if self._process.stderr is None:
            return "it gave no reason"
        os.set_blocking(self._process.stderr.fileno(), False)
        said = (self._process.stderr.read(64 * 1024) or b"").decode(errors="replace").strip()
        return said.splitlines()[-1][:_MOST_SSH_MESSAGE] if said else "it gave no reason"
