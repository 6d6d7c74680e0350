"""In which order offers are applied."""

from datetime import timedelta

import pytest

from rules.events import Event, encode
from rules.facts import Translator
from streams.embedded.offers import Examiner, Offer, order_of
from streams.intake import Unusable
from streams.topics import AT_ONE_INSTANT, topic_of
from tests.streams.stream import SITE, events_of, packs

NOISE = Offer(Unusable("malformed", "not JSON"), usable=False)


def of_kind(kind: str, minutes: int = 0) -> Offer:
    """An event of a kind, received so many minutes after the others."""
    event = next(event for event in events_of() if event.kind == kind)
    received = events_of()[0].received_at + timedelta(minutes=minutes)
    return Offer(event.model_copy(update={"received_at": received}))


def test_what_was_received_at_one_instant_takes_the_order_of_a_stream() -> None:
    offers = [of_kind(kind) for kind in ("infusion", "action", "encounter", "observations")]
    topics = [topic_of(content) for place in order_of(offers) if isinstance(content := offers[place].content, Event)]
    assert topics == list(AT_ONE_INSTANT)


def test_what_stands_apart_stays_apart() -> None:
    late_first = [of_kind("infusion", 1), of_kind("observations")]
    assert order_of(late_first) == [0, 1]
    parted = [of_kind("infusion"), NOISE, of_kind("observations"), NOISE]
    assert order_of(parted) == [0, 1, 2, 3]
    assert order_of([]) == []


def test_an_event_on_which_the_rules_fail_is_left_to_the_engine_which_sets_that_patient_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    event = events_of()[0]
    examiner = Examiner(packs(), SITE, SITE.future_skew)
    monkeypatch.setattr(Translator, "facts", failing)
    assert examiner.read(encode(event).encode(), event.received_at) == Offer(event)
