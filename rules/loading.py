"""Doses of one drug in the episode: each against the least that counts as adequate, and what counts together.

Only what was given counts, and of an infusion only one that was completed, from its end. The numbers are the pack's
parameters; this is what they mean.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import seizures
from rules.facts import Flow, Given
from rules.instants import DAY, HOUR, MINUTE, TICK
from rules.portions import Portions, bounds
from rules.timeline import Fact
from rules.values import Value

if TYPE_CHECKING:
    from rules.view import View


class Row(NamedTuple):
    """What is adequate of one drug by some routes.

    That is ``per_kg`` (a parameter) up to ``cap``; without ``per_kg`` the amount ``cap``, or ``light`` up to the body
    weight ``light_weight``.
    """

    drug: str
    routes: tuple[str, ...]
    per_kg: str | None = None
    cap: str | None = None
    light: str | None = None
    light_weight: str | None = None


_IV: Final = ("iv", "io")
FIRST_LINE: Final = (
    Row("lorazepam", _IV, "lorazepam_per_kg", "lorazepam_cap"),
    Row("midazolam", ("im",), None, "midazolam_im", "midazolam_im_light", "midazolam_light_weight"),
    Row("midazolam", _IV, None, "midazolam_iv"),
    Row("midazolam", ("buccal", "nasal"), None, "midazolam_mucosal"),
    Row("diazepam", _IV, "diazepam_per_kg", "diazepam_cap"),
    Row("diazepam", ("rectal",), "diazepam_rectal_per_kg", "diazepam_rectal_cap"),
    Row("phenobarbital", _IV, "phenobarbital_per_kg"),
)
SECOND_LINE: Final = (
    Row("levetiracetam", _IV, "levetiracetam_per_kg", "levetiracetam_cap"),
    Row("fosphenytoin", _IV, "fosphenytoin_per_kg", "fosphenytoin_cap"),
    Row("phenytoin", _IV, "phenytoin_per_kg", "phenytoin_cap"),
    Row("valproate", _IV, "valproate_per_kg", "valproate_cap"),
    Row("phenobarbital", _IV, "phenobarbital_per_kg"),
    Row("lacosamide", _IV, "lacosamide_per_kg", "lacosamide_cap"),
)
_BENZODIAZEPINES: Final = ("lorazepam", "midazolam", "diazepam")
_AT: Final = attrgetter("at")
_END: Final = attrgetter("end")


class Course(NamedTuple):
    """A dose, or doses that count together, of one drug: its end, how much, the target, and the share of it."""

    drug: str
    end: int
    given: Value
    target: Value
    share: Value
    event: str
    discounted: bool = False


class Part(NamedTuple):
    """One dose or completed infusion; ``per_kg`` where it was given per kilogram of an unknown weight."""

    at: int
    amount: Value
    event: str
    per_kg: float | None = None


def treated_from(view: View) -> int | None:
    """From when on what was given counts as given against the seizures of the episode.

    That is a little before their charted onset: whoever charts the onset on arrival has often treated before it.
    """
    onset = seizures.episode_onset(view)
    return None if onset is None else onset - view.duration("before_onset")


def _target(view: View, row: Row) -> Value:
    """What would be adequate; between bounds while the weight is not known."""
    weight = view.value("weight")
    cap = view.number(row.cap) if row.cap else inf
    if row.per_kg is not None:
        if weight.high == inf:
            return Value(0.0, cap, ("weight",))
        low, high = (min(view.number(row.per_kg) * bound, cap) for bound in (weight.low, weight.high))
        return Value(low, high, weight.missing if low < high else ())
    if row.light is None or row.light_weight is None:
        return Value(cap, cap)
    light = view.number(row.light)
    if weight.high == inf:
        return Value(light, cap, ("weight",))
    low, high = (cap if bound > view.number(row.light_weight) else light for bound in (weight.low, weight.high))
    return Value(low, high, weight.missing if low < high else ())


class _Together:
    """Parts that may count together, with what was given per kilogram of a weight that is not known."""

    __slots__ = ("amounts", "per_kg")

    def __init__(self) -> None:
        self.amounts = Portions()
        self.per_kg = Portions()

    def cut(self, since: int) -> None:
        self.amounts.cut(since)
        self.per_kg.cut(since)

    def add(self, part: Part) -> None:
        self.amounts.add(part.at, part.amount)
        self.per_kg.add(part.at, Value(part.per_kg or 0.0, 0.0))

    def sum(self, part: Part, back: int) -> Part:
        """What was given up to a part, and at most so long before it."""
        lasts = back + TICK
        missing = self.amounts.missing(part.at, lasts)
        amount = Value(*bounds(self.amounts.sum(part.at, lasts)), tuple(dict.fromkeys(missing)))
        per_kg, _ = bounds(self.per_kg.sum(part.at, lasts))
        return part._replace(amount=amount, per_kg=per_kg)


class _Benzodiazepines:
    """Doses of a drug by some routes as a first line: each alone, and pairs of sizeable ones given close together."""

    __slots__ = ("_courses", "_row", "_sizeable", "_sized")

    def __init__(self, row: Row) -> None:
        self._row = row
        self._courses: list[Course] = []
        self._sizeable = _Together()
        self._sized: list[int] = []
        """When sizeable ones of the first line were given."""

    def upto(self, at: int) -> list[Course]:
        """Those that ended by an instant."""
        return self._courses[: bisect_right(self._courses, at, key=_END)]

    def follow(self, view: View, since: int) -> _Benzodiazepines:
        """Take in the doses from an instant on; before it they are as they were."""
        del self._courses[bisect_left(self._courses, since, key=_END) :]
        del self._sized[bisect_left(self._sized, since) :]
        self._sizeable.cut(since)
        parts = [*_doses(view, self._row, since)]
        apart, least = view.duration("first_line_cumulative"), view.number("borderline_share")
        alone = [_course(view, self._row, part) for part in parts]
        for part, course in zip(parts, alone, strict=True):
            if course.share.low >= least:
                self._sizeable.add(part)
        for part, course in zip(parts, alone, strict=True):
            if not _is_first_line(view, self._row, part):
                continue
            self._courses.append(course)
            if course.share.low < least:
                continue
            close = bisect_left(self._sized, part.at - apart)
            if close < len(self._sized):
                together = self._sizeable.sum(part, part.at - self._sized[close])
                self._courses.append(_course(view, self._row, together))
            self._sized.append(part.at)
        return self


class _Loads:
    """Doses and completed runs of a drug as a second line: at each end, what was given within the time before it."""

    __slots__ = ("_courses", "_given", "_row", "_runs")

    def __init__(self, row: Row, runs: tuple[Part, ...]) -> None:
        self._row = row
        self._runs = runs
        self._courses: list[Course] = []
        self._given = _Together()

    def upto(self, at: int) -> list[Course]:
        """Those that ended by an instant."""
        return self._courses[: bisect_right(self._courses, at, key=_END)]

    def follow(self, view: View, since: int) -> _Loads:
        """Take in the doses and runs from an instant on; before it they are as they were."""
        del self._courses[bisect_left(self._courses, since, key=_END) :]
        self._given.cut(since)
        runs = (part for part in self._runs if part.at >= since)
        known = [*_doses(view, self._row, since), *runs]
        parts = sorted(part for part in known if not _is_first_line(view, self._row, part))
        for part in parts:
            self._given.add(part)
        together = view.duration("second_line_cumulative")
        self._courses += (_course(view, self._row, self._given.sum(part, together)) for part in parts)
        return self


def followed(view: View, row: Row, runs: tuple[Part, ...] | None) -> list[Course]:
    """What was given of a drug in the episode up to now: as a first line, or with ``runs`` as a second."""
    begin, channel = treated_from(view), f"dose:{row.drug}"
    if not view.timeline.facts(channel) and not runs:
        return []
    numbers = [view.number(name) for name in (*row[2:], "borderline_share") if name is not None]
    numbers += [view.duration(name) for name in ("first_line_cumulative", "second_line_cumulative")]
    key = ("given", row, runs, begin, view.value("weight")[:3], *numbers)
    tried = _BENZODIAZEPINES if row.drug == "phenobarbital" else ()
    channels = (channel, *(f"dose:{drug}" for drug in tried))

    def build() -> _Benzodiazepines | _Loads:
        return _Benzodiazepines(row) if runs is None else _Loads(row, runs)

    def extend(known: _Benzodiazepines | _Loads, since: int) -> _Benzodiazepines | _Loads:
        return known.follow(view, since)

    return view.timeline.memo(key, channels, build, extend).upto(view.at)


def _course(view: View, row: Row, part: Part) -> Course:
    """What a part, or several together, are against the target."""
    target, amount = _target(view, row), part.amount
    low = amount.low / target.high if target.high < inf else 0.0
    if row.per_kg is not None and not view.value("weight").known:
        low = max(low, (part.per_kg or 0.0) / view.number(row.per_kg))
    high = amount.high / target.low if target.low else inf
    missing = tuple(dict.fromkeys((*amount.missing, *target.missing)))
    share = Value(round(low, 6), round(high, 6) if high < inf else inf, missing)
    given = Value(round(amount.low, 6), round(amount.high, 6), tuple(dict.fromkeys(amount.missing)))
    return Course(row.drug, part.at, given, target, share, part.event)


def _doses(view: View, row: Row, since: int) -> Iterator[Part]:
    """Completed doses of the episode from an instant on, also those to come."""
    begin, facts = treated_from(view), view.timeline.facts(f"dose:{row.drug}")
    if begin is None:
        return
    for fact in facts[bisect_left(facts, max(begin, since), key=_AT) :]:
        given: Given = fact.value
        if given.completed and was_given(row, fact):
            yield Part(fact.at, view.amount(given), fact.event, given.amount if given.weight_power else None)


def completed(view: View, row: Row) -> Iterator[Part]:
    """Loads by pump that were stopped at their end, as the integral of the rate."""
    begin = treated_from(view)
    facts = view.timeline.upto(f"infusion:{row.drug}", view.at)
    if begin is None or not facts:
        return
    steps = view.rate(row.drug)
    per = MINUTE if (view.catalogue.drug(row.drug).rate_unit or "").endswith("/min") else HOUR
    started: int | None = None
    for fact in facts:
        flow: Flow = fact.value
        if flow.action == "start" and started is None:
            started = fact.at
        if flow.action != "stop" or started is None:
            continue
        if started >= begin:
            bounds = [(started, steps.value(started)), *((s.at, Value(s.low, s.high, s.missing)) for s in steps.steps)]
            inside = [(at, value) for at, value in bounds if started <= at < fact.at]
            ends = [at for at, _ in inside[1:]] + [fact.at]
            low = sum(v.low * (end - at) / per for (at, v), end in zip(inside, ends, strict=True))
            high = sum(
                (v.high * (end - at) / per if end > at else 0) for (at, v), end in zip(inside, ends, strict=True)
            )
            missing = tuple(dict.fromkeys(item for _, value in inside for item in value.missing))
            yield Part(fact.at, Value(round(low, 6), round(high, 6), missing), fact.event)
        started = None


def was_given(row: Row, fact: Fact) -> bool:
    """Whether a dose was given, by one of the routes."""
    return fact.value.status == "given" and routed(row, fact)


def routed(row: Row, fact: Fact) -> bool:
    """Whether a dose is for one of the routes, given or not."""
    return fact.value.route in row.routes


def _is_first_line(view: View, row: Row, part: Part) -> bool:
    """Whether a dose belongs to the first line: phenobarbital only where no benzodiazepine was tried before it."""
    if row.drug != "phenobarbital":
        return row in FIRST_LINE
    begin = part.at - DAY
    tried = (f for name in _BENZODIAZEPINES for f in view.timeline.upto(f"dose:{name}", part.at))
    return not any(f.value.status == "given" and f.at >= begin for f in tried)
