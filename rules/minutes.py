"""A dense signal minute by minute: what a monitor sends each second is kept as the median of each minute."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from math import inf, isfinite, isnan, nan
from statistics import median
from typing import Final

from rules.instants import FOREVER, MINUTE

SETTLING: Final = 5 * MINUTE
"""How long after its end a minute of a dense signal still takes in late samples (local setting)."""
_UNREAD: Final = -inf
"""Stands for the median of a settled minute in which something was measured and nothing could be read."""
_NOT_CACHED: Final = (0, 0.0)


class MinuteSeries:
    """A dense signal, reduced to the median of each minute.

    Samples are kept until their minute has settled; the same sample twice changes nothing, and a sample for a settled
    minute is too late to change its median. A sample that could not be read is not a number: the median is of the
    others, and where there are none, the minute hides what was known before it.

    Args:
        kept: for how many milliseconds the minutes are kept; what the newest of those before that said is kept besides.
    """

    __slots__ = ("_cache", "_edge", "_first", "_kept", "_medians", "newest", "unsettled")

    def __init__(self, kept: int = FOREVER) -> None:
        self._kept = kept
        self._first = 0
        self._medians = array("d")
        """The median of each settled minute from ``_first`` on; not a number where there is none."""
        self._edge: tuple[int, float] | None = None
        """The newest settled minute before ``_first`` and its median: what was known when retention began."""
        self.unsettled: dict[int, tuple[int, dict[int, float]]] = {}
        self.newest: int | None = None
        self._cache: dict[int, tuple[int, float]] = {}
        """Of minutes that have not settled, the median of so many samples."""

    def insert(self, at: int, value: float, now: int) -> bool:
        """Add a sample; false if it is already there or its minute has settled."""
        minute = at // MINUTE
        entry = self.unsettled.get(minute)
        if entry is not None and entry[0] <= now:
            self._reduce(minute)
            return False
        if entry is None:
            if self._settled(minute) is not None or at < now - self._kept:
                return False
            self.settle(now)
            self.newest = minute if self.newest is None else max(self.newest, minute)
            self.unsettled[minute] = (max((minute + 1) * MINUTE + SETTLING, now + MINUTE), {at: value})
            return True
        samples = entry[1]
        if at in samples:
            return False
        samples[at] = value
        return True

    def remove(self, at: int, now: int) -> None:
        """Take back the sample at an instant; of a settled minute, the whole median is given up."""
        minute = at // MINUTE
        entry = self.unsettled.get(minute)
        if entry is not None and entry[0] <= now:
            self._reduce(minute)
            entry = None
        if entry is None:
            self._give_up(minute)
            return
        entry[1].pop(at, None)
        self._cache.pop(minute, None)
        if not entry[1]:
            del self.unsettled[minute]
            self._find_newest()

    def at(self, minute: int) -> float | None:
        """The median of a minute, or None where it has no valid sample."""
        value = self._found(minute)
        return None if value is None or value == _UNREAD else value

    def _found(self, minute: int) -> float | None:
        """The median of a minute, a mark where nothing in it could be read, or None where it has no sample."""
        value = self._settled(minute)
        if value is None and minute in self.unsettled:
            samples = self.unsettled[minute][1]
            count, value = self._cache.get(minute, _NOT_CACHED)
            if count != len(samples):
                value = _median(samples.values())
                self._cache[minute] = len(samples), value
        return value

    def window(self, end: int, length: int) -> list[float]:
        """Medians of the whole minutes in ``[end - length, end)`` that have one."""
        last = end // MINUTE
        return [value for minute in range(last - length // MINUTE, last) if (value := self.at(minute)) is not None]

    def so_far(self, at: int, after: int = -FOREVER) -> float | None:
        """The median of the minute that is going on at an instant, up to then; None once that minute has settled.

        With ``after``, of the samples after that instant only.
        """
        entry = self.unsettled.get(at // MINUTE)
        samples = [value for moment, value in entry[1].items() if after < moment <= at] if entry is not None else []
        value = _median(samples) if samples else _UNREAD
        return None if value == _UNREAD else value

    def next_sample(self, after: int) -> int | None:
        """When the first sample after an instant was taken, of those in minutes that have not settled."""
        for minute in range(after // MINUTE, after // MINUTE if self.newest is None else self.newest + 1):
            samples = self.unsettled[minute][1] if minute in self.unsettled else ()
            later = [at for at in samples if at > after]
            if later:
                return min(later)
        return None

    def newest_before(self, at: int, age: int) -> int | None:
        """The last whole minute with a value that ended at most ``age`` milliseconds before an instant.

        None also where a later minute has samples and none of them could be read.
        """
        minute = self.newest_sent(at, age)
        return None if minute is None or self._found(minute) == _UNREAD else minute

    def newest_sent(self, at: int, age: int) -> int | None:
        """The last whole minute of that age in which a device sent anything, be it readable or not."""
        if self.newest is None:
            return None
        last = min(at // MINUTE - 1, self.newest)
        oldest = -(-(at - age) // MINUTE) - 1
        if last >= oldest and self._found(last) is not None:
            return last
        begins = min((*self.unsettled, *((self._first,) if self._medians else ())), default=last)
        earlier = range(last - 1, max(oldest, begins) - 1, -1)
        found = next((minute for minute in earlier if self._found(minute) is not None), None)
        if found is None and self._edge is not None and oldest <= self._edge[0] <= last:
            return self._edge[0]
        return found

    def next_end(self, after: int) -> int | None:
        """When the first minute with a value that ends later than an instant is over."""
        if self.newest is None:
            return None
        later = range(after // MINUTE, self.newest + 1)
        return next(
            (
                (minute + 1) * MINUTE
                for minute in later
                if self._settled(minute) is not None or minute in self.unsettled
            ),
            None,
        )

    def settle(self, now: int) -> bool:
        """Reduce the minutes that take no more samples, and forget those past retention; whether there were any."""
        settled = [m for m, (settles, _) in self.unsettled.items() if settles <= now]
        for minute in settled:
            self._reduce(minute)
        oldest = (now - self._kept) // MINUTE
        past = bool(self._medians) and self._first < oldest - 60
        if past:
            self._leave(oldest - self._first)
        return past or bool(settled)

    def runs(self) -> Iterator[tuple[int, list[float | None]]]:
        """The medians of settled minutes: of each unbroken run the first minute and the values.

        None where nothing could be read.
        """
        run: list[float | None] = []
        for minute, value in enumerate((*self._medians, nan), start=self._first):
            if not isnan(value):
                run.append(value if isfinite(value) else None)
            elif run:
                yield minute - len(run), run
                run = []

    def fill(self, first: int, values: Sequence[float | None]) -> None:
        """Set the medians of settled minutes that follow one another."""
        for minute, value in enumerate(values, start=first):
            self._set(minute, _UNREAD if value is None else value)
            self.newest = minute if self.newest is None else max(self.newest, minute)

    @property
    def edge(self) -> tuple[int, float | None] | None:
        """The newest minute before retention began, with its median; None there where nothing could be read."""
        if self._edge is None:
            return None
        minute, value = self._edge
        return minute, None if value == _UNREAD else value

    @edge.setter
    def edge(self, found: tuple[int, float | None]) -> None:
        minute, value = found
        self._edge = minute, _UNREAD if value is None else value
        self._find_newest()

    def _settled(self, minute: int) -> float | None:
        place = minute - self._first
        if 0 <= place < len(self._medians):
            value = self._medians[place]
            if value == value:  # noqa: PLR0124 - a number; this is the fastest way to tell
                return value
        elif self._edge is not None and minute == self._edge[0]:
            return self._edge[1]
        return None

    def _set(self, minute: int, value: float) -> None:
        if not self._medians:
            self._first = minute
        place, size = minute - self._first, len(self._medians)
        if place < 0:
            self._medians[:0] = array("d", [nan]) * -place
            self._first, place = minute, 0
        elif place >= size:
            self._medians.extend([nan] * (place + 1 - size))
        self._medians[place] = value

    def _give_up(self, minute: int) -> None:
        """Forget the median of a minute; the first place and the last always have one."""
        if self._settled(minute) is None:
            return
        if self._edge is not None and minute == self._edge[0]:
            self._edge = None
            self._find_newest()
            return
        self._medians[minute - self._first] = nan
        while self._medians and isnan(self._medians[-1]):
            self._medians.pop()
        self._drop(0)

    def _leave(self, places: int) -> None:
        """Forget the first places but for the newest median in them."""
        before = (
            place for place in range(min(places, len(self._medians)) - 1, -1, -1) if not isnan(self._medians[place])
        )
        place = next(before, None)
        if place is not None:
            self._edge = self._first + place, self._medians[place]
        self._drop(places)

    def _drop(self, places: int) -> None:
        """Forget the first places, and those after them that have no median."""
        while places < len(self._medians) and isnan(self._medians[places]):
            places += 1
        del self._medians[:places]
        self._first = self._first + places if self._medians else 0
        self._find_newest()

    def _find_newest(self) -> None:
        edge = () if self._edge is None else self._edge[:1]
        last = (self._first + len(self._medians) - 1,) if self._medians else ()
        self.newest = max((*edge, *last, *self.unsettled), default=None)

    def _reduce(self, minute: int) -> None:
        self._set(minute, _median(self.unsettled.pop(minute)[1].values()))
        self._cache.pop(minute, None)


def _median(samples: Collection[float]) -> float:
    """The median of the samples that could be read, or the mark for none."""
    read = [sample for sample in samples if not isnan(sample)]
    return median(read) if read else _UNREAD
