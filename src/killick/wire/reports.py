"""Where reports go, and how large one may be: what client and server agree on."""

from __future__ import annotations

from typing import Final

PATH_REPORTS: Final = "/v2/_killick/reports"
PATH_CONTAINERS: Final = "/v2/_killick/containers"
SCOPE: Final = "registry:killick:report"
"""What a token has to allow."""

MOST_REPORT_BYTES: Final = 32 * 1024 * 1024
"""A container takes 0.5 to 2 KB: room for some 20,000 of one host or cluster."""
