"""What is known of one patient: facts ordered by when they were true, and minute medians of dense signals.

The timeline holds everything *received so far*; questions are asked at an *effective* time. Together that is the
bitemporal view: a verdict is a function of the facts received by now, evaluated at an instant of the patient's time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from rules.facts import Flow
from rules.instants import FOREVER, MINUTE
from rules.minutes import MinuteSeries

REPEATED: Final = 10 * MINUTE
"""Of a sample repeated at least this often, what lies far back is thinned to one in this time (local setting)."""

_LASTING: Final = ("signal:", "infusion:", "state:")


class Fact(NamedTuple):
    """Something true of the patient at ``at``; ``value`` is the channel's own tuple of plain values."""

    at: int
    received: int
    event: str
    value: Any


_ORDER: Final = attrgetter("at", "received", "event")
_AT: Final = attrgetter("at")
T = TypeVar("T")


class UndeclaredReadError(Exception):
    """Something read channels that it does not declare: their facts would never be kept, nor wake anything."""

    def __init__(self, channels: Iterable[str], reader: str = "a rule") -> None:
        super().__init__(f"{reader} reads what nothing in it declares: {', '.join(sorted(channels))}")


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

    def memo(
        self,
        key: Hashable,
        channels: tuple[str, ...],
        build: Callable[[], T],
        extend: Callable[[T, int], T] | None = None,
    ) -> T:
        """A value derived from whole channels, built again only when one of them has changed.

        With ``extend``, what is built is that of no facts, and it is brought up to date from the instant on from which
        the facts of the channels are others.
        """

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
        "_changes",
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
        self._changes: dict[str, list[int]] = {}
        """By channel and kind: of its latest versions, from which instant on each is another than the one before."""
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
        self._touch(channel, fact.at)
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

    def memo(
        self,
        key: Hashable,
        channels: tuple[str, ...],
        build: Callable[[], T],
        extend: Callable[[T, int], T] | None = None,
    ) -> T:
        """A value derived from whole channels, built again only when one of them has changed.

        A channel may also be a kind, such as ``dose:``, for all channels of that kind. With ``extend``, what is built
        is that of no facts, and it is brought up to date from the instant on from which the facts are others, or from
        the first on where that is not known.
        """
        self._reads.update(channels)
        versions = tuple([self.versions.get(channel, 0) for channel in channels])
        held = self._memo.get(key)
        if held is None or held[0] != versions:
            # While it is brought up to date it is neither the old nor the new value.
            self._memo.pop(key, None)
            heard = self.listen_apart(set())
            since = None if held is None or extend is None else self._changed_since(channels, held[0])
            made: T = build() if held is None or since is None else held[1]
            if extend is not None:
                made = extend(made, -FOREVER if since is None else since)
            held = self._memo[key] = (versions, made)
            self.listen_apart(heard)
        value: T = held[1]
        return value

    def _changed_since(self, channels: tuple[str, ...], versions: tuple[int, ...]) -> int | None:
        """From which instant on the facts of channels are others than in earlier versions; None if it is not known."""
        earliest = FOREVER
        for channel, before in zip(channels, versions, strict=True):
            changes, present = self._changes.get(channel, ()), self.versions.get(channel, 0)
            if present - before > len(changes):
                return None
            earliest = min(earliest, *changes[len(changes) - (present - before) :], FOREVER)
        return earliest

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
        self._changes.clear()
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
        self._touch(channel, -FOREVER)

    def _find_newest(self) -> None:
        self.newest = max((facts[-1].at for facts in self.channels.values()), default=-FOREVER)

    def _touch(self, channel: str, at: int) -> None:
        """The facts of a channel are others from an instant on."""
        for name in (channel, kind_of(channel)):
            self.versions[name] = self.versions.get(name, 0) + 1
            self._changes.setdefault(name, []).append(at)
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
