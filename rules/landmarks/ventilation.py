"""Landmarks of ventilation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rules.landmarks.base import Landmark, Mark
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.timeline import Fact
    from rules.view import View


class Span(NamedTuple):
    """A stretch of time; ``end`` is None while it goes on."""

    start: int
    end: int | None


_WORDS: Final = ("state:intubated", "state:invasive_ventilation")
"""What says whether the airway is intubated."""
AIRWAY: Final = (*_WORDS, "state:noninvasive_ventilation", "signal:peep")
"""The same, and what may contradict it."""


def airway(view: View) -> list[Fact]:
    """The records that say whether the airway is intubated, oldest first.

    Invasive ventilation says that it is. Its end says that it is not only where nobody spoke of the tube since: who
    breathes alone may still have one.
    """
    said: list[Fact] = []
    of_tube = False
    words = [(fact.at, of, fact) for of, channel in enumerate(_WORDS) for fact in view.timeline.upto(channel, view.at)]
    for _, by_ventilation, fact in sorted(words, key=lambda word: word[:2]):
        if not by_ventilation:
            of_tube = True
        elif fact.value.value == "present":
            if said and said[-1].value.value == "present":
                continue
            of_tube = False
        elif of_tube:
            continue
        said.append(fact)
    return said


def intubated(view: View) -> Evaluation:
    """Whether the airway is intubated, by the newest record that says so.

    Pressure that a ventilator measures long after somebody found no tube makes it unknown.
    """
    label, known = "intubated", airway(view)
    if not known or known[-1].value.value == "unknown":
        return Evaluation(UNKNOWN, label, (), ("intubated",))
    last = known[-1]
    if last.value.value == "present":
        return Evaluation(MET, label, (Finding("intubated", "present", last.at, last.event),))
    mask, _ = view.coded("noninvasive_ventilation")
    if mask != "present" and overtaken(view, known):
        return Evaluation(UNKNOWN, label, (), ("intubated",))
    return Evaluation(NOT_MET, label, (Finding("intubated", "absent", last.at, last.event),))


def overtaken(view: View, known: Sequence[Fact]) -> bool:
    """Whether a ventilator measures a pressure that the newest record of a device says there is none of.

    Where that record ended what was there before, it is believed for longer.
    """
    last = known[-1]
    ended = last.value.value == "absent" and any(fact.value.value == "present" for fact in known)
    lingers = view.duration("pressure_outlasts" if ended else "pressure_lingers")
    return pressure_after(view, last.at) > lingers and view.value("peep").low >= view.number("peep_least")


def pressure_after(view: View, at: int) -> int:
    """How long after an instant, in milliseconds, a ventilator measured a pressure last; nought if it has not since."""
    return max((finding.at - at for finding in view.value("peep").findings if finding.at is not None), default=0)


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
    return Mark(since, () if since is not None else intubated(view).missing)


VENTILATION: Final = (
    Landmark(
        "intubation",
        "intubation of this episode",
        "EOLIA entry: ventilated for less than 7 days (source read)",
        AIRWAY,
        _intubation,
        parameters=("pause_tolerance", "pressure_lingers", "pressure_outlasts", "peep_least"),
    ),
)
