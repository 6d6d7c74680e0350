"""The keeper with all around it made up: what is acknowledged in which order, and when nothing may be written."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from monitor.demo.build import LOG as DEMO_LOG
from rules.events import encode
from rules.outputs import AlertChange, StatusChange
from streams.deadletters import OFFSET, TOPIC
from streams.intake import Record
from streams.kafka.claims import CLAIM_KEY, Claim
from streams.kafka.clients import Gap, Message
from streams.kafka.keeper import Begin, InterruptedWorkError, Keeper, LeaseLostError, UndeliveredError
from streams.kafka.reaching import ShrunkError
from streams.kafka.settings import WorkerSettings
from streams.letterbox import Letterbox, Source
from streams.metrics import WorkerMetrics
from streams.processor import Processor
from streams.states import PARTITION_KEY, PartitionState, StateError
from streams.topics import INPUTS, TopicName, topic_of
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
        self.letters_from: list[int] = []
        self.refuses: TopicName | None = None
        self.stores_before_it_fails: int | None = None
        self.ours = True
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.now = 1000.0
        self.wall = datetime(2027, 1, 1, tzinfo=UTC)
        self.first: Counter[TopicName] = Counter()
        self.claim = Claim(group="workers", partitions=1, topics={PREFIX + name: f"id of {name}" for name in INPUTS})
        self.metrics = WorkerMetrics(lambda: 0.0)

    async def send(self, messages: Iterable[Message]) -> list[int]:
        batch = list(messages)
        self.asked.set()
        await self.answers.wait()
        if self.refuses in {message.topic for message in batch}:
            raise ConnectionError
        if self.stores_before_it_fails is not None:
            self.batches.append(batch[: self.stores_before_it_fails])
            raise ConnectionError
        before = len(self.rejected)
        self.floors_when_sent.append(dict(self.floors))
        self.batches.append(batch)
        for message in batch:
            if message.topic is TopicName.STATE and message.key is not None and message.value is not None:
                self.states[message.key] = message.value
        places = count(before)
        return [next(places) if message.topic is TopicName.REJECTED else 0 for message in batch]

    @property
    def rejected(self) -> list[Message]:
        return [message for batch in self.batches for message in batch if message.topic is TopicName.REJECTED]

    async def letters(self, begins: Mapping[int, int]) -> dict[int, Letterbox]:
        self.letters_from.append(begins[0])
        found = {source_of(message): place for place, message in enumerate(self.rejected) if place >= begins[0]}
        return {0: Letterbox(found, len(self.rejected))}

    async def read(self, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
        return {partition: dict(self.states) if partition == 0 else {} for partition in partitions}

    def lasts(self) -> bool:
        return self.ours

    def ends(self, partition: int) -> Mapping[TopicName, int | None]:
        return self.inputs.ends

    async def gap(self, topic: TopicName, partition: int, offsets: range) -> Gap:
        here = range(max(self.first[topic], offsets.start), offsets.stop)
        return Gap(self.first[topic], any(record.offset in here for record in self.inputs.records[topic]))

    async def begins(self, partitions: Iterable[int]) -> Mapping[int, Mapping[TopicName, Begin]]:
        return {
            number: {
                name: Begin(self.first[name], self.committed.get(name), len(self.inputs.records[name]))
                for name in INPUTS
            }
            for number in partitions
        }

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
            metrics=self.metrics,
            prefix=PREFIX,
            claim=self.claim,
            clock=lambda: self.now,
            wall=lambda: self.wall,
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


def source_of(message: Message) -> Source:
    headers = {name: content.decode() for name, content in message.headers}
    return TopicName(headers[TOPIC].removeprefix(PREFIX)), int(headers[OFFSET])


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
    kafka.now += 30.0
    await keeper.look_around()
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


def test_a_clock_that_is_set_ahead_by_a_day_ends_no_windows() -> None:
    events = events_of(DEMO_LOG, BED)[:40]
    kafka = Cluster(Inputs(events, closed=False, live=True))
    kafka.wall = events[-1].received_at

    async def work() -> None:
        keeper = await working(kafka)
        await keeper.take(kafka.records)
        kafka.wall += timedelta(days=1)
        kafka.now += 1.0
        await keeper.look_around()
        reached = keeper._processor.clock(0).reached
        assert reached is not None
        assert reached < events[-1].received_at + timedelta(minutes=2)

    asyncio.run(work())


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


def lost(kafka: Cluster) -> float | None:
    name = "rescue_monitor_lost_records_total"
    return kafka.metrics.registry.get_sample_value(name, {"topic": TopicName.VITALS})


def test_what_was_deleted_while_nobody_read_is_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    kafka = cluster()
    asyncio.run(again(kafka))
    read = kafka.committed[TopicName.VITALS]
    kafka.inputs.records[TopicName.VITALS] *= 2
    kafka.first[TopicName.VITALS] = read + 7
    asyncio.run(working(kafka))
    assert lost(kafka) == 7
    assert f"ward-7.icu.vitals[0]: the records {read} to {read + 6} were deleted before they were read" in caplog.text


def test_what_was_deleted_before_a_slow_reader_is_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    kafka = cluster()

    async def work() -> None:
        keeper = await working(kafka)
        kafka.first[TopicName.VITALS] = 5
        kafka.inputs.records[TopicName.VITALS][:5] = []
        await keeper.take(kafka.inputs.records[TopicName.VITALS])

    asyncio.run(work())
    assert lost(kafka) == 5
    assert "ward-7.icu.vitals[0]: the records 0 to 4 were deleted before they were read" in caplog.text


def test_where_nothing_was_read_before_nothing_is_lost() -> None:
    kafka = cluster()
    kafka.first[TopicName.VITALS] = 5
    asyncio.run(working(kafka))
    assert lost(kafka) is None


def test_an_input_that_is_shorter_than_what_was_read_is_a_fault() -> None:
    kafka = cluster()
    asyncio.run(again(kafka))
    kafka.committed.clear()
    del kafka.inputs.records[TopicName.VITALS][3:]
    with pytest.raises(ShrunkError, match=r"icu\.vitals.* ends at 3"):
        asyncio.run(working(kafka))


def test_the_claim_is_kept_with_the_first_floors_and_who_has_another_one_is_refused() -> None:
    kafka = cluster()
    asyncio.run(again(kafka))
    assert kafka.states[CLAIM_KEY] == kafka.claim.model_dump_json().encode()
    kafka.batches.clear()
    asyncio.run(again(kafka))
    assert CLAIM_KEY not in {message.key for batch in kafka.batches for message in batch}, "it is there already"
    kafka.claim = kafka.claim.model_copy(update={"group": "others"})
    with pytest.raises(StateError, match="worked on by the group 'workers'"):
        asyncio.run(working(kafka))


def test_where_no_offset_is_known_any_more_nothing_is_said_or_rejected_twice() -> None:
    kafka, poison = with_poison()
    asyncio.run(again(kafka))
    kafka.committed.clear()
    kafka.batches.clear()
    asyncio.run(again(kafka))
    assert poison
    assert not kafka.said
    assert not kafka.rejected


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


def with_poison() -> tuple[Cluster, set[Source]]:
    """A bed's inputs with something unusable among every few records, and where it is."""
    chance = random.Random(11)
    inputs = Inputs()
    for event in events_of(DEMO_LOG, BED):
        if chance.random() < 0.2:
            inputs.append(chance.choice(INPUTS), b"\xff", chance.randbytes(9), event.received_at)
        inputs.append(topic_of(event), event.subject.encode(), encode(event).encode(), event.received_at)
    inputs.mark(event.received_at)
    poison = {
        (name, record.offset) for name, those in inputs.records.items() for record in those if record.key == b"\xff"
    }
    return Cluster(inputs), poison


def sources(kafka: Cluster) -> list[Source]:
    return sorted(source_of(message) for message in kafka.rejected)


@pytest.mark.parametrize("stored", [None, 0, 3, 20])
def test_a_dead_letter_is_published_once_although_the_worker_dies_before_it_notes_that(stored: int | None) -> None:
    kafka, poison = with_poison()

    async def work() -> None:
        keeper = await working(kafka, snapshot_interval=600.0)
        kafka.stores_before_it_fails = stored
        try:
            await keeper.take(kafka.records)
        except ConnectionError:
            assert stored is not None
        kafka.stores_before_it_fails = None
        await again(kafka)

    asyncio.run(work())
    assert len(kafka.rejected) > 20
    assert sources(kafka) == sorted(poison)


@pytest.mark.parametrize("seed", range(3))
def test_however_often_workers_die_each_dead_letter_is_published_once(seed: int) -> None:
    kafka, poison = with_poison()
    chance = random.Random(seed)

    async def live(lifetime: int) -> None:
        keeper = await working(kafka, snapshot_interval=20.0, patience=600.0)
        left = {name: [one for one in those if one.offset >= kafka.committed.get(name, 0)] for name, those in inputs}
        for _ in range(lifetime):
            kafka.now += 5.0
            name = chance.choice(INPUTS)
            piece, left[name] = left[name][:15], left[name][15:]
            await keeper.take(piece)
            await keeper.look_around()
            if chance.random() < 0.5:
                await kafka.commit()
        if chance.random() < 0.5:
            kafka.stores_before_it_fails = chance.randint(0, 5)
            with suppress(ConnectionError):
                await keeper.take(record for records in left.values() for record in records)
            kafka.stores_before_it_fails = None

    inputs = kafka.inputs.records.items()
    for _ in range(12):
        asyncio.run(live(chance.randint(1, 20)))
    asyncio.run(again(kafka))
    assert sources(kafka) == sorted(poison)
    assert kafka.said == said_by_replay(BED)
    assert max(kafka.letters_from) > len(poison) // 2, "not all of the topic is read every time"


def test_dead_letters_that_cannot_come_again_are_forgotten() -> None:
    kafka, poison = with_poison()

    async def work() -> None:
        keeper = await working(kafka)
        await keeper.take(kafka.records)
        assert len(keeper._letters[0]) > 20
        kafka.now += 30.0
        await keeper.look_around()
        assert len(keeper._letters[0]) == 0

    asyncio.run(work())
    assert PartitionState.from_bytes(kafka.states[PARTITION_KEY]).letters == len(poison)


def test_a_dead_letter_lies_in_the_partition_of_its_source() -> None:
    kafka, _ = with_poison()
    asyncio.run(again(kafka))
    assert {message.partition for message in kafka.rejected} == {0}


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
