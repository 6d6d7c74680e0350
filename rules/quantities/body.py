"""Body size: the weight that can be used, predicted body weight, and the weight by which resuscitation fluid is judged.

Two weights that cannot both be right leave the patient between them until a later one agrees with either; so do two
heights. After a large fluid shift an old weight is that of another body.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from rules.facts import Sample, Volume
from rules.instants import FOREVER, TICK, clock_time
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.timeline import Fact
from rules.values import Value, divided, number, powered, unknown

if TYPE_CHECKING:
    from rules.view import View

_INTERCEPT: Final = {"male": 50.0, "female": 45.5}
_OBESE: Final = 30.0

APART: Final = {"weight": 0.2, "height": 0.05}
"""From which part of the smaller one two sizes of one patient contradict each other (local setting)."""

FLUID_SHIFT: Final = 30.0
"""Millilitres of any fluid per kilogram since a weighing, from which that weight grows old sooner (local setting)."""


def _weight(view: View) -> Value:
    return _weighed(view)


def _weighed(view: View, *, before_fluid: bool = False) -> Value:
    """The weight; or the one that a patient had before the fluid, of which a shift takes nothing away."""
    facts = view.timeline.upto("signal:weight", view.at)
    if not facts or not _plain(facts[-1]):
        return view.signal("weight")
    found = _size(view, "weight", _usable(view, reversed(facts), before_fluid=before_fluid))
    return unknown(f"weight (last {clock_time(facts[-1].at)})") if found is None else found


def _usable(view: View, facts: Iterable[Fact], *, before_fluid: bool) -> Iterator[Fact]:
    """The weights that can be read and are not too old; no more are looked at than are asked for."""
    usual, sooner = view.age_limit("weight", None), view.age_limit("weight", "fluid_shift")
    longest = FOREVER if usual is None or sooner is None else max(usual, sooner)
    for fact in facts:
        if view.at - fact.at > longest or not _plain(fact):
            continue
        limit = sooner if not before_fluid and _shifted(view, fact) else usual
        if limit is None or view.at - fact.at <= limit:
            view.note(None if limit is None else fact.at + limit + TICK)
            yield fact


def _shifted(view: View, weighed: Fact) -> bool:
    """Whether so much fluid has been given since a weighing that it says less of the patient now."""
    times, totals = view.timeline.memo("fluid", ("fluid",), lambda: _accumulated(view.timeline.facts("fluid")))
    given = totals[bisect_right(times, view.at)] - totals[bisect_right(times, weighed.at)]
    weight: float = weighed.value.value
    return round(given / weight, 6) >= FLUID_SHIFT


def _accumulated(facts: Sequence[Fact]) -> tuple[list[int], list[float]]:
    """When any fluid was charted, and how many millilitres before the first of these times, the second, ... in all."""
    volumes: list[Volume] = [fact.value for fact in facts]
    given = (volume.millilitres or 0.0 for volume in volumes)
    return [fact.at for fact in facts], list(accumulate(given, initial=0.0))


def _height(view: View) -> Value:
    facts = view.timeline.upto("signal:height", view.at)
    if not facts or not _plain(facts[-1]):
        return view.signal("height")
    return _size(view, "height", filter(_plain, reversed(facts))) or unknown("height")


def _plain(fact: Fact) -> bool:
    """Whether it is a number, and not only a bound."""
    sample: Sample = fact.value
    return sample.readable and sample.comparator is None


def _size(view: View, name: str, newest_first: Iterable[Fact]) -> Value | None:
    """What is known from several measurements: the newest, or a range while it contradicts all before it."""
    found: Value | None = None
    for fact in _agreed(name, newest_first):
        size = fact.value.value
        shown = view.found(name, size, fact)
        if found is None:
            found = Value(size, size, (), (shown,))
            continue
        low, high = min(found.low, size), max(found.high, size)
        unit = view.catalogue.signal(name).unit
        doubt = f"{name} ({number(low)} or {number(high)} {unit})"
        found = Value(low, high, (doubt,), (shown, *found.findings))
    return found


def _agreed(name: str, newest_first: Iterable[Fact]) -> list[Fact]:
    """The measurements from the newest on that an earlier one bears out, or all, oldest first."""
    facts: list[Fact] = []
    for fact in newest_first:
        if facts and not _contradict(name, facts[0].value.value, fact.value.value):
            return facts[:1]
        facts.append(fact)
    facts.reverse()
    return facts[_last_agreeing(name, facts) :]


def _last_agreeing(name: str, facts: list[Fact]) -> int:
    """The place of the newest measurement that an earlier one bears out; the first where there is none."""
    sizes = [fact.value.value for fact in facts]
    for place in range(len(sizes) - 1, 0, -1):
        if any(not _contradict(name, sizes[place], earlier) for earlier in sizes[:place]):
            return place
    return 0


def _contradict(name: str, one: float, other: float) -> bool:
    return abs(one - other) > APART[name] * min(one, other)


def _predicted_body_weight(view: View) -> Value:
    height, (sex, _) = view.value("height"), view.coded("sex")
    missing = [*(["height"] if not height.findings else []), *(["sex"] if sex not in _INTERCEPT else [])]
    if missing or sex not in _INTERCEPT:
        return unknown(*missing)
    low, high = (_INTERCEPT[sex] + 0.91 * (bound - 152.4) for bound in (height.low, height.high))
    return _shown("predicted_body_weight", low, high, "kg", height.missing)


def _shown(name: str, low: float, high: float, unit: str, missing: tuple[str, ...]) -> Value:
    text = Value(round(low, 1), round(high, 1)).text(unit)
    return Value(low, high, missing, (Finding(name, text),))


def _fluid_weight(view: View) -> Value:
    """Initial fluid is measured by the weight from before it."""
    weight = _weighed(view, before_fluid=True)
    index = _index(view.value("height"), weight)
    if not index.findings or index.high <= _OBESE:
        return weight
    ideal = view.value("predicted_body_weight")
    if not ideal.findings or ideal.low >= weight.high:
        return weight
    lower = Value(min(ideal.low, weight.low), min(ideal.high, weight.high), ideal.missing, ideal.findings)
    if index.low > _OBESE:
        return lower
    missing = tuple(dict.fromkeys((*weight.missing, *lower.missing)))
    return Value(lower.low, weight.high, missing, (*weight.findings, *lower.findings))


def _body_mass_index(view: View) -> Value:
    return _index(view.value("height"), view.value("weight"))


def _index(height: Value, weight: Value) -> Value:
    missing = [*(["height"] if not height.findings else []), *weight.missing] if not weight.findings else height.missing
    if not height.findings or not weight.findings:
        return unknown(*(missing or ("height",)))
    low, high = powered(height._replace(low=height.low / 100, high=height.high / 100), 2)
    least, most = divided(weight, Value(low, high))
    return _shown("body_mass_index", least, most, "kg/m2", (*height.missing, *weight.missing))


BODY: Final = (
    Quantity(
        "weight",
        "body weight",
        "kg",
        "max. age 7 days, 72 h after a fluid shift; what is a shift or a contradiction: local setting",
        ("signal:weight",),
        _weight,
    ),
    Quantity(
        "height",
        "body height",
        "cm",
        "what is a contradiction: local setting",
        ("signal:height",),
        _height,
    ),
    Quantity(
        "body_mass_index",
        "body mass index",
        "kg/m2",
        "weight over height squared",
        ("signal:height", "signal:weight"),
        _body_mass_index,
    ),
    Quantity(
        "predicted_body_weight",
        "predicted body weight",
        "kg",
        "ARDSNet formula (secondary source only)",
        ("signal:height", "state:sex"),
        _predicted_body_weight,
    ),
    Quantity(
        "fluid_weight",
        "body weight for resuscitation fluid: actual, or ideal above a body mass index of 30",
        "kg",
        "Surviving Sepsis Campaign 2026 (secondary source only)",
        ("signal:weight", "signal:height", "state:sex"),
        _fluid_weight,
    ),
)
