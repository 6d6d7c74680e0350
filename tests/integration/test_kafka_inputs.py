"""What a real broker does to inputs: transactions, every codec, retention, topics made anew, partitions added."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Event, encode
from streams.kafka.admin import TopicAdmin
from streams.kafka.clients import aiokafka_options
from streams.kafka.settings import KafkaSettings
from streams.topics import PARTITIONED_ALIKE, TopicName, key_of, topic_of
from tests.integration.brokers import MARKS, Broker, wait_until
from tests.integration.workers import WorkerProcess, dead_letters, said
from tests.streams.stream import events_of

pytestmark = list(MARKS)

EVENTS = events_of(DEMO_LOG, "bed-4")[:60]
STRANGERS = events_of(DEMO_LOG, "bed-9")[:60]
SOON = 1.0
"""Patience: the logs are not closed, so that their last seconds are waited for."""


class Inputs:
    """The topics of one test, with one partition of each, and the workers on them."""

    def __init__(self, kafka: KafkaSettings, folder: Path) -> None:
        self.kafka, self.folder = kafka, folder
        self.hired: list[WorkerProcess] = []
        with TopicAdmin(kafka) as admin:
            admin.create(partitions=1)

    def hire(self, **settings: float | str) -> WorkerProcess:
        worker = WorkerProcess(self.kafka, self.folder, **{"patience": SOON} | settings)
        self.hired.append(worker)
        return worker

    def refused(self, worker: WorkerProcess) -> str:
        """What a worker wrote that ended because to start it again would not help."""
        assert worker.process.wait(60) == 78, worker.log.read_text(encoding="utf-8")
        return worker.log.read_text(encoding="utf-8")

    def admin(self) -> Any:
        return KafkaAdminClient(**self.kafka.client_options())

    def send(self, events: Sequence[Event], codec: str = "none") -> None:
        """As a gateway does that is made with librdkafka."""
        producer = Producer(
            {
                "bootstrap.servers": ",".join(self.kafka.bootstrap_servers),
                "compression.type": codec,
                "partitioner": "murmur2_random",
                "linger.ms": 50,
            }
        )
        for event in events:
            producer.produce(self.kafka.topic(topic_of(event)), key=key_of(event), value=encode(event).encode())
        assert producer.flush(30) == 0


@pytest.fixture
def inputs(broker: Broker, kafka: KafkaSettings, tmp_path: Path) -> Iterator[Inputs]:
    broker.need_to_be_real()
    inputs = Inputs(kafka, tmp_path)
    yield inputs
    for worker in inputs.hired:
        worker.kill()


def test_marks_of_transactions_are_no_lag_and_what_was_given_up_is_no_event(inputs: Inputs) -> None:
    async def transactions() -> None:
        producer = AIOKafkaProducer(
            **aiokafka_options(inputs.kafka), transactional_id=f"{inputs.kafka.prefix}gateway", enable_idempotence=True
        )
        await producer.start()
        for events in (EVENTS[:20], STRANGERS, EVENTS[20:40], EVENTS[40:], STRANGERS):
            await producer.begin_transaction()
            for event in events:
                await producer.send(
                    inputs.kafka.topic(topic_of(event)), key=key_of(event), value=encode(event).encode()
                )
            await (producer.abort_transaction() if events is STRANGERS else producer.commit_transaction())
        await producer.begin_transaction()
        await producer.send_and_wait(inputs.kafka.topic(TopicName.VITALS), key=b"bed-9", value=b"not committed yet")
        await asyncio.to_thread(wait_until, held_alone, 30, "it is known to be held back, and is no lag")
        await producer.abort_transaction()
        await producer.stop()

    def held() -> float:
        return worker.figure("rescue_monitor_held_records")

    def held_alone() -> bool:
        return held() == 1 and worker.has_applied(len(EVENTS))

    worker = inputs.hire()
    worker.wait_until_ready()
    asyncio.run(transactions())
    wait_until(lambda: worker.has_applied(len(EVENTS)), 60, "what was committed is applied and nothing is left")
    wait_until(lambda: held() == 0, 30, "nothing is held back")
    assert worker.events == len(EVENTS)
    assert worker.figure("rescue_monitor_lost_records_total") == 0
    assert {patient for patient, _ in said(inputs.kafka)} == {"bed-4"}
    assert dead_letters(inputs.kafka)[0] == {}
    assert worker.stop() == 0
    again = inputs.hire()
    again.wait_until_ready()
    wait_until(lambda: again.has_applied(0), 30, "nothing is left to be read again")
    assert again.events == 0


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_of_kafka_is_read(inputs: Inputs, codec: str) -> None:
    worker = inputs.hire()
    worker.wait_until_ready()
    inputs.send(EVENTS, codec)
    wait_until(lambda: worker.has_applied(len(EVENTS)), 60, "it is applied")
    assert dead_letters(inputs.kafka)[0] == {}


def test_what_retention_took_before_it_was_read_is_counted_and_named(inputs: Inputs) -> None:
    vitals = [event for event in EVENTS if topic_of(event) is TopicName.VITALS]
    worker = inputs.hire()
    worker.wait_until_ready()
    inputs.send(vitals[:5])
    wait_until(lambda: worker.has_applied(5), 60, "the first are applied")
    assert worker.stop() == 0
    inputs.send(vitals[5:15])
    admin = inputs.admin()
    admin.delete_records({TopicPartition(inputs.kafka.topic(TopicName.VITALS), 0): 12})
    admin.close()
    again = inputs.hire()
    wait_until(lambda: again.is_ready() and again.events == 3, 60, "those that are left are applied")
    assert again.figure("rescue_monitor_lost_records_total") == 7
    log = again.log.read_text(encoding="utf-8")
    assert f"{inputs.kafka.prefix}icu.vitals[0]: the records 5 to 11 were deleted before they were read" in log


def made_anew(inputs: Inputs) -> None:
    admin = inputs.admin()
    topic = inputs.kafka.topic(TopicName.VITALS)
    admin.delete_topics([topic])
    wait_until(lambda: topic not in admin.list_topics(), 30, "the topic is gone")
    admin.close()
    with TopicAdmin(inputs.kafka) as topics:
        topics.create(partitions=1)


def test_an_input_that_is_made_anew_is_not_taken_for_the_old_one(inputs: Inputs) -> None:
    worker = inputs.hire()
    worker.wait_until_ready()
    inputs.send(EVENTS)
    wait_until(lambda: worker.has_applied(len(EVENTS)), 60, "all is applied")
    made_anew(inputs)
    inputs.send([event for event in EVENTS if topic_of(event) is TopicName.VITALS][:3])
    assert worker.process.wait(90) in (70, 78), "whichever it notices first: that there is less, or another topic"
    log = inputs.refused(inputs.hire())
    assert f"{inputs.kafka.prefix}icu.vitals: deleted and created again since the state was kept" in log
    assert "use another prefix" in log


def test_partitions_that_are_added_are_refused(inputs: Inputs) -> None:
    worker = inputs.hire()
    worker.wait_until_ready()
    inputs.send(EVENTS)
    wait_until(lambda: worker.has_applied(len(EVENTS)), 60, "all is applied")
    assert worker.stop() == 0
    admin = inputs.admin()
    admin.create_partitions({inputs.kafka.topic(name): 2 for name in PARTITIONED_ALIKE})
    admin.close()
    assert "the inputs had 1 partitions, and have 2 now" in inputs.refused(inputs.hire())


def test_a_second_group_on_one_prefix_is_refused(inputs: Inputs) -> None:
    worker = inputs.hire()
    worker.wait_until_ready()
    inputs.send(EVENTS)
    wait_until(lambda: worker.has_applied(len(EVENTS)), 60, "all is applied")
    log = inputs.refused(inputs.hire(group="others"))
    assert "are worked on by the group 'rescue-monitor', not 'others'" in log
    assert worker.is_ready()
