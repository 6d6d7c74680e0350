from datetime import timedelta

from streams.feed import Feed
from streams.processor import LIVE_WITHIN, Processor
from streams.topics import AT_ONE_INSTANT, TopicName
from tests.streams.stream import PATIENCE, SITE, Inputs, events_of, packs

VITALS, TREATMENTS = TopicName.VITALS, TopicName.TREATMENTS


def feed(start: int = 0) -> tuple[Feed, Processor]:
    processor = Processor(packs(), SITE)
    processor.adopt(0, {})
    begin = dict.fromkeys(AT_ONE_INSTANT, start)
    return Feed(processor, 0, begin, SITE.future_skew, LIVE_WITHIN, PATIENCE), processor


def bed(number: int, count: int, *, live: bool = True) -> Inputs:
    vitals = [event for event in events_of() if event.subject == f"bed-{number}" and event.kind == "observations"]
    return Inputs(vitals[:count], closed=False, live=live)


def test_a_record_that_is_delivered_again_is_passed_over() -> None:
    reading, _ = feed()
    inputs = bed(6, 10)
    for record in [*inputs.records[VITALS], *inputs.records[VITALS]]:
        reading.add(record, 0.0)
    assert reading.apply(inputs.ends, 0.0).records == 10


def test_floors_are_behind_what_waits_and_what_is_in_no_state() -> None:
    reading, processor = feed()
    inputs = bed(6, 10)
    first, *later = inputs.records[VITALS]
    reading.add(first, 0.0)
    reading.apply({**inputs.ends, VITALS: 1}, 0.0)
    assert reading.floors()[VITALS] == 0, "in no state yet"
    processor.kept(0, ["bed-6"])
    assert reading.floors()[VITALS] == 1
    for record in later:
        reading.add(record, 0.0)
    reading.apply({**inputs.ends, TREATMENTS: 5}, 0.0)
    assert reading.floors()[VITALS] == 1, "waits for treatments"
    reading.apply(inputs.ends, 0.0)
    processor.kept(0, ["bed-6"])
    assert reading.floors() == {**dict.fromkeys(AT_ONE_INSTANT, 0), VITALS: 10}


def test_an_input_that_does_not_give_what_it_has_is_not_waited_for_for_ever() -> None:
    reading, _ = feed()
    inputs = bed(6, 3)
    for record in inputs.records[VITALS]:
        reading.add(record, 0.0)
    stuck: dict[TopicName, int | None] = {**inputs.ends, TREATMENTS: 5}
    unknown: dict[TopicName, int | None] = {**inputs.ends, TREATMENTS: None}
    assert reading.apply(stuck, 0.0).records == 0
    assert reading.apply(unknown, PATIENCE).records == 0
    assert reading.apply(stuck, PATIENCE + 1).records == 3


def test_what_is_left_is_applied_at_the_next_call() -> None:
    reading, _ = feed()
    inputs = bed(6, 10)
    for record in inputs.records[VITALS]:
        reading.add(record, 0.0)
    assert [reading.apply(inputs.ends, 0.0, most=4).records for _ in range(4)] == [4, 4, 2, 0]


def test_the_lag_is_what_is_there_and_has_not_been_applied() -> None:
    reading, _ = feed()
    inputs = bed(6, 10)
    assert reading.lag(inputs.ends) == 10
    for record in inputs.records[VITALS][:4]:
        reading.add(record, 0.0)
    reading.apply({**inputs.ends, TREATMENTS: 1}, 0.0)
    assert reading.lag(inputs.ends) == 10
    reading.apply(inputs.ends, 0.0)
    assert reading.lag(inputs.ends) == 6
    assert reading.lag({**inputs.ends, TREATMENTS: None}) == 7, "nobody knows, so it is not all"


def test_the_wall_clock_has_no_say_while_something_is_there() -> None:
    reading, _ = feed()
    half = [event for event in events_of() if event.subject == "bed-9"]
    inputs = Inputs(half[: len(half) // 2], closed=False, live=True)
    for records in inputs.records.values():
        for record in records:
            reading.add(record, 0.0)
    reading.apply(inputs.ends, 0.0)
    later = half[-1].received_at + timedelta(hours=6)
    more = {**inputs.ends, VITALS: (inputs.ends[VITALS] or 0) + 1}
    assert not reading.let_time_pass(more, later).said
    assert not reading.let_time_pass({**inputs.ends, TREATMENTS: None}, later).said
    assert reading.let_time_pass(inputs.ends, later).said
