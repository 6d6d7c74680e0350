"""When a patient is in somebody's care, and the record without a former stay, read off the table of stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from rules import catalogue as catalogues
from rules.instants import DAY, HOUR
from rules.timeline import Fact
from tests.reference.record import Minutes, Record

T = TypeVar("T")

ON_THE_WAY: Final = 2 * HOUR
"""Who is admitted so soon after a discharge was on the way."""
MISSED: Final = DAY
"""Who was in a unit for so long and is admitted to it had been discharged without a word."""

_ENDING: Final = ("stop", "stopped", "cpr_stop", "rosc", "ecmo_flow")
"""What ends a treatment, and so does not say that anybody treats the patient."""
_BY_STAY: Final = ("infusion", "culture", "seizure", "resuscitation", "answer")


@dataclass(frozen=True)
class Stay:
    """Whether the patient is here, since when not if not, and until when facts are of a former stay."""

    here: bool = True
    left: int | None = None
    former: int | None = None

    def on_the_way(self, at: int) -> bool:
        """Whether the discharge was so short a time ago that the patient may only be moved."""
        return self.left is not None and at <= self.left + ON_THE_WAY


def stay(record: Record, at: int, reads: Collection[str]) -> Stay:
    """Where the patient stands at an instant, by moves and by treatment that a pathway reads of."""
    left, former = _moved(record.upto("stay", at))
    if left is None:
        return Stay(former=former)
    treated = [
        fact.at
        for channel in reads
        if channel.startswith(("infusion:", "seizure", "resuscitation"))
        for fact in record.upto(channel, at)
        if fact.at > (left + ON_THE_WAY if channel.startswith("infusion:") else left) and _treats(fact)
    ]
    if treated:
        return Stay(former=left if min(treated) > left + ON_THE_WAY else former)
    return Stay(here=False, left=left, former=left if at > left + ON_THE_WAY else former)


def _moved(moves: Sequence[Fact]) -> tuple[int | None, int | None]:
    """By moves alone: when the patient was discharged, if not here, and until when facts are of a former stay."""
    left: int | None = None
    former: int | None = None
    units: list[tuple[str | None, int]] = []
    for move in sorted(moves, key=lambda fact: (fact.at, fact.value.event != "discharge")):
        when, unit = move.at, move.value.unit
        last, came = units[-1] if units else (None, when)
        if move.value.event == "discharge":
            units = _without(units, unit, when)
            left = left if units else when
        elif left is not None:
            former = left if when > left + ON_THE_WAY else former
            units, left = [(unit, when)], None
        elif move.value.event == "admission" and (None in (unit, last) or unit == last) and when > came + MISSED:
            units, former = [(unit, when)], when - MISSED
        elif not units or unit != last:
            units = [*units, (unit, when)]
    return left, former


def _without(units: list[tuple[str | None, int]], unit: str | None, when: int) -> list[tuple[str | None, int]]:
    """The units whose discharge is still to come after one; none if the patient left."""
    last, came = units[-1] if units else (None, when)
    if unit is not None and last is not None and unit != last:
        return [found for found in units if found[0] != unit]
    if None in (unit, last) and len(units) > 1 and when < came + ON_THE_WAY:
        return units[1:]
    return []


def _treats(fact: Fact) -> bool:
    return fact.value.action not in _ENDING and getattr(fact.value, "rate", None) != 0


class ThisStay:
    """A record without what is of a stay that went on ``until`` an instant."""

    def __init__(self, whole: Record, until: int) -> None:
        self._whole = whole
        self._until = until

    def facts(self, channel: str) -> Sequence[Fact]:
        """All facts of a channel that are of this stay or of the patient, oldest first."""
        return [fact for fact in self._whole.facts(channel) if self._counts(channel, fact)]

    def upto(self, channel: str, at: int) -> list[Fact]:
        """Of these, those that were true at or before an instant."""
        return [fact for fact in self._whole.upto(channel, at) if self._counts(channel, fact)]

    def latest(self, channel: str, at: int) -> Fact | None:
        """Of these, the newest at or before an instant."""
        return next(reversed(self.upto(channel, at)), None)

    def series(self, channel: str) -> Minutes | None:
        """The minutes of a dense signal: they are of the body."""
        return self._whole.series(channel)

    def listen_apart(self, reads: set[str]) -> set[str]:
        """Nobody listens to the reference."""
        return self._whole.listen_apart(reads)

    def heard(self, reads: Container[str]) -> None:
        """Nor is it told what was read."""
        self._whole.heard(reads)

    def memo(
        self,
        key: Hashable,
        channels: tuple[str, ...],
        build: Callable[[], T],
        extend: Callable[[T, int], T] | None = None,
    ) -> T:
        """A value derived from whole channels, of which a stay sees its own part."""
        return self._whole.memo((key, self._until), channels, build, extend)

    def _counts(self, channel: str, fact: Fact) -> bool:
        return fact.at > self._until or not _ends_with_the_stay(channel)


def _ends_with_the_stay(channel: str) -> bool:
    kind, _, name = channel.partition(":")
    return catalogues.load().concept(name).of == "stay" if kind == "state" else kind in _BY_STAY
