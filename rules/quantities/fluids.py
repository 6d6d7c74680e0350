"""Resuscitation fluid: crystalloid per kilogram since shortly before shock was recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.facts import Volume
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, number, unknown

if TYPE_CHECKING:
    from rules.view import View


def _crystalloid_per_kilogram(view: View) -> Value:
    recognised = view.anchors.get("recognition")
    if recognised is None:
        return unknown("recognition")
    begin = recognised - view.duration("fluid_look_back")
    millilitres = 0.0
    latest = None
    for fact in view.timeline.upto("fluid", view.at):
        volume: Volume = fact.value
        if volume.fluid != "crystalloid" or fact.at <= begin:
            continue
        started = fact.at if volume.started is None else volume.started
        share = 1.0 if started >= begin else (fact.at - begin) / (fact.at - started)
        millilitres += volume.millilitres * share
        latest = fact
    weight = view.value("fluid_weight")
    at, event = (latest.at, latest.event) if latest else (None, None)
    if not millilitres:
        return Value(0.0, 0.0, (), (Finding("crystalloid_per_kilogram", "0 mL/kg"),))
    if not weight.known:
        return unknown("weight", low=0.0)
    given = round(millilitres / weight.low, 6)
    return Value(
        given, given, (), (Finding("crystalloid_per_kilogram", f"{number(round(given, 1))} mL/kg", at, event),)
    )


FLUIDS: Final = (
    Quantity(
        "crystalloid_per_kilogram",
        "crystalloid since 6 h before recognition",
        "mL/kg",
        "Surviving Sepsis Campaign 2026 (secondary source only); counted from 6 h before recognition (local setting)",
        ("fluid", "signal:weight", "signal:height", "state:sex"),
        _crystalloid_per_kilogram,
        parameters=("fluid_look_back",),
        episode=True,
    ),
)
