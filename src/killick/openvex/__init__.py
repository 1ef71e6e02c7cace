"""OpenVEX 0.2.0: what somebody says about vulnerabilities in images, each named by its digest.

A document holds statements: a vulnerability, products, a status. Products that are named by no
digest (a package of a language, say) are passed over here; the document's bytes keep them.
The specification is github.com/openvex/spec, OPENVEX-SPEC.md.
"""

from killick.openvex.document import (
    JUSTIFICATIONS,
    MEDIA_TYPE,
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_ID_CHARACTERS,
    STATUSES,
    Justification,
    Statement,
    Status,
    Vex,
)
from killick.openvex.reading import parse
from killick.openvex.writing import Say, compose

__all__ = [
    "JUSTIFICATIONS",
    "MEDIA_TYPE",
    "MOST_BYTES",
    "MOST_CHARACTERS",
    "MOST_ID_CHARACTERS",
    "STATUSES",
    "Justification",
    "Say",
    "Statement",
    "Status",
    "Vex",
    "compose",
    "parse",
]
