"""Keeps the partitions that a worker has been given: restores, applies, publishes, keeps states, notes floors.

Nothing here knows Faust. The order of acknowledgement is always: changes and dead letters, then states, then offsets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from rules.outputs import AlertChange, StatusChange, encode_change
from streams.deadletters import DeadLetter
from streams.feed import Feed
from streams.intake import Record
from streams.kafka.claims import CLAIM_KEY, Claim
from streams.kafka.clients import Journal, Message, Outbox
from streams.kafka.reaching import ShrunkError, shrunk
from streams.kafka.settings import WorkerSettings
from streams.letterbox import Letterbox, Source
from streams.metrics import WorkerMetrics
from streams.processor import Outcome, Processor
from streams.rota import Name, Rota
from streams.states import PARTITION_KEY, PartitionState, StateError
from streams.topics import INPUTS, TopicName, key_of_status
from streams.trust import TrustedTime

_AT_ONCE: Final = 500
"""Records applied before what came of them is published."""

_STATES_AT_ONCE: Final = 16
"""States kept with one batch, at some milliseconds each, for which the next batch waits."""

_STATES_IN_A_ROW: Final = 200
"""States sent together when all of them are kept."""

_SOONEST: Final = 1.0
"""Seconds between two states of a patient that are wanted at once."""

_TIME_KEPT_EVERY: Final = timedelta(minutes=1)
"""How far the time of a partition goes on before it is kept although nothing has come."""

_log: Final = logging.getLogger(__name__)

Offsets = dict[TopicName, int]


class Begin(NamedTuple):
    """Of one input: the first record that is there, the offset that is committed, or None, and where it ends."""

    first: int
    committed: int | None
    end: int


class LeaseLostError(Exception):
    """The partitions may be somebody else's by now, so nothing may be written any more."""


class UndeliveredError(Exception):
    """Records are there that were passed over in delivery; whoever starts next reads them."""


class InterruptedWorkError(Exception):
    """Something was begun and not finished, so what is held is not what was stored, and must not be gone on with."""


class Membership(Protocol):
    """What is known of the group, the topics and our place in them."""

    def lasts(self) -> bool:
        """Whether the partitions are certainly still ours."""

    def ends(self, partition: int) -> Mapping[TopicName, int | None]:
        """Of each input the offset after its last record; None if that is not known yet."""

    async def begins(self, partitions: Iterable[int]) -> Mapping[int, Mapping[TopicName, Begin]]:
        """Of each partition and input, where reading may begin."""

    async def commit(self) -> None:
        """Commit the floors now; what fails is read again."""


class Keeper:
    """All partitions of one worker. One thing is done at a time, and after one that was not finished, none.

    Args:
        processor: has the engines.
        settings: the worker's.
        skew: how far ``received_at`` may lie after arrival.
        outbox: takes messages.
        journal: has states.
        membership: knows the group.
        floors: where to put the offsets that may be committed, by input and partition.
        metrics: told once per batch.
        prefix: of the topics, as dead letters name them.
        claim: whose the state is to be.
        clock: seconds that never go back.
        wall: the time of day.
    """

    def __init__(  # noqa: PLR0913 - it holds the ends of everything
        self,
        processor: Processor,
        settings: WorkerSettings,
        skew: timedelta,
        *,
        outbox: Outbox,
        journal: Journal,
        membership: Membership,
        floors: MutableMapping[tuple[TopicName, int], int],
        metrics: WorkerMetrics,
        prefix: str,
        claim: Claim,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._processor = processor
        self._settings = settings
        self._skew = skew
        self._outbox = outbox
        self._journal = journal
        self._membership = membership
        self._floors = floors
        self._metrics = metrics
        self._prefix = prefix
        self._claim = claim
        self._unclaimed: set[int] = set()
        self._clock = clock
        self._wall = wall
        self._trust = TrustedTime(
            wall,
            clock,
            step=timedelta(seconds=settings.step),
            agreed=timedelta(seconds=settings.live_within),
        )
        self._rota = Rota(settings.snapshot_interval, min(_SOONEST, settings.snapshot_interval))
        self._feeds: dict[int, Feed] = {}
        self._letters: dict[int, Letterbox] = {}
        self._noted: defaultdict[int, Offsets] = defaultdict(dict)
        self._kept_at: dict[int, datetime | None] = {}
        self._note_at = 0.0
        self._lock = asyncio.Lock()
        self._unfinished = False
        self._warned = False

    @property
    def partitions(self) -> set[int]:
        """Those that are held and restored."""
        return set(self._feeds)

    @property
    def lag(self) -> int:
        """Records that are there and have not been applied."""
        return sum(feed.lag(self._membership.ends(number)) for number, feed in self._feeds.items())

    async def take_over(self, partitions: set[int]) -> None:
        """Restore partitions that have been given to us; those not among them are forgotten.

        Raises:
            StateError: if a state cannot be continued from, or there is a hole between state and offsets.
            InterruptedWorkError: here and in all that follows, if something before was not finished.
        """
        async with self._one_at_a_time():
            began = self._clock()
            self._let_go()
            for gone in set(self._processor.partitions) - partitions:
                self._processor.release(gone)
            self._claim.demand_among(partitions)
            states = await self._journal.read(sorted(partitions))
            self._unclaimed = {number for number in partitions if not self._claim.take_from(states[number])}
            begins = await self._membership.begins(partitions)
            kept = {number: self._processor.adopt(number, states.pop(number)) for number in sorted(partitions)}
            self._go_on_from(kept.values())
            letters = await self._journal.letters({number: state.letters for number, state in kept.items()})
            for number, state in kept.items():
                floors = state.floors
                start = {name: _start(number, name, begins[number][name], floors.get(name, 0)) for name in INPUTS}
                for name, floor in floors.items():
                    self._note_lost(name, number, range(floor, begins[number][name].first))
                self._letters[number] = letters[number]
                self._letters[number].forget(start, self._processor.held_back(number))
                self._feeds[number] = Feed(
                    self._processor,
                    number,
                    start,
                    self._skew,
                    timedelta(seconds=self._settings.live_within),
                    self._settings.patience,
                )
            self._metrics.recovery.set(self._clock() - began)
            self._metrics.partitions.set(len(self._feeds))
            self._metrics.patients.set(self._processor.patients)
            self._metrics.set_aside.set(self._processor.set_aside)

    async def take(self, records: Iterable[Record]) -> None:
        """Apply records as far as they need not wait, and publish what comes of it."""
        async with self._one_at_a_time():
            touched = set()
            for record in records:
                if (feed := self._feeds.get(record.partition)) is not None:
                    await self._demand_no_hole(record, feed.missing(record))
                    feed.add(record, self._clock())
                    touched.add(record.partition)
            await self._apply(touched)

    async def look_around(self) -> None:
        """Do what is due although nothing has come: release what waited, let time pass, keep states, note floors."""
        async with self._one_at_a_time():
            await self._apply(self._feeds)
            now = self._trust.now()
            passed = [
                (number, Outcome() if now is None else feed.let_time_pass(self._membership.ends(number), now))
                for number, feed in self._feeds.items()
            ]
            await self._settle(passed)
            self._tell_of_clocks()
            self._metrics.lag.set(self.lag)
            self._metrics.patients.set(self._processor.patients)
            self._metrics.set_aside.set(self._processor.set_aside)

    async def hand_over(self) -> None:
        """Keep all states, commit, and hold nothing any more: the partitions are taken away or the worker ends."""
        async with self._one_at_a_time():
            if self._feeds and self._membership.lasts():
                names = [(number, name) for number in self._feeds for name in self._processor.unkept(number)]
                for first in range(0, len(names), _STATES_IN_A_ROW):
                    await self._keep(names[first : first + _STATES_IN_A_ROW], set())
                await self._keep([], set(self._feeds))
                await self._membership.commit()
            self._let_go()
            self._metrics.partitions.set(0)

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        async with self._lock:
            if self._unfinished:
                raise InterruptedWorkError("something that was begun has not been finished")
            self._unfinished = True
            yield
            self._unfinished = False  # not so after an error or a cancellation

    def _go_on_from(self, kept: Collection[PartitionState]) -> None:
        """The time that live data had come to before, as far as it was kept."""
        silence = timedelta(seconds=self._settings.silence)
        times = [state.newest for state in kept if state.live and state.newest is not None]
        times += [state.reached + silence for state in kept if state.live and state.reached is not None]
        if times:
            self._trust.go_on_from(max(times))

    def _hear(self, partitions: Iterable[int]) -> None:
        """Learn from live data what time it is elsewhere."""
        clocks = map(self._processor.clock, partitions)
        heard = [clock.newest for clock in clocks if clock.live and clock.newest is not None]
        if heard:
            self._trust.hear(max(heard))
            # Live when they were stored, and read so much later that only their own time is known.
            self._trust.go_on_from(max(heard))

    def _tell_of_clocks(self) -> None:
        """Tell how the clocks stand; of a change in the log."""
        self._metrics.clock(self._trust)
        warning = self._trust.warning
        if bool(warning) != self._warned:
            self._warned = bool(warning)
            _log.warning("%s", warning or "this machine's clock and its senders' agree again")

    def _let_go(self) -> None:
        for number in self._feeds:
            self._rota.forget(number)
        self._feeds.clear()
        self._letters.clear()
        self._floors.clear()
        self._noted.clear()
        self._kept_at.clear()

    async def _apply(self, partitions: Iterable[int]) -> None:
        left = set(partitions)
        while left:
            outcomes = [
                (number, self._feeds[number].apply(self._membership.ends(number), self._clock(), _AT_ONCE))
                for number in sorted(left)
            ]
            self._hear(left)
            await self._settle(outcomes)
            left = {number for number, outcome in outcomes if outcome.records >= _AT_ONCE}
            await asyncio.sleep(0)

    async def _settle(self, outcomes: list[tuple[int, Outcome]]) -> None:
        await self._publish(outcomes)
        now, wall = self._clock(), self._wall()
        for number, outcome in outcomes:
            self._metrics.published(outcome, _latencies(outcome, wall))
            for name in outcome.changed:
                self._rota.changed((number, name), now)
            for name in outcome.urgent:
                self._rota.wanted((number, name), now)
        names = [name for name in self._rota.take(now, _STATES_AT_ONCE) if name[0] in self._feeds]
        noting = now >= self._note_at
        if noting:
            self._note_at = now + self._settings.commit_interval
        await self._keep(names, set(self._feeds) if noting else set())

    async def _publish(self, outcomes: list[tuple[int, Outcome]]) -> None:
        """Send what has been said, and those dead letters that are not in their topic yet."""
        messages = [message_of(said.change) for _, outcome in outcomes for said in outcome.said]
        letters = {
            (number, source): rejected.letter
            for number, outcome in outcomes
            for rejected in outcome.rejected
            if not self._letters[number].holds(source := _source(rejected.letter))
        }
        if not messages and not letters:
            return
        self._demand_lease()
        offsets = await self._outbox.send(messages + [self._message(letter) for letter in letters.values()])
        for (number, source), offset in zip(letters, offsets[len(messages) :], strict=True):
            self._letters[number].add(source, offset)

    async def _keep(self, names: list[Name], also: set[int]) -> None:
        """Keep the states of patients, and then those of the partitions ``also``; their floors may be committed."""
        messages = [
            Message(TopicName.STATE, name.encode(), self._processor.state(number, name), number)
            for number, name in names
        ]
        by_partition: defaultdict[int, list[str]] = defaultdict(list)
        for number, name in names:
            by_partition[number].append(name)
        for number, those in by_partition.items():
            self._processor.kept(number, those)
        floors = {
            number: offsets
            for number in also
            if (offsets := self._feeds[number].floors()) != self._noted[number] or self._has_gone_on(number)
        }
        for number, offsets in floors.items():
            self._letters[number].forget(offsets, self._processor.held_back(number))
            state = self._processor.partition_state(number, offsets, self._letters[number].begin)
            messages.append(Message(TopicName.STATE, PARTITION_KEY, state, number))
            if number in self._unclaimed:
                messages.append(Message(TopicName.STATE, CLAIM_KEY, self._claim.model_dump_json().encode(), number))
        if not messages:
            return
        self._demand_lease()
        await self._outbox.send(messages)
        self._metrics.kept(len(names))
        self._unclaimed -= floors.keys()
        for number, offsets in floors.items():
            self._noted[number] = offsets
            self._kept_at[number] = self._processor.clock(number).reached
            self._floors.update({(name, number): offset for name, offset in offsets.items()})

    def _has_gone_on(self, number: int) -> bool:
        """Whether the time of a partition in which nothing comes is worth keeping again."""
        reached, before = self._processor.clock(number).reached, self._kept_at.get(number)
        return reached is not None and (before is None or reached - before >= _TIME_KEPT_EVERY)

    async def _demand_no_hole(self, record: Record, missing: range) -> None:
        """Offsets without a record are rightly passed over: marks of transactions, and what is not kept any more."""
        if not missing:
            return
        gap = await self._journal.gap(record.topic, record.partition, missing)
        if gap.filled:
            raise UndeliveredError(f"{record.topic}[{record.partition}]@{missing.start} to {missing.stop - 1}")
        self._note_lost(record.topic, record.partition, range(missing.start, min(gap.first, missing.stop)))

    def _note_lost(self, name: TopicName, partition: int, offsets: range) -> None:
        """Count and name what was deleted before it was read."""
        if offsets:
            self._metrics.lost(name, len(offsets))
            _log.error(
                "%s%s[%d]: the records %d to %d were deleted before they were read: the retention of the topic is "
                "shorter than the workers were away or behind",
                *(self._prefix, name, partition, offsets.start, offsets.stop - 1),
            )

    def _demand_lease(self) -> None:
        if not self._membership.lasts():
            raise LeaseLostError("no sign of life was answered for longer than the session lasts")

    def _message(self, letter: DeadLetter) -> Message:
        letter = replace(letter, topic=self._prefix + letter.topic)
        value = b"" if letter.key is None and letter.value is None else letter.value
        return Message(TopicName.REJECTED, letter.key, value, letter.partition, tuple(letter.headers()))


def message_of(change: AlertChange | StatusChange) -> Message:
    """A change as it is published."""
    value = encode_change(change).encode()
    if isinstance(change, AlertChange):
        return Message(TopicName.ALERTS, change.patient.encode(), value)
    return Message(TopicName.STATUS, key_of_status(change), value)


def _source(letter: DeadLetter) -> Source:
    return TopicName(letter.topic), letter.offset


def _latencies(outcome: Outcome, now: datetime) -> list[float]:
    return [
        max(0.0, (now - said.arrived_at).total_seconds())
        for said in outcome.said
        if said.arrived_at is not None and isinstance(said.change, AlertChange)
    ]


def _start(number: int, name: TopicName, begin: Begin, kept: int) -> int:
    """The first record of one input that counts; what is read before it, because a commit was lost, is done already."""
    if begin.committed is not None and begin.committed > max(begin.first, kept):
        raise StateError(
            f"partition {number}: {name} has been read up to {begin.committed}, but the state that is kept only up to "
            f"{kept}: part of it is missing"
        )
    if kept > begin.end:
        raise ShrunkError(shrunk((name, number), begin.end, kept))
    return max(begin.first, kept)
