import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from monitor.cli import open_ward
from monitor.demo.build import LOG as DEMO_LOG
from rules import bulkhead
from rules.bulkhead import MONITOR
from rules.engine import PatientEngine
from rules.events import Event, Observations, encode
from rules.outputs import AlertChange, AlertChangeKind, Rejection
from rules.settings import SiteSettings
from streams.intake import Read, Record, TimeMark, read
from streams.processor import SILENCE, Outcome, Processor
from streams.replay import in_stream_order, replay
from streams.states import PARTITION_KEY, StateError
from streams.summary import Tally
from streams.topics import TopicName, topic_of
from tests.streams.stream import SITE, Inputs, Runtime, Words, events_of, packs, said_by_replay, words

BEDS = ("bed-4", "bed-9")


def records(events: Sequence[Event], *, live: bool = False) -> list[Read]:
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


def test_what_is_decided_as_it_comes_because_the_wall_was_there_before_is_not_computed_again() -> None:
    log, processor = events_of(DEMO_LOG, "bed-9"), fresh()
    processor.process(0, records(log[:10], live=True))
    processor.look_at_the_wall(0, log[10].received_at + timedelta(minutes=2))
    late = log[10].model_copy(update={"subject": "somebody-new"})
    outcome = processor.process(0, records([late], live=True))
    assert {patient for patient, _ in said_in(outcome)} == {"somebody-new"}
    assert outcome.urgent == {"somebody-new"}


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


def test_two_senders_who_number_alike_are_two() -> None:
    """What of the one cannot be used is said of the one, whoever else has that number and whatever is held back."""
    minute = timedelta(minutes=1)
    begin = events_of(DEMO_LOG, "bed-9")[0].received_at
    shared = {"schema_version": 1, "subject": "bed-9", "kind": "observations", "id": "1"}

    def observed(source: str, code: str, seconds: int) -> Event:
        at = begin + timedelta(seconds=seconds)
        reading = {"code": code, "value": 70.0, "unit": "mm[Hg]"}
        fields = {**shared, "source": source, "effective_at": at, "received_at": at, "readings": [reading]}
        return Observations.model_validate(fields)

    processor = fresh()
    log = records((observed("lab", "no_such_code", 3), observed("pump", "map_invasive", 2)))
    outcome = processor.process(0, log)
    state = processor.state(0, "bed-9")
    again = Processor(packs(), SITE)
    again.adopt(0, {b"bed-9": state})
    mark = TimeMark(source="gateway", received_at=begin + minute)
    last = Record(TopicName.VITALS, 0, 9, None, mark.model_dump_json().encode(), begin + minute)
    for one in (processor, again):
        letters = [*outcome.rejected, *one.process(0, [read(last, SITE.future_skew)]).rejected]
        assert [json.loads(letter.letter.value or b"")["source"] for letter in letters] == ["lab"]


class TestFault:
    """A fault of the monitor in one patient, in a partition of two."""

    @pytest.fixture(autouse=True)
    def _bulkheads(self, bulkheads: None) -> None:
        """Set aside who is to be set aside."""

    @pytest.fixture
    def fails_in_bed_4(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        take = PatientEngine._take

        def fail(engine: PatientEngine, event: Event, *rest: Any) -> Any:
            if event.subject == "bed-4" and event.kind == "infusion":
                raise ZeroDivisionError("bed-4")
            return take(engine, event, *rest)

        monkeypatch.setattr(PatientEngine, "_take", fail)
        return monkeypatch

    def log(self) -> list[Read]:
        return records(list(in_stream_order(events_of(DEMO_LOG, *BEDS))))

    def test_leaves_everybody_else_as_they_were(self, fails_in_bed_4: pytest.MonkeyPatch) -> None:
        processor = fresh()
        outcome = processor.process(0, self.log())
        assert processor.set_aside == 1
        (aside,) = outcome.faults
        assert aside.fault.kind == "ZeroDivisionError"
        assert "bed-4" not in aside.text()
        fails_in_bed_4.undo()
        of_bed_9 = [said.change for said in outcome.said if said.change.patient == "bed-9"]
        sound = fresh().process(0, self.log())
        assert of_bed_9 == [said.change for said in sound.said if said.change.patient == "bed-9"]

    def test_outlives_a_restart_and_is_told_of_once(self, fails_in_bed_4: pytest.MonkeyPatch) -> None:
        log = self.log()
        processor, again = fresh(), Processor(packs(), SITE)
        processor.process(0, log[:-50])
        again.adopt(0, {name.encode(): processor.state(0, name) for name in BEDS})
        assert again.set_aside == 1
        assert (again.process(0, log).faults, again.set_aside) == ([], 1)

    def test_is_tried_again_by_another_version_although_nothing_comes(self, fails_in_bed_4: pytest.MonkeyPatch) -> None:
        processor = fresh()
        processor.process(0, self.log())
        states = {name.encode(): processor.state(0, name) for name in BEDS}
        states[PARTITION_KEY] = processor.partition_state(0, {})
        fails_in_bed_4.undo()
        fails_in_bed_4.setattr(bulkhead, "VERSION", "9.9")
        later = Processor(packs(), SITE)
        later.adopt(0, states)
        at = max(event.received_at for event in events_of(DEMO_LOG, *BEDS)) + timedelta(minutes=1)
        mark = TimeMark(source="gateway", received_at=at)
        record = Record(TopicName.VITALS, 0, 10**6, None, mark.model_dump_json().encode(), at)
        said = later.process(0, [read(record, SITE.future_skew)]).said
        (over,) = [one.change for one in said if isinstance(one.change, AlertChange) and one.change.pathway == MONITOR]
        assert over.change is AlertChangeKind.RESOLVED
        assert later.set_aside == 0
