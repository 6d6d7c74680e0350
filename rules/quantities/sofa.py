"""The SOFA score (version 1, Vincent 1996), as bounds: a missing component may be anything from 0 to 4."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Final

from rules.instants import DAY, HOUR, TICK
from rules.landmarks.ventilation import pressure_after
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, number

if TYPE_CHECKING:
    from rules.view import View

_TITLES: Final = ("respiration", "coagulation", "liver", "cardiovascular", "nervous system", "kidney")

_PF: Final = ((100.0, 4), (200.0, 3), (300.0, 2), (400.0, 1))
_PLATELETS: Final = ((20.0, 4), (50.0, 3), (100.0, 2), (150.0, 1))
_GCS: Final = ((6.0, 4), (10.0, 3), (13.0, 2), (15.0, 1))
_BILIRUBIN: Final = ((12.0, 4), (6.0, 3), (2.0, 2), (1.2, 1))
_CREATININE: Final = ((5.0, 4), (3.5, 3), (2.0, 2), (1.2, 1))
_URINE: Final = ((200.0, 4), (500.0, 3))
_UNVENTILATED: Final = 2
_SUPPORT: Final = ("intubated", "invasive_ventilation", "noninvasive_ventilation")
"""Respiratory support, without which the lung has two points at most."""

_CHRONIC: Final = {
    "respiration": ("chronic_home_oxygen",),
    "liver": ("child_pugh_c_cirrhosis",),
    "kidney": ("chronic_dialysis",),
}
"""What says that an organ failed long before this illness."""

_CHARTED_EVERY: Final = 6 * HOUR
"""Urine charted less often than this leaves its volume in a day unknown (local setting)."""

_HYPOTENSION: Final = 70.0


def _points(amount: float, bands: Sequence[tuple[float, int]]) -> int:
    return next((points for limit, points in bands if amount < limit), 0)


def _below(value: Value, bands: Sequence[tuple[float, int]]) -> tuple[int, int]:
    return _points(value.high, bands), _points(value.low, bands)


def _from(value: Value, bands: Sequence[tuple[float, int]]) -> tuple[int, int]:
    least, most = (next((points for limit, points in bands if bound >= limit), 0) for bound in (value.low, value.high))
    return least, most


def _respiration(view: View) -> tuple[int, int]:
    low, high = _below(view.value("pf_ratio"), _PF)
    if any(view.coded(support)[0] == "present" for support in _SUPPORT):
        return low, high
    tube = view.timeline.latest("state:intubated", view.at)
    alone = tube is not None and tube.value.value == "absent" and pressure_after(view, tube.at) <= 0
    return min(low, _UNVENTILATED), min(high, _UNVENTILATED) if alone else high


def _cardiovascular(view: View) -> tuple[int, int]:
    pressors = [view.flow(drug) for drug in ("norepinephrine", "epinephrine")]
    dopamine, dobutamine = view.flow("dopamine"), view.flow("dobutamine")
    pressure = view.value("mean_arterial_pressure")
    least = _support(max(rate.low for rate in pressors), dopamine.low, dobutamine.low)
    most = _support(max(rate.high for rate in pressors), dopamine.high, dobutamine.high)
    hypotension = (int(pressure.low < _HYPOTENSION),) * 2 if pressure.known else (0, 1)
    return max(least, hypotension[0]), max(most, hypotension[1])


def _kidney(view: View) -> tuple[int, int]:
    """The worse of creatinine and urine output; of a day that was not charted throughout, bounds."""
    low, high = _from(view.value("creatinine"), _CREATININE)
    least, most = urine_of_a_day(view)
    return max(low, _points(most, _URINE)), max(high, _points(least, _URINE))


def urine_of_a_day(view: View) -> tuple[float, float]:
    """The least and the most millilitres of urine in the last 24 h; no upper bound where charting has gaps.

    A volume is that since the one before it, so the first of the day may have come earlier.
    """
    whole = view.value("urine_output_24h")
    if whole.low > -inf or whole.high < inf:
        return max(whole.low, 0.0), whole.high
    begin = view.at - DAY
    within = [fact for fact in view.timeline.upto("signal:urine_output", view.at) if fact.at > begin]
    if not within:
        return 0.0, inf
    view.note(within[0].at + DAY - _CHARTED_EVERY)
    view.note(within[0].at + DAY)
    view.note(within[-1].at + _CHARTED_EVERY + TICK)
    instants = [begin, *(fact.at for fact in within), view.at]
    complete = all(after - before <= _CHARTED_EVERY for before, after in pairwise(instants))
    volumes = [fact.value.bounds for fact in within]
    return sum(max(low, 0.0) for low, _ in volumes[1:]), sum(high for _, high in volumes) if complete else inf


def _support(pressor: float, dopamine: float, dobutamine: float) -> int:
    """Points for vasoactive drugs in ug/kg/min, by the published bands."""
    if pressor > 0.1 or dopamine > 15:  # noqa: PLR2004 - the published bands
        return 4
    if pressor > 0 or dopamine > 5:  # noqa: PLR2004 - the published bands
        return 3
    return 2 if dopamine > 0 or dobutamine > 0 else 0


def components(view: View) -> tuple[tuple[int, int], ...]:
    """The least and most points of each organ, in the order of the score."""
    return (
        _respiration(view),
        _below(view.value("platelets"), _PLATELETS),
        _from(view.value("bilirubin"), _BILIRUBIN),
        _cardiovascular(view),
        _below(view.value("gcs"), _GCS),
        _kidney(view),
    )


def _baseline(view: View) -> tuple[bool, ...]:
    """Whether each organ, in the order of the score, is known to have failed long before: its baseline is not 0."""
    return tuple([any(view.coded(name)[0] == "present" for name in _CHRONIC.get(title, ())) for title in _TITLES])


def _score(view: View, parts: Sequence[tuple[int, int]]) -> Value:
    low, high = sum(part[0] for part in parts), sum(part[1] for part in parts)
    missing = tuple(title for title, (least, most) in zip(_TITLES, parts, strict=True) if least != most)
    text = number(low) if low == high else f"{low} to {high} (not known: {', '.join(missing)})"
    return Value(low, high, tuple(f"SOFA {title}" for title in missing), (Finding("sofa", text, view.at),))


def _sofa_score(view: View) -> Value:
    """The score as somebody charted it, else as it comes out of its components."""
    charted = view.value("sofa")
    return charted if charted.known else _score(view, components(view))


def _sofa_rise(view: View) -> Value:
    """The score above its baseline; an organ that failed long before may have risen by anything up to its points."""
    parts = zip(components(view), _baseline(view), strict=True)
    return _score(view, [(0 if chronic else least, most) for (least, most), chronic in parts])


SOFA_READS: Final = (
    *(f"signal:{name}" for name in ("pao2", "fio2", "platelets", "bilirubin", "gcs", "creatinine", "weight")),
    *(f"signal:{name}" for name in ("map_invasive", "urine_output", "urine_output_24h", "peep")),
    *(f"infusion:{drug}" for drug in ("norepinephrine", "epinephrine", "dopamine", "dobutamine")),
    *(f"state:{support}" for support in _SUPPORT),
)

_SOURCE: Final = "score of Vincent, Intensive Care Med 1996 (not checked)"

SOFA: Final = (
    Quantity(
        "sofa_rise",
        "rise of the SOFA score above its baseline, taken as 0 where no organ failed long before",
        "{score}",
        f"Sepsis-3, Singer, JAMA 2016 (secondary source only); {_SOURCE}",
        (*SOFA_READS, *(f"state:{name}" for names in _CHRONIC.values() for name in names)),
        _sofa_rise,
        parameters=("map_window", "map_minutes"),
        looks_back=("signal:pao2", DAY),
    ),
    Quantity(
        "sofa_score",
        "SOFA score, charted or of its components",
        "{score}",
        _SOURCE,
        (*SOFA_READS, "signal:sofa"),
        _sofa_score,
        parameters=("map_window", "map_minutes"),
        looks_back=("signal:pao2", DAY),
    ),
)
