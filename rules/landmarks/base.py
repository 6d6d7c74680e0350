"""What a landmark is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from rules.lookback import Term
    from rules.view import View


ENDED: Final = "ended"
FIRST: Final = "first"
"""Anchors of earlier episodes of the stay: when the last one was resolved, when the base stage was reached first."""


class Mark(NamedTuple):
    """When something happened; None if it has not, or if ``missing`` says what would have to be known.

    ``stands`` says that the clock counted from it does not go on at the moment: the mark moves along with time.
    """

    at: int | None
    missing: tuple[str, ...] = ()
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Landmark:
    """A moment in a patient's course from which windows are counted: its name, source, what it reads, how it is found.

    ``classes``, ``looks_back`` and ``episode`` say what else it reads, and how far back
    (:class:`rules.lookback.Reader`). ``parameters`` are the pack's numbers that it is found with.
    ``can_be_unknown`` says whether missing data can leave open when it
    was.
    """

    name: str
    title: str
    source: str
    reads: tuple[str, ...]
    find: Callable[[View], Mark]
    parameters: tuple[str, ...] = ()
    can_be_unknown: bool = True
    classes: tuple[str, ...] = ()
    looks_back: tuple[Term, ...] = ()
    episode: bool = False
    of_doses: tuple[str, ...] = ()
