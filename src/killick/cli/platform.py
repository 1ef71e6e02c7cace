"""`--platform`: which of an image's variants a command takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from killick.errors import UsageError
from killick.platforms import Platform

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

Platforms = tuple[Platform, ...] | None
"""Some platforms, or None for all."""

HOST = "host"
ALL = "all"


def platform_option(default: str, text: str) -> Callable[[Decorated], Decorated]:
    """Return a decorator that adds `--platform`, several or `all`, as a parameter `platforms`.

    Its value is a `Choice`; `default` is `HOST` or `ALL`.
    """
    return click.option(
        "--platform",
        "platforms",
        metavar="OS/ARCH[/VARIANT]|all",
        multiple=True,
        callback=lambda _ctx, _parameter, value: Choice.parse(value, default),
        help=text,
    )


def parsed(text: str | None) -> Platform | None:
    """Return the platform that `--platform` said, None where it was not given.

    Raises:
        BadPlatform: the text is no platform; an empty one (a variable that is not set) isn't.
    """
    return None if text is None else Platform.parse(text)


class Choice:
    """The platforms to take, and whether somebody asked for just them.

    `wanted` is None for all.
    """

    def __init__(self, wanted: Platforms, *, stated: bool) -> None:
        self.wanted = wanted
        self.stated = stated

    @classmethod
    def parse(cls, texts: tuple[str, ...], default: str) -> Choice:
        """Return what `--platform` said, given several times or with commas.

        Raises:
            BadPlatform: a text is no platform.
            UsageError: `all` is given together with another.
        """
        words = [word for text in texts for word in text.split(",")]
        if not words:
            return cls(None if default == ALL else (Platform.host(),), stated=False)
        if ALL in words:
            if len(set(words)) > 1:
                raise UsageError("--platform all already takes every platform")
            return cls(None, stated=True)
        return cls(tuple(dict.fromkeys(Platform.parse(word) for word in words)), stated=True)
