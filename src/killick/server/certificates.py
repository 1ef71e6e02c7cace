"""The files that TLS needs: checked before a worker gets them, and watched for changes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from killick.errors import UsageError

Version = Literal["1.2", "1.3"]
_Look = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A certificate chain with its key, and the certificates that callers' ones must be signed by.

    All are PEM files; a key with a password can't be used.
    """

    cert: Path
    key: Path
    minimum: Version = "1.2"
    client_ca: Path | None = None

    def check(self) -> None:
        """See that a server can use them.

        Raises:
            UsageError: one can't be read or understood, or the key is not the certificate's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for path in self._paths:
            try:
                path.read_bytes()
            except OSError as error:
                raise _wrong(path, f"can't be read ({error.strerror})") from None
        try:
            context.load_cert_chain(self.cert, self.key, password=_no_password)
        except _NeedsPasswordError:
            raise _wrong(self.key, "has a password, and nobody is there to type it") from None
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise _wrong(self.key, f"is not the key of {self.cert}") from None
            raise _wrong(self.cert, f"and {self.key} are not a certificate and its key") from None
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError:
                raise _wrong(self.client_ca, "has no certificate") from None

    @property
    def _paths(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.cert, self.key, self.client_ca) if path is not None)

    def look(self) -> _Look:
        """Return what tells these files from others of the same names."""
        return tuple(_look(path) for path in self._paths)


class Watch:
    """Whether the files have changed since a server took them up."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._known = self._last = files.look()

    def changed(self) -> bool:
        """Return whether they have, and have been left alone since the last call.

        A certificate and its key are replaced one after the other: what is still changing is
        not to be looked at yet.
        """
        now = self._files.look()
        settled, self._last = now == self._last, now
        if not settled or now == self._known:
            return False
        self._known = now
        return True


class _NeedsPasswordError(Exception):
    pass


def _no_password() -> str:
    raise _NeedsPasswordError


def _wrong(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path} {what}",
        side="file",
        hint="see tls.cert, tls.key and tls.client_ca in docs/serve.md",
    )


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
