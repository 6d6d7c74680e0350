"""Mean arterial pressure as rules read it: the median of the minute medians of the arterial line, or as charted."""

from __future__ import annotations

from math import inf
from statistics import median
from typing import TYPE_CHECKING, Final

from rules.instants import MINUTE
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View


def _minutes(view: View, length: int, enough: float) -> list[float]:
    """Medians of the minutes of a window that ends now, if there are enough of them; else none."""
    series = view.timeline.series("signal:map_invasive")
    if series is None:
        return []
    values = series.window(view.at, length)
    if len(values) < enough:
        view.note(series.next_end(view.at))
        return []
    view.note_minute()
    return values


def _mean_arterial_pressure(view: View) -> Value:
    """The median of the window; where no line sends enough minutes, what was charted of it, while that may be used."""
    values = _minutes(view, view.duration("map_window"), view.number("map_minutes"))
    if not values:
        charted = view.charted("map_invasive", view.at)
        if charted is None or not charted.value.readable:
            return unknown("mean_arterial_pressure")
        text = f"{number(charted.value.value)} mm[Hg] (charted)"
        return exact(charted.value.value, Finding("mean_arterial_pressure", text, charted.at, charted.event))
    middle = median(values)
    text = f"{number(middle)} mm[Hg] (median of {len(values)} min)"
    return exact(middle, Finding("mean_arterial_pressure", text, view.at // MINUTE * MINUTE))


def _lasting(view: View) -> Value:
    """How high it has been at most for the length of the window; a single value that was charted does not say.

    Values that were charted say it from the first to the last of them, while none of them stands longer than it may.
    """
    now = view.value("mean_arterial_pressure")
    last = view.charted("map_invasive", view.at)
    if last is None or all(found.event != last.event for found in now.findings):
        return now
    window, gap = view.duration("map_window"), view.max_age("map_invasive", last.value.method) or 0
    highest, after = now.high, last.at
    for fact in reversed(view.timeline.upto("signal:map_invasive", last.at)):
        if after - fact.at > gap:
            break
        if not fact.value.readable:
            continue
        highest, after = max(highest, fact.value.value), fact.at
        if last.at - fact.at >= window:
            return Value(now.low, highest, _REPEAT if now.low < highest else (), now.findings)
    return Value(now.low, inf, _REPEAT, now.findings)


_REPEAT: Final = ("repeat mean_arterial_pressure",)


def _five_minutes(view: View) -> Value:
    """The highest minute of the last five: below a limit, all of them are."""
    values = _minutes(view, _FIVE, _FIVE // MINUTE)
    if not values:
        return unknown("mean_arterial_pressure")
    highest = max(values)
    return exact(highest, Finding("mean_arterial_pressure", f"at most {number(highest)} mm[Hg] for 5 min", view.at))


_FIVE: Final = 5 * MINUTE

BLOOD_PRESSURE: Final = (
    Quantity(
        "mean_arterial_pressure_highest",
        "highest mean arterial pressure of the last 5 minutes",
        "mm[Hg]",
        "minute medians of the arterial line",
        ("signal:map_invasive",),
        _five_minutes,
        looks_back=(_FIVE,),
        shown_on="map_invasive",
    ),
    Quantity(
        "mean_arterial_pressure",
        "mean arterial pressure",
        "mm[Hg]",
        "median of 15 minutes of the arterial line, or as charted (local setting)",
        ("signal:map_invasive",),
        _mean_arterial_pressure,
        parameters=("map_window", "map_minutes"),
        shown_on="map_invasive",
    ),
    Quantity(
        "mean_arterial_pressure_lasting",
        "mean arterial pressure for a quarter of an hour",
        "mm[Hg]",
        "median of 15 minutes of the arterial line, or values charted so far apart (local setting)",
        ("signal:map_invasive",),
        _lasting,
        parameters=("map_window", "map_minutes"),
        looks_back=("signal:map_invasive",),
        shown_on="map_invasive",
    ),
)
