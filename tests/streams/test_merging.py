from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from rules.events import Event, encode
from streams.intake import Read, Record, TimeMark, read
from streams.merging import Merger
from streams.topics import AT_ONE_INSTANT, TopicName, topic_of
from tests.streams.fake_engine import timer, vitals

VITALS, TREATMENTS = TopicName.VITALS, TopicName.TREATMENTS
ALL = frozenset(AT_ONE_INSTANT)
PATIENCE = 10.0


def merger() -> Merger:
    return Merger(lambda record: read(record, timedelta(minutes=1)), timedelta(minutes=1), PATIENCE)


def record(event: Event, offset: int, *, live: bool = False, late: float = 0.0) -> Record:
    arrived = event.received_at + (timedelta(seconds=late) if live else timedelta(days=300))
    return Record(topic_of(event), 0, offset, event.subject.encode(), encode(event).encode(), arrived)


def mark(topic: TopicName, at: datetime, offset: int) -> Record:
    value = TimeMark(source="test", received_at=at).model_dump_json().encode()
    return Record(topic, 0, offset, None, value, at + timedelta(days=300))


def places(reads: Iterable[Read]) -> list[tuple[TopicName, int]]:
    return [(one.record.topic, one.record.offset) for one in reads]


def test_a_record_waits_for_an_input_that_may_have_an_earlier_one() -> None:
    four = merger()
    four.add(record(vitals("p", 5), 0, live=True), 0.0)
    assert places(four.let_go(ALL - {TREATMENTS}, 0.0)) == []
    four.add(record(timer("p", 3), 0, live=True), 0.0)
    assert places(four.let_go(ALL - {TREATMENTS}, 0.0)) == [(TREATMENTS, 0)]
    assert places(four.let_go(ALL, 0.0)) == [(VITALS, 0)]
    assert four.size == 0


def test_of_one_instant_treatments_come_last_and_a_mark_after_them() -> None:
    four = merger()
    four.add(mark(VITALS, vitals("p", 1).received_at, 0), 0.0)
    four.add(record(timer("p", 1), 0), 0.0)
    assert places(four.let_go(ALL, PATIENCE)) == [(TREATMENTS, 0), (VITALS, 0)]
    again = merger()
    again.add(record(timer("p", 1), 0), 0.0)
    again.add(record(vitals("p", 1), 0), 0.0)
    assert places(again.let_go(ALL, PATIENCE)) == [(VITALS, 0), (TREATMENTS, 0)]


def test_of_a_recorded_log_the_end_of_an_input_is_believed_only_after_a_while() -> None:
    four = merger()
    four.add(record(vitals("p", 5), 0), 100.0)
    assert places(four.let_go(ALL, 100.0 + PATIENCE - 0.1)) == []
    assert places(four.let_go(ALL, 100.0 + PATIENCE)) == [(VITALS, 0)]


def test_marks_say_what_the_end_does_not() -> None:
    four, noon = merger(), vitals("p", 5).received_at
    four.add(record(vitals("p", 5), 0), 0.0)
    for name in ALL - {VITALS}:
        four.add(mark(name, noon, 0), 0.0)
    assert places(four.let_go((), 0.0))[0] == (VITALS, 0)
    four.add(record(vitals("p", 5), 1), 0.0)
    for name in ALL - {VITALS}:
        four.add(mark(name, noon + timedelta(seconds=1), 1), 0.0)
    assert (VITALS, 1) in places(four.let_go((), 0.0))
    four.add(record(vitals("p", 6), 2), 0.0)
    assert (VITALS, 2) not in places(four.let_go((), 0.0)), "the marks were of an earlier time"


def test_what_cannot_be_used_holds_nobody_up_and_comes_in_its_turn() -> None:
    four = merger()
    for offset in range(3):
        four.add(Record(VITALS, 0, offset, b"p", b"noise", datetime(2026, 3, 1, tzinfo=UTC)), 0.0)
    four.add(record(vitals("p", 5), 3), 0.0)
    assert places(four.let_go((), 0.0)) == [(VITALS, 0), (VITALS, 1), (VITALS, 2)]
    assert four.oldest() == {VITALS: 3}


def test_the_first_that_is_held_of_each_input_is_known() -> None:
    four = merger()
    four.add(record(vitals("p", 5), 7), 0.0)
    four.add(record(vitals("p", 6), 8), 0.0)
    four.add(record(timer("p", 9), 2), 0.0)
    list(four.let_go((), 0.0))
    assert four.oldest() == {VITALS: 7, TREATMENTS: 2}
    assert four.size == 3
