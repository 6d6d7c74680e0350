import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from rules.events import Event
from rules.outputs import AlertChange, Change, StatusChange, encode_change
from rules.settings import SiteSettings
from streams.ward import Ward
from tests.streams.fake_engine import FakeEngine, at, timer, vitals

LATENESS = timedelta(seconds=90)
INSTANT = timedelta(milliseconds=1)


def make_ward(lateness: timedelta = LATENESS) -> Ward:
    return Ward((), SiteSettings(lateness=lateness), FakeEngine)


def run(events: Iterable[Event], ward: Ward | None = None) -> list[Change]:
    ward = ward or make_ward()
    return [*chain.from_iterable(map(ward.feed, events)), *ward.finish()]


def lines(changes: Iterable[Change]) -> list[str]:
    return [encode_change(change) for change in changes]


def busy_ward() -> list[Event]:
    source = random.Random(3)
    events: list[Event] = [
        make(f"p{source.randrange(4)}", minute / 7)
        for minute in range(300)
        for make in (vitals, timer)
        if make is vitals or minute % 40 == 0
    ]
    events.append(vitals("p1", 3, code="unknown"))
    events.append(vitals("p1", 3, code="unknown", readings=2).model_copy(update={"id": "another"}))
    return sorted(events, key=lambda event: event.received_at)


def shuffled(events: Sequence[Event], seed: int) -> list[Event]:
    """A delivery in which no event comes more than the lateness after one received later."""
    source = random.Random(seed)
    delay = {id(event): LATENESS * source.random() * 0.99 for event in events}
    return sorted(events, key=lambda event: event.received_at + delay[id(event)])


def test_changes_come_in_order_of_decision_patient_and_sequence() -> None:
    changes = run(busy_ward())
    keys = [(change.decided_at, change.patient, getattr(change, "sequence", 0)) for change in changes]
    assert keys == sorted(keys)
    assert len(changes) > 300


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_delivery_within_the_lateness_does_not_matter(seed: int) -> None:
    events = busy_ward()
    delivery = shuffled(events, seed)
    assert delivery != events
    ward = make_ward()
    assert lines(run(delivery, ward)) == lines(run(events))
    assert ward.late == 0


def test_an_event_beyond_the_lateness_is_used_and_counted() -> None:
    ward = make_ward()
    changes = run([vitals("p1", 0), vitals("p1", 10), vitals("p2", 1)], ward)
    assert ward.late == 1
    assert len(changes) == 3


def test_the_deadline_of_a_quiet_patient_is_met_at_its_time() -> None:
    ward = make_ward()
    ward.feed(timer("quiet", 0))
    changes = list(chain.from_iterable(ward.feed(vitals("busy", minute)) for minute in range(1, 13)))
    deadline = next(change for change in changes if isinstance(change, AlertChange))
    assert (deadline.patient, deadline.decided_at) == ("quiet", at(10))
    assert changes.index(deadline) == sum(change.decided_at <= at(10) for change in changes) - 1


def test_changes_wait_for_the_watermark() -> None:
    ward = make_ward()
    assert ward.feed(vitals("p1", 0)) == []
    assert ward.feed(vitals("p2", 1)) == []
    assert [change.patient for change in ward.feed(vitals("p2", 2.5))] == ["p1"]
    assert [change.patient for change in ward.feed(vitals("p2", 3.5))] == ["p2"]


def test_time_may_pass_without_events() -> None:
    ward = make_ward()
    assert ward.due is None
    ward.feed(timer("p1", 0))
    first = at(0) + LATENESS + INSTANT
    assert ward.due == first
    assert len(ward.advance(first)) == 1
    second = at(10) + LATENESS + INSTANT
    assert ward.due == second
    assert ward.advance(at(1)) == []
    (deadline,) = ward.advance(second)
    assert isinstance(deadline, AlertChange)
    assert deadline.decided_at == at(10)
    assert ward.due is None


def test_finishing_decides_up_to_the_last_event_and_no_further() -> None:
    changes = run([timer("p1", 0), timer("p2", 5), vitals("p3", 10)])
    assert [(type(change), change.patient) for change in changes] == [
        (StatusChange, "p1"),
        (StatusChange, "p2"),
        (AlertChange, "p1"),
        (StatusChange, "p3"),
    ]


def test_finishing_at_a_later_time_decides_up_to_there() -> None:
    ward = make_ward()
    ward.feed(timer("p1", 0))
    assert [change.decided_at for change in ward.finish(at(30))] == [at(0), at(10)]


def test_an_empty_ward_has_nothing_to_say() -> None:
    ward = make_ward()
    assert ward.finish() == []
    assert ward.advance(at(0)) == []


def test_only_engines_that_are_due_are_advanced() -> None:
    ward = make_ward()
    for patient in range(50):
        ward.feed(vitals(f"quiet{patient}", 0))
    ward.advance(at(5))
    FakeEngine.advanced = 0
    ward.feed(timer("timed", 5))
    for minute in range(6, 60):
        ward.feed(vitals("busy", minute))
    assert FakeEngine.advanced < 120  # the busy patient's own, once a turn, and the timed patient's two


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_without_lateness_messages_of_the_same_instant_come_in_any_order(order: tuple[int, int]) -> None:
    same_instant = [vitals("p1", 10), vitals("p2", 10)]
    log = [timer("p1", 0), timer("p2", 0), *(same_instant[index] for index in order), vitals("p1", 20)]
    assert lines(run(log, make_ward(timedelta(0)))) == lines(run(log[:2] + same_instant + log[4:]))


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_time_do_no_harm(moment: datetime) -> None:
    event = vitals("p1", 0).model_copy(update={"received_at": moment, "effective_at": moment})
    ward = Ward((), SiteSettings(lateness=LATENESS), Timeless)
    assert ward.feed(event) == []
    assert ward.finish() == []


class Timeless:
    def __init__(self, patient: str, packs: object, settings: object) -> None:
        self.due = None

    def observe(self, event: Event) -> list[Change]:
        return []

    def advance(self, to: datetime) -> list[Change]:
        return []
