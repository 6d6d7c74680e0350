"""Landmarks of ventilation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rules.landmarks.base import Landmark, Mark

if TYPE_CHECKING:
    from rules.timeline import Fact
    from rules.view import View


class Span(NamedTuple):
    """A stretch of time; ``end`` is None while it goes on."""

    start: int
    end: int | None


AIRWAY: Final = ("state:intubated", "state:invasive_ventilation")
"""What says whether the airway is intubated; where nobody speaks of the tube, invasive ventilation does."""


def airway(view: View) -> list[Fact]:
    """The records that say whether the airway is intubated, oldest first."""
    tube, ventilation = (view.timeline.upto(channel, view.at) for channel in AIRWAY)
    return tube or ventilation


def intubated_spans(view: View) -> list[Span]:
    """When the airway has been intubated up to now, by the records that say so, oldest first.

    A tube that is changed, out for no longer than a therapy may be off, goes on.
    """
    spans: list[Span] = []
    for fact in airway(view):
        last = spans[-1] if spans else None
        going_on = last is not None and last.end is None
        if fact.value.value == "present" and not going_on:
            began = fact.value.since or fact.at
            if last is not None and last.end is not None and began - last.end <= view.duration("pause_tolerance"):
                spans[-1] = last._replace(end=None)
            else:
                spans.append(Span(began, None))
        elif fact.value.value != "present" and last is not None and going_on:
            spans[-1] = last._replace(end=fact.at)
    return spans


def _intubation(view: View) -> Mark:
    """Since when the airway has been intubated without a break, by the first record that says so."""
    spans = intubated_spans(view)
    since = spans[-1].start if spans and spans[-1].end is None else None
    known = airway(view)
    if since is None and (not known or known[-1].value.value == "unknown"):
        return Mark(None, ("intubated",))
    return Mark(since)


VENTILATION: Final = (
    Landmark(
        "intubation",
        "intubation of this episode",
        "EOLIA entry: ventilated for less than 7 days (source read)",
        AIRWAY,
        _intubation,
        parameters=("pause_tolerance",),
    ),
)
