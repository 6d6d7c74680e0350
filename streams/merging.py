"""The four inputs of a partition as one sequence, in the order in which its events were received."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from streams.intake import Read, Record, TimeMark, Unusable
from streams.topics import AT_ONE_INSTANT, TopicName

_AFTER_ALL: Final = len(AT_ONE_INSTANT)


class _Head(NamedTuple):
    """The first usable record of an input; ``since`` is when it was taken in."""

    at: datetime
    rank: int
    since: float
    read: Read


class Merger:
    """Holds records back until no earlier one can come from another input.

    A record is let go when each other input

    * has one that was received no earlier, or has had a time mark of that time;
    * or has been read to its end. That is enough for live data, where whatever is stored a little later was received
      only a little later, within the lateness. Where a recorded log is played into the stream, hours pass in a moment
      and one input may be hours ahead of another; so there the record waits for ``patience`` besides.

    Thus a backlog of hours gives the same sequence as the log it was made from. Events received at the same instant
    come in the order of :data:`streams.topics.AT_ONE_INSTANT`, time marks after them. What cannot be used has no time;
    it is let go as soon as it is the first of its input.

    Args:
        read: what a record says.
        live_within: the most that lies between receiving and arriving of live data.
        patience: seconds.
    """

    def __init__(self, read: Callable[[Record], Read], live_within: timedelta, patience: float) -> None:
        self._read = read
        self._live_within = live_within
        self._patience = patience
        self._waiting: dict[TopicName, deque[tuple[Record, float]]] = {name: deque() for name in AT_ONE_INSTANT}
        self._heads: dict[TopicName, _Head] = {}
        self._marks: dict[TopicName, datetime] = {}

    def add(self, record: Record, seconds: float) -> None:
        """Take in a record now; those of one input come in the order of their offsets."""
        self._waiting[record.topic].append((record, seconds))

    @property
    def size(self) -> int:
        """How many records are held."""
        return len(self._heads) + sum(map(len, self._waiting.values()))

    def oldest(self) -> dict[TopicName, int]:
        """The offset of the first record that is held, of each input that has any."""
        held = {name: records[0][0].offset for name, records in self._waiting.items() if records}
        return held | {name: head.read.record.offset for name, head in self._heads.items()}

    def let_go(self, ended: Collection[TopicName], seconds: float) -> Iterator[Read]:
        """The records that need not wait any longer; ``ended`` are inputs that have been read to their end."""
        heads = self._heads
        while True:
            for rank, name in enumerate(AT_ONE_INSTANT):
                if name not in heads:
                    yield from self._next_head(rank, name)
            if not heads:
                return
            first = min(heads, key=lambda name: heads[name][:2])
            head = heads[first]
            if len(heads) < len(AT_ONE_INSTANT) and not self._may_go(head, ended, seconds):
                return
            del heads[first]
            if isinstance(head.read.content, TimeMark):
                self._marks[first] = head.at
            yield head.read

    def _may_go(self, head: _Head, ended: Collection[TopicName], seconds: float) -> bool:
        missing = [name for name in AT_ONE_INSTANT if name not in self._heads]
        unmarked = [name for name in missing if name not in self._marks or self._marks[name] < head.at]
        if not unmarked:
            return True
        live = abs(head.read.record.arrived_at - head.at) <= self._live_within
        return (live or seconds - head.since >= self._patience) and all(name in ended for name in unmarked)

    def _next_head(self, rank: int, name: TopicName) -> Iterator[Read]:
        waiting = self._waiting[name]
        while waiting:
            record, since = waiting.popleft()
            read = self._read(record)
            if isinstance(read.content, Unusable):
                yield read
                continue
            mark = isinstance(read.content, TimeMark)
            self._heads[name] = _Head(read.content.received_at, _AFTER_ALL if mark else rank, since, read)
            return
