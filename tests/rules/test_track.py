"""The history of a pathway: what is forgotten after a day must not show in what is said later."""

from __future__ import annotations

import pytest

from rules.engine import PatientEngine
from rules.events import Event
from rules.instants import FOREVER
from rules.outputs import Change, State
from rules.pathway import Step, Verdict
from rules.track import RestlessError
from tests.rules.strategies import PATIENT, SITE, as_bytes, make, moment, packs, play, readings, statuses

HOURS = 40


def shock_without_lactate() -> list[Event]:
    """Norepinephrine for sepsis over 40 hours; without a lactate nothing can be decided; at the end calcium is low."""
    course = [
        make("encounter", 0, weight_kg=80, age_years=60, conditions=[{"code": "suspected_infection"}]),
        make("infusion", 1, drug="norepinephrine", action="start", rate=0.1, unit="ug/kg/min", salt="base"),
    ]
    for minute in range(20, HOURS * 60, 20):
        rate = 0.1 + minute % 3 / 100
        course.append(
            make("infusion", minute, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min", salt="base")
        )
        course.append(make("observations", minute + 1, readings=readings(sodium=(140, "mmol/L"))))
    course.append(make("observations", HOURS * 60 - 5, readings=readings(ionised_calcium=(0.7, "mmol/L"))))
    return course


def said(course: list[Event], *, forgets: bool) -> list[Change]:
    """What an engine says that forgets what no rule can read any more, or one that never does."""
    engine = PatientEngine(PATIENT, packs(), SITE)
    changes: list[Change] = []
    if not forgets:
        engine.pruned = FOREVER
    for event in course:
        changes += engine.observe(event)
    return changes + engine.advance(moment(HOURS * 60))


def test_since_when_a_verdict_holds_outlasts_what_is_forgotten() -> None:
    course = shock_without_lactate()
    pruned, whole = said(course, forgets=True), said(course, forgets=False)
    assert as_bytes(pruned) == as_bytes(whole)
    last = [status for status in statuses(pruned) if status.pathway == "septic-shock"][-1]
    assert last.state is State.INDETERMINATE
    assert (last.effective_from, last.decided_at) == (moment(1), moment(HOURS * 60 - 5))


@pytest.mark.parametrize("ahead", [0, -1])
def test_a_pathway_that_comes_no_further_is_a_fault_and_no_endless_loop(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    track = engine.tracks[0]
    monkeypatch.setattr(
        track.pathway, "step", lambda _timeline, fold, at, _trace: Step(fold, Verdict(State.ACTIVE), at + ahead)
    )
    with pytest.raises(RestlessError):
        track.judge(engine.timeline, 1000)


def test_a_late_fact_after_which_the_verdict_is_the_same_but_of_another_age_is_told() -> None:
    """A discharge that is charted after the patient has come back: what is said now holds since then only."""
    course = [
        make("encounter", 0, event="admission", weight_kg=80, age_years=60),
        make("encounter", 65, event="admission"),
        make("encounter", 60, lag=30, event="discharge"),
    ]
    last = [status for status in statuses(play(course)) if status.pathway == "septic-shock"][-1]
    assert (last.state, last.reasons) == (State.NOT_APPLICABLE, ())
    assert (last.effective_from, last.decided_at) == (moment(65), moment(90))
    assert last.cause is not None
