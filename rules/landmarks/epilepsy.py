"""Landmarks of status epilepticus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules import antiseizure, seizures
from rules.instants import DAY
from rules.landmarks.base import Landmark, Mark

if TYPE_CHECKING:
    from rules.view import View

_REMEMBERED: Final = 14 * DAY


def _seizure_onset(view: View) -> Mark:
    return Mark(seizures.onset(view))


def _episode_onset(view: View) -> Mark:
    return Mark(seizures.episode_onset(view))


def _first_line_end(view: View) -> Mark:
    courses = antiseizure.first_line(view)
    done = antiseizure.adequate(view, courses)
    return Mark(done.end) if done is not None else Mark(None, antiseizure.perhaps_adequate(view, courses))


def _first_benzodiazepine(view: View) -> Mark:
    """The first benzodiazepine of the episode; where there is none, its first seizure."""
    given = antiseizure.first_line(view)
    return Mark(given[0].end if given else seizures.episode_onset(view))


def _status_seen(view: View) -> Mark:
    due = seizures.t1_seen(view)
    return Mark(due if due is not None and due <= view.at else None)


def _second_line_attempt(view: View) -> Mark:
    tried = antiseizure.attempts(view)
    return Mark(tried[0] if tried and tried[0] <= view.at else None)


def _second_line_end(view: View) -> Mark:
    courses = antiseizure.second_line(view)
    done = antiseizure.adequate(view, courses)
    return Mark(done.end) if done is not None else Mark(None, antiseizure.perhaps_adequate(view, courses))


_SOURCE: Final = "seizures on record and EEG"

EPILEPSY: Final = (
    Landmark(
        "seizure_onset",
        "beginning of the present seizures",
        _SOURCE,
        seizures.READS,
        _seizure_onset,
        remembers=_REMEMBERED,
        can_be_unknown=False,
    ),
    Landmark(
        "episode_onset",
        "first seizure of the episode",
        _SOURCE,
        seizures.READS,
        _episode_onset,
        remembers=_REMEMBERED,
        can_be_unknown=False,
    ),
    Landmark(
        "first_line_end",
        "benzodiazepine dose that made the first line adequate",
        "ESETT, AES 2016",
        antiseizure.READS,
        _first_line_end,
    ),
    Landmark(
        "first_benzodiazepine",
        "first benzodiazepine of the episode, or its first seizure",
        "record",
        antiseizure.READS,
        _first_benzodiazepine,
        can_be_unknown=False,
    ),
    Landmark(
        "status_seen",
        "when the newest seizure that was seen had lasted as long as its t1",
        "ILAE 2015",
        seizures.READS,
        _status_seen,
        parameters=tuple(dict.fromkeys(seizures.T1.values())),
        can_be_unknown=False,
    ),
    Landmark(
        "second_line_attempt",
        "first second-line drug tried, adequate or not",
        "ESETT, AES 2016",
        antiseizure.READS,
        _second_line_attempt,
        can_be_unknown=False,
    ),
    Landmark(
        "second_line_end",
        "end of the infusion that made the second line adequate",
        "ESETT, AES 2016",
        antiseizure.READS,
        _second_line_end,
    ),
)
