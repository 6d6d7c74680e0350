"""A fault of the monitor in one patient: that patient is set aside, said not to be watched, and tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from rules import bulkhead as bulkhead_module
from rules import cards
from rules.bulkhead import MONITOR, NOT_WATCHED
from rules.engine import PatientEngine
from rules.events import Event
from rules.facts import Translator
from rules.outputs import AlertChange, AlertChangeKind, Change, Priority, Rejection, StatusChange
from rules.pathway import Pathway
from rules.settings import SiteSettings
from rules.timeline import Timeline
from rules.track import Track
from streams.ward import Ward
from tests.rules.strategies import MINUTE, PATIENT, SITE, as_bytes, make, moment, packs, readings

pytestmark = pytest.mark.usefixtures("bulkheads")

Plant = Callable[[pytest.MonkeyPatch], None]

POISON = "from-whom-it-fails"
FAILS_AT = moment(40)


class PlantedError(Exception):
    """Names what nobody may read: patient-1 has a secret."""


def failing(original: Any, concerned: Callable[..., bool]) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if concerned(*args, **kwargs):
            raise PlantedError("a secret of patient-1")
        return original(*args, **kwargs)

    return call


def late(instant: int) -> bool:
    return instant >= round(FAILS_AT.timestamp() * 1000)


def in_taking_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Translator, "facts", failing(Translator.facts, lambda _, event, *rest: event.id == POISON))


def in_judging(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pathway, "step", failing(Pathway.step, lambda _, timeline, fold, at, *rest: late(at)))


def in_writing_cards(patch: pytest.MonkeyPatch) -> None:
    build = failing(cards.build, lambda pathway, timeline, entry, now, subject: late(now))
    patch.setattr("rules.alerts.build", build)


def in_forgetting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Timeline, "prune", failing(Timeline.prune, lambda _, now: late(now)))


def in_coming_to_rest(patch: pytest.MonkeyPatch) -> None:
    judge = Track.judge

    def restless(track: Track, timeline: Timeline, now: int) -> Any:
        found = judge(track, timeline, now)
        track.due = now if late(now) else track.due
        return found

    patch.setattr(Track, "judge", restless)


PLANTS: list[Plant] = [in_taking_in, in_judging, in_writing_cards, in_forgetting, in_coming_to_rest]
planted = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)


def course() -> list[Event]:
    """Septic shock that gets worse and is refractory after two hours."""
    infected = [{"code": "suspected_infection", "presence": "present"}]
    events = [
        make("encounter", 0, event="admission", age_years=50, weight_kg=80.0, conditions=infected),
        make("observations", 1, readings=readings(lactate=(5.0, "mmol/L"))),
    ]
    low = readings(map_invasive=(55.0, "mm[Hg]"))
    events += [make("observations", minute, readings=low) for minute in range(2, 150, 4)]
    for minute in range(5, 150, 30):
        events.append(
            make("infusion", minute, drug="norepinephrine", action="rate", rate=0.7, unit="ug/kg/min", salt="base")
        )
        events.append(make("observations", minute + 0.5, readings=readings(lactate=(6.0, "mmol/L"))))
    poison = make("observations", 40, readings=readings(heart_rate=(120.0, "/min")))
    events.append(poison.model_copy(update={"id": POISON}))
    return sorted(events, key=lambda event: (event.received_at, event.id))


def fed(engine: PatientEngine, events: Sequence[Event]) -> list[Change]:
    return [change for event in events for change in engine.observe(event)]


def notices(changes: Sequence[Change]) -> list[AlertChange]:
    return [change for change in changes if isinstance(change, AlertChange) and change.pathway == MONITOR]


def end() -> Any:
    return moment(160)


def answer(alert: AlertChange, action: str, minute: float, **fields: Any) -> Event:
    asked = {"alert_id": alert.id, "action": action, "actor": "nurse-1", "role": "nurse", **fields}
    return make("action", minute, **asked)


@planted
def test_a_fault_is_said_once_at_the_highest_priority_and_nothing_else_after_it(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    engine = PatientEngine(PATIENT, packs(), SITE)
    changes = [*fed(engine, course()), *engine.advance(end())]
    (notice,) = notices(changes)
    assert (notice.change, notice.priority, notice.interrupts) == (AlertChangeKind.RAISED, Priority.HIGH, True)
    assert notice.card.headline.startswith("NOT WATCHED since ")
    after = [change for change in changes[changes.index(notice) + 1 :] if not isinstance(change, Rejection)]
    assert after == []
    assert [change.sequence for change in changes if not isinstance(change, Rejection)] == list(
        range(1, notice.sequence + 1)
    )


@planted
def test_nothing_of_the_patient_is_in_what_is_said_of_a_fault(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    engine = PatientEngine(PATIENT, packs(), SITE)
    changes = fed(engine, course())
    assert "secret" not in as_bytes(changes).decode()
    assert engine.bulkhead.fault is not None
    assert engine.bulkhead.fault.kind in ("PlantedError", "RestlessError")


@planted
def test_a_restored_engine_says_the_same(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    whole = PatientEngine(PATIENT, packs(), SITE)
    split = PatientEngine(PATIENT, packs(), SITE)
    said: list[Change] = []
    for event in course():
        split = PatientEngine.restore(split.snapshot(), packs(), SITE)
        said += split.observe(event)
    assert as_bytes(said) == as_bytes(fed(whole, course()))


@planted
def test_who_is_tried_again_is_judged_by_all_that_arrived_meanwhile(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    with monkeypatch.context() as patch:
        plant(patch)
        changes = fed(engine, course())
    (notice,) = notices(changes)
    changes += engine.observe(answer(notice, "retry", 155))
    again = notices(changes)[-1]
    assert (again.change, again.cause) == (AlertChangeKind.RESOLVED, "retryed by nurse-1 (nurse)")
    changes += engine.advance(end())
    sound = PatientEngine(PATIENT, packs(), SITE)
    wanted = [*fed(sound, course()), *sound.advance(end())]
    assert last_verdicts(changes) == last_verdicts(wanted)
    assert ("septic-shock", "SEP-3") in {(pathway, stage) for pathway, (_, stage) in last_verdicts(wanted).items()}


def last_verdicts(changes: Sequence[Change]) -> dict[str, tuple[str, str | None]]:
    found = [change for change in changes if isinstance(change, StatusChange)]
    return {change.pathway: (change.verdict, change.stage) for change in found}


def test_the_notice_is_escalated_although_nothing_is_judged_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    in_taking_in(monkeypatch)
    site = SiteSettings.model_validate({"escalation": {"HIGH": [{"role": "consultant", "after": "PT5M"}]}})
    engine = PatientEngine(PATIENT, packs(), site)
    engine.observe(make("observations", 0, readings=readings(heart_rate=(80.0, "/min"))))
    engine.advance(moment(30))
    late = make("observations", 10, readings=readings(heart_rate=(120.0, "/min"))).model_copy(update={"id": POISON})
    (raised,) = notices(engine.observe(late))
    assert engine.due == raised.decided_at + 5 * MINUTE + site.lateness
    (escalated,) = notices(engine.advance(moment(60)))
    assert (escalated.change, escalated.asked) == (AlertChangeKind.ESCALATED, "consultant")


@planted
def test_another_version_tries_again_by_itself(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    with monkeypatch.context() as patch:
        plant(patch)
        fed(engine, course())
    kept = engine.snapshot()
    assert not notices(PatientEngine.restore(kept, packs(), SITE).advance(end()))
    monkeypatch.setattr(bulkhead_module, "VERSION", "9.9")
    later = PatientEngine.restore(kept, packs(), SITE)
    assert later.due is not None
    assert later.due <= course()[-1].received_at + SITE.lateness + MINUTE
    changes = later.advance(end())
    assert [change.change for change in notices(changes)] == [AlertChangeKind.RESOLVED]
    assert any(isinstance(change, StatusChange) for change in changes)
    assert later.bulkhead.fault is None


def test_who_fails_again_when_tried_is_set_aside_again_with_a_notice_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_judging(monkeypatch)
    engine = PatientEngine(PATIENT, packs(), SITE)
    (first,) = notices(fed(engine, course()))
    resolved, second = notices(engine.observe(answer(first, "retry", 155)))
    assert (resolved.id, resolved.change) == (first.id, AlertChangeKind.RESOLVED)
    assert (second.change, second.interrupts) == (AlertChangeKind.RAISED, True)
    assert second.id != first.id


def test_nobody_who_answers_is_asked_again_and_else_the_next_role_is(monkeypatch: pytest.MonkeyPatch) -> None:
    in_judging(monkeypatch)
    steps = {"HIGH": ({"role": "charge_nurse", "after": timedelta(minutes=5)},)}
    site = SiteSettings.model_validate({"norepinephrine_salt": "base", "escalation": steps})
    engine = PatientEngine(PATIENT, packs(), site)
    changes = fed(engine, [event for event in course() if event.received_at <= FAILS_AT + 6 * MINUTE])
    (notice,) = notices(changes)
    silent = PatientEngine.restore(engine.snapshot(), packs(), site)
    (asked,) = notices(silent.advance(end()))
    assert (asked.change, asked.asked, asked.interrupts) == (AlertChangeKind.ESCALATED, "charge_nurse", True)
    (taken,) = notices(engine.observe(answer(notice, "acknowledge", 46.5)))
    assert taken.change is AlertChangeKind.ACKNOWLEDGED
    assert notices(engine.advance(end())) == []


@pytest.mark.parametrize("action", ["snooze", "accept", "decline"])
def test_the_notice_cannot_be_answered_away(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_judging(monkeypatch)
    engine = PatientEngine(PATIENT, packs(), SITE)
    (notice,) = notices(fed(engine, course()))
    (refused,) = engine.observe(answer(notice, action, 155, reason="whatever"))
    assert isinstance(refused, Rejection)
    assert refused.reason == "not_possible"


def test_only_the_notice_can_be_retried() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    alert = next(change for change in fed(engine, course()) if isinstance(change, AlertChange))
    (refused,) = [found for found in engine.observe(answer(alert, "retry", 155)) if isinstance(found, Rejection)]
    assert refused.reason == "not_possible"


def test_an_event_that_cannot_be_taken_in_is_refused_and_the_others_of_that_instant_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_taking_in(monkeypatch)
    engine = PatientEngine(PATIENT, packs(), SITE)
    changes = fed(engine, course())
    (refused,) = [change for change in changes if isinstance(change, Rejection)]
    assert (refused.source, refused.event, refused.reason) == ("ward", POISON, "fault")
    assert engine.timeline.dense["signal:map_invasive"].newest is not None


def test_everybody_else_is_judged_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [event.model_copy(update={"subject": "patient-2"}) for event in course() if event.id != POISON]

    def play(events: Sequence[Event]) -> list[Change]:
        ward = Ward(packs(), SITE)
        mixed = sorted(events, key=lambda event: event.received_at)
        return [change for event in mixed for change in ward.feed(event)] + ward.finish()

    alone = play(others)
    in_taking_in(monkeypatch)
    both = play([*course(), *others])
    assert [change for change in both if change.patient == "patient-2"] == alone
    assert {change.patient for change in notices(both)} == {PATIENT}
    assert NOT_WATCHED in {change.subject for change in notices(both)}
