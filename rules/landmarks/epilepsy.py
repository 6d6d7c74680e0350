"""Landmarks of status epilepticus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules import anaesthesia, antiseizure, seizures
from rules.landmarks.base import Landmark, Mark

if TYPE_CHECKING:
    from rules.view import View


def _seizure_onset(view: View) -> Mark:
    return Mark(seizures.onset(view))


def _episode_onset(view: View) -> Mark:
    return Mark(seizures.episode_onset(view))


def _first_line_end(view: View) -> Mark:
    courses = antiseizure.first_line(view)
    done = antiseizure.adequate(view, courses)
    return Mark(done.end) if done is not None else Mark(None, antiseizure.perhaps_adequate(view, courses))


def _second_line_attempt(view: View) -> Mark:
    tried = antiseizure.attempts(view)
    return Mark(tried[0] if tried and tried[0] <= view.at else None)


def _second_line_end(view: View) -> Mark:
    courses = antiseizure.second_line(view)
    done = antiseizure.adequate(view, courses)
    return Mark(done.end) if done is not None else Mark(None, antiseizure.perhaps_adequate(view, courses))


def _anaesthetic_start(view: View) -> Mark:
    return Mark(anaesthesia.start(view))


def _ketogenic_start(view: View) -> Mark:
    """Since when a ketogenic diet has been running without a break."""
    since: int | None = None
    for fact in view.timeline.upto("state:ketogenic_diet", view.at):
        if fact.value.value != "present":
            since = None
        elif since is None:
            since = fact.value.since or fact.at
    return Mark(since)


_SOURCE: Final = "seizures on record and EEG"

EPILEPSY: Final = (
    Landmark(
        "seizure_onset",
        "beginning of the present seizures",
        _SOURCE,
        seizures.READS,
        _seizure_onset,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
        can_be_unknown=False,
    ),
    Landmark(
        "episode_onset",
        "first seizure of the episode",
        _SOURCE,
        seizures.READS,
        _episode_onset,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
        can_be_unknown=False,
    ),
    Landmark(
        "first_line_end",
        "benzodiazepine dose that made the first line adequate",
        "ESETT, AES 2016",
        antiseizure.READS,
        _first_line_end,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Landmark(
        "second_line_attempt",
        "first second-line drug tried, adequate or not",
        "ESETT, AES 2016",
        antiseizure.READS,
        _second_line_attempt,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
        can_be_unknown=False,
    ),
    Landmark(
        "second_line_end",
        "end of the infusion that made the second line adequate",
        "ESETT, AES 2016",
        antiseizure.READS,
        _second_line_end,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Landmark(
        "anaesthetic_start",
        "start of anaesthesia in this episode",
        "pump rates",
        anaesthesia.READS,
        _anaesthetic_start,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
        can_be_unknown=False,
    ),
    Landmark(
        "ketogenic_start",
        "start of the ketogenic diet",
        "record",
        ("state:ketogenic_diet",),
        _ketogenic_start,
        can_be_unknown=False,
    ),
)
