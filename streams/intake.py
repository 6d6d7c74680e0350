"""What a record of an input says: an event, a time mark, or nothing that can be used, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from rules.events import Event, MalformedEventError, decode
from rules.notation import Moment, SchemaVersion, Source
from rules.salvage import repeated_key
from streams.deadletters import DeadLetter
from streams.logfile import LONGEST_LINE
from streams.provenance import RESERVED, is_own
from streams.topics import TopicName, topic_of


class Record(NamedTuple):
    """One record of an input and where it was.

    Attributes:
        topic: the input, without a site's prefix.
        partition: counts from 0.
        offset: its place in the partition; grows.
        key: whose it is, as UTF-8.
        value: the message.
        arrived_at: when it was stored, by the clock of whoever published it.
    """

    topic: TopicName
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    arrived_at: datetime

    def rejected(self, reason: str) -> DeadLetter:
        """It as a dead letter."""
        return DeadLetter(self.topic, self.partition, self.offset, reason, self.key, self.value)


class TimeMark(BaseModel):
    """Says of one partition of one input that every event received up to ``received_at`` has been sent.

    It has no key, because it is about nobody. So other inputs need not wait for this one, and deadlines are met at
    their exact times where no event follows: after the end of a recorded log, or when a gateway has nothing to send.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["time"] = "time"
    schema_version: SchemaVersion = 1
    source: Source
    received_at: Moment

    @classmethod
    def read(cls, message: bytes | str) -> TimeMark:
        """A time mark from JSON, read as strictly as an event.

        Raises:
            ValueError: if it is none, or has a key twice.
        """
        mark = cls.model_validate_json(message, strict=True)
        repeated = repeated_key(message)
        if repeated is not None:
            msg = f"{repeated}: the key is given twice"
            raise ValueError(msg)
        return mark


ReasonKind = Literal[
    "empty", "too_long", "malformed", "wrong_key", "wrong_topic", "future", "reserved_source", "answer"
]


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a record cannot be used; ``text`` is for people.

    ``received_at`` is known of what came from the ``future``.
    """

    kind: ReasonKind
    text: str
    received_at: datetime | None = None


class Read(NamedTuple):
    """A record and what it says."""

    record: Record
    content: Event | TimeMark | Unusable


def read(record: Record, skew: timedelta) -> Read:
    """Read a record; whatever its bytes are, there is an answer.

    Args:
        record: as it came.
        skew: how far ``received_at`` may lie after the arrival: one clock that is wrong would move everybody's time.
    """
    return Read(record, _content(record, skew))


def _content(record: Record, skew: timedelta) -> Event | TimeMark | Unusable:
    value = record.value
    if not value:
        return Unusable("empty", "no message")
    if len(value) > LONGEST_LINE:
        return Unusable("too_long", f"longer than {LONGEST_LINE} bytes ({len(value)})")
    content = _decoded(record, value)
    if not isinstance(content, Unusable) and content.received_at > record.arrived_at + skew:
        ahead = content.received_at - record.arrived_at
        return Unusable("future", f"received_at: {ahead.total_seconds():.0f} s after the record was stored")
    return content


def _decoded(record: Record, value: bytes) -> Event | TimeMark | Unusable:
    if record.key is None:
        return _mark(value)
    try:
        event = decode(value)
    except MalformedEventError as error:
        return Unusable("malformed", str(error))
    if is_own(event.source):
        return Unusable("reserved_source", RESERVED)
    if record.key != event.subject.encode():
        return Unusable("wrong_key", "the key is not the subject of the event")
    if topic_of(event) is not record.topic:
        return Unusable("wrong_topic", f"{event.kind} belongs into {topic_of(event)}")
    return event


def _mark(value: bytes) -> TimeMark | Unusable:
    try:
        mark = TimeMark.read(value)
    except ValueError:
        return Unusable("wrong_key", "no key, and not a time mark")
    return Unusable("reserved_source", RESERVED) if is_own(mark.source) else mark
