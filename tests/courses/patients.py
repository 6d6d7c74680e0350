"""Random courses of patients of all pathways, and what may happen to any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from rules.events import Encounter, Event
from tests.rules.strategies import Course, minutes


def often(draw: st.DrawFn) -> bool:
    """Yes, in most of the courses."""
    return draw(st.sampled_from([True, True, True, True, False]))


def rarely(draw: st.DrawFn) -> bool:
    """Yes, in some of the courses."""
    return draw(st.sampled_from([False, False, False, False, False, True]))


def admission(draw: st.DrawFn, course: Course, known: Mapping[str, Any]) -> None:
    """An admission of which most is known, and now and then a change of goals later."""
    given = {name: value for name, value in known.items() if often(draw)}
    age = draw(st.sampled_from([45, 45, 52, 64.9, 69.9, 71, 78, None]))
    goals = draw(st.sampled_from(["full", "full", "full", None, "dnr"]))
    if age is not None:
        given["age_years"] = age
    if goals is not None:
        given["goals_of_care"] = goals
    course.add("encounter", 0, event="admission", **given)
    if rarely(draw):
        later = draw(st.sampled_from(["no_escalation", "comfort", "full", "unknown", "dnr"]))
        course.add("encounter", draw(minutes(20, 170)), goals_of_care=later)


def readings_at(
    course: Course, at: float, values: Mapping[str, tuple[float, str]], *, lag: float = 0, **also: Any
) -> None:
    """Readings at an instant; ``also`` says how all of them came about."""
    found = [{"code": code, "value": value, "unit": unit, **also} for code, (value, unit) in values.items()]
    course.add("observations", at, lag=lag, readings=found)


def some_findings(draw: st.DrawFn, course: Course, codes: Sequence[str], begin: int, end: int) -> None:
    """Up to three of the codes, present, absent or unknown, some of them told late."""
    for code in draw(st.lists(st.sampled_from(codes), max_size=3)):
        presence = draw(st.sampled_from(["present", "absent", "unknown", "present"]))
        lag = draw(st.sampled_from([0, 0, 0, 25, 90]))
        conditions = [{"code": code, "presence": presence}]
        course.add("encounter", draw(minutes(begin, end)), lag=lag, conditions=conditions)


def moved(event: Event, by: float, name: str) -> Event:
    """The event so many minutes later and by another name."""
    times = {
        field: value + timedelta(minutes=by)
        for field in ("effective_at", "received_at", "started_at", "last_seen_at")
        if isinstance(value := getattr(event, field, None), datetime)
    }
    return event.model_copy(update={**times, "id": name})


def comes_back(draw: st.DrawFn, course: Course) -> None:
    """What happened happens again hours or days later, in the same stay or after another admission, or told in part."""
    by = draw(st.sampled_from([7, 30, 75, 12 * 24])) * 60
    left_out = draw(st.sampled_from(["admission", "admission", "encounter", "procedure", None]))
    again = [moved(event, by, f"again-{event.id}") for event in course.events if not _is(event, left_out)]
    course.events += [
        event if event.corrects is None else event.model_copy(update={"corrects": f"again-{event.corrects}"})
        for event in again
    ]


def _is(event: Event, what: str | None) -> bool:
    return event.kind == what or (what == "admission" and isinstance(event, Encounter) and event.event is not None)
