"""Landmarks of a cardiac arrest, on the clock of Utstein."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.arrest import LOST, READS, course
from rules.landmarks.base import Landmark, Mark

if TYPE_CHECKING:
    from rules.view import View


def _collapse(view: View) -> Mark:
    """When the patient collapsed or, where nobody knows, the earliest moment at which the arrest was going on."""
    arrest = course(view)
    if arrest is None:
        return Mark(None)
    return Mark(arrest.began if arrest.collapse is None else arrest.collapse)


def _cpr_start(view: View) -> Mark:
    arrest = course(view)
    return Mark(None if arrest is None else arrest.first_compressions)


def _cpr_clock(view: View) -> Mark:
    """First compressions, moved by the minutes that do not count as low-flow."""
    arrest = course(view)
    pause = view.duration("pause_counted")
    passed = None if arrest is None else arrest.low_flow(view.at, pause)
    if arrest is None or passed is None:
        return Mark(None)
    counting = arrest.paused is not None and view.at - arrest.paused < pause
    return Mark(view.at - passed, stands=arrest.compressing is None and not counting)


ARREST: Final = (
    Landmark(
        "collapse",
        "collapse or, where nobody knows when that was, the first word of the arrest",
        "Utstein times; E-CPR windows count from the arrest (ELSO 2021, secondary source only)",
        READS,
        _collapse,
        ("sustained_rosc",),
        can_be_unknown=False,
        looks_back=(LOST,),
        episode=True,
    ),
    Landmark(
        "cpr_start",
        "first compressions",
        "Utstein times",
        READS,
        _cpr_start,
        ("sustained_rosc",),
        can_be_unknown=False,
        looks_back=(LOST,),
        episode=True,
    ),
    Landmark(
        "cpr_clock",
        "beginning of low-flow, less the minutes with circulation",
        "low-flow runs from the first compressions (source read); what is left out: local setting",
        READS,
        _cpr_clock,
        ("sustained_rosc", "pause_counted"),
        can_be_unknown=False,
        looks_back=(LOST,),
        episode=True,
    ),
)
