"""Quantities of a cardiac arrest: its intervals, its shocks, and signs that circulation may have returned."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from rules.arrest import LOST, READS, course
from rules.instants import MINUTE, TICK, format_duration
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View


def _minutes(milliseconds: float) -> float:
    return round(milliseconds / MINUTE, 3)


def _no_flow(view: View) -> Value:
    """Between bounds where nobody saw the collapse: from when the patient was found, and from when last seen well."""
    arrest = course(view)
    known = None if arrest is None else arrest.found if arrest.collapse is None else arrest.collapse
    if arrest is None or known is None:
        return unknown("no_flow")
    begun = arrest.first_compressions
    shortest = max((view.at if begun is None else begun) - known, 0)
    if begun is None:
        # Just after each full minute, the one that is full now as well.
        view.note(known + ((shortest - TICK) // MINUTE + 1) * MINUTE + TICK)
        return unknown("no_flow", low=_minutes(shortest))
    if arrest.collapse is not None and arrest.witnessed is not False:
        shown = f"{number(round(_minutes(shortest), 1))} min"
        return exact(_minutes(shortest), Finding("no_flow", shown, begun))
    longest = inf if arrest.last_seen is None else _minutes(max(begun - arrest.last_seen, shortest))
    value = Value(_minutes(shortest), longest, ("no_flow",))
    shown = f"{value.text('min')} (collapse not witnessed)"
    return value._replace(findings=(Finding("no_flow", shown, begun),))


def _low_flow(view: View) -> Value:
    arrest = course(view)
    passed = None if arrest is None else arrest.low_flow(view.at, view.duration("pause_counted"))
    if arrest is None or passed is None:
        return unknown("low_flow")
    without = ", minutes with circulation left out" if arrest.returned else ""
    text = f"{format_duration(passed)}{without}"
    return exact(_minutes(passed), Finding("low_flow", text, arrest.first_compressions))


def _failed_shocks(view: View) -> Value:
    arrest = course(view)
    if arrest is None:
        return exact(0)
    text = f"{arrest.failed} of {arrest.shocked} given"
    at = None if arrest.shocks is None else arrest.shocks.latest
    return exact(arrest.failed, Finding("failed_shocks", text, at))


def _pulse_pressure(view: View) -> Value:
    systolic, diastolic = view.value("systolic_invasive"), view.value("diastolic_invasive")
    if not systolic.known or not diastolic.known:
        return unknown(*systolic.missing, *diastolic.missing)
    pressure = round(systolic.low - diastolic.low, 4)
    at = systolic.findings[0].at if systolic.findings else None
    return exact(pressure, Finding("arterial_pulse_pressure", f"{number(pressure)} mm[Hg]", at))


def _own_systolic(view: View) -> Value:
    """The systolic pressure without that which compressions made: what was measured since they stopped."""
    arrest, name = course(view), "systolic_invasive"
    measured = view.value(name)
    if arrest is None or arrest.first_compressions is None:
        return measured
    series, stopped = view.timeline.series(f"signal:{name}"), arrest.paused or arrest.rosc
    if series is None or stopped is None or not measured.known:
        return unknown(name)
    view.note_minute()
    for at in (view.at, view.at // MINUTE * MINUTE - TICK):
        pressure = series.so_far(at, stopped)
        if pressure is not None:
            return exact(pressure, Finding("own_systolic", f"{number(round(pressure, 4))} mm[Hg]", at))
    minute = series.newest_before(view.at, view.max_age(name) or 0)
    return measured if minute is not None and minute * MINUTE >= stopped else unknown(name)


def _etco2_rise(view: View) -> Value:
    """How far EtCO2 is now above its lowest minute in the window before."""
    now, series = view.value("etco2"), view.timeline.series("signal:etco2")
    before = series.window(view.at, view.duration("etco2_rise_window")) if series is not None else []
    if not now.known or not before:
        return unknown("etco2")
    view.note_minute()  # the lowest may leave the window
    rise = round(now.low - min(before), 4)
    at = now.findings[0].at if now.findings else None
    return exact(rise, Finding("etco2_rise", f"{number(rise)} mm[Hg]", at))


ARREST: Final = (
    Quantity(
        "no_flow",
        "no-flow time (collapse to first compressions)",
        "min",
        "Utstein times (general clinical knowledge)",
        READS,
        _no_flow,
        parameters=("sustained_rosc",),
        looks_back=(LOST,),
        episode=True,
    ),
    Quantity(
        "low_flow",
        "low-flow time (since first compressions)",
        "min",
        "low-flow runs from the first compressions to ECMO flow (source read); what is left out: local setting",
        READS,
        _low_flow,
        parameters=("sustained_rosc", "pause_counted"),
        looks_back=(LOST,),
        episode=True,
    ),
    Quantity(
        "failed_shocks",
        "failed shocks",
        "1",
        "a shock has failed once there is evidence after it: another shock, a rhythm other than organised, or"
        " compressions resumed after a pause (local setting)",
        READS,
        _failed_shocks,
        parameters=("sustained_rosc",),
        looks_back=(LOST,),
        episode=True,
        can_be_unknown=False,
    ),
    Quantity(
        "arterial_pulse_pressure",
        "arterial pulse pressure",
        "mm[Hg]",
        "systolic less diastolic pressure of the arterial line",
        ("signal:systolic_invasive", "signal:diastolic_invasive"),
        _pulse_pressure,
    ),
    Quantity(
        "own_systolic",
        "systolic pressure without compressions",
        "mm[Hg]",
        "what the arterial line shows since compressions stopped; the pressure that they make is no circulation",
        READS,
        _own_systolic,
        parameters=("sustained_rosc",),
        looks_back=(LOST,),
        episode=True,
    ),
    Quantity(
        "etco2_rise",
        "rise of EtCO2",
        "mm[Hg]",
        "an abrupt rise may be circulation (AHA 2025, secondary source only); its window is a local setting",
        ("signal:etco2",),
        _etco2_rise,
        parameters=("etco2_rise_window",),
    ),
)
