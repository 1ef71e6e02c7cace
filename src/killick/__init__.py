"""Killick: container images by digest.

The names below are the library's entry points; modules hold the rest. They are imported when they
are first used, so that a command which needs none of them starts as fast as Python does.
"""

TYPE_CHECKING = False  # typing's own would cost its import
if TYPE_CHECKING:
    from killick.digest import Digest
    from killick.names import Name, Reference, Tag
    from killick.platforms import Platform

__all__ = ["Digest", "Name", "Platform", "Reference", "Tag"]
__version__ = "0.1.0"

_HOMES = {
    "Digest": "killick.digest",
    "Name": "killick.names",
    "Platform": "killick.platforms",
    "Reference": "killick.names",
    "Tag": "killick.names",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
