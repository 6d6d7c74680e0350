"""Stays: when a patient is here, and what a former stay left behind that is true of it no more.

A stay is what lies between two absences, over as many units as the patient was moved through. What was known and
running in a former stay (goals, infection, support, infusions, answers) ended with it unless it is stated anew; what is
true of the patient (allergies, chronic illness, age) did not. Which concept is which stands in the catalogue.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import takewhile
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

from rules.catalogue import Catalogue
from rules.facts import Move
from rules.instants import DAY, FOREVER, HOUR, TICK
from rules.minutes import MinuteSeries
from rules.timeline import Fact, Record, Timeline, kind_of

CHANNEL: Final = "stay"

TRANSFER: Final = 2 * HOUR
"""Who comes back within this time of a discharge was on the way, not away; and an unnamed discharge within it of an
admission may be that of the unit before (local setting)."""

BEFORE: Final = DAY
"""How long before an admission that nothing explains (the patient was in that unit already, and no discharge is known)
facts still belong to the new stay (local setting)."""

KEPT: Final = FOREVER // 2
"""Moves are few, and decide for as long as any fact lasts: they are not forgotten."""

_OF_STAY: Final = ("infusion:", "culture:", "seizure:", "resuscitation:", "answer:")
_CARED_FOR: Final = ("infusion:", "seizure:", "resuscitation:")
_ENDS: Final = ("stop", "cpr_stop", "rosc", "stopped", "ecmo_flow")
_AT: Final = attrgetter("at")
T = TypeVar("T")


class Care(NamedTuple):
    """Where the patient stands after a move.

    Attributes:
        at: when that was.
        units: the units whose discharge is still to come, by name if known, with the time of arrival; the last is where
            the patient is.
        since: when this stay began, if anybody said so.
        left: when the patient was discharged, if not here.
        former: until when facts are of a former stay.
    """

    at: int
    units: tuple[tuple[str | None, int], ...] = ()
    since: int | None = None
    left: int | None = None
    former: int | None = None

    @property
    def here(self) -> bool:
        """Whether the patient is in somebody's care."""
        return self.left is None


_UNTOLD: Final = Care(-FOREVER)


def follow(moves: Sequence[Fact]) -> list[Care]:
    """How the patient stands after each move; of one instant discharges come first."""
    care, courses = _UNTOLD, list[Care]()
    for fact in sorted(moves, key=lambda move: (move.at, move.value.event != "discharge")):
        move: Move = fact.value
        care = _discharged(care, move, fact.at) if move.event == "discharge" else _admitted(care, move, fact.at)
        courses.append(care)
    return courses


def _admitted(care: Care, move: Move, at: int) -> Care:
    """In a unit: at once after another that is a transfer, after an absence it is a new stay.

    To be admitted where one is already says that a discharge was missed, unless it is soon after.
    """
    here = ((move.unit, at),)
    if care.left is not None:
        if at - care.left > TRANSFER:
            return Care(at, here, at, None, care.left)
        return care._replace(at=at, units=here, left=None)
    if not care.units:
        return care._replace(at=at, units=here, since=at if move.event == "admission" else None)
    unit, since = care.units[-1]
    same = move.unit is None or unit is None or unit == move.unit
    if move.event == "admission" and same and at - since > BEFORE:
        return Care(at, here, at, None, at - BEFORE)
    if unit == move.unit:
        return care._replace(at=at)
    return care._replace(at=at, units=(*care.units, *here))


def _discharged(care: Care, move: Move, at: int) -> Care:
    """A discharge ends the stay of its unit only.

    Without a name time decides: it ends that of the unit before, where that was left just now, or all of it.
    """
    away = care._replace(at=at, units=(), left=at)
    if not care.units:
        return away
    unit, since = care.units[-1]
    if move.unit is not None and unit is not None:
        others = tuple(found for found in care.units if found[0] != move.unit)
        return away if unit == move.unit else care._replace(at=at, units=others)
    if len(care.units) > 1 and at - since < TRANSFER:
        return care._replace(at=at, units=care.units[1:])
    return away


def moved(record: Record, at: int) -> Care:
    """How the patient stands at an instant by admissions, transfers and discharges alone."""
    moves = record.facts(CHANNEL)
    if not moves:
        return _UNTOLD
    courses = record.memo((CHANNEL,), (CHANNEL,), lambda: follow(moves))
    index = bisect_right(courses, at, key=_AT)
    return courses[index - 1] if index else _UNTOLD


def in_hospital(record: Record, began: int, at: int) -> bool | None:
    """Whether what ``began`` at an instant began in hospital, by what is known ``at`` another; None if unknown."""
    care = moved(record, at)
    if care.left is not None and began > care.left + TRANSFER:
        return False
    if care.since is not None and (care.left is None or began <= care.left):
        return care.since < began
    return True if care.units and care.units[0][1] <= began else None


def contacts(channels: frozenset[str]) -> tuple[str, ...]:
    """Of some channels those that say, by a new fact, that somebody cares for the patient (again)."""
    return tuple(sorted(channel for channel in channels if kind_of(channel) in _CARED_FOR))


def care(timeline: Timeline, at: int, cared: Sequence[str]) -> tuple[Care, int | None]:
    """How the patient stands at an instant, and when that changes by itself.

    Whoever was discharged is here again once admitted, or once somebody treats an arrest or a seizure, or charts a
    running infusion later than what is charted behind the patient's back (``cared`` are the channels that may say so).
    """
    found = moved(timeline, at)
    if found.left is None:
        return found, None
    again = min((c for name in cared if (c := _contact(timeline, name, found.left, at)) is not None), default=None)
    settles = found.left + TRANSFER
    if again is not None:
        former = found.left if again > settles else found.former
        return found._replace(left=None, former=former), None
    if at > settles:
        return found._replace(former=found.left), None
    return found, settles + TICK


def _contact(timeline: Timeline, channel: str, left: int, at: int) -> int | None:
    """When somebody first treated the patient after a discharge."""
    infusion = channel.startswith("infusion:")
    after = left + TRANSFER if infusion else left
    facts = timeline.facts(channel)
    since = facts[bisect_right(facts, after, key=_AT) :]
    return next((fact.at for fact in takewhile(lambda fact: fact.at <= at, since) if _cares(fact.value)), None)


def _cares(value: Any) -> bool:
    return value.action not in _ENDS and getattr(value, "rate", None) != 0


@cache
def _of_stay(catalogue: Catalogue, channel: str) -> bool:
    kind, _, name = channel.partition(":")
    if kind == "state":
        return catalogue.concept(name).of == "stay"
    return kind + ":" in _OF_STAY


class StayRecord(Record):
    """A patient's timeline without what is of a former stay, which went on ``until`` an instant."""

    __slots__ = ("_catalogue", "until", "whole")

    def __init__(self, whole: Timeline, until: int, catalogue: Catalogue) -> None:
        self.whole = whole
        self.until = until
        self._catalogue = catalogue

    def facts(self, channel: str) -> Sequence[Fact]:
        """All facts of a channel that are of this stay or of the patient, oldest first."""
        return self._present(channel, self.whole.facts(channel))

    def upto(self, channel: str, at: int) -> list[Fact]:
        """Of these, those that were true at or before an instant."""
        return list(self._present(channel, self.whole.upto(channel, at)))

    def latest(self, channel: str, at: int) -> Fact | None:
        """Of these, the newest at or before an instant."""
        fact = self.whole.latest(channel, at)
        return fact if fact is None or fact.at > self.until or not _of_stay(self._catalogue, channel) else None

    def former(self, channel: str) -> Fact | None:
        """What a channel said last in a former stay."""
        return self.whole.latest(channel, self.until) if _of_stay(self._catalogue, channel) else None

    def series(self, channel: str) -> MinuteSeries | None:
        """The minutes of a dense signal: these are of the patient, and age by themselves."""
        return self.whole.series(channel)

    def memo(
        self,
        key: Hashable,
        channels: tuple[str, ...],
        build: Callable[[], T],
        extend: Callable[[T, int], T] | None = None,
    ) -> T:
        """A value derived from whole channels, as far as they are of this stay or of the patient."""
        return self.whole.memo((key, self.until), channels, build, extend)

    def listen_apart(self, reads: set[str]) -> set[str]:
        """Take down in another set which channels are asked for; the set in which that was done until now."""
        return self.whole.listen_apart(reads)

    def heard(self, reads: AbstractSet[str]) -> None:
        """Some channels count as asked for."""
        self.whole.heard(reads)

    def next_change(self, channels: AbstractSet[str], after: int) -> int | None:
        """When a fact in one of the channels becomes true; one of a former stay may be among them."""
        return self.whole.next_change(channels, after)

    def _present(self, channel: str, facts: Sequence[Fact]) -> Sequence[Fact]:
        if not facts or facts[0].at > self.until or not _of_stay(self._catalogue, channel):
            return facts
        return facts[bisect_right(facts, self.until, key=_AT) :]
