"""The shocks of an arrest, and what has come of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple


class Shock(NamedTuple):
    """A shock with its energy in joules, and what has come of it.

    ``failed`` is when it was known to have failed, ``worked`` says that circulation returned after it. ``cycle`` is how
    far the check after it has come: compressions were ``given``, then ``paused``.
    """

    at: int
    source: str
    energy: float | None = None
    failed: int | None = None
    worked: bool = False
    cycle: Literal["open", "given", "paused"] = "open"


class Shocks:
    """The shocks of an arrest, each with those before it: what is known of all of them is known with the last.

    Attributes:
        last: the newest.
        before: those before it, if there were any.
        open: of how many it is open what came of them.
        failed: how many have failed.
        latest: when the newest was given, or was known to have failed.
        first: when the first was given.
    """

    __slots__ = ("_size", "before", "failed", "first", "last", "latest", "open")

    def __init__(self, before: Shocks | None, last: Shock) -> None:
        self.last = last
        at, failed = last.failed or last.at, last.failed is not None
        self.before = before
        self._size: int = 1 + (len(before) if before else 0)
        self.open: int = (not failed and not last.worked) + (before.open if before else 0)
        self.failed: int = failed + (before.failed if before else 0)
        self.first: int = before.first if before else last.at
        self.latest: int = max(at, before.latest) if before else at

    def __len__(self) -> int:
        """How many there are."""
        return self._size

    def __iter__(self) -> Iterator[Shock]:
        """Oldest first."""
        found = []
        here: Shocks | None = self
        while here is not None:
            found.append(here.last)
            here = here.before
        return reversed(found)

    def changed(self, change: Callable[[Shock], Shock]) -> Shocks:
        """The same, with a change to those of which it is open what came of them; these are among the newest."""
        newest: list[Shock] = []
        here: Shocks | None = self
        while here is not None and here.open:
            newest.append(here.last)
            here = here.before
        for shock in reversed(newest):
            here = Shocks(here, shock if shock.failed is not None or shock.worked else change(shock))
        return here or self
