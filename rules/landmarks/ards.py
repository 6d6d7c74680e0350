"""Landmarks of ARDS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.instants import FOREVER
from rules.landmarks.base import ENDED, FIRST, Landmark, Mark

if TYPE_CHECKING:
    from rules.view import View

BASE: Final = "ARD-0"


def _onset(view: View) -> Mark:
    """When ARDS began: as diagnosed, or when the definition was first met, whichever was earlier.

    What comes back in the same stay began when it was there first, unless there was another insult since it was over.
    """
    since: int | None = None
    for fact in view.timeline.upto("state:ards", view.at):
        if fact.value.value != "present":
            since = None
            continue
        began = fact.at if fact.value.since is None else fact.value.since
        since = began if since is None else min(since, began)
    first = view.mark(BASE).at
    if not _another_insult(view):
        first = view.anchors.get(FIRST, first)
    moments = [moment for moment in (since, first) if moment is not None]
    return Mark(min(moments)) if moments else Mark(None, ("ards_onset",))


def _another_insult(view: View) -> bool:
    """Whether there was an insult after an earlier episode was resolved."""
    value, fact = view.coded("ards_risk_factor")
    if value != "present" or fact is None:
        return False
    return (fact.at if fact.value.since is None else fact.value.since) >= view.anchors.get(ENDED, FOREVER)


ARDS: Final = (
    Landmark(
        "ards_onset",
        "onset of ARDS",
        "the diagnosis with its time, or the definition first met (local setting)",
        ("state:ards", "state:ards_risk_factor"),
        _onset,
    ),
)
