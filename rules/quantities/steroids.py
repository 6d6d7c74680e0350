"""Corticosteroids as one number: hydrocortisone equivalent per day of what is being given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.instants import DAY, HOUR
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, number

if TYPE_CHECKING:
    from rules.view import View

SYSTEMIC: Final = ("hydrocortisone", "prednisolone", "prednisone", "methylprednisolone", "dexamethasone")
_FIRST_INTERVAL: Final = 6 * HOUR
_LATE: Final = 1.25
"""A dose is not late until a quarter of its interval has passed (clinical.md 1b, local setting)."""


def _equivalent_per_day(view: View) -> Value:
    low = high = 0.0
    latest: Finding | None = None
    for name in SYSTEMIC:
        factor = view.catalogue.drug(name).hydrocortisone_equivalent_mg or 0.0
        if f"infusion:{name}" in view.timeline.channels:
            rate = view.flow(name)
            low, high = low + rate.low * 24 * factor, high + (rate.high * 24 * factor if rate.high else 0.0)
        doses = [
            fact
            for fact in view.timeline.upto(f"dose:{name}", view.at)
            if fact.value.status == "given" and fact.value.amount is not None
        ]
        if doses:
            amount = _regimen(view, [(fact.at, fact.value.amount) for fact in doses]) * factor
            low, high = low + amount, high + amount
            last = doses[-1]
            latest = Finding("last_steroid_dose", f"{name} {number(last.value.amount)} mg", last.at, last.event)
    finding = Finding("steroid", f"hydrocortisone equivalent {number(round(low, 1))} mg/d", view.at)
    missing = () if low == high else ("steroid_rate",)
    return Value(low, high, missing, (finding, *((latest,) if latest else ())))


def _regimen(view: View, doses: list[tuple[int, float]]) -> float:
    """Milligrams per day of a regimen: what the last day summed to, or what the last dose means at its interval.

    The first dose of a regimen is taken for a six-hourly one (50 mg every 6 h is the usual 200 mg/d).
    """
    day = sum(amount for at, amount in doses if at > view.at - DAY)
    at, last = doses[-1]
    interval = min(at - doses[-2][0], DAY) if len(doses) > 1 and at - doses[-2][0] < DAY else _FIRST_INTERVAL
    due = at + round(max(interval, HOUR) * _LATE)
    view.note(due)
    view.note(at + DAY)
    return max(day, last * DAY / max(interval, HOUR)) if view.at < due else day


STEROIDS: Final = (
    Quantity(
        "hydrocortisone_equivalent_per_day",
        "corticosteroid being given, as hydrocortisone per day",
        "mg/d",
        "equivalence table of clinical.md 1c [K]; 50 mg every 6 h [V16b]",
        (*(f"infusion:{name}" for name in SYSTEMIC), *(f"dose:{name}" for name in SYSTEMIC)),
        _equivalent_per_day,
    ),
)
