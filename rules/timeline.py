"""What is known of one patient: facts ordered by when they were true, and minute medians of dense signals.

The timeline holds everything *received so far*; questions are asked at an *effective* time. Together that is the
bitemporal view: a verdict is a function of the facts received by now, evaluated at an instant of the patient's time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf, isfinite, isnan, nan
from operator import attrgetter
from statistics import median
from typing import Any, Final, NamedTuple, TypeVar

from rules.instants import DAY, FOREVER, HOUR, MINUTE

SETTLING: Final = 5 * MINUTE
"""How long after its end a minute of a dense signal still takes in late samples (local setting)."""

RETENTION: Final = 28 * HOUR
"""How long samples, rates and minute medians are kept: the longest re-evaluation plus the longest window."""

LONG_RETENTION: Final = 14 * DAY
"""How long doses, fluids, cultures and coded facts are kept."""

_LONG: Final = ("dose:", "fluid", "culture", "state:", "answer:")
_LASTING: Final = ("signal:", "infusion:", "state:")


class Fact(NamedTuple):
    """Something true of the patient at ``at``; ``value`` is the channel's own tuple of plain values."""

    at: int
    received: int
    event: str
    value: Any


_NOT_CACHED: Final = (0, 0.0)
_ORDER: Final = attrgetter("at", "received", "event")
_AT: Final = attrgetter("at")
T = TypeVar("T")
_UNREAD: Final = -inf
"""Stands for the median of a settled minute in which something was measured and nothing could be read."""


class MinuteSeries:
    """A dense signal, reduced to the median of each minute.

    Samples are kept until their minute has settled; the same sample twice changes nothing, and a sample for a settled
    minute is too late to change its median. A sample that could not be read is not a number: the median is of the
    others, and where there are none, the minute hides what was known before it.
    """

    __slots__ = ("_cache", "_first", "_medians", "newest", "unsettled")

    def __init__(self) -> None:
        self._first = 0
        self._medians = array("d")
        """The median of each settled minute from ``_first`` on; not a number where there is none."""
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
            if self._settled(minute) is not None or at < now - RETENTION:
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

    def so_far(self, at: int) -> float | None:
        """The median of the minute that is going on at an instant, up to then; None once that minute has settled."""
        entry = self.unsettled.get(at // MINUTE)
        samples = [value for moment, value in entry[1].items() if moment <= at] if entry is not None else []
        value = _median(samples) if samples else _UNREAD
        return None if value == _UNREAD else value

    def newest_before(self, at: int, age: int) -> int | None:
        """The last whole minute with a value that ended at most ``age`` milliseconds before an instant.

        None also where a later minute has samples and none of them could be read.
        """
        last = at // MINUTE - 1
        oldest = -(-(at - age) // MINUTE) - 1
        minute = next((minute for minute in range(last, oldest - 1, -1) if self._found(minute) is not None), None)
        return None if minute is None or self._found(minute) == _UNREAD else minute

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

    def settle(self, now: int) -> None:
        """Reduce the minutes that take no more samples, and forget those past retention."""
        for minute in [m for m, (settles, _) in self.unsettled.items() if settles <= now]:
            self._reduce(minute)
        oldest = (now - RETENTION) // MINUTE
        if self._medians and self._first < oldest - 60:
            self._drop(oldest - self._first)

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

    def _settled(self, minute: int) -> float | None:
        place = minute - self._first
        if 0 <= place < len(self._medians):
            value = self._medians[place]
            if value == value:  # noqa: PLR0124 - a number; this is the fastest way to tell
                return value
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
        """Forget the median of a minute; the first place always has one."""
        if self._settled(minute) is None:
            return
        self._medians[minute - self._first] = nan
        self._drop(0)

    def _drop(self, places: int) -> None:
        """Forget the first places, and those after them that have no median."""
        while places < len(self._medians) and isnan(self._medians[places]):
            places += 1
        del self._medians[:places]
        self._first += places

    def _reduce(self, minute: int) -> None:
        self._set(minute, _median(self.unsettled.pop(minute)[1].values()))
        self._cache.pop(minute, None)


def _median(samples: Collection[float]) -> float:
    """The median of the samples that could be read, or the mark for none."""
    read = [sample for sample in samples if not isnan(sample)]
    return median(read) if read else _UNREAD


class Timeline:
    """All facts of one patient by channel, e.g. ``signal:lactate``, ``infusion:norepinephrine``.

    Args:
        longer: channels that some rule looks back on further than what is kept anyway, and how far, in milliseconds.
    """

    __slots__ = ("_longer", "_memo", "_reads", "channels", "dense", "newest", "seen", "settled", "versions")

    def __init__(self, longer: Mapping[str, int] | None = None) -> None:
        self._longer = longer or {}
        self._reads: set[str] = set()
        self.channels: dict[str, list[Fact]] = {}
        self.dense: dict[str, MinuteSeries] = {}
        self.seen: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        """Events dealt with for good: taken back, or themselves corrections."""
        self.newest = -FOREVER
        """No fact on the timeline is true from later than this."""
        self.versions: dict[str, int] = {}
        self._memo: dict[Hashable, tuple[tuple[int, ...], Any]] = {}

    def insert(self, channel: str, fact: Fact, now: int) -> bool:
        """Add a fact; false if it is older than anything that could still matter."""
        facts = self.channels.setdefault(channel, [])
        if fact.at < now - self._retention(channel) and _superseded(channel, facts, fact):
            return False
        insort(facts, fact, key=_ORDER)
        self.seen[fact.event] = fact.at
        self.newest = max(self.newest, fact.at)
        self._touch(channel)
        return True

    def retract(self, event: str, now: int) -> list[tuple[str, Fact]]:
        """Take back all facts of an event; what they were, with their channels."""
        self.settled[event] = now
        gone = [(channel, fact) for channel, facts in self.channels.items() for fact in facts if fact.event == event]
        for channel in {channel for channel, _ in gone}:
            self.channels[channel] = [fact for fact in self.channels[channel] if fact.event != event]
            self._touch(channel)
        return gone

    def listen(self) -> set[str]:
        """A set that takes down, from now on, which channels are asked for; it replaces the one before."""
        self._reads = set()
        return self._reads

    def facts(self, channel: str) -> Sequence[Fact]:
        """All facts of a channel, also those that become true later, oldest first."""
        self._reads.add(channel)
        return self.channels.get(channel, ())

    def series(self, channel: str) -> MinuteSeries | None:
        """The minutes of a dense signal."""
        self._reads.add(channel)
        return self.dense.get(channel)

    def upto(self, channel: str, at: int) -> list[Fact]:
        """Facts of a channel that were true at or before an instant, oldest first."""
        self._reads.add(channel)
        facts = self.channels.get(channel)
        return facts[: bisect_right(facts, at, key=_AT)] if facts else []

    def latest(self, channel: str, at: int) -> Fact | None:
        """The newest fact of a channel at or before an instant."""
        self._reads.add(channel)
        facts = self.channels.get(channel)
        index = bisect_right(facts, at, key=_AT) if facts else 0
        return facts[index - 1] if facts and index else None

    def next_change(self, channels: AbstractSet[str], after: int) -> int | None:
        """The first instant after ``after`` at which a fact in one of the channels (or kinds) becomes true."""
        if after >= self.newest:
            return None
        return min(
            (
                facts[bisect_right(facts, after, key=_AT)].at
                for channel, facts in self.channels.items()
                if facts and facts[-1].at > after and (channel in channels or kind_of(channel) in channels)
            ),
            default=None,
        )

    def memo(self, key: Hashable, channels: tuple[str, ...], build: Callable[[], T]) -> T:
        """A value derived from whole channels, built again only when one of them has changed.

        A channel may also be a kind, such as ``dose:``, for all channels of that kind.
        """
        self._reads.update(channels)
        versions = tuple([self.versions.get(channel, 0) for channel in channels])
        held = self._memo.get(key)
        if held is None or held[0] != versions:
            held = self._memo[key] = (versions, build())
        value: T = held[1]
        return value

    def prune(self, now: int) -> None:
        """Forget what no rule can read any more; values that last are kept until a newer one replaces them."""
        for channel, facts in self.channels.items():
            oldest = now - self._retention(channel)
            if facts and facts[0].at < max(oldest, now - RETENTION):
                kept = [
                    fact for i, fact in enumerate(facts) if fact.at >= oldest or _baseline(channel, facts, i, oldest)
                ]
                if channel in self._longer and channel.startswith("signal:"):
                    kept = _thinned(kept, now - RETENTION)
                if len(kept) != len(facts):
                    self.channels[channel] = kept
                    self._touch(channel)
        live = {fact.event for facts in self.channels.values() for fact in facts}
        self.seen = {event: at for event, at in self.seen.items() if event in live}
        self.settled = {event: at for event, at in self.settled.items() if at >= now - LONG_RETENTION}

    def _retention(self, channel: str) -> int:
        return max(LONG_RETENTION if channel.startswith(_LONG) else RETENTION, self._longer.get(channel, 0))

    def _touch(self, channel: str) -> None:
        kind = kind_of(channel)
        self.versions[channel] = self.versions.get(channel, 0) + 1
        self.versions[kind] = self.versions.get(kind, 0) + 1


def kind_of(channel: str) -> str:
    """The kind of a channel, such as ``dose:``, which stands for all channels of that kind."""
    return channel.partition(":")[0] + ":"


def _thinned(facts: list[Fact], before: int) -> list[Fact]:
    """Of samples older than an instant, those that say something new: another value, or an hour has passed."""
    kept: list[Fact] = []
    for fact in facts:
        same = bool(kept) and kept[-1].value == fact.value and fact.at - kept[-1].at < HOUR
        if fact.at >= before or not same:
            kept.append(fact)
    return kept


def _superseded(channel: str, facts: list[Fact], fact: Fact) -> bool:
    """Whether a fact past retention is history: it does not last, or a newer one has taken its place."""
    if not channel.startswith(_LASTING):
        return True
    return any(_same(channel, other, fact) and _ORDER(other) > _ORDER(fact) for other in facts)


def _baseline(channel: str, facts: list[Fact], index: int, oldest: int) -> bool:
    """Whether a fact older than retention still says what is true at the edge of it.

    Of an infusion that is the newest rate of each line with what follows it; its rates are kept for as long as doses.
    Of a coded fact it is the newest, and the first of an unbroken run of the same value: since when it has been true.
    """
    fact = facts[index]
    if not channel.startswith(_LASTING):
        return False
    recent = fact.at >= oldest + RETENTION - LONG_RETENTION
    if channel.startswith("infusion:") and recent and fact.value.rate and not _confirms(facts, index):
        return True
    later = [other for other in facts[index + 1 :] if other.at < oldest and _same(channel, other, fact)]
    if channel.startswith("state:"):
        began = index == 0 or facts[index - 1].value.value != fact.value.value
        return not later or (began and all(other.value.value == fact.value.value for other in later))
    return not any(not channel.startswith("infusion:") or _says_rate(other) for other in later)


def _confirms(facts: list[Fact], index: int) -> bool:
    """Whether a rate only repeats the one before it on its line."""
    line = facts[index].value.line
    before = next((fact.value for fact in reversed(facts[:index]) if fact.value.line == line), None)
    return before is not None and bool(before._replace(action="rate") == facts[index].value._replace(action="rate"))


def _same(channel: str, one: Fact, other: Fact) -> bool:
    return not channel.startswith("infusion:") or bool(one.value.line == other.value.line)


def _says_rate(fact: Fact) -> bool:
    return fact.value.rate is not None or fact.value.action == "stop"
