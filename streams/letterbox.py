"""Knows which dead letters of a partition have been published, so that none is published again after a crash."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from streams.states import Positions
from streams.topics import TopicName

Source = tuple[TopicName, int]
"""The input and the offset of the record that a dead letter is about."""


class Letterbox:
    """The dead letters about records of one partition that may be read again.

    What is published and not noted is published again after a crash, if nobody looks. So dead letters lie in the
    partition that has the number of their source, and whoever takes it over reads them from :attr:`begin`, which is
    kept with the floors. Of a record before the floors nothing is said again once no state that is kept holds its
    event back: then it is forgotten here.

    Args:
        there: where each dead letter that was found is in its topic.
        end: the offset after the last record that was read there.
    """

    def __init__(self, there: Mapping[Source, int], end: int) -> None:
        self._there = dict(there)
        self._end = end

    def holds(self, source: Source) -> bool:
        """Whether the dead letter about a record has been published."""
        return source in self._there

    def add(self, source: Source, offset: int) -> None:
        """A dead letter has been published there; -1 if the brokers do not remember where."""
        self._there[source] = self._end if offset < 0 else offset
        self._end = max(self._end, offset + 1)

    def forget(self, floors: Positions, held_back: Collection[Source]) -> None:
        """Records before the floors are not read again; of those that states hold back something may still be said."""
        self._there = {
            source: place
            for source, place in self._there.items()
            if source[1] >= floors.get(source[0], 0) or source in held_back
        }

    @property
    def begin(self) -> int:
        """From where on the topic must be read to find every dead letter that is held, and all that follow."""
        return min(self._there.values(), default=self._end)

    def __len__(self) -> int:
        return len(self._there)
