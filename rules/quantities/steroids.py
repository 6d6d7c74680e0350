"""Corticosteroids as one number: hydrocortisone equivalent per day of what is being given."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from rules.facts import Given
from rules.instants import DAY, HOUR
from rules.logic import Finding
from rules.portions import Portions, bounds, given_of, weighed
from rules.quantities.base import Quantity
from rules.timeline import Fact
from rules.values import Value

if TYPE_CHECKING:
    from rules.view import View

SYSTEMIC: Final = ("hydrocortisone", "prednisolone", "prednisone", "methylprednisolone", "dexamethasone")
_FIRST_INTERVAL: Final = 6 * HOUR
_STEP: Final = 5.0
_LATE: Final = 1.25
"""A dose is not late until a quarter of its interval has passed (local setting)."""
_REGIMEN: Final = DAY + round(DAY * _LATE)
"""How far back the last dose that counts can be, and the one before it."""


def _equivalent_per_day(view: View) -> Value:
    total = Value(0.0, 0.0)
    latest: Finding | None = None
    for name in SYSTEMIC:
        factor = view.catalogue.drug(name).hydrocortisone_equivalent_mg or 0.0
        if view.timeline.facts(f"infusion:{name}"):
            rate = view.flow(name)
            total = _plus(total, Value(_charted(rate.low), _charted(rate.high), rate.missing), factor)
        by_weight = view.known(f"dose:{name}", view.at, _weighed, first=False)
        doses = given_of(view, name, view.value("weight") if by_weight else None)
        if doses.until(view.at):
            last = doses.facts[doses.until(view.at) - 1]
            amount = view.amount(last.value)
            total = _plus(total, _regimen(view, name, doses, amount), factor)
            latest = Finding("last_steroid_dose", f"{name} {amount.text('mg')}", last.at, last.event)
    finding = Finding("steroid", f"hydrocortisone equivalent {total.text('mg/d')}", view.at)
    return total._replace(findings=(finding, *((latest,) if latest else ())))


def _weighed(known: bool, fact: Fact) -> bool:
    """Whether any dose that was given is per kilogram."""
    given: Given = fact.value
    return known or (given.status == "given" and weighed(given))


def _plus(total: Value, part: Value, factor: float) -> Value:
    high = part.high * factor if part.high else 0.0
    return Value(total.low + part.low * factor, total.high + high, (*total.missing, *part.missing))


def _charted(rate: float) -> float:
    """Milligrams per day of a rate per hour; pumps show tenths, so 8.3 mg/h is 200 mg/d."""
    return round(rate * 24 / _STEP) * _STEP if rate < inf else inf


def _regimen(view: View, name: str, doses: Portions, last: Value) -> Value:
    """Milligrams per day of a regimen: what the last day summed to, or what the last dose means at its interval.

    A first dose of hydrocortisone is taken for a six-hourly one (50 mg every 6 h is the usual 200 mg/d).
    """
    day = Value(*bounds(doses.sum(view.at, DAY)), doses.missing(view.at, DAY))
    count = doses.until(view.at)
    at = doses.facts[count - 1].at
    gap = at - doses.facts[count - 2].at if count > 1 else DAY + 1
    interval = max(gap, HOUR) if gap <= DAY else _FIRST_INTERVAL if name == "hydrocortisone" else DAY
    due = at + round(interval * _LATE)
    view.note(due)
    view.note(doses.next_change(view.at, DAY))
    if view.at >= due:
        return day
    per_day = DAY / interval
    return Value(max(day.low, last.low * per_day), max(day.high, last.high * per_day), (*day.missing, *last.missing))


STEROIDS: Final = (
    Quantity(
        "hydrocortisone_equivalent_per_day",
        "corticosteroid being given, as hydrocortisone per day",
        "mg/d",
        "usual equivalence table (not checked against a source); 50 mg every 6 h: SCCM 2024 (source read)",
        (*(f"infusion:{name}" for name in SYSTEMIC), *(f"dose:{name}" for name in SYSTEMIC), "signal:weight"),
        _equivalent_per_day,
        looks_back=(_REGIMEN,),
    ),
)
