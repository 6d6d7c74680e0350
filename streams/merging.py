"""The four inputs of a partition as one sequence, in the order in which its events were received."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Final

from streams.intake import Read, Record, TimeMark, Unusable
from streams.topics import AT_ONE_INSTANT, TopicName

_AFTER_ALL: Final = len(AT_ONE_INSTANT)


class Merger:
    """Holds records back until no earlier one can come from another input.

    A record is let go when each other input has one that was received no earlier, or has been read to its end. So a
    backlog of hours gives the same sequence as the log it was made from. Events received at the same instant come in
    the order of :data:`streams.topics.AT_ONE_INSTANT`, a time mark after them. What cannot be used has no time; it is
    let go as soon as it is the first of its input.

    Args:
        read: what a record says.
    """

    def __init__(self, read: Callable[[Record], Read]) -> None:
        self._read = read
        self._waiting: dict[TopicName, deque[Record]] = {name: deque() for name in AT_ONE_INSTANT}
        self._heads: dict[TopicName, tuple[datetime, int, Read]] = {}

    def add(self, record: Record) -> None:
        """Take in a record; those of one input come in the order of their offsets."""
        self._waiting[record.topic].append(record)

    @property
    def size(self) -> int:
        """How many records are held."""
        return len(self._heads) + sum(map(len, self._waiting.values()))

    def oldest(self) -> dict[TopicName, int]:
        """The offset of the first record that is held, of each input that has any."""
        held = {name: records[0].offset for name, records in self._waiting.items() if records}
        return held | {name: head[2].record.offset for name, head in self._heads.items()}

    def wanting(self) -> set[TopicName]:
        """The inputs of which no record is held: whether they have been read to the end decides what is let go."""
        return {name for name in AT_ONE_INSTANT if name not in self._heads and not self._waiting[name]}

    def let_go(self, ended: Collection[TopicName]) -> Iterator[Read]:
        """The records that need not wait any longer; ``ended`` are inputs that have been read to their end."""
        heads = self._heads
        while True:
            for rank, name in enumerate(AT_ONE_INSTANT):
                if name not in heads:
                    yield from self._next_head(rank, name)
            if not heads or any(name not in heads and name not in ended for name in AT_ONE_INSTANT):
                return
            first = min(heads, key=lambda name: heads[name][:2])
            yield heads.pop(first)[2]

    def _next_head(self, rank: int, name: TopicName) -> Iterator[Read]:
        waiting = self._waiting[name]
        while waiting:
            read = self._read(waiting.popleft())
            if isinstance(read.content, Unusable):
                yield read
                continue
            mark = isinstance(read.content, TimeMark)
            self._heads[name] = (read.content.received_at, _AFTER_ALL if mark else rank, read)
            return
