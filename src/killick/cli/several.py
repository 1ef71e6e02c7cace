"""Doing the same for several arguments: one that fails does not keep the others from being done."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from killick.cli.errors import sentence
from killick.cli.printing import note
from killick.errors import KillickError


def for_each(texts: Iterable[str], do: Callable[[str], None]) -> None:
    """Call `do` with every text.

    Raises:
        KillickError: the last failure, after all were tried; earlier ones were told on stderr.
    """
    failure: KillickError | None = None
    for text in texts:
        try:
            do(text)
        except KillickError as error:
            if failure is not None:
                note(sentence(failure))
            failure = error
    if failure is not None:
        raise failure
