"""Nobody but the service speaks for the service, whatever way an event comes in."""

from datetime import timedelta

import pytest

from rules.events import Action, Event, decode, encode
from streams.embedded.offers import Examiner
from streams.intake import Record, TimeMark, Unusable, read
from streams.provenance import OWN, RECORDED, recorded
from streams.topics import TopicName, topic_of
from tests.streams.embedded import LONG_AFTER
from tests.streams.stream import SITE, events_of, packs

FACT = next(event for event in events_of() if event.kind == "infusion")
ANSWER = next(event for event in events_of() if isinstance(event, Action))
LOOKALIKES = (OWN, "Rescue-Monitor", "RESCUE-MONITOR")


def of(source: str, event: Event = FACT) -> bytes:
    return encode(event.model_copy(update={"source": source})).encode()


def from_kafka(value: bytes, key: bytes | None, topic: TopicName) -> object:
    return read(Record(topic, 0, 0, key, value, LONG_AFTER), timedelta(minutes=5)).content


@pytest.mark.parametrize("source", LOOKALIKES)
@pytest.mark.parametrize("event", [FACT, ANSWER], ids=["fact", "answer"])
class TestTheReservedSource:
    def test_is_refused_over_http_and_in_followed_files(self, source: str, event: Event) -> None:
        offer = Examiner(packs(), SITE, SITE.future_skew).read(of(source, event), LONG_AFTER)
        assert isinstance(offer.content, Unusable)
        assert (offer.content.kind, offer.usable) == ("reserved_source", False)
        assert offer.raw == of(source, event)

    def test_is_refused_in_inputs_of_kafka(self, source: str, event: Event) -> None:
        found = from_kafka(of(source, event), event.subject.encode(), topic_of(event))
        assert isinstance(found, Unusable)
        assert found.kind == "reserved_source"


def test_a_time_mark_in_the_services_name_is_refused_and_that_of_a_gateway_is_not() -> None:
    def mark(source: str) -> object:
        value = TimeMark(source=source, received_at=LONG_AFTER).model_dump_json().encode()
        return from_kafka(value, None, TopicName.VITALS)

    assert isinstance(mark("gateway-1"), TimeMark)
    refused = mark(OWN)
    assert isinstance(refused, Unusable)
    assert refused.kind == "reserved_source"


@pytest.mark.parametrize("source", ["rescue-monitor-replay", RECORDED, "chart", "my-rescue-monitor"])
def test_other_sources_are_taken(source: str) -> None:
    offer = Examiner(packs(), SITE, SITE.future_skew).read(of(source), LONG_AFTER)
    assert offer.content == decode(of(source))


class TestALog:
    def test_says_that_an_answer_was_the_services_and_nothing_else_of_it_changes(self) -> None:
        told = decode(recorded(of(OWN, ANSWER).decode()))
        assert told == ANSWER.model_copy(update={"source": RECORDED})

    def test_keeps_every_other_line_as_it_is(self) -> None:
        for event in events_of()[:200]:
            assert recorded(encode(event)) == encode(event)

    def test_that_is_exported_again_keeps_the_provenance(self) -> None:
        once = recorded(of(OWN, ANSWER).decode())
        assert recorded(once) == once

    def test_is_not_misled_by_a_text_that_looks_like_the_source(self) -> None:
        line = encode(ANSWER.model_copy(update={"comment": f'"source":"{OWN}"'}))
        assert recorded(line) == line
