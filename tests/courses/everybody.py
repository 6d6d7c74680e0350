"""Random courses of any pathway, and of patients who have two of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hypothesis import strategies as st

from tests.courses.ards import ards
from tests.courses.arrest import arrest
from tests.courses.disturbing import disturbed
from tests.courses.epilepsy import epilepsy
from tests.courses.patients import comes_back, moved, rarely
from tests.rules.strategies import Course, Log, courses, in_order

Part = Callable[[st.DrawFn, Course], None]

_PARTS: Final[Mapping[str, Part]] = {"ards": ards, "cardiac-arrest": arrest, "status-epilepticus": epilepsy}


@st.composite
def _alone(draw: st.DrawFn, part: Part, *, corrections: bool = True, actions: bool = True) -> Log:
    course = Course()
    part(draw, course)
    if rarely(draw):
        comes_back(draw, course)
    return disturbed(draw, course, corrections=corrections, actions=actions)


@st.composite
def _septic(draw: st.DrawFn, *, corrections: bool = True, actions: bool = True) -> Log:
    course = draw(courses(corrections=corrections, actions=actions))
    if not rarely(draw):
        return course
    longer = Course(list(course))
    comes_back(draw, longer)
    return Log(in_order(longer.events))


@st.composite
def _together(draw: st.DrawFn, *, corrections: bool = True, actions: bool = True) -> Log:
    """A septic patient who has something else besides, beginning some time before or after."""
    course = Course(list(draw(courses(hours=2, actions=False, corrections=False))))
    other = Course()
    _PARTS[draw(st.sampled_from(sorted(_PARTS)))](draw, other)
    begin = min(event.effective_at for event in other.events)
    late = max(event.effective_at for event in other.events) - begin
    shift = draw(st.sampled_from([-300, -40, 0, 30, 60, 75])) if late.total_seconds() > 12 * 3600 else 30
    course.events += [moved(event, shift, f"other-{event.id}") for event in other.events]
    return disturbed(draw, course, corrections=corrections, actions=actions)


def of(pathway: str, *, corrections: bool = True, actions: bool = True) -> st.SearchStrategy[Log]:
    """Random courses of a pathway by its id, or of ``mixed`` patients."""
    if pathway == "septic-shock":
        return _septic(corrections=corrections, actions=actions)
    if pathway == "mixed":
        return _together(corrections=corrections, actions=actions)
    return _alone(_PARTS[pathway], corrections=corrections, actions=actions)


PATHWAYS: Final = ("septic-shock", *sorted(_PARTS), "mixed")
"""Whose courses there are."""
