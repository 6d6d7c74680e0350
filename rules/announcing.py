"""What is announced of a pathway: its verdict, since when it holds, and what a late fact has changed of the past."""

from __future__ import annotations

from collections.abc import Iterable

from rules.facts import Flow, Move, Sample
from rules.instants import to_datetime
from rules.outputs import Amendment, StatusChange, TherapyStatus, TherapyWindow
from rules.pathway import Counsel, suggested
from rules.track import Changed, Entry


def status(
    patient: str, pathway: str, entry: Entry, since: int, now: int, amended: Iterable[Changed], cause: str | None
) -> StatusChange:
    """The verdict of an entry, as it is announced; its number is still to be given.

    Args:
        patient: whose it is.
        pathway: the id of its pack.
        entry: with the verdict as it was weighed against those of the other pathways.
        since: since when it has held.
        now: when it is decided.
        amended: stretches of the past that were judged otherwise before.
        cause: what rewrote the past, if anything did.
    """
    verdict = entry.verdict
    return StatusChange(
        patient=patient,
        sequence=0,
        pathway=pathway,
        episode=entry.fold.episode or None,
        state=verdict.state,
        stage=verdict.stage,
        reasons=verdict.reasons,
        suppressed=verdict.suppressed,
        soft=verdict.soft,
        therapies=tuple(map(_therapy_status, verdict.counsel)),
        effective_from=to_datetime(since),
        decided_at=to_datetime(now),
        amends=tuple(map(_amendment, amended)),
        cause=cause,
    )


def describe(channel: str, value: object) -> str:
    """A fact for people: ``lactate 1.6``, ``norepinephrine rate``; of an event with several facts the first will do."""
    kind, _, name = channel.partition(":")
    if isinstance(value, Sample):
        words = f"{name} {value.comparator or ''}{value.value:g}" if value.readable else f"{name} without a value"
    elif isinstance(value, Flow):
        words = f"{name} {value.action}"
    elif isinstance(value, Move):
        words = value.event
    else:
        words = name or kind
    return words.replace("_", " ")


def _therapy_status(counsel: Counsel) -> TherapyStatus:
    window = counsel.window
    return TherapyStatus(
        therapy=counsel.therapy,
        advice=counsel.advice,
        reasons=counsel.reasons,
        priority=counsel.priority,
        window=None
        if window is None
        else TherapyWindow(
            closes_at=to_datetime(window.closes),
            decide_by=to_datetime(window.decide_by),
            state="extended" if window.extended else "closed" if window.closed else "open",
            reason=window.extended or window.aim,
        ),
    )


def _amendment(change: Changed) -> Amendment:
    was, became = suggested(change.was), suggested(change.became)
    return Amendment(
        start=to_datetime(change.start),
        end=to_datetime(change.end),
        was=change.was.state,
        was_stage=change.was.stage,
        now=change.became.state,
        now_stage=change.became.stage,
        suggested=tuple(sorted(became - was)),
        not_suggested=tuple(sorted(was - became)),
    )
