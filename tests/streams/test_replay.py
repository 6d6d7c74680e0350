from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from rules.events import Encounter, Event
from rules.outputs import AlertChange, AlertChangeKind, Change, Priority, State, encode_change
from rules.settings import SiteSettings
from streams.replay import Pace, in_stream_order, replay
from streams.summary import Tally
from streams.ward import Ward
from tests.streams.fake_engine import FakeEngine, alert, at, status, timer, vitals


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def make_ward() -> Ward:
    return Ward((), SiteSettings(lateness=timedelta(0)), FakeEngine)


def encounter(patient: str, minutes: float, event: str) -> Event:
    return Encounter.model_validate(
        {
            "schema_version": 1,
            "id": f"{patient}-{event}-{minutes:g}",
            "source": "test",
            "subject": patient,
            "effective_at": at(minutes),
            "received_at": at(minutes),
            "kind": "encounter",
            "event": event,
        }
    )


def tally_of(events: Iterable[Event] = (), changes: Iterable[Change] = ()) -> Tally:
    tally = Tally()
    for event in events:
        tally.count_event(event)
    for change in changes:
        tally.count_change(change)
    return tally


def test_everything_is_fed_yielded_and_counted() -> None:
    tally = Tally()
    log = [timer("p1", 0), vitals("p2", 5, readings=3), vitals("p1", 20, code="unknown")]
    changes = list(replay(log, make_ward(), tally))
    assert [change.decided_at for change in changes] == [at(0), at(5), at(10), at(20)]
    summary = tally.summary(2.0)
    assert (summary.patients, summary.events, summary.readings) == (2, 3, 4)
    assert summary.readings_per_second == 2.0
    assert summary.rejections == {"unknown_code": 1}
    assert summary.reached == {("test", "ACTIVE", "T-1"): 2}
    assert summary.raised == {Priority.MEDIUM: 1}


def test_two_replays_give_the_same_bytes() -> None:
    log = [timer("p1", 0), timer("p2", 0), vitals("p3", 30)]
    first, second = ([encode_change(change) for change in replay(log, make_ward(), Tally())] for _ in range(2))
    assert first == second


def test_without_a_pace_nothing_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("slept"))
    assert list(replay([vitals("p1", 0), vitals("p1", 60)], make_ward(), Tally()))


def test_a_pace_plays_log_time_at_its_speed() -> None:
    time = FakeTime()
    log = [vitals("p1", 0), vitals("p1", 2), vitals("p1", 1), vitals("p1", 10)]
    list(replay(log, make_ward(), Tally(), pace=Pace(60, time.clock, time.sleep)))
    assert sum(time.sleeps) == pytest.approx(10)


def test_a_pace_makes_up_for_the_time_that_work_takes() -> None:
    time = FakeTime()
    pace = Pace(60, time.clock, time.sleep)
    pace.wait_for(at(0))
    time.now += 3
    pace.wait_for(at(2))
    pace.wait_for(at(5))
    assert time.sleeps == pytest.approx([2])


def test_a_deadline_in_a_gap_of_the_log_is_shown_at_its_time() -> None:
    time = FakeTime()
    changes = replay([timer("p1", 0), vitals("p1", 60)], make_ward(), Tally(), pace=Pace(60, time.clock, time.sleep))
    shown = [(change.decided_at, round(time.now - 1000, 3)) for change in changes]
    assert shown == [(at(0), 0), (at(10), 10), (at(60), 60)]


def test_until_stops_at_a_log_time() -> None:
    read: list[Event] = []

    def log() -> Iterator[Event]:
        for event in (timer("p1", 0), vitals("p2", 20), vitals("p2", 5), vitals("p2", 30), vitals("p2", 31)):
            read.append(event)
            yield event

    tally = Tally()
    changes = list(replay(log(), make_ward(), tally, until=at(20)))
    assert [change.decided_at for change in changes if change.patient == "p1"] == [at(0), at(10)]
    assert (tally.events, len(read)) == (3, 5)


def test_until_meets_deadlines_after_the_last_event() -> None:
    changes = list(replay([timer("p1", 0)], make_ward(), Tally(), until=at(60)))
    assert [(type(change), change.decided_at) for change in changes[1:]] == [(AlertChange, at(10))]


def test_until_does_not_count_an_event_that_only_came_early() -> None:
    ward = Ward((), SiteSettings(lateness=timedelta(minutes=2)), FakeEngine)
    tally = Tally()
    list(replay([vitals("p1", 0), vitals("p1", 11), vitals("p2", 10)], ward, tally, until=at(10)))
    assert tally.events == 2


def test_bed_days_run_from_the_first_message_to_the_last() -> None:
    summary = tally_of([vitals("p1", 0), vitals("p1", 36 * 60), vitals("p2", 0)]).summary(1.0)
    assert summary.bed_days == pytest.approx(1.5)


def test_history_charted_before_the_first_message_adds_no_bed_days() -> None:
    history = vitals("p1", 0).model_copy(update={"effective_at": at(-10 * 24 * 60)})
    admission = encounter("p1", 0, "admission").model_copy(update={"effective_at": at(-10 * 24 * 60)})
    assert tally_of([history, admission, vitals("p1", 12 * 60)]).summary(1.0).bed_days == pytest.approx(0.5)


def test_a_discharge_that_is_known_late_ends_the_bed_days_when_it_happened() -> None:
    discharge = encounter("p1", 12 * 60, "discharge").model_copy(update={"received_at": at(24 * 60)})
    assert tally_of([vitals("p1", 0), discharge]).summary(1.0).bed_days == pytest.approx(0.5)


def test_bed_days_are_counted_between_admission_and_discharge() -> None:
    stay = [
        vitals("p1", -600),
        encounter("p1", 0, "admission"),
        vitals("p1", 60),
        encounter("p1", 24 * 60, "discharge"),
        encounter("p1", 10 * 24 * 60, "admission"),
        vitals("p1", 11 * 24 * 60),
    ]
    assert tally_of(stay).summary(1.0).bed_days == pytest.approx(2)
    assert tally_of([vitals("p1", 0), *stay[3:4]]).summary(1.0).bed_days == pytest.approx(1)


def test_a_mistyped_future_time_adds_no_bed_days() -> None:
    event = vitals("p1", 0).model_copy(update={"effective_at": at(0) + timedelta(days=365)})
    assert tally_of([event]).summary(1.0).bed_days == 0


def test_interruptions_are_stated_per_20_bed_days() -> None:
    day = [vitals("p1", 0), vitals("p1", 24 * 60)]
    changes = [alert(), alert(change=AlertChangeKind.UPDATED, interrupts=False), alert(id="a2", interrupts=False)]
    summary = tally_of(day, changes).summary(1.0)
    assert summary.interruptions == 1
    assert summary.interruptions_per_20_bed_days == pytest.approx(20)
    assert tally_of((), changes).summary(1.0).interruptions_per_20_bed_days is None


def test_alert_changes_are_counted_by_what_they_are() -> None:
    changes = [
        alert(priority=Priority.LOW),
        alert(id="a2", priority=Priority.HIGH),
        alert(change=AlertChangeKind.AMENDED),
        alert(change=AlertChangeKind.WITHDRAWN),
        alert(id="a3", change=AlertChangeKind.SUPPRESSED, cause="goals of care: comfort"),
        alert(id="a3", change=AlertChangeKind.SUPPRESSED, cause="goals of care: comfort"),
        alert(id="a4", change=AlertChangeKind.SUPPRESSED, cause="already running"),
        alert(id="a4", change=AlertChangeKind.REOPENED),
        alert(id="a2", change=AlertChangeKind.REOPENED),
    ]
    summary = tally_of((), changes).summary(0.0)
    assert list(summary.raised.items()) == [(Priority.HIGH, 1), (Priority.MEDIUM, 1), (Priority.LOW, 1)]
    assert (summary.amended, summary.withdrawn) == (1, 1)
    assert summary.suppressed == {"already running": 1, "goals of care: comfort": 1}
    assert summary.readings_per_second is None


def test_verdicts_count_patients_not_changes() -> None:
    changes = [
        status("p1"),
        status("p1"),
        status("p2"),
        status("p2", state=State.CONFIRMED, stage="T-2"),
        status("p3", state=State.NOT_APPLICABLE, stage=None),
    ]
    assert tally_of((), changes).summary(1.0).reached == {
        ("test", "ACTIVE", "T-1"): 2,
        ("test", "CONFIRMED", "T-2"): 1,
    }


def test_of_what_was_received_at_one_instant_treatments_come_last() -> None:
    log = [timer("p1", 1), vitals("p1", 1), timer("p1", 0), encounter("p1", 0, "admission"), vitals("p1", 2)]
    assert list(in_stream_order(log)) == [log[1], log[0], log[3], log[2], log[4]]
