"""TLS contexts: what is trusted, and what is presented to whom."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from killick.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from killick.client.access import Access
    from killick.client.origin import Origin


class Trust:
    """Makes the contexts for one registry, each once, and when it is first needed.

    Everywhere, the system's authorities and the own one are trusted. The client's certificate is
    a credential: only the registry's own origin gets to see it. Verification is skipped, where a
    person said so, for the registry's host only.
    """

    def __init__(self, access: Access, registry: Origin) -> None:
        self._access = access
        self._registry = registry
        self._lock = threading.Lock()
        self._contexts: dict[tuple[bool, bool], ssl.SSLContext] = {}

    def context_for(self, origin: Origin) -> ssl.SSLContext:
        """Return the context to speak to `origin` with.

        Raises:
            UsageError: a file with certificates or the key is missing, or none such.
        """
        kind = (origin == self._registry, origin.host == self._registry.host)
        with self._lock:
            if kind not in self._contexts:
                self._contexts[kind] = self._make(*kind)
            return self._contexts[kind]

    def _make(self, own_origin: bool, own_host: bool) -> ssl.SSLContext:
        access = self._access
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        if access.ca_file is not None:
            with _reading(access.ca_file):
                context.load_verify_locations(access.ca_file)
        if own_origin and access.cert is not None:
            with _reading(access.cert):
                context.load_cert_chain(access.cert, access.key, _no_password)
        if own_host and access.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _no_password() -> str:
    raise UsageError(
        "the client key is encrypted",
        hint="decrypt it into a file with mode 0600, for example by openssl pkey",
    )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError:
        raise UsageError(
            f"{path} holds no certificate, or not the key that belongs to it"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror})") from None
