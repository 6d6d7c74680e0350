"""The SOFA score (version 1, Vincent 1996), as bounds: a missing component may be anything from 0 to 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, number

if TYPE_CHECKING:
    from rules.view import View

WORST: Final = 4
_TITLES: Final = ("respiration", "coagulation", "liver", "cardiovascular", "nervous system", "kidney")

_PF: Final = ((100.0, 4), (200.0, 3), (300.0, 2), (400.0, 1))
_PLATELETS: Final = ((20.0, 4), (50.0, 3), (100.0, 2), (150.0, 1))
_GCS: Final = ((6.0, 4), (10.0, 3), (13.0, 2), (15.0, 1))
_BILIRUBIN: Final = ((12.0, 4), (6.0, 3), (2.0, 2), (1.2, 1))
_CREATININE: Final = ((5.0, 4), (3.5, 3), (2.0, 2), (1.2, 1))
_UNVENTILATED: Final = 2
_HYPOTENSION: Final = 70.0


def _below(value: Value, bands: Sequence[tuple[float, int]]) -> tuple[int, int]:
    if not value.known:
        return 0, WORST
    points = next((points for limit, points in bands if value.low < limit), 0)
    return points, points


def _from(value: Value, bands: Sequence[tuple[float, int]]) -> tuple[int, int]:
    if not value.known:
        return 0, WORST
    points = next((points for limit, points in bands if value.low >= limit), 0)
    return points, points


def _respiration(view: View) -> tuple[int, int]:
    low, high = _below(view.value("pf_ratio"), _PF)
    ventilated = view.coded("intubated")[0]
    if ventilated != "present":
        low = min(low, _UNVENTILATED)
    return low, high if ventilated != "absent" else min(high, _UNVENTILATED)


def _cardiovascular(view: View) -> tuple[int, int]:
    pressors = [view.flow(drug) for drug in ("norepinephrine", "epinephrine")]
    dopamine, dobutamine = view.flow("dopamine"), view.flow("dobutamine")
    pressure = view.value("mean_arterial_pressure")
    least = _support(max(rate.low for rate in pressors), dopamine.low, dobutamine.low)
    most = _support(max(rate.high for rate in pressors), dopamine.high, dobutamine.high)
    hypotension = (int(pressure.low < _HYPOTENSION),) * 2 if pressure.known else (0, 1)
    return max(least, hypotension[0]), max(most, hypotension[1])


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
        _from(view.value("creatinine"), _CREATININE),
    )


def _sofa(view: View) -> Value:
    parts = components(view)
    low, high = sum(part[0] for part in parts), sum(part[1] for part in parts)
    missing = tuple(title for title, (least, most) in zip(_TITLES, parts, strict=True) if least != most)
    text = number(low) if low == high else f"{low} to {high} (not known: {', '.join(missing)})"
    return Value(low, high, tuple(f"SOFA {title}" for title in missing), (Finding("sofa", text, view.at),))


SOFA_READS: Final = (
    *(f"signal:{name}" for name in ("pao2", "fio2", "platelets", "bilirubin", "gcs", "creatinine", "weight")),
    "signal:map_invasive",
    *(f"infusion:{drug}" for drug in ("norepinephrine", "epinephrine", "dopamine", "dobutamine")),
    "state:intubated",
)

SOFA: Final = (
    Quantity(
        "sofa_rise",
        "rise of the SOFA score above a baseline taken as 0",
        "{score}",
        "Sepsis-3, Singer, JAMA 2016 (secondary source only); score of Vincent, Intensive Care Med 1996 (not checked)",
        SOFA_READS,
        _sofa,
    ),
)
