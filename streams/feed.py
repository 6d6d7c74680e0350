"""Reads one partition into a processor: in order, nothing twice, and knowing from where a crash must read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice

from streams.intake import Record, read
from streams.merging import Merger
from streams.processor import Outcome, Processor
from streams.states import Positions
from streams.topics import AT_ONE_INSTANT, TopicName


class Feed:
    """One partition of all inputs.

    Args:
        processor: has adopted the partition.
        partition: its number.
        start: of each input the first record that will be added.
        skew: see :func:`streams.intake.read`.
        live_within: see :class:`streams.merging.Merger`.
        patience: seconds for which the other inputs wait for one that has more to give and does not give it; and see
            :class:`streams.merging.Merger`.
    """

    def __init__(
        self,
        processor: Processor,
        partition: int,
        start: Positions,
        skew: timedelta,
        live_within: timedelta,
        patience: float,
    ) -> None:
        self.partition = partition
        self._processor = processor
        self._next = {name: start[name] for name in AT_ONE_INSTANT}
        self._merger = Merger(lambda record: read(record, skew), live_within, patience)
        self._patience = patience
        self._behind_since: dict[TopicName, float] = {}

    def missing(self, record: Record) -> range:
        """The offsets between the last record of its input and this one: some may never have held a record."""
        return range(self._next[record.topic], record.offset)

    def add(self, record: Record, seconds: float) -> None:
        """Take in a record now; one that has been taken in before is passed over."""
        if record.offset >= self._next[record.topic]:
            self._next[record.topic] = record.offset + 1
            self._behind_since.pop(record.topic, None)
            self._merger.add(record, seconds)

    def lag(self, ends: Mapping[TopicName, int | None]) -> int:
        """How many records are there and have not been applied; an input of which that is not known counts as one."""
        missing = sum(1 if end is None else max(0, end - self._next[name]) for name, end in ends.items())
        return missing + self._merger.size

    def apply(self, ends: Mapping[TopicName, int | None], seconds: float, most: int | None = None) -> Outcome:
        """Apply what need not wait any longer.

        Args:
            ends: of each input the offset after its last record; None if that is not known yet.
            seconds: the present, by a clock that never goes back.
            most: records, if so many are ready; call again for the rest.
        """
        ended = {name for name in AT_ONE_INSTANT if self._has_ended(name, ends[name], seconds)}
        return self._processor.process(self.partition, islice(self._merger.let_go(ended, seconds), most))

    def let_time_pass(self, ends: Mapping[TopicName, int | None], now: datetime) -> Outcome:
        """Let the partition's time go on if everything that is there has been applied."""
        if self._merger.size or any(end is None or self._next[name] < end for name, end in ends.items()):
            return Outcome()
        return self._processor.look_at_the_wall(self.partition, now)

    def floors(self) -> dict[TopicName, int]:
        """Of each input the first record to be read again after a crash, once the last outcome has been published."""
        floors = dict(self._next)
        for first in (self._merger.oldest(), self._processor.uncovered(self.partition)):
            for name, offset in first.items():
                floors[name] = min(floors[name], offset)
        return floors

    def _has_ended(self, name: TopicName, end: int | None, seconds: float) -> bool:
        if end is not None and self._next[name] >= end:
            self._behind_since.pop(name, None)
            return True
        return seconds - self._behind_since.setdefault(name, seconds) > self._patience
