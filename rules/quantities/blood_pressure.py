"""Mean arterial pressure as rules read it: the median of the minute medians of the arterial line."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from rules.instants import MINUTE
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View


def _mean_arterial_pressure(view: View) -> Value:
    series = view.timeline.dense.get("signal:map_invasive")
    if series is None:
        return unknown("mean_arterial_pressure")
    values = series.window(view.at, view.duration("map_window"))
    view.note((view.at // MINUTE + 1) * MINUTE if values else series.next_end(view.at))
    if len(values) < view.number("map_minutes"):
        return unknown("mean_arterial_pressure")
    middle = median(values)
    text = f"{number(middle)} mm[Hg] (median of {len(values)} min)"
    return exact(middle, Finding("mean_arterial_pressure", text, view.at // MINUTE * MINUTE))


def _five_minutes(view: View) -> Value:
    """The highest minute of the last five: below a limit, all of them are."""
    series = view.timeline.dense.get("signal:map_invasive")
    values = series.window(view.at, _FIVE) if series is not None else []
    if series is not None:
        view.note((view.at // MINUTE + 1) * MINUTE if values else series.next_end(view.at))
    if len(values) < _FIVE // MINUTE:
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
    ),
    Quantity(
        "mean_arterial_pressure",
        "mean arterial pressure, 15-minute median",
        "mm[Hg]",
        "clinical.md 1a [D]",
        ("signal:map_invasive",),
        _mean_arterial_pressure,
        parameters=("map_window", "map_minutes"),
    ),
)
