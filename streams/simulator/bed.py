"""One bed: its instruments take turns on one clock, and what they send is put in the order in which it arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from heapq import heapify, heappop, heapreplace
from heapq import heappush as push
from random import Random
from typing import Any, Final, NamedTuple

from rules.events import SCHEMA_VERSION
from streams.simulator.course import Body as Fields
from streams.simulator.course import Course
from streams.simulator.person import Person
from streams.simulator.physiology import Body

_VERSION: Final = f'{{"schema_version":{SCHEMA_VERSION},"id":"'
_TIMES: Final = frozenset({"started_at", "last_seen_at"})
"""Fields whose value is a time of the course, in milliseconds from the start of the log."""


class Message(NamedTuple):
    """One line of the log; the first three put all messages of a ward in order."""

    received: int
    """When it arrives, in milliseconds from the start of the log."""
    bed: int
    number: int
    line: str


Instrument = Callable[["Bed"], Iterator[int]]
"""Something at the bed that runs as a generator: it yields when it wants to go on, and sends when it does."""


class Bed:
    """A bed with its patient.

    ``shift`` is when the course has its zero, in milliseconds from ``start``, a time without zone that means UTC.
    """

    def __init__(self, number: int, person: Person, course: Course, shift: int, start: datetime, seed: int) -> None:
        self.number = number
        self.name = name_of(number)
        self.person = person
        self.course = course
        self.shift = shift
        self.start = start
        self._seed = seed
        clock = round((start - start.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(milliseconds=1))
        self.body = Body(person, course, shift, clock, self.chance("body"))
        self._outbox: list[Message] = []
        self._sent = 0

    def chance(self, purpose: str) -> Random:
        """A source of chance of its own for one purpose, the same for the same seed and bed."""
        return chance_of(self._seed, self.number, purpose)

    def stamp(self, instant: int) -> str:
        """A time in milliseconds from the start of the log, as messages carry it."""
        return (self.start + timedelta(0, 0, 0, instant)).isoformat(timespec="milliseconds") + "Z"

    def send(self, source: str, at: int, received: int, fields: str, *, more: str = "") -> str:
        """Send a message that is true at an instant, and return its id.

        What would have arrived before the log begins arrives at its start. ``fields`` is the JSON of the fields of the
        kind, without braces; ``more`` belongs to the envelope.
        """
        self._sent += 1
        received = max(received, 0)
        identifier = f"{self.name}-{self._sent}"
        line = (
            f'{_VERSION}{identifier}","source":"{source}","subject":"{self.name}",'
            f'"effective_at":"{self.stamp(at)}","received_at":"{self.stamp(received)}",{more}{fields}}}'
        )
        push(self._outbox, Message(received, self.number, self._sent, line))
        return identifier

    def tell(self, source: str, at: int, received: int, fields: Fields, *, more: str = "") -> str:
        """Send a message from a table: amounts per kilogram and times of the course are worked out."""
        return self.send(
            source, at, received, json.dumps(self._resolved(fields), separators=(",", ":"))[1:-1], more=more
        )

    def messages(self, instruments: list[Instrument], length: int) -> Iterator[Message]:
        """The messages that arrive before ``length`` milliseconds have passed, in the order in which they arrive."""
        agenda = []
        for order, make in enumerate(instruments):
            instrument = make(self)
            if (first := next(instrument, None)) is not None:
                agenda.append((first, order, instrument))
        heapify(agenda)
        outbox = self._outbox
        while agenda and agenda[0][0] < length:
            now, order, instrument = agenda[0]
            while outbox and outbox[0][0] < now:
                yield heappop(outbox)
            self.body.advance(now)
            if (following := next(instrument, None)) is None:
                heappop(agenda)
            else:
                heapreplace(agenda, (following, order, instrument))
        while outbox and outbox[0][0] < length:
            yield heappop(outbox)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.stamp(item) if key in _TIMES else self._resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        return self.person.resolve(value)


def name_of(number: int) -> str:
    """The name of the patient in a bed; beds count from 0, names from 1."""
    return f"bed-{number + 1}"


def chance_of(seed: int, number: int, purpose: str) -> Random:
    """The source of chance for one purpose at one bed."""
    return Random(f"{seed}/{number}/{purpose}")
