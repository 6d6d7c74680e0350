from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.events import encode
from streams.intake import Read, Record, TimeMark, Unusable, read
from streams.logfile import LONGEST_LINE
from streams.topics import INPUTS, TopicName
from tests.streams.fake_engine import at, timer, vitals

SKEW = timedelta(minutes=1)
EVENT = vitals("bed-1", 0)
LINE = encode(EVENT).encode()
MARK = TimeMark(source="gateway-3", received_at=at(0)).model_dump_json().encode()


def understood(key: bytes | None, value: bytes | None, topic: TopicName = TopicName.VITALS, arrived: float = 0) -> Read:
    return read(Record(topic, 0, 0, key, value, at(arrived)), SKEW)


def test_an_event_under_its_patient_is_an_event() -> None:
    assert understood(b"bed-1", LINE).content == EVENT


@pytest.mark.parametrize("topic", INPUTS)
def test_a_time_mark_has_no_key_and_travels_in_every_input(topic: TopicName) -> None:
    assert isinstance(understood(None, MARK, topic).content, TimeMark)
    assert isinstance(understood(b"bed-1", MARK, topic).content, Unusable)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("empty", b"bed-1", None),
        ("empty", b"bed-1", b""),
        ("too_long", b"bed-1", b" " * (LONGEST_LINE + 1)),
        ("malformed", b"bed-1", b"\xff\xfe"),
        ("malformed", b"bed-1", b"{}"),
        ("malformed", b"bed-1", LINE.replace(b'"schema_version":1', b'"schema_version":2')),
        ("wrong_key", b"bed-2", LINE),
        ("wrong_key", None, LINE),
        ("wrong_topic", b"bed-1", encode(timer("bed-1", 0)).encode()),
    ],
)
def test_what_cannot_be_used_has_a_reason(kind: str, key: bytes | None, value: bytes | None) -> None:
    content = understood(key, value).content
    assert isinstance(content, Unusable)
    assert content.kind == kind


def test_one_clock_that_is_ahead_does_not_move_everybodys_time() -> None:
    for key, value in ((b"bed-1", LINE), (None, MARK)):
        assert not isinstance(understood(key, value, arrived=-1.0).content, Unusable)
        content = understood(key, value, arrived=-1.1).content
        assert isinstance(content, Unusable)
        assert content.kind == "future"


@given(key=st.none() | st.binary(max_size=20), value=st.none() | st.binary(max_size=200), topic=st.sampled_from(INPUTS))
def test_any_bytes_have_an_answer(key: bytes | None, value: bytes | None, topic: TopicName) -> None:
    assert isinstance(understood(key, value, topic).content, Unusable)


def test_a_dead_letter_is_the_record_as_it_came() -> None:
    letter = Record(TopicName.ACTIONS, 3, 17, b"\xff", b"noise", at(0)).rejected("malformed: no JSON")
    assert (letter.source, letter.key, letter.value) == ("icu.actions[3]@17", b"\xff", b"noise")
