"""`[tls]`: the certificate that the registry shows, and the ones that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from killick.server.configuration.table import Wrong, setting


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS: off without a certificate. Files that change are taken up without a break."""

    cert: Path | None = setting(None, help="certificate chain, PEM; with tls.key, turns TLS on")
    key: Path | None = setting(None, help="the certificate's key, PEM, without a password")
    minimum: Literal["1.2", "1.3"] = setting("1.2", help="the oldest version of TLS that is spoken")
    client_ca: Path | None = setting(
        None, help="take only callers with a certificate that is signed by one of these (PEM)"
    )

    def __post_init__(self) -> None:
        """Look for combinations that can't be."""
        if self.cert is not None and self.key is None:
            raise Wrong("cert", "needs tls.key beside it")
        if self.key is not None and self.cert is None:
            raise Wrong("key", "needs tls.cert beside it")
        if self.client_ca is not None and self.cert is None:
            raise Wrong("client_ca", "needs tls.cert and tls.key beside it")

    @property
    def is_on(self) -> bool:
        """Whether the registry speaks TLS."""
        return self.cert is not None
