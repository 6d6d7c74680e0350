"""A cluster of brokers in memory: inputs with transactions, outputs, states, offsets; a client fails at every send."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from random import Random
from typing import Final, NamedTuple

from streams.deadletters import read_dead_letter
from streams.intake import Record
from streams.kafka.clients import Gap, Message
from streams.kafka.keeper import Begin
from streams.kafka.reaching import Reach
from streams.letterbox import Letterbox, Source
from streams.states import PARTITION_KEY, PartitionState
from streams.topics import INPUTS, TopicName
from tests.simulation.world import Fault, World, demand

PARTITIONS: Final = 2
_SESSION: Final = 10.0
"""Seconds after which a worker that gives no sign of life is replaced."""


class WorkerKilledError(BaseException):
    """The process is gone in the middle of what it did."""


class Place(NamedTuple):
    """A partition of an input."""

    topic: TopicName
    partition: int


class Stored(NamedTuple):
    """What is at an offset: a record, or a mark of a transaction (None); whether it counts."""

    record: Record | None
    counts: bool


class Broker:
    """Everything that is stored.

    Attributes:
        inputs: by place, in the order of offsets.
        said: alerts and status, in the order in which they came.
        letters: dead letters by partition.
        states: the newest of each key, by partition.
        committed: how far the group says that it has read.
        in_doubt: patients of whom a worker died between saying something and storing the state that says why: where
            the order of delivery had a part in it, the next one may say something else under the same numbers.
    """

    def __init__(self, world: World) -> None:
        self.inputs: dict[Place, list[Stored]] = {
            Place(topic, number): [] for topic in INPUTS for number in range(PARTITIONS)
        }
        self.said: list[Message] = []
        self.letters: defaultdict[int, list[Message]] = defaultdict(list)
        self.states: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.committed: dict[Place, int] = {}
        self.in_doubt: set[str] = set()
        self.loses_commits = False
        self._world = world

    def append(self, place: Place, key: bytes | None, value: bytes, arrived_at: datetime, *, counts: bool) -> None:
        """A producer's record; one that does not count is of a transaction that will be given up."""
        offset = len(self.inputs[place])
        self.inputs[place].append(Stored(Record(*place, offset, key, value, arrived_at), counts))

    def end_transaction(self, place: Place) -> None:
        """A mark, which takes an offset and is no record."""
        self.inputs[place].append(Stored(None, counts=False))

    def records(self, place: Place, begin: int = 0) -> list[Record]:
        """The records that count, from an offset on."""
        found = self.inputs[place][begin:]
        return [stored.record for stored in found if stored.record is not None and stored.counts]

    def store(self, message: Message) -> int:
        """Store a message of a worker; its offset."""
        partition = message.partition or 0
        if message.topic is TopicName.STATE:
            assert message.key is not None
            assert message.value is not None
            self.states[partition][message.key] = message.value
            return 0
        if message.topic is TopicName.REJECTED:
            self.letters[partition].append(message)
            return len(self.letters[partition]) - 1
        self.said.append(message)
        return len(self.said) - 1

    def commit(self, floors: Mapping[Place, int]) -> None:
        """Note how far the group has read: no further than the states that are kept say."""
        for place, offset in floors.items():
            kept = self.states[place.partition].get(PARTITION_KEY)
            demand(kept is not None, "states are stored before offsets")
            assert kept is not None
            floor = PartitionState.from_bytes(kept).floors.get(place.topic, 0)
            demand(offset <= floor, f"states are stored before offsets: {place} at {offset}, its state at {floor}")
        if self.loses_commits:
            self._world.inject(Fault.UNCOMMITTED)
            return
        self.committed.update(floors)


class Client:
    """What one worker sees of the brokers and of its group: outbox, journal and membership.

    Attributes:
        alive_at: when the last sign of life was answered.
    """

    def __init__(self, broker: Broker, world: World, floors: dict[tuple[TopicName, int], int]) -> None:
        self.alive_at = world.clock()
        self.reach = Reach()
        self._broker = broker
        self._world = world
        self._floors = floors
        self._armed: tuple[Fault, int, Random] | None = None

    def arm(self, fault: Fault, sends: int, chance: Random) -> None:
        """Fail at a send that is to come."""
        self._armed = (fault, sends, chance)

    def disarm(self) -> None:
        """Fail no more."""
        self._armed = None

    async def send(self, messages: Iterable[Message]) -> list[int]:
        """Store messages, all of them or as far as it comes."""
        batch = list(messages)
        fault = self._due()
        if fault is Fault.SEND_BEFORE:
            self._fail(fault)
        if fault is Fault.SEND_PARTLY:
            for message in self._part(batch):
                self._broker.store(message)
            self._fail(fault)
        offsets = [self._broker.store(message) for message in batch]
        if fault is Fault.SEND_AFTER:
            self._fail(fault)
        return offsets

    async def gap(self, topic: TopicName, partition: int, offsets: range) -> Gap:
        """What is at offsets that were not delivered."""
        here = self._broker.records(Place(topic, partition), offsets.start)
        return Gap(0, any(record.offset in offsets for record in here))

    async def read(self, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
        """The states of partitions."""
        return {number: dict(self._broker.states[number]) for number in partitions}

    async def letters(self, begins: Mapping[int, int]) -> dict[int, Letterbox]:
        """The dead letters of partitions."""
        found: dict[int, Letterbox] = {}
        for number, begin in begins.items():
            there = self._broker.letters[number]
            places = {source_of(letter): place for place, letter in enumerate(there) if place >= begin}
            found[number] = Letterbox(places, len(there))
        return found

    def lasts(self) -> bool:
        """Whether nobody else can have been given our partitions."""
        return self._world.clock() - self.alive_at < _SESSION

    def ends(self, partition: int) -> Mapping[TopicName, int | None]:
        """Where each input ends, as far as is known."""
        now = self._world.clock()
        places = (Place(topic, partition) for topic in INPUTS)
        return {place.topic: self.reach.end(place, len(self._broker.inputs[place]), now) for place in places}

    async def begins(self, partitions: Iterable[int]) -> Mapping[int, Mapping[TopicName, Begin]]:
        """Where reading may begin."""
        return {
            number: {
                topic: Begin(0, self._broker.committed.get(place), len(self._broker.inputs[place]))
                for topic in INPUTS
                for place in (Place(topic, number),)
            }
            for number in partitions
        }

    async def commit(self) -> None:
        """Commit the floors."""
        self._broker.commit({Place(*place): offset for place, offset in self._floors.items()})

    def _due(self) -> Fault | None:
        if self._armed is None:
            return None
        fault, sends, chance = self._armed
        self._armed = (fault, sends - 1, chance)
        return fault if sends <= 0 else None

    def _part(self, batch: list[Message]) -> list[Message]:
        """Of each topic and partition a beginning: that is how it is stored."""
        assert self._armed is not None
        chance = self._armed[2]
        shares: defaultdict[tuple[TopicName, int | None], float] = defaultdict(chance.random)
        sizes: defaultdict[tuple[TopicName, int | None], int] = defaultdict(int)
        for message in batch:
            sizes[message.topic, message.partition] += 1
        left = {place: round(size * shares[place]) for place, size in sizes.items()}
        part = []
        for message in batch:
            place = message.topic, message.partition
            if left[place]:
                left[place] -= 1
                part.append(message)
        return part

    def _fail(self, fault: Fault) -> None:
        self._world.inject(fault)
        raise WorkerKilledError


def source_of(letter: Message) -> Source:
    """The record that a dead letter is about."""
    found = read_dead_letter(None, None, letter.headers)
    return TopicName(found.topic), found.offset
