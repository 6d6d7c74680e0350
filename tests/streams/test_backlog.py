"""What waits for being judged: nobody waits for a noisy neighbour, and the slices change nothing of what is said."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Event
from streams.backlog import Backlog
from streams.embedded.offers import Offer
from streams.embedded.settings import EmbeddedSettings
from streams.intake import Record
from streams.replay import in_stream_order
from streams.topics import topic_of
from tests.streams.embedded import Embedded
from tests.streams.stream import events_of

NOISY, OTHER = "bed-4", "bed-9"


@pytest.fixture
def sliced(tmp_path: Path) -> Iterator[Embedded]:
    """A runtime whose slices are one event long."""
    embedded = Embedded(tmp_path / "sliced.db", EmbeddedSettings(slice=0.01, snapshot_interval=0.5), passes=0.01)
    yield embedded
    embedded.connection.close()


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Embedded]:
    embedded = Embedded(tmp_path / "whole.db")
    yield embedded
    embedded.connection.close()


def of_bed(name: str) -> list[Event]:
    return list(in_stream_order(events_of(DEMO_LOG, name)))


def offers(embedded: Embedded, events: list[Event]) -> list[Offer]:
    return [embedded.examiner.examine(event, embedded.wall) for event in events]


def resuscitation(bed: str) -> Event:
    return next(event for event in of_bed(bed) if event.kind == "resuscitation")


def record(event: Event, offset: int) -> Record:
    return Record(topic_of(event), 0, offset, event.subject.encode(), b"", event.received_at)


def fill(backlog: Backlog, events: list[Event]) -> None:
    for offset, event in enumerate(events):
        backlog.add(record(event, offset), event)


def empty(backlog: Backlog) -> list[Event]:
    taken = []
    while len(backlog):
        taken.append(backlog.take()[1])
    return taken


class TestTurns:
    def test_everybody_has_one_after_the_other_whoever_sent_more(self) -> None:
        backlog = Backlog()
        fill(backlog, [*of_bed("bed-6")[:50], *of_bed("bed-2")[:2]])
        assert [event.subject for event in empty(backlog)[:5]] == ["bed-6", "bed-2", "bed-6", "bed-2", "bed-6"]

    def test_of_a_patient_stay_in_order(self) -> None:
        backlog, events = Backlog(), [*of_bed("bed-6")[:20], *of_bed("bed-2")[:20]]
        fill(backlog, events)
        taken = empty(backlog)
        for bed in ("bed-6", "bed-2"):
            assert [event for event in taken if event.subject == bed] == [e for e in events if e.subject == bed]

    def test_whoever_is_resuscitated_is_next_once(self) -> None:
        backlog = Backlog()
        fill(backlog, [*of_bed("bed-6")[:3], *of_bed("bed-2")[:1]])
        event = resuscitation(OTHER)
        for offset in (10, 11):
            backlog.add(record(event, offset), event)
        assert backlog.pressing
        assert [event.subject for event in empty(backlog)[:4]] == [OTHER, "bed-6", "bed-2", OTHER]

    def test_two_who_are_resuscitated_are_served_as_they_came(self) -> None:
        backlog = Backlog()
        fill(backlog, of_bed("bed-6")[:3])
        for offset, bed in enumerate((OTHER, NOISY), start=10):
            event = resuscitation(OTHER).model_copy(update={"subject": bed})
            backlog.add(record(event, offset), event)
        assert [event.subject for event in empty(backlog)[:3]] == [OTHER, NOISY, "bed-6"]
        assert not backlog.pressing

    def test_the_first_record_that_waits_is_known(self) -> None:
        backlog, events = Backlog(), of_bed("bed-6")[:5]
        fill(backlog, events)
        first = {topic: next(together) for topic, together in groupby(range(5), key=lambda n: topic_of(events[n]))}
        assert backlog.oldest() == first


def test_a_resuscitation_is_answered_in_the_very_next_slice(sliced: Embedded) -> None:
    begun = sliced.begin(offers(sliced, of_bed(NOISY)))
    assert not begun.answers
    before = sliced.runtime.waiting
    answered = sliced.begin(offers(sliced, [resuscitation(OTHER)]))
    assert [receipts[0].status for _, receipts in answered.answers] == ["accepted"]
    assert sliced.runtime.waiting == before, "nothing of the noisy bed was judged in that slice"


def test_an_observation_of_another_bed_waits_for_one_turn(sliced: Embedded) -> None:
    sliced.begin(offers(sliced, of_bed(NOISY)))
    answers = [*sliced.begin(offers(sliced, of_bed("bed-6")[:1])).answers, *sliced.runtime.go_on().answers]
    assert [receipts[0].event for _, receipts in answers] == [of_bed("bed-6")[0].id]


def test_a_submission_is_answered_once_and_only_when_all_of_it_is_judged(sliced: Embedded) -> None:
    events = of_bed(NOISY)[:40]
    answers = [*sliced.begin(offers(sliced, [*events, events[0]])).answers]
    slices = 0
    while sliced.runtime.busy:
        assert not answers
        answers += sliced.runtime.go_on().answers
        slices += 1
    ((_, receipts),) = answers
    assert [receipt.status for receipt in receipts] == ["accepted"] * 40 + ["duplicate"]
    assert slices >= 39, "each judged one"


def test_slices_change_nothing_of_what_is_said(sliced: Embedded, whole: Embedded) -> None:
    events = [event for event in events_of(DEMO_LOG) if event.subject in (NOISY, OTHER, "bed-1")]
    whole.send(events)
    sliced.begin(offers(sliced, [event for event in events if event.subject != OTHER]))
    for event in (event for event in events if event.subject == OTHER):
        sliced.begin(offers(sliced, [event]))
    while sliced.runtime.busy:
        sliced.runtime.go_on()
    for embedded in (sliced, whole):
        embedded.close()
    assert sliced.said() == whole.said()


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_stored_and_not_judged_is_judged_after_a_crash(sliced: Embedded, whole: Embedded, kept: bool) -> None:
    events = [*of_bed(NOISY)[:100], *of_bed("bed-1")[:100]]
    whole.send(events)
    sliced.begin(offers(sliced, events))
    sliced.begin(offers(sliced, [resuscitation(OTHER)]))
    for _ in range(60):
        sliced.runtime.go_on()
        sliced.runtime.tend()
    if kept:
        sliced.runtime.finish()
    assert sliced.runtime.waiting > 0
    sliced.crash()
    whole.send([resuscitation(OTHER)])
    for embedded in (sliced, whole):
        embedded.close()
    assert sliced.said() == whole.said()


def test_nobodys_deadline_is_met_before_what_was_received_earlier_is_judged(sliced: Embedded, whole: Embedded) -> None:
    """The event of the other bed moves the time of all by hours; the noisy one is judged at the times it had."""
    events = of_bed(NOISY)
    at = max(event.received_at for event in events) + timedelta(hours=5)
    late = resuscitation(OTHER).model_copy(update={"received_at": at, "effective_at": at})
    whole.send(events)
    whole.send([late])
    sliced.begin(offers(sliced, events[:100]))
    sliced.begin(offers(sliced, events[100:]))
    sliced.begin(offers(sliced, [late]))
    while sliced.runtime.busy:
        sliced.runtime.go_on()
    for embedded in (sliced, whole):
        embedded.close()
    assert sliced.said() == whole.said()
