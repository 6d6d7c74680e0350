"""How long a patient has been in ketosis on the present ketogenic diet: days of ketosis are not days of diet."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.instants import DAY, TICK

if TYPE_CHECKING:
    from rules.view import View

SIGNAL: Final = "beta_hydroxybutyrate"
READS: Final = ("state:ketogenic_diet", f"signal:{SIGNAL}")
PARAMETERS: Final = ("ketosis_target", "ketosis_gap", "ketogenic_review")
REMEMBERED: Final = 30 * DAY
"""Twice the time after which the diet is reviewed, and a little more."""


class Spell(NamedTuple):
    """Ketosis on the diet that began at ``since``: milliseconds of it, at least and at most."""

    since: int
    least: int
    most: int


def diet_since(view: View) -> int | None:
    """Since when a ketogenic diet has been running without a break."""
    since: int | None = None
    for fact in view.timeline.upto("state:ketogenic_diet", view.at):
        if fact.value.value != "present":
            since = None
        elif since is None:
            since = fact.value.since or fact.at
    return since


def spell(view: View) -> Spell | None:
    """How long there has been ketosis, or None where no diet is running.

    Two values in a row that reach the target, not too far apart, have ketosis between them; two that do not have none.
    Between others, and before the first, there may have been. The last one holds for as long as it counts.
    """
    since = diet_since(view)
    if since is None:
        return None
    target, apart = view.number("ketosis_target"), view.duration("ketosis_gap")
    fresh = view.max_age(SIGNAL) or apart
    facts = [fact for fact in view.timeline.upto(f"signal:{SIGNAL}", view.at) if fact.at >= since]
    values = [(fact.at, *(bound >= target for bound in fact.value.bounds)) for fact in facts]
    least, most = 0, (values[0][0] if values else view.at) - since
    for (begin, reached, perhaps), (end, still, perhaps_still) in pairwise(values):
        length = end - begin
        if length > apart:
            least, most = least + (fresh if reached else 0), most + length
        else:
            least += length if reached and still else 0
            most += length if perhaps or perhaps_still else 0
    if values:
        begin, reached, perhaps = values[-1]
        length = view.at - begin
        least += min(length, fresh) if reached else 0
        most += length if perhaps or length > apart else 0
        view.note(begin + apart + TICK)
        _note(view, least if reached and length <= fresh else None, most if perhaps or length > apart else None)
    else:
        _note(view, None, most)
    return Spell(since, least, most)


def _note(view: View, *growing: int | None) -> None:
    """Note when what grows reaches the time after which the diet is reviewed."""
    wanted = view.duration("ketogenic_review")
    for length in growing:
        view.note(None if length is None else view.at + wanted - length)
