"""The keeper with all around it made up: what is acknowledged in which order, and when nothing may be written."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest

from monitor.cli import DEMO_LOG
from rules.outputs import AlertChange, StatusChange
from streams.intake import Record
from streams.kafka.clients import Message
from streams.kafka.keeper import Begin, InterruptedWorkError, Keeper, LeaseLostError, UndeliveredError
from streams.kafka.settings import WorkerSettings
from streams.metrics import WorkerMetrics
from streams.processor import Processor
from streams.states import PARTITION_KEY, PartitionState, StateError
from streams.topics import INPUTS, TopicName
from tests.streams.stream import SITE, Inputs, Words, events_of, packs, said_by_replay, words

BED = "bed-4"
PREFIX = "ward-7."


class Cluster:
    """Topics, a group and its offsets in memory; everything that may fail fails on demand."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.batches: list[list[Message]] = []
        self.states: dict[bytes, bytes] = {}
        self.committed: dict[TopicName, int] = {}
        self.floors: dict[tuple[TopicName, int], int] = {}
        self.floors_when_sent: list[dict[tuple[TopicName, int], int]] = []
        self.refuses: TopicName | None = None
        self.ours = True
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.now = 1000.0

    async def send(self, messages: Iterable[Message]) -> None:
        batch = list(messages)
        self.asked.set()
        await self.answers.wait()
        if self.refuses in {message.topic for message in batch}:
            raise ConnectionError
        self.floors_when_sent.append(dict(self.floors))
        self.batches.append(batch)
        for message in batch:
            if message.topic is TopicName.STATE and message.key is not None and message.value is not None:
                self.states[message.key] = message.value

    async def read(self, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
        return {partition: dict(self.states) if partition == 0 else {} for partition in partitions}

    def lasts(self) -> bool:
        return self.ours

    def ends(self, partition: int) -> Mapping[TopicName, int | None]:
        return self.inputs.ends

    async def has_records(self, topic: TopicName, partition: int, offsets: range) -> bool:
        return any(record.offset in offsets for record in self.inputs.records[topic])

    async def begins(self, partitions: Iterable[int]) -> Mapping[int, Mapping[TopicName, Begin]]:
        return {number: {name: Begin(0, self.committed.get(name)) for name in INPUTS} for number in partitions}

    async def commit(self) -> None:
        self.committed = {name: offset for (name, _), offset in self.floors.items()}

    def keeper(self, **settings: float) -> Keeper:
        return Keeper(
            Processor(packs(), SITE),
            WorkerSettings(**({"snapshot_interval": 1.0} | settings)),  # type: ignore[arg-type] # all of them numbers
            SITE.future_skew,
            outbox=self,
            journal=self,
            membership=self,
            floors=self.floors,
            metrics=WorkerMetrics(lambda: 0.0),
            prefix=PREFIX,
            clock=lambda: self.now,
        )

    @property
    def records(self) -> list[Record]:
        return [record for records in self.inputs.records.values() for record in records]

    @property
    def said(self) -> Words:
        models: dict[TopicName, type[AlertChange | StatusChange]] = {
            TopicName.ALERTS: AlertChange,
            TopicName.STATUS: StatusChange,
        }
        return words(
            models[message.topic].model_validate_json(message.value or b"")
            for batch in self.batches
            for message in batch
            if message.topic in models
        )

    def kinds(self) -> list[set[TopicName]]:
        return [{message.topic for message in batch} for batch in self.batches]


def cluster() -> Cluster:
    return Cluster(Inputs(events_of(DEMO_LOG, BED)))


async def working(cluster: Cluster, **settings: float) -> Keeper:
    keeper = cluster.keeper(**settings)
    await keeper.take_over({0})
    return keeper


def test_what_is_said_is_stored_before_states_and_states_before_offsets() -> None:
    kafka = cluster()

    async def work() -> None:
        keeper = await working(kafka)
        for first in range(0, len(kafka.records), 100):
            kafka.now += 1.0
            await keeper.take(kafka.records[first : first + 100])
            await keeper.look_around()
        await keeper.hand_over()

    asyncio.run(work())
    assert kafka.said == said_by_replay(BED)
    said_at = [number for number, kinds in enumerate(kafka.kinds()) if TopicName.ALERTS in kinds]
    assert said_at
    assert all(kinds == {TopicName.STATE} or TopicName.STATE not in kinds for kinds in kafka.kinds())
    for batch, floors in zip(kafka.batches, kafka.floors_when_sent, strict=True):
        for message in batch:
            if message.key == PARTITION_KEY and message.value is not None:
                promised = PartitionState.from_bytes(message.value).floors
                assert all(promised[name] >= offset for (name, _), offset in floors.items())
    assert kafka.committed == {name: len(records) for name, records in kafka.inputs.records.items()}


@pytest.mark.parametrize("refused", [TopicName.ALERTS, TopicName.STATUS, TopicName.STATE])
def test_where_something_is_not_stored_nothing_after_it_is_done(refused: TopicName) -> None:
    kafka = cluster()
    kafka.refuses = refused

    async def work() -> None:
        keeper = await working(kafka)
        with pytest.raises(ConnectionError):
            await keeper.take(kafka.records)

    asyncio.run(work())
    assert not kafka.floors
    assert not kafka.states
    kafka.refuses = None
    asyncio.run(again(kafka))
    assert kafka.said == said_by_replay(BED)


async def again(kafka: Cluster) -> None:
    keeper = await working(kafka)
    await keeper.take(kafka.records)
    await keeper.hand_over()


def test_a_record_that_was_passed_over_in_delivery_is_noticed() -> None:
    kafka = cluster()
    vitals = kafka.inputs.records[TopicName.VITALS]

    async def work() -> None:
        keeper = await working(kafka)
        await keeper.take(vitals[:5])
        with pytest.raises(UndeliveredError, match=r"icu.vitals\[0\]@5 to 6"):
            await keeper.take(vitals[7:])

    asyncio.run(work())
    assert max(offset for (name, _), offset in kafka.floors.items() if name is TopicName.VITALS) <= 5


def test_an_offset_that_never_held_a_record_is_passed_over() -> None:
    kafka = cluster()
    vitals = kafka.inputs.records[TopicName.VITALS]
    del vitals[5:7]

    async def work() -> None:
        keeper = await working(kafka)
        await keeper.take(kafka.records)
        await keeper.hand_over()

    asyncio.run(work())
    assert kafka.committed[TopicName.VITALS] == vitals[-1].offset + 1


def test_after_something_was_cancelled_halfway_nothing_more_is_done() -> None:
    kafka = cluster()

    async def work() -> None:
        keeper = await working(kafka)
        kafka.answers.clear()
        halfway = asyncio.ensure_future(keeper.take(kafka.records))
        await kafka.asked.wait()
        halfway.cancel()
        with pytest.raises(asyncio.CancelledError):
            await halfway
        kafka.answers.set()
        for attempt in (keeper.hand_over(), keeper.look_around(), keeper.take([]), keeper.take_over({0})):
            with pytest.raises(InterruptedWorkError):
                await attempt

    asyncio.run(work())
    assert not kafka.batches
    assert not kafka.committed


def test_who_may_have_been_replaced_writes_nothing() -> None:
    kafka = cluster()

    async def work() -> None:
        keeper = await working(kafka)
        kafka.ours = False
        with pytest.raises(LeaseLostError):
            await keeper.take(kafka.records)

    asyncio.run(work())
    assert not kafka.batches


def test_who_may_have_been_replaced_hands_nothing_over() -> None:
    kafka = cluster()

    async def work() -> None:
        keeper = await working(kafka)
        await keeper.take(kafka.records)
        kafka.ours = False
        kafka.batches.clear()
        await keeper.hand_over()
        assert not keeper.partitions

    asyncio.run(work())
    assert not kafka.batches
    assert not kafka.committed


def test_another_worker_goes_on_from_what_was_kept() -> None:
    kafka = cluster()
    half = {name: len(records) // 2 for name, records in kafka.inputs.records.items()}

    async def work() -> None:
        one = await working(kafka)
        await one.take(record for record in kafka.records if record.offset < half[record.topic])
        await one.hand_over()
        assert not one.partitions
        other = await working(kafka)
        await other.take(record for record in kafka.records if record.offset >= kafka.committed[record.topic])
        await other.hand_over()

    asyncio.run(work())
    assert kafka.said == said_by_replay(BED)


def test_a_hole_between_state_and_offsets_is_refused() -> None:
    kafka = cluster()
    asyncio.run(again(kafka))
    for states in ({}, {key: state for key, state in kafka.states.items() if key != PARTITION_KEY}):
        kafka.states = states
        with pytest.raises(StateError, match="part of it is missing"):
            asyncio.run(working(kafka))


def test_where_no_offset_is_known_everything_is_read_again_and_nothing_said_twice() -> None:
    kafka = cluster()
    asyncio.run(again(kafka))
    kafka.committed.clear()
    kafka.batches.clear()
    asyncio.run(again(kafka))
    assert not kafka.said


def test_a_dead_letter_names_the_topic_in_full() -> None:
    kafka = Cluster(Inputs())
    kafka.inputs.append(TopicName.ACTIONS, b"\xff", b"noise", events_of()[0].received_at)

    async def work() -> None:
        keeper = await working(kafka)
        await keeper.take(kafka.inputs.records[TopicName.ACTIONS])

    asyncio.run(work())
    (letter,) = (message for batch in kafka.batches for message in batch if message.topic is TopicName.REJECTED)
    assert (letter.key, letter.value) == (b"\xff", b"noise")
    assert dict(letter.headers)["source-topic"] == b"ward-7.icu.actions"


def test_states_are_not_kept_with_every_batch() -> None:
    kafka = cluster()

    async def work() -> int:
        keeper = await working(kafka, snapshot_interval=30.0)
        for record in sorted(kafka.records, key=lambda record: record.arrived_at):
            kafka.now += 0.1
            await keeper.take([record])
        states = [message for batch in kafka.batches for message in batch if message.topic is TopicName.STATE]
        return sum(message.key == BED.encode() for message in states)

    assert 1 <= asyncio.run(work()) <= len(kafka.records) * 0.1 / 30 + 2
