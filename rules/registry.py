"""Things that packs refer to by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Named(Protocol):
    """Something with a name."""

    @property
    def name(self) -> str:
        """What packs call it."""


T = TypeVar("T", bound=Named)


def by_name(things: Iterable[T]) -> dict[str, T]:
    """Things by their names.

    Raises:
        ValueError: if two of them have the same one.
    """
    found: dict[str, T] = {}
    for thing in things:
        if thing.name in found:
            msg = f"two things are called {thing.name!r}"
            raise ValueError(msg)
        found[thing.name] = thing
    return found
