"""Dead letters keep the bytes they are about, and each is open until it has been sent again."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.events import MalformedEventError, decode, encode
from streams.deadletters import (
    OFFSET,
    PARTITION,
    REASON,
    TOPIC,
    DeadLetter,
    NotADeadLetterError,
    OpenDeadLetters,
    read_dead_letter,
    without_content,
)
from streams.intake import Read, Record, TimeMark, read
from streams.processor import Processor
from streams.topics import TopicName
from tests.streams.embedded import LONG_AFTER
from tests.streams.stream import SITE, events_of, packs

LETTER = DeadLetter("icu.vitals", 3, 17, "not UTF-8 text", b"bed-1", b"\xff")
LETTERS = st.builds(
    DeadLetter,
    st.text(),
    st.integers(0, 1000),
    st.integers(0, 2**63 - 1),
    st.text(max_size=100),
    st.none() | st.binary(),
    st.none() | st.binary(),
)


@given(LETTERS)
def test_a_dead_letter_comes_back_as_it_was(letter: DeadLetter) -> None:
    assert read_dead_letter(letter.key, letter.value, letter.headers()) == letter


@given(st.lists(st.tuples(st.sampled_from([TOPIC, PARTITION, OFFSET, REASON, "x"]), st.none() | st.binary())))
def test_any_headers_are_a_dead_letter_or_none(headers: list[tuple[str, bytes | None]]) -> None:
    with suppress(NotADeadLetterError):
        assert dict(read_dead_letter(b"bed-1", b"{}", headers).headers()).keys() <= dict(headers).keys()


def test_a_dead_letter_that_is_published_twice_counts_once() -> None:
    letters = OpenDeadLetters()
    for _ in range(2):
        letters.take(LETTER.key, LETTER.value, LETTER.headers())
    assert letters.letters() == [LETTER]


@pytest.mark.parametrize("note_first", [False, True])
def test_what_was_sent_again_is_not_open(note_first: bool) -> None:
    letters = OpenDeadLetters()
    taken = [(LETTER.value, LETTER.headers()), (None, LETTER.note_sent_again())]
    for value, headers in reversed(taken) if note_first else taken:
        letters.take(LETTER.key, value, headers)
    assert letters.letters() == []


def test_a_reason_of_any_length_fits_into_a_header() -> None:
    long = DeadLetter("icu.vitals", 0, 0, "x" * 1_000_000, None, None)
    assert sum(len(content) for _, content in long.headers()) < 10_000


SECRET = "Erika Mustermann"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": SECRET},
        {"subject": 5, "source": SECRET},
        {"status": SECRET},
        {"received_at": SECRET},
        {SECRET: 1},
        {"readings": [{"code": "lactate", "value": SECRET, "unit": "mmol/L"}]},
        {"readings": [{"code": "lactate", "value": 1, "unit": "mmol/L", SECRET: 1}]},
        {"readings": [{"code": SECRET, "value": 1, "unit": "1"}]},
        {"readings": [{"code": "lactate", "value": 1, "unit": SECRET}]},
        {"readings": SECRET},
        {"unreadable": [{"place": SECRET, "reason": SECRET}]},
        {"corrects": 1, "id": SECRET * 50},
    ],
    ids=lambda change: next(iter(change)),
)
def test_no_reason_that_is_listed_quotes_the_message(change: dict[str, Any]) -> None:
    event = json.loads(encode(next(event for event in events_of() if event.kind == "observations")))
    value = json.dumps({**event, "readings": event["readings"][:1], **change}).encode()
    reading = read(Record(TopicName.VITALS, 0, 0, event["subject"].encode(), value, LONG_AFTER), timedelta(minutes=5))
    processor = Processor(packs(), SITE)
    processor.adopt(0, {})
    mark = TimeMark(source="test", received_at=LONG_AFTER)
    outcome = processor.process(0, [reading, Read(reading.record._replace(offset=1), mark)])
    reasons = [without_content(rejected.letter.reason) for rejected in outcome.rejected]
    assert reasons
    assert not any(word in reason for reason in reasons for word in SECRET.split())


def test_neither_does_that_of_a_key_given_twice() -> None:
    with pytest.raises(MalformedEventError) as caught:
        decode(f'{{"{SECRET}": 1, "{SECRET}": 2}}')
    assert SECRET not in str(caught.value)
