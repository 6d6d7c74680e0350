"""What a named predicate is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rules.logic import Evaluation
from rules.lookback import Term
from rules.view import View


@dataclass(frozen=True, slots=True)
class Predicate:
    """A named check: what it says when met, where it comes from, what it reads, and how it is decided.

    ``classes`` are drug classes whose infusions and doses it reads, besides ``reads``; ``parameters`` are the pack's
    numbers that it is judged by; with ``looks_back`` and ``episode`` they say how far back it looks
    (:class:`rules.lookback.Reader`); ``can_be_unknown`` says whether missing data can leave it undecided. Some
    predicates only tell what
    is known from what is not: ``can_be_met`` and ``can_be_not_met`` say whether they are ever that.
    """

    name: str
    title: str
    source: str
    reads: tuple[str, ...]
    decide: Callable[[View], Evaluation]
    classes: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    looks_back: tuple[Term, ...] = ()
    episode: bool = False
    of_doses: tuple[str, ...] = ()
    can_be_unknown: bool = True
    can_be_met: bool = True
    can_be_not_met: bool = True
