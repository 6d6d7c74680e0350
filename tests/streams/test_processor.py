from datetime import timedelta

import pytest

from monitor.cli import open_ward
from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Event, encode
from rules.outputs import Rejection
from rules.settings import SiteSettings
from streams.intake import Read, Record, read
from streams.processor import SILENCE, Outcome, Processor
from streams.replay import replay
from streams.states import PARTITION_KEY, StateError
from streams.summary import Tally
from streams.topics import TopicName, topic_of
from tests.streams.stream import SITE, Inputs, Runtime, Words, events_of, packs, said_by_replay, words

BEDS = ("bed-4", "bed-9")


def records(events: tuple[Event, ...], *, live: bool = False) -> list[Read]:
    found = []
    for offset, event in enumerate(events):
        arrived = event.received_at + (timedelta(0) if live else timedelta(days=300))
        value = encode(event).encode()
        record = Record(topic_of(event), 0, offset, event.subject.encode(), value, arrived)
        found.append(read(record, SITE.future_skew))
    return found


def fresh() -> Processor:
    processor = Processor(packs(), SITE)
    processor.adopt(0, {})
    return processor


def said_in(outcome: Outcome) -> Words:
    return words(said.change for said in outcome.said)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_four_inputs_in_pieces_say_what_the_log_says(seed: int) -> None:
    runtime = Runtime(Inputs(events_of(DEMO_LOG, *BEDS)), seed)
    runtime.run()
    assert runtime.published == said_by_replay(*BEDS)
    assert not runtime.letters


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_however_often_it_crashes_nothing_is_lost_and_nothing_invented(seed: int) -> None:
    runtime = Runtime(Inputs(events_of(DEMO_LOG, *BEDS)), seed)
    runtime.run(crashes=0.3, keeping=0.1)
    assert runtime.crashes > 3
    assert runtime.published == said_by_replay(*BEDS)


def test_changes_of_a_patient_come_in_the_order_of_their_numbers() -> None:
    said = fresh().process(0, records(events_of(DEMO_LOG, "bed-9"))).said
    assert [one.change.sequence for one in said] == list(range(1, len(said) + 1))


def test_whoever_has_a_new_record_has_changed_although_nothing_is_said() -> None:
    outcome = fresh().process(0, records(events_of(DEMO_LOG, "bed-6")[-1:]))
    assert (outcome.said, outcome.changed) == ([], {"bed-6"})


def test_a_record_that_comes_again_changes_nothing() -> None:
    processor, log = fresh(), records(events_of(DEMO_LOG, "bed-6")[:60])
    processor.process(0, log)
    before = processor.state(0, "bed-6")
    again = processor.process(0, log)
    assert (again.said, again.changed) == ([], set())
    assert {what for _, what in again.events} == {"known"}
    assert processor.state(0, "bed-6") == before


def test_a_restored_patient_continues_as_if_nothing_had_happened() -> None:
    log = records(events_of(DEMO_LOG, "bed-4"))
    half = len(log) // 2
    whole, first, second = fresh(), fresh(), Processor(packs(), SITE)
    first.process(0, log[:half])
    second.adopt(0, {b"bed-4": first.state(0, "bed-4")})
    whole.process(0, log[:half])
    assert said_in(second.process(0, log[half:])) == said_in(whole.process(0, log[half:]))
    assert second.state(0, "bed-4") == whole.state(0, "bed-4")


def test_what_is_not_kept_is_read_again() -> None:
    processor, log = fresh(), records(events_of(DEMO_LOG, "bed-4")[:30])
    processor.process(0, log)
    first: dict[TopicName, int] = {}
    for one in log:
        first.setdefault(one.record.topic, one.record.offset)
    assert processor.uncovered(0) == first
    processor.kept(0, ["bed-4"])
    assert processor.uncovered(0) == {}
    assert list(processor.unkept(0)) == []


def test_a_partition_that_comes_back_goes_on_with_the_patients_that_have_not_changed() -> None:
    processor, log = fresh(), records(events_of(DEMO_LOG, "bed-6")[:60])
    processor.process(0, log)
    kept = {b"bed-6": processor.state(0, "bed-6")}
    processor.kept(0, ["bed-6"])
    engine = processor._partitions[0].patients["bed-6"].engine
    processor.adopt(0, kept)
    assert processor._partitions[0].patients["bed-6"].engine is engine
    processor.process(0, records(events_of(DEMO_LOG, "bed-6")[:61])[60:])
    processor.adopt(0, kept)
    assert processor._partitions[0].patients["bed-6"].engine is None, "what was not kept may be somebody else's by now"


def test_what_the_engine_refuses_is_a_dead_letter_with_its_place_even_after_a_crash() -> None:
    log = records(events_of(DEMO_LOG, "bed-6"))
    letter = fresh().process(0, log).rejected[0].letter
    source = log[letter.offset].record
    assert (letter.topic, letter.key, letter.value) == (source.topic, source.key, source.value)
    assert letter.reason.startswith("implausible: readings.0: ")
    first, second = fresh(), Processor(packs(), SITE)
    assert not first.process(0, log[: letter.offset + 1]).rejected, "the engine holds it back"
    second.adopt(0, {b"bed-6": first.state(0, "bed-6")})
    again = second.process(0, log[letter.offset + 1 :]).rejected[0].letter
    assert (again.source, again.reason) == (letter.source, letter.reason)


def test_a_dead_letter_is_about_the_first_record_of_an_event_that_was_sent_twice() -> None:
    log = records(events_of(DEMO_LOG, "bed-6"))
    first = fresh().process(0, log).rejected[0].letter.offset
    again = log[first]._replace(record=log[first].record._replace(offset=first + 1))
    later = [read._replace(record=read.record._replace(offset=read.record.offset + 1)) for read in log[first + 1 :]]
    rejected = fresh().process(0, [*log[: first + 1], again, *later]).rejected
    assert rejected[0].letter.offset == first


def test_where_live_data_fall_silent_the_wall_clock_meets_the_deadlines() -> None:
    log, processor = events_of(DEMO_LOG, "bed-9"), fresh()
    half = log[: len(log) // 2]
    said = said_in(processor.process(0, records(half, live=True)))
    end = half[-1].received_at + timedelta(hours=6)
    outcome = processor.look_at_the_wall(0, end + SITE.lateness + SILENCE)
    wanted = replay(half, open_ward(None, ()), Tally(), until=end)
    assert said | said_in(outcome) == words(change for change in wanted if not isinstance(change, Rejection))
    assert outcome.said
    assert outcome.urgent == {"bed-9"}, "what the wall clock had a part in is not computed again"


def test_a_recorded_log_is_left_alone_by_the_wall_clock() -> None:
    log, processor = records(events_of(DEMO_LOG, "bed-9")), fresh()
    processor.process(0, log[: len(log) // 2])
    assert not processor.look_at_the_wall(0, log[-1].record.arrived_at + timedelta(days=1)).said


def test_state_that_does_not_fit_is_refused_without_naming_the_patient() -> None:
    processor = fresh()
    processor.process(0, records(events_of(DEMO_LOG, "bed-6")[:20]))
    state = processor.state(0, "bed-6")
    others = (
        (Processor(packs()[:1], SITE), state, "made with packs cardiac-arrest"),
        (Processor(packs(), SiteSettings(strict_fluid=True)), state, "made with other site settings"),
        (Processor(packs(), SITE), state[:-1] + b"x", "damaged"),
        (Processor(packs(), SITE), b"RMP\x63" + state[4:], "version 99 is not known"),
        (Processor(packs(), SITE), b"{}", "not a state"),
    )
    for other, data, reason in others:
        with pytest.raises(StateError, match=reason) as caught:
            other.adopt(0, {b"bed-6": data})
        assert "bed-6" not in str(caught.value)
        assert not list(other.partitions)


def test_a_partition_remembers_how_far_it_was_read_and_whether_it_was_live() -> None:
    processor, again = fresh(), Processor(packs(), SITE)
    log = records(events_of(DEMO_LOG, "bed-9"), live=True)
    processor.process(0, log[: len(log) // 2])
    floors = dict.fromkeys((topic_of(event) for event in events_of()), 17)
    kept = {b"bed-9": processor.state(0, "bed-9"), PARTITION_KEY: processor.partition_state(0, floors)}
    assert again.adopt(0, kept).floors == floors
    later = log[-1].record.arrived_at + timedelta(hours=6)
    assert said_in(again.look_at_the_wall(0, later)) == said_in(processor.look_at_the_wall(0, later)) != {}
