"""A simulated ward: all its beds in one stream, in the order of arrival, and the truth beside it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from rules.events import Event, decode
from streams.simulator import instruments
from streams.simulator.artefacts import spells
from streams.simulator.bed import Bed, Instrument, Message, chance_of, name_of
from streams.simulator.course import MINUTE, Course, moment
from streams.simulator.courses import COURSES
from streams.simulator.laboratory import sampler
from streams.simulator.mix import DEFAULT_MIX, check_mix, deal
from streams.simulator.person import Person, make_person
from streams.simulator.pumps import pump
from streams.simulator.truth import BedTruth, truth_of, within

START: Final = datetime(2026, 1, 1, 7, tzinfo=UTC)
"""When a simulated log starts unless somebody says otherwise; there is no clock."""

_ONSET: Final = (20.0, 80.0)
"""Minutes into the log at which a course has its zero."""
_TICK: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Simulation:
    """What is simulated. Equal simulations give equal bytes; a longer one begins with the shorter.

    Attributes:
        beds: how many there are; patients are named ``bed-1`` and so on, or from ``first`` on.
        seed: what chance is drawn from.
        length: for how long messages arrive.
        every: the time between two bundles of vitals of one bed.
        mix: shares of courses or groups of courses (:mod:`streams.simulator.courses`).
        start: when the log starts.
        begun: how much earlier the courses began that are not acute. What was known by the start arrives then, vitals
            excepted.
    """

    beds: int = 10
    seed: int = 1
    length: timedelta = timedelta(hours=24)
    every: timedelta = timedelta(seconds=60)
    mix: Mapping[str, float] | None = None
    start: datetime = START
    begun: timedelta = timedelta(0)
    first: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        check_mix(DEFAULT_MIX if self.mix is None else self.mix)
        if min(self.beds, self.first) < 1 or self.every < _TICK or self.start.tzinfo is None:
            raise ValueError("a ward has a bed, vitals every millisecond at most, and a start with a zone")

    def messages(self) -> Iterator[Message]:
        """All messages in the order in which they arrive, made as they are asked for."""
        streams = [
            bed.messages(self.instruments_of(bed.course), self.length // _TICK)
            for bed in (self._bed(number, course) for number, course in self._courses())
        ]
        return heapq.merge(*streams)

    def lines(self) -> Iterator[str]:
        """The log, line by line, without line ends."""
        return (message.line for message in self.messages())

    def events(self) -> Iterator[Event]:
        """The log as events."""
        return map(decode, self.lines())

    def instruments_of(self, course: Course) -> list[Instrument]:
        """What stands at a bed; what the body learns from comes first, so that it is known at the same instant."""
        return [
            instruments.chart,
            *map(pump, course.pumps),
            instruments.ventilator,
            instruments.levelling,
            *(sampler(sampling, number) for number, sampling in enumerate(course.samples)),
            instruments.monitor(self.every // _TICK),
            instruments.cuff,
            instruments.eeg,
            instruments.defibrillator,
        ]

    def received_at(self, message: Message) -> datetime:
        """When a message arrives."""
        return self.start + message.received * _TICK

    def truth(self) -> Iterator[BedTruth]:
        """The truth of each bed, artefacts up to the end included."""
        for number, course in self._courses():
            shift = self._shift(number, course)
            artefacts = within(spells(chance_of(self.seed, number, "artefacts")), self.length // _TICK, self._when)
            yield truth_of(
                name_of(number),
                self._person(number, course),
                course,
                partial(self._of_course, shift),
                artefacts,
            )

    def _of_course(self, shift: int, at: str) -> datetime:
        return self._when(moment(at) + shift)

    def _when(self, instant: int) -> datetime:
        return self.start.astimezone(UTC) + instant * _TICK

    def _courses(self) -> Iterator[tuple[int, Course]]:
        names = deal(self.beds, DEFAULT_MIX if self.mix is None else self.mix, Random(f"{self.seed}/beds"))
        return enumerate((COURSES[name] for name in names), start=self.first - 1)

    def _person(self, number: int, course: Course) -> Person:
        return make_person(course, chance_of(self.seed, number, "person"))

    def _shift(self, number: int, course: Course) -> int:
        """When the course of a bed has its zero, in milliseconds from the start; to the second."""
        onset = chance_of(self.seed, number, "onset").uniform(*_ONSET) * MINUTE
        return round(onset / 1000) * 1000 - (0 if course.acute else self.begun // _TICK)

    def _bed(self, number: int, course: Course) -> Bed:
        start = self.start.astimezone(UTC).replace(tzinfo=None)
        return Bed(number, self._person(number, course), course, self._shift(number, course), start, self.seed)
