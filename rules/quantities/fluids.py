"""Resuscitation fluid: crystalloid per kilogram since some time before shock was recognised.

The guideline counts crystalloid, and suggests albumin beside it. Colloid and blood never make the crystalloid complete;
whether it is incomplete where they make up for it is in doubt. That nobody has recorded any fluid does not mean that
none was given, neither now nor before the admission.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Final

from rules.facts import Volume
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.timeline import Fact
from rules.values import Value, divided, number, unknown

if TYPE_CHECKING:
    from rules.view import View

_NAME: Final = "crystalloid_per_kilogram"
_CRYSTALLOID: Final = "crystalloid"
_COLLOID: Final = "colloid"
_BLOOD: Final = "blood"
_KINDS: Final = {
    "crystalloid": _CRYSTALLOID,
    "albumin": _COLLOID,
    "other_colloid": _COLLOID,
    "blood_product": _BLOOD,
}


def _given(view: View, begin: int) -> Iterator[tuple[Fact, str, float | None]]:
    """The fluid given since an instant: its kind and millilitres, None where the amount cannot be used."""
    for fact in view.timeline.upto("fluid", view.at):
        volume: Volume = fact.value
        if fact.at <= begin:
            continue
        started = fact.at if volume.started is None else volume.started
        share = 1.0 if started >= begin else (fact.at - begin) / (fact.at - started)
        amount = None if volume.millilitres is None else volume.millilitres * share
        yield fact, _KINDS[volume.fluid], amount


def _crystalloid_per_kilogram(view: View) -> Value:
    recognised = view.anchors.get("recognition")
    if recognised is None:
        return unknown("recognition")
    millilitres = dict.fromkeys((_CRYSTALLOID, _COLLOID, _BLOOD), 0.0)
    unread: set[str] = set()
    latest: Fact | None = None
    begin = recognised - view.duration("fluid_look_back")
    for fact, kind, amount in _given(view, begin):
        latest = fact
        millilitres[kind] += amount or 0.0
        if amount is None:
            unread.add(kind)
    if latest is None:
        return unknown("fluid_record", low=0.0)
    weight = view.value("fluid_weight")
    beside = [kind for kind in (_COLLOID, _BLOOD) if millilitres[kind]]
    lost = [
        *(["fluid_volume"] if unread else []),
        *(["fluid_before_admission"] if _admitted_without(view, begin) else []),
    ]
    low, most = millilitres[_CRYSTALLOID], sum(millilitres.values())
    if most and weight.high == inf:
        return unknown(*(weight.missing or ("weight",)), low=0.0)
    low, high = divided(Value(low, most), weight) if most else (0.0, 0.0)
    low, high = round(low, 6), inf if lost else round(high, 6)
    missing = (*beside, *lost, *(weight.missing if most else ())) if low < high else ()
    given = Value(low, high, missing)
    return given._replace(findings=(Finding(_NAME, _text(given, millilitres), latest.at, latest.event),))


def _admitted_without(view: View, begin: int) -> bool:
    """Whether the patient came within the time that counts, and nothing is recorded from before."""
    admissions = [move.at for move in view.timeline.upto("stay", view.at) if move.value.event == "admission"]
    if not admissions or admissions[-1] <= begin:
        return False
    return all(fact.at > admissions[-1] for fact, _, _ in _given(view, begin))


def _text(given: Value, millilitres: Mapping[str, float]) -> str:
    """What was given per kilogram, and beside what."""
    shown = given._replace(low=round(given.low, 1), high=given.high if given.high == inf else round(given.high, 1))
    beside = [f"{number(round(millilitres[kind]))} mL {kind}" for kind in (_COLLOID, _BLOOD) if millilitres[kind]]
    return ", beside ".join([shown.text("mL/kg"), *([" and ".join(beside)] if beside else [])])


FLUIDS: Final = (
    Quantity(
        _NAME,
        "crystalloid since shortly before shock was recognised",
        "mL/kg",
        "Surviving Sepsis Campaign 2026 (secondary source only); how long before: local setting",
        ("fluid", "signal:weight", "signal:height", "state:sex", "stay"),
        _crystalloid_per_kilogram,
        parameters=("fluid_look_back",),
        episode=True,
    ),
)
