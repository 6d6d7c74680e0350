"""Landmarks of ventilation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.landmarks.base import Landmark, Mark

if TYPE_CHECKING:
    from rules.view import View


def _intubation(view: View) -> Mark:
    """Since when the airway has been intubated without a break, by the first record that says so."""
    since: int | None = None
    for fact in view.timeline.upto("state:intubated", view.at):
        if fact.value.value != "present":
            since = None
        elif since is None:
            since = fact.value.since or fact.at
    if since is None and view.coded("intubated")[0] in (None, "unknown"):
        return Mark(None, ("intubated",))
    return Mark(since)


VENTILATION: Final = (
    Landmark(
        "intubation",
        "intubation of this episode",
        "EOLIA entry: ventilated for less than 7 days (source read)",
        ("state:intubated",),
        _intubation,
    ),
)
