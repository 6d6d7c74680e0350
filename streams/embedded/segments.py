"""Events as they are kept: those of one transaction together, as compressed lines, with what identifies each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Final, NamedTuple

import zstandard

from rules.events import Event, decode, encode
from rules.instants import to_datetime, to_instant
from streams.intake import Read, Record, TimeMark
from streams.provenance import recorded
from streams.topics import TopicName, topic_of

KEY_BYTES: Final = 8
"""Of what identifies an event so much is kept: of a million, two are taken for one with a probability of 3e-8."""

_LEVEL: Final = 3
_MARK: Final = b'{"kind":"time"'


class Segment(NamedTuple):
    """What arrived with one transaction.

    Attributes:
        first: the position of its first event; the others follow.
        size: how many there are.
        arrived_at: milliseconds since 1970, of all of them.
        keys: of each event, what identifies it.
        lines: each event as a line of JSON, compressed.
    """

    first: int
    size: int
    arrived_at: int
    keys: bytes
    lines: bytes


def key_of(event: Event) -> bytes:
    """What identifies an event among those of the last days: a sender may number the events of each patient."""
    return blake2b(f"{event.subject}\n{event.key}".encode(), digest_size=KEY_BYTES).digest()


def keys_in(joined: bytes) -> Iterator[bytes]:
    """The single keys of a segment."""
    return (joined[start : start + KEY_BYTES] for start in range(0, len(joined), KEY_BYTES))


class Packer:
    """Makes segments, and reads them."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()

    def pack(
        self, first: int, arrived_at: datetime, contents: Iterable[Event | TimeMark]
    ) -> tuple[Segment, list[Read]]:
        """A segment of events, and the same as records to be processed."""
        moment = to_instant(arrived_at)
        reads: list[Read] = []
        keys: list[bytes] = []
        for position, content in enumerate(contents, start=first):
            reads.append(_read(position, content, to_datetime(moment)))
            keys.append(bytes(KEY_BYTES) if isinstance(content, TimeMark) else key_of(content))
        lines = self._compressor.compress(b"\n".join(read.record.value or b"" for read in reads))
        return Segment(first, len(reads), moment, b"".join(keys), lines), reads

    def lines(self, segment: Segment) -> list[bytes]:
        """The lines of a segment."""
        return self._decompressor.decompress(segment.lines).split(b"\n")

    def event_lines(self, segment: Segment) -> Iterator[str]:
        """The events of a segment as lines of a log for others."""
        return (recorded(line.decode()) for line in self.lines(segment) if not line.startswith(_MARK))

    def unpack(self, segment: Segment) -> list[Read]:
        """The records of a segment."""
        arrived = to_datetime(segment.arrived_at)
        return [
            _read(position, TimeMark.model_validate_json(line) if line.startswith(_MARK) else decode(line), arrived)
            for position, line in enumerate(self.lines(segment), start=segment.first)
        ]

    def events_of(self, segment: Segment, patient: str) -> Iterator[tuple[int, Event]]:
        """The events of one patient in a segment, with their positions."""
        data, name = self._decompressor.decompress(segment.lines), patient.encode()
        if name not in data:
            return
        for position, line in enumerate(data.split(b"\n"), start=segment.first):
            if name in line and not line.startswith(_MARK):
                event = decode(line)
                if event.subject == patient:
                    yield position, event


def _read(position: int, content: Event | TimeMark, arrived_at: datetime) -> Read:
    if isinstance(content, TimeMark):
        value = content.model_dump_json().encode()
        return Read(Record(TopicName.VITALS, 0, position, None, value, arrived_at), content)
    record = Record(
        topic_of(content), 0, position, content.subject.encode(), encode(content).encode(), content.received_at
    )
    return Read(record._replace(arrived_at=arrived_at), content)
