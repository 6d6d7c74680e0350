"""An alert that nobody answers is brought before the next role; answers that come too late are told so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rules.engine import PatientEngine
from rules.events import Event
from rules.outputs import AlertChange, AlertChangeKind, Attention, Change, Rejection
from rules.settings import Capability, SiteSettings
from tests.rules.strategies import PATIENT, alerts, as_bytes, make, moment, packs, readings

POLICY: dict[str, Any] = {
    "HIGH": [{"role": "intensivist", "after": "PT1M"}, {"role": "ecmo_coordinator", "after": "PT3M"}]
}
SITE = SiteSettings.model_validate({"escalation": POLICY, "capability": Capability(ecpr=True)})
LATENESS = SITE.lateness
REFRACTORY_AT = 14


def arrest() -> list[Event]:
    """Ventricular fibrillation that three shocks do not end: extracorporeal CPR is suggested after 14 minutes."""
    course = [
        make("encounter", 0, age_years=50, weight_kg=80, goals_of_care="full"),
        make("resuscitation", 0.1, action="collapse", witnessed=True),
        make("resuscitation", 1, action="cpr_start"),
        make("resuscitation", 4, action="rhythm", rhythm="vf"),
    ]
    course += [make("resuscitation", at, action="shock", energy_joules=200) for at in (5, 8, 11)]
    course += [make("observations", 4 + at / 2, readings=readings(etco2=(22, "mm[Hg]"))) for at in range(112)]
    course.append(make("resuscitation", REFRACTORY_AT, action="rhythm", rhythm="vf"))
    return sorted(course, key=lambda event: event.received_at)


def answer(minutes: float, alert: AlertChange, action: str, **fields: Any) -> Event:
    who = {"actor": "dr-7", "role": "intensivist", **fields}
    return make("action", minutes, id=f"{action}-{minutes}-{who['actor']}", alert_id=alert.id, action=action, **who)


def play(*answers: Event, settings: SiteSettings = SITE, until: float = 58) -> list[Change]:
    engine = PatientEngine(PATIENT, packs(), settings)
    changes: list[Change] = []
    for event in sorted((*arrest(), *answers), key=lambda event: event.received_at):
        if event.received_at <= moment(until):
            changes += engine.observe(event)
    return changes + engine.advance(moment(until) + LATENESS)


def of_ecpr(changes: list[Change]) -> list[AlertChange]:
    return [alert for alert in alerts(changes) if alert.subject == "ecpr"]


def raised() -> AlertChange:
    (first, *_) = of_ecpr(play(until=REFRACTORY_AT))
    assert first.change is AlertChangeKind.RAISED
    return first


def escalations(changes: list[Change]) -> list[tuple[float, str | None]]:
    found = [alert for alert in of_ecpr(changes) if alert.change is AlertChangeKind.ESCALATED]
    assert all(alert.interrupts for alert in found)
    return [((alert.decided_at - moment(0)) / timedelta(minutes=1), alert.asked) for alert in found]


def test_each_role_is_asked_in_turn_at_its_time_while_nobody_answers() -> None:
    changes = play(until=24)
    assert escalations(changes) == [(REFRACTORY_AT + 1, "intensivist"), (REFRACTORY_AT + 3, "ecmo_coordinator")]


def test_when_the_window_is_about_to_close_the_asking_begins_anew() -> None:
    (closing,) = [alert for alert in of_ecpr(play()) if alert.interrupts and alert.change is AlertChangeKind.UPDATED]
    assert [role for _, role in escalations(play())] == ["intensivist", "ecmo_coordinator"] * 2
    assert closing.asked is None


def test_without_a_policy_nobody_else_is_asked() -> None:
    assert escalations(play(settings=SITE.model_copy(update={"escalation": {}}))) == []


@pytest.mark.parametrize("action", ["acknowledge", "accept", "decline"])
def test_an_answer_ends_the_asking(action: str) -> None:
    reason = {"reason": "other plan"} if action == "decline" else {}
    changes = play(answer(REFRACTORY_AT + 2, raised(), action, **reason), until=24)
    assert escalations(changes) == [(REFRACTORY_AT + 1, "intensivist")]


@pytest.mark.parametrize("action", ["acknowledge", "accept"])
def test_an_answer_does_not_cover_that_the_window_is_about_to_close(action: str) -> None:
    changes = play(answer(REFRACTORY_AT + 2, raised(), action))
    (asks,) = [alert for alert in of_ecpr(changes) if alert.interrupts and alert.change is AlertChangeKind.REOPENED]
    assert (asks.attention, asks.cause) == (Attention.ASKED, "the window is about to close")
    assert [role for _, role in escalations(changes)] == ["intensivist", "intensivist", "ecmo_coordinator"]


def test_whoever_answers_is_told_at_once_what_came_of_it() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    for event in arrest():
        if event.received_at <= moment(REFRACTORY_AT):
            engine.observe(event)
    (answered,) = of_ecpr(engine.observe(answer(REFRACTORY_AT + 1, raised(), "accept")))
    assert (answered.change, answered.decided_at) == (AlertChangeKind.ACCEPTED, moment(REFRACTORY_AT + 1))
    (refused,) = engine.observe(answer(REFRACTORY_AT + 1.001, raised(), "acknowledge"))
    assert isinstance(refused, Rejection)


def test_what_is_suppressed_is_not_escalated_and_its_cause_is_recorded() -> None:
    comfort = make("encounter", REFRACTORY_AT + 0.5, id="comfort", event="update", goals_of_care="comfort")
    changes = play(comfort)
    assert escalations(changes) == []
    last = of_ecpr(changes)[-1]
    assert (last.change, last.cause) == (AlertChangeKind.SUPPRESSED, "goals")


def test_an_alert_whose_time_is_over_expires() -> None:
    (last,) = [alert for alert in of_ecpr(play()) if alert.change is AlertChangeKind.EXPIRED]
    assert "is over" in (last.cause or "")


def test_a_state_that_is_restored_escalates_at_the_same_time() -> None:
    whole = play()
    engine = PatientEngine(PATIENT, packs(), SITE)
    changes: list[Change] = []
    for event in arrest():
        if event.received_at <= moment(58):
            changes += engine.observe(event)
            engine = PatientEngine.restore(engine.snapshot(), packs(), SITE)
    changes += engine.advance(moment(58) + LATENESS)
    assert as_bytes(changes) == as_bytes(whole)


def test_the_policy_of_an_alert_is_that_of_the_time_when_it_interrupted() -> None:
    """The policy is in the alert itself, as its state shows."""
    engine = PatientEngine(PATIENT, packs(), SITE)
    for event in arrest():
        if event.received_at <= moment(REFRACTORY_AT):
            engine.observe(event)
    (alert,) = [book.alerts["ecpr"] for book in engine.books if "ecpr" in book.alerts]
    assert alert.steps == (("intensivist", 60_000), ("ecmo_coordinator", 180_000))


class TestTwoAnswersAtOnce:
    def test_the_second_is_told_what_the_first_did(self) -> None:
        first = raised()
        one = answer(15, first, "decline", reason="other plan", based_on=first.sequence, actor="dr-1")
        two = answer(15.01, first, "accept", based_on=first.sequence, actor="dr-2")
        changes = play(one, two)
        (refused,) = [change for change in changes if isinstance(change, Rejection)]
        assert (refused.event, refused.reason, refused.place) == (two.id, "conflict", "based_on")
        assert "declined by dr-1" in refused.detail
        assert [a.change for a in of_ecpr(changes)].count(AlertChangeKind.DECLINED) == 1

    def test_what_only_updates_the_card_is_no_conflict(self) -> None:
        first = raised()
        changes = play(answer(16.5, first, "acknowledge", based_on=first.sequence))
        assert not [change for change in changes if isinstance(change, Rejection)]

    def test_what_has_been_answered_cannot_be_answered_so_again(self) -> None:
        first = raised()
        changes = play(answer(15, first, "acknowledge", actor="dr-1"), answer(16, first, "acknowledge", actor="dr-2"))
        (refused,) = [change for change in changes if isinstance(change, Rejection)]
        assert refused.reason == "not_possible"
        assert "acknowledged by dr-1" in refused.detail


def test_declining_needs_a_reason_of_the_pack() -> None:
    changes = play(answer(15, raised(), "decline", reason="no time"))
    (refused,) = [change for change in changes if isinstance(change, Rejection)]
    assert (refused.place, refused.reason) == ("reason", "not_possible")
    assert "other plan" in refused.detail
    assert AlertChangeKind.DECLINED not in [alert.change for alert in of_ecpr(changes)]


@pytest.mark.parametrize(
    "policy",
    [
        {"LOW": [{"role": "nurse", "after": "PT1M"}]},
        {"HIGH": [{"role": "nurse", "after": "PT2M"}, {"role": "fellow", "after": "PT2M"}]},
        {"HIGH": [{"role": "", "after": "PT2M"}]},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SiteSettings.model_validate({"escalation": policy})
