"""What was given portion by portion, and its sums over a while, of which none is worked out portion by portion."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from rules.steps import earliest
from rules.values import Value, unknown

if TYPE_CHECKING:
    from rules.facts import Given
    from rules.timeline import Fact
    from rules.view import View

_EXACT: Final = 2**100
"""Parts of a unit in which sums are exact: amounts are whole numbers of them, but for dust."""
_AT: Final = attrgetter("at")

Sum = tuple[int, int, int]
"""How many parts at least, how many at most, and of how many portions there is no most."""


class Portions:
    """Portions, oldest first, with the sums up to each.

    Attributes:
        facts: those that are doses.
    """

    __slots__ = ("_at", "_missing", "_sums", "_unclear", "facts")

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self._at: list[int] = []
        self._sums: list[Sum] = [(0, 0, 0)]
        self._missing: list[tuple[str, ...]] = []
        self._unclear: list[int] = []
        """When those were that are not exact; why is in ``_missing``."""

    def cut(self, since: int) -> None:
        """Leave out the portions from an instant on."""
        kept = bisect_left(self._at, since)
        del self.facts[kept:]
        del self._at[kept:]
        del self._sums[kept + 1 :]
        kept = bisect_left(self._unclear, since)
        del self._unclear[kept:]
        del self._missing[kept:]

    def add(self, at: int, amount: Value) -> None:
        """One that is later than all, or at the same instant as the last."""
        if amount.missing:
            self._unclear.append(at)
            self._missing.append(amount.missing)
        self._at.append(at)
        least, most, unbounded = self._sums[-1]
        least += int(amount.low * _EXACT)
        if amount.high < inf:
            self._sums.append((least, most + int(amount.high * _EXACT), unbounded))
        else:
            self._sums.append((least, most, unbounded + 1))

    def until(self, at: int) -> int:
        """How many were given by an instant."""
        return bisect_right(self._at, at)

    def next_change(self, after: int, lasts: int) -> int | None:
        """When one is next given, or ceases to count."""
        last, first = self.until(after), self.until(after - lasts)
        begins = self._at[last] if last < len(self._at) else None
        return earliest(begins, self._at[first] + lasts if first < len(self._at) else None)

    def sum(self, at: int, lasts: int) -> Sum:
        """Of those that count at an instant."""
        least, most, unbounded = self._sums[self.until(at)]
        gone = self._sums[self.until(at - lasts)]
        return least - gone[0], most - gone[1], unbounded - gone[2]

    def missing(self, at: int, lasts: int) -> tuple[str, ...]:
        """Why those that count at an instant are not exact, of each of them, the oldest first."""
        first, last = (bisect_right(self._unclear, instant) for instant in (at - lasts, at))
        return tuple(item for missing in self._missing[first:last] for item in missing)


def bounds(*sums: Sum) -> tuple[float, float]:
    """The least and the most that sums make together."""
    least, most, unbounded = map(sum, zip(*sums, strict=True))
    return least / _EXACT, inf if unbounded else most / _EXACT


def given_of(view: View, drug: str, weight: Value | None) -> Portions:
    """The doses of a drug that were given.

    Args:
        view: the patient.
        drug: the drug.
        weight: the patient's, by which some are dosed; None where none of those that are asked for is.
    """
    facts = view.timeline.facts(f"dose:{drug}")

    def extend(found: Portions, since: int) -> Portions:
        found.cut(since)
        for fact in facts[bisect_left(facts, since, key=_AT) :]:
            if fact.value.status == "given":
                beyond = weight is None and weighed(fact.value)
                found.add(fact.at, unknown("weight", low=0.0) if beyond else view.amount(fact.value))
                found.facts.append(fact)
        return found

    key = ("given", drug, None if weight is None else weight[:3])
    return view.timeline.memo(key, (f"dose:{drug}",), Portions, extend)


def weighed(given: Given) -> bool:
    """Whether the amount of a dose hangs on the weight."""
    return given.amount is not None and given.weight_power != 0
