"""Landmarks of ARDS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.landmarks.base import Landmark, Mark

if TYPE_CHECKING:
    from rules.view import View

BASE: Final = "ARD-0"


def _onset(view: View) -> Mark:
    """When ARDS began: as diagnosed, or when the definition was first met in this episode, whichever was earlier."""
    since: int | None = None
    for fact in view.timeline.upto("state:ards", view.at):
        if fact.value.value != "present":
            since = None
            continue
        began = fact.at if fact.value.since is None else fact.value.since
        since = began if since is None else min(since, began)
    first = view.mark(BASE).at
    moments = [moment for moment in (since, first) if moment is not None]
    return Mark(min(moments)) if moments else Mark(None, ("ards_onset",))


ARDS: Final = (
    Landmark(
        "ards_onset",
        "onset of ARDS",
        "the diagnosis with its time, or the definition first met (local setting)",
        ("state:ards",),
        _onset,
    ),
)
