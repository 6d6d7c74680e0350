"""The courses that a bed can take, by name; the group of a course is what its name begins with."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import Course
from streams.simulator.courses.ards import ARDS
from streams.simulator.courses.cardiac_arrest import CARDIAC_ARREST
from streams.simulator.courses.quiet import QUIET
from streams.simulator.courses.septic_shock import SEPTIC_SHOCK
from streams.simulator.courses.status_epilepticus import STATUS_EPILEPTICUS

__all__ = ["COURSES", "GROUPS"]

COURSES: Final[dict[str, Course]] = {
    course.name: course for course in (*QUIET, *SEPTIC_SHOCK, *ARDS, *STATUS_EPILEPTICUS, *CARDIAC_ARREST)
}
"""Every course by its name."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "quiet": tuple(course.name for course in QUIET),
    "septic-shock": tuple(course.name for course in SEPTIC_SHOCK),
    "ards": tuple(course.name for course in ARDS),
    "status-epilepticus": tuple(course.name for course in STATUS_EPILEPTICUS),
    "cardiac-arrest": tuple(course.name for course in CARDIAC_ARREST),
}
"""The courses of each group by the group's name."""
