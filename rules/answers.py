"""How long a clinician's answer keeps a subject back: it was to what was on the screen, and to nothing later."""

from __future__ import annotations

from typing import NamedTuple

from rules.facts import Answer
from rules.outputs import Priority
from rules.pack import Pack
from rules.view import View


class OnScreen(NamedTuple):
    """What is shown of a subject: how far the state has gone, how urgent it is, and what is to be fixed first."""

    stage: str | None
    priority: Priority
    fixes: tuple[str, ...] = ()


def kept_back(
    view: View, pack: Pack, subject: str, snooze: str, shown: OnScreen, until_measured: tuple[str, ...] = ()
) -> str | None:
    """Why an answer of this episode keeps a subject back (``declined`` or ``snoozed``), if it does.

    Declined, it stays back until the stage rises. Snoozed, it also comes back when it is more urgent than it was, or
    when something else is to be fixed first.

    Args:
        view: the patient, in an episode.
        pack: the pathway that it is a subject of.
        subject: a therapy or a notice.
        snooze: the parameter that says how long it can be snoozed.
        shown: what is to be shown of it now.
        until_measured: signals of which a new value ends an answer.
    """
    for fact in reversed(view.timeline.upto(f"answer:{pack.id}", view.at)):
        answer: Answer = fact.value
        if fact.at < view.anchors["episode"]:
            return None
        if answer.subject != subject or answer.action not in ("decline", "snooze"):
            continue
        measured = (view.timeline.latest(f"signal:{signal}", view.at) for signal in until_measured)
        if any(sample is not None and sample.received > fact.received for sample in measured):
            return None
        snoozed = answer.action == "snooze"
        if _risen(pack, answer, shown) or (snoozed and _more(answer, shown)):
            return None
        until = fact.at + view.duration(snooze if snoozed else "decline_holds")
        view.note(until)
        return None if view.at >= until else "snoozed" if snoozed else "declined"
    return None


def _risen(pack: Pack, answer: Answer, shown: OnScreen) -> bool:
    """Whether the stage has risen since an answer."""
    if answer.stage is None:
        return answer.action == "decline" or shown.stage is not None
    return shown.stage is not None and pack.rank(shown.stage) > pack.rank(answer.stage)


def _more(answer: Answer, shown: OnScreen) -> bool:
    """Whether more is shown than was when it was answered."""
    more_urgent = answer.priority is not None and shown.priority.urgency > Priority(answer.priority).urgency
    return more_urgent or (answer.fixes is not None and not set(shown.fixes) <= set(answer.fixes))
