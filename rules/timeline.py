"""What is known of one patient: facts ordered by when they were true, and minute medians of dense signals.

The timeline holds everything *received so far*; questions are asked at an *effective* time. Together that is the
bitemporal view: a verdict is a function of the facts received by now, evaluated at an instant of the patient's time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile
from math import inf, isfinite, isnan, nan
from operator import attrgetter
from statistics import median
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from rules.facts import Flow
from rules.instants import FOREVER, MINUTE

SETTLING: Final = 5 * MINUTE
"""How long after its end a minute of a dense signal still takes in late samples (local setting)."""

REPEATED: Final = 10 * MINUTE
"""Of a sample repeated at least this often, what lies far back is thinned to one in this time (local setting)."""

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


class UndeclaredReadError(Exception):
    """Something read channels that it does not declare: their facts would never be kept, nor wake anything."""

    def __init__(self, channels: Iterable[str], reader: str = "a rule") -> None:
        super().__init__(f"{reader} reads what nothing in it declares: {', '.join(sorted(channels))}")


class MinuteSeries:
    """A dense signal, reduced to the median of each minute.

    Samples are kept until their minute has settled; the same sample twice changes nothing, and a sample for a settled
    minute is too late to change its median. A sample that could not be read is not a number: the median is of the
    others, and where there are none, the minute hides what was known before it.

    Args:
        kept: for how many milliseconds the minutes are kept.
    """

    __slots__ = ("_cache", "_first", "_kept", "_medians", "newest", "unsettled")

    def __init__(self, kept: int = FOREVER) -> None:
        self._kept = kept
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

    def so_far(self, at: int) -> float | None:
        """The median of the minute that is going on at an instant, up to then; None once that minute has settled."""
        entry = self.unsettled.get(at // MINUTE)
        samples = [value for moment, value in entry[1].items() if moment <= at] if entry is not None else []
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
        last = at // MINUTE - 1
        oldest = -(-(at - age) // MINUTE) - 1
        return next((minute for minute in range(last, oldest - 1, -1) if self._found(minute) is not None), None)

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
            self._drop(oldest - self._first)
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
        """Forget the median of a minute; the first place and the last always have one."""
        if self._settled(minute) is None:
            return
        self._medians[minute - self._first] = nan
        while self._medians and isnan(self._medians[-1]):
            self._medians.pop()
        self._drop(0)

    def _drop(self, places: int) -> None:
        """Forget the first places, and those after them that have no median."""
        while places < len(self._medians) and isnan(self._medians[places]):
            places += 1
        del self._medians[:places]
        self._first = self._first + places if self._medians else 0
        self._find_newest()

    def _find_newest(self) -> None:
        last = (self._first + len(self._medians) - 1,) if self._medians else ()
        self.newest = max((*last, *self.unsettled), default=None)

    def _reduce(self, minute: int) -> None:
        self._set(minute, _median(self.unsettled.pop(minute)[1].values()))
        self._cache.pop(minute, None)


def _median(samples: Collection[float]) -> float:
    """The median of the samples that could be read, or the mark for none."""
    read = [sample for sample in samples if not isnan(sample)]
    return median(read) if read else _UNREAD


class Record(Protocol):
    """What can be asked of a patient's facts at an instant of effective time."""

    def facts(self, channel: str) -> Sequence[Fact]:
        """All facts of a channel, also those that become true later, oldest first."""

    def upto(self, channel: str, at: int) -> list[Fact]:
        """Facts of a channel that were true at or before an instant, oldest first."""

    def latest(self, channel: str, at: int) -> Fact | None:
        """The newest fact of a channel at or before an instant."""

    def series(self, channel: str) -> MinuteSeries | None:
        """The minutes of a dense signal."""

    def memo(self, key: Hashable, channels: tuple[str, ...], build: Callable[[], T]) -> T:
        """A value derived from whole channels, built again only when one of them has changed."""

    def listen_apart(self, reads: set[str]) -> set[str]:
        """Take down in another set which channels are asked for; the set in which that was done until now."""

    def heard(self, reads: AbstractSet[str]) -> None:
        """Some channels count as asked for."""

    def next_change(self, channels: AbstractSet[str], after: int) -> int | None:
        """The first instant after ``after`` at which a fact in one of the channels (or kinds) becomes true."""


class Timeline(Record):
    """All facts of one patient by channel, e.g. ``signal:lactate``, ``infusion:norepinephrine``.

    Args:
        kept: every channel that a rule says it reads, and for how many milliseconds its facts are kept: at least
            ``judged`` longer than any rule looks back. Of what lasts until it changes, what held at that edge is kept
            as well. Without it, everything may be read and is kept.
        judged: how far back the past may still be judged again, in milliseconds; nothing younger is thinned.
    """

    __slots__ = (
        "_declared",
        "_judged",
        "_kept",
        "_memo",
        "_reads",
        "_watching",
        "channels",
        "dense",
        "longest",
        "newest",
        "seen",
        "settled",
        "versions",
    )

    def __init__(self, kept: Mapping[str, int] | None = None, judged: int = FOREVER) -> None:
        self._kept = kept
        self._judged = judged
        self._declared = None if kept is None else with_kinds(kept)
        self.longest = FOREVER if kept is None else max(kept.values(), default=0)
        """How long facts of any channel are kept, in milliseconds: so long an event may still be delivered again."""
        self._reads: set[str] = set()
        self._watching: list[set[str]] = []
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
        facts = self.channels.get(channel, [])
        if fact.at < now - self.keeps(channel) and _superseded(channel, facts, fact):
            return False
        insort(facts, fact, key=_ORDER)
        self.channels[channel] = facts
        self.seen[fact.event] = fact.at
        self.newest = max(self.newest, fact.at)
        self._touch(channel)
        return True

    def retract(self, event: str, now: int) -> list[tuple[str, Fact]]:
        """Take back all facts of an event; what they were, with their channels, by the names of these."""
        self.settled[event] = now
        self.seen.pop(event, None)
        gone = [
            (channel, fact) for channel, facts in sorted(self.channels.items()) for fact in facts if fact.event == event
        ]
        for channel in {channel for channel, _ in gone}:
            self._keep(channel, [fact for fact in self.channels[channel] if fact.event != event])
        self._find_newest()
        return gone

    def keeps(self, channel: str) -> int:
        """For how many milliseconds the facts of a channel are kept."""
        return FOREVER if self._kept is None else self._kept[channel]

    def listen(self) -> set[str]:
        """A set that takes down, from now on, which channels are asked for; it replaces the one before.

        Raises:
            UndeclaredReadError: if a channel was asked for whose facts are never kept, since no rule declares it.
        """
        if self._declared is not None and not self._reads <= self._declared:
            raise UndeclaredReadError(self._reads - self._declared)
        return self.listen_anew()

    def listen_anew(self) -> set[str]:
        """As :meth:`listen`, but what was asked for until now was a look from outside, and no rule's reading."""
        self._reads = set()
        return self._reads

    def listen_apart(self, reads: set[str]) -> set[str]:
        """Take down in another set which channels are asked for; the set in which that was done until now."""
        before, self._reads = self._reads, reads
        return before

    def heard(self, reads: AbstractSet[str]) -> None:
        """Some channels count as asked for."""
        self._reads |= reads

    def watch(self) -> set[str]:
        """A set that takes down, from now on, which channels change, and their kinds; whoever reads it empties it."""
        watching = set[str]()
        self._watching.append(watching)
        return watching

    def changed(self, channel: str) -> None:
        """Something else is known of a channel than before."""
        kind = kind_of(channel)
        for watching in self._watching:
            watching.add(channel)
            watching.add(kind)

    def settle(self, now: int) -> None:
        """Reduce the minutes of dense signals that take no more samples."""
        for channel, series in self.dense.items():
            if series.settle(now):
                self.changed(channel)

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
        kinds = any(channel.endswith(":") for channel in channels)
        among = {c for c in self.channels if c in channels or kind_of(c) in channels} if kinds else channels
        following = FOREVER
        for channel in among:
            facts = self.channels.get(channel)
            if facts and facts[-1].at > after:
                following = min(following, facts[bisect_right(facts, after, key=_AT)].at)
        return following if following < FOREVER else None

    def memo(self, key: Hashable, channels: tuple[str, ...], build: Callable[[], T]) -> T:
        """A value derived from whole channels, built again only when one of them has changed.

        A channel may also be a kind, such as ``dose:``, for all channels of that kind.
        """
        self._reads.update(channels)
        versions = tuple([self.versions.get(channel, 0) for channel in channels])
        held = self._memo.get(key)
        if held is None or held[0] != versions:
            heard = self.listen_apart(set())
            held = self._memo[key] = (versions, build())
            self.listen_apart(heard)
        value: T = held[1]
        return value

    def prune(self, now: int) -> None:
        """Forget what no rule can read any more; values that last are kept until a newer one replaces them."""
        for channel, facts in list(self.channels.items()):
            oldest = now - self.keeps(channel)
            if facts[0].at < now - self._judged:
                edge = bisect_left(facts, oldest, key=_AT)
                kept = [*_still_true(channel, facts[:edge]), *facts[edge:]]
                kept = _thinned(channel, kept, now - self._judged)
                if len(kept) != len(facts):
                    self._keep(channel, kept)
        live = {fact.event for facts in self.channels.values() for fact in facts}
        self.seen = {event: at for event, at in self.seen.items() if event in live}
        self.settled = {event: at for event, at in self.settled.items() if at >= now - self.longest}
        self._find_newest()

    def _keep(self, channel: str, facts: list[Fact]) -> None:
        """Of a channel, these facts are left."""
        if facts:
            self.channels[channel] = facts
        else:
            del self.channels[channel]
        self._touch(channel)

    def _find_newest(self) -> None:
        self.newest = max((facts[-1].at for facts in self.channels.values()), default=-FOREVER)

    def _touch(self, channel: str) -> None:
        kind = kind_of(channel)
        self.versions[channel] = self.versions.get(channel, 0) + 1
        self.versions[kind] = self.versions.get(kind, 0) + 1
        self.changed(channel)


def with_kinds(channels: Iterable[str]) -> frozenset[str]:
    """Channels and their kinds: all that may be asked for where these are declared."""
    return frozenset(channels).union(map(kind_of, channels))


def kind_of(channel: str) -> str:
    """The kind of a channel, such as ``dose:``, which stands for all channels of that kind."""
    return channel.partition(":")[0] + ":"


def _superseded(channel: str, facts: list[Fact], fact: Fact) -> bool:
    """Whether a fact past retention is history: it does not last, or a newer one has taken its place."""
    if not channel.startswith(_LASTING):
        return True
    return any(_stream(other) == _stream(fact) and _ORDER(other) > _ORDER(fact) for other in facts)


def _stream(fact: Fact) -> str:
    """What a newer fact takes the place of: of an infusion, what its own line was said to do."""
    return fact.value.stream if isinstance(fact.value, Flow) else ""


def _still_true(channel: str, facts: list[Fact]) -> list[Fact]:
    """Of facts that are all past retention, those that say what is true at the edge of it.

    Of a signal that is the newest sample. Of a coded fact it is the newest, and what the
    unbroken run of its value says of since when it has been true.
    """
    if channel.startswith("signal:"):
        return facts[-1:]
    if channel.startswith("state:"):
        run = [*takewhile(lambda fact: fact.value.value == facts[-1].value.value, reversed(facts))][::-1]
        return [fact for i, fact in enumerate(run) if not 0 < i < len(run) - 1 or fact.value != run[i - 1].value]
    if not channel.startswith("infusion:"):
        return []
    lines: dict[str, list[Fact]] = {}
    for fact in facts:
        lines.setdefault(_stream(fact), []).append(fact)
    return sorted((fact for line in lines.values() for fact in _still_running(line)), key=_ORDER)


def _still_running(line: list[Fact]) -> list[Fact]:
    """Of one line the newest rate with what follows it; where nothing has run since, also what ran last and its end."""
    newest = next((i for i in reversed(range(len(line))) if _says_rate(line[i])), 0)
    ran = None if line[newest].value.rate else next((i for i in reversed(range(newest)) if line[i].value.rate), None)
    return line[newest:] if ran is None else [line[ran], *line[ran + 1 : newest][:1], *line[newest:]]


def _says_rate(fact: Fact) -> bool:
    return bool(fact.value.says_rate or fact.value.action == "stop")


def _repeats(earlier: Fact | None, fact: Fact, after: Fact | None) -> bool:
    """Whether a fact only repeats the one before it, and is itself repeated a short time after that one."""
    if earlier is None or after is None or after.at - earlier.at > REPEATED:
        return False
    return bool(earlier.value == fact.value == after.value)


def _any_repeats(facts: Sequence[Fact], before: int) -> bool:
    """Whether any of the facts before an instant says what an earlier one said shortly before it."""
    said: dict[Any, int] = {}
    for fact in facts:
        if fact.at >= before:
            return False
        earlier = said.get(fact.value)
        if earlier is not None and fact.at - earlier <= REPEATED:
            return True
        said[fact.value] = fact.at
    return False


def _thinned(channel: str, facts: list[Fact], before: int) -> list[Fact]:
    """Samples and rates without those before an instant that only repeat both their neighbours, these close together.

    So no value at any instant is another one, nor older by more than :data:`REPEATED`.
    """
    if not channel.startswith(("signal:", "infusion:")) or not _any_repeats(facts, before):
        return facts
    newer: dict[str, Fact] = {}
    following: list[Fact | None] = []
    for fact in reversed(facts):
        following.append(newer.get(_stream(fact)))
        newer[_stream(fact)] = fact
    kept: list[Fact] = []
    last: dict[str, Fact] = {}
    for fact, after in zip(facts, reversed(following), strict=True):
        earlier = last.get(_stream(fact))
        if fact.at >= before or not _repeats(earlier, fact, after):
            kept.append(fact)
            last[_stream(fact)] = fact
    return kept
