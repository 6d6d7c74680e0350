"""Workers on a real broker: what they say is what a replay says, whatever comes in and whoever dies."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from monitor.demo.build import LOG as DEMO_LOG
from streams.kafka.admin import TopicAdmin
from streams.kafka.settings import KafkaSettings
from streams.logfile import LONGEST_LINE
from streams.topics import INPUTS, LARGEST_RECORD, TopicName
from tests.integration.brokers import MARKS, Broker, is_listening, wait_until
from tests.integration.workers import WorkerProcess, dead_letters, exactly, said, send
from tests.streams.stream import Words, events_of, said_by_replay

pytestmark = list(MARKS)

PARTITIONS = 4
SOON = 4.0
"""Patience where the log is short and not closed, so that its last seconds are waited for."""

FAUSTS_OWN_PORT = 6066


class Crew:
    """The workers of one test, all gone in the end."""

    def __init__(self, kafka: KafkaSettings, folder: Path) -> None:
        self.kafka, self.folder = kafka, folder
        self.hired: list[WorkerProcess] = []

    def hire(self, *arguments: str, **settings: float | str) -> WorkerProcess:
        worker = WorkerProcess(self.kafka, self.folder, *arguments, **settings)
        self.hired.append(worker)
        return worker


@pytest.fixture
def topics(broker: Broker, kafka: KafkaSettings) -> KafkaSettings:
    broker.need_to_be_real()
    with TopicAdmin(kafka) as admin:
        admin.create(partitions=PARTITIONS)
    return kafka


@pytest.fixture
def crew(topics: KafkaSettings, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(topics, tmp_path)
    yield crew
    for worker in crew.hired:
        worker.kill()


def wait_for(kafka: KafkaSettings, words: Words) -> None:
    # Reading all of it takes as much of the machine as writing it.
    wait_until(lambda: set(words) <= set(said(kafka)), 120, "everything that a replay says has been published", 0.5)


def test_the_demo_through_kafka_is_the_replay_byte_for_byte(topics: KafkaSettings, crew: Crew) -> None:
    send(topics, events_of(DEMO_LOG), close=True)
    worker = crew.hire()
    wait_for(topics, said_by_replay())
    wait_until(lambda: worker.has_applied(len(events_of(DEMO_LOG))), 60, "everything has been applied")
    assert worker.ask("/livez")[0] == 200
    metrics = worker.ask("/metrics")[1]
    assert "rescue_monitor_patients 10.0" in metrics
    assert "bed-" not in metrics
    assert worker.events == len(events_of(DEMO_LOG))
    assert not is_listening(FAUSTS_OWN_PORT)
    assert worker.stop() == 0
    assert said(topics) == exactly(said_by_replay())
    again = crew.hire(patience=SOON)
    again.wait_until_ready()
    send(topics, events_of(DEMO_LOG)[-1:])
    wait_until(lambda: again.has_applied(1), 60, "what came afterwards has been applied")
    assert again.events == 1, "an orderly end leaves nothing to be read again"
    assert "bed-" not in "".join(hired.log.read_text(encoding="utf-8") for hired in crew.hired)


def send_nothing(topics: KafkaSettings, name: TopicName) -> str:
    """Send a record with neither key nor value, as most clients would not; where it was stored."""
    places: list[str] = []
    producer = Producer({"bootstrap.servers": ",".join(topics.bootstrap_servers)})
    producer.produce(
        topics.topic(name), on_delivery=lambda _, it: places.append(f"{it.topic()}[{it.partition()}]@{it.offset()}")
    )
    producer.flush(30)
    return places[0]


def test_poison_on_every_input_is_set_aside_once_with_its_reason_although_it_is_read_again(
    topics: KafkaSettings, crew: Crew
) -> None:
    events = events_of(DEMO_LOG, "bed-4")
    half = len(events) // 2
    send(topics, events[:half])
    with ExitStack() as stack:
        producer: Any = KafkaProducer(**topics.client_options(), acks="all", max_request_size=LARGEST_RECORD)
        stack.callback(producer.close)
        noise = random.Random(4).randbytes(300)
        strange = events[0].model_dump_json().replace('"schema_version":1', '"schema_version":99').encode()
        of_another = events[0].model_dump_json().encode()
        poison = [
            ("malformed", b"bed-4", noise),
            ("empty", b"bed-4", None),
            ("too_long", b"bed-4", b"x" * (LONGEST_LINE + 1000)),
            ("malformed", b"bed-4", strange),
            ("wrong_key", b"bed-1", of_another),
            ("malformed", b"\xff\xfe", b"\x00"),
        ]
        wanted = {}
        for name in INPUTS:
            for reason, key, value in poison:
                place = producer.send(topics.topic(name), key=key, value=value).get(timeout=30)
                wanted[f"{place.topic}[{place.partition}]@{place.offset}"] = reason
            place = producer.send(topics.topic(name), value=of_another).get(timeout=30)
            wanted[f"{place.topic}[{place.partition}]@{place.offset}"] = "wrong_key"
            wanted[send_nothing(topics, name)] = "empty"
    send(topics, events[half:], close=True)
    one = crew.hire(snapshot_interval=600.0)
    wait_for(topics, said_by_replay("bed-4"))
    wait_until(lambda: set(wanted) <= set(dead_letters(topics)[0]), 60, "all poison has been set aside")
    one.kill()
    two = crew.hire()
    wait_until(lambda: two.has_applied(len(events)), 60, "another worker has read all of it again")
    assert two.figure("rescue_monitor_rejected_total") > len(poison), "poison too, for no state was kept"
    reasons, often = dead_letters(topics)
    assert {source: reasons[source].partition(":")[0] for source in wanted} == wanted
    assert set(often.values()) == {1}
    assert said(topics) == exactly(said_by_replay("bed-4"))


def test_a_second_worker_takes_its_share_and_gives_it_back(topics: KafkaSettings, crew: Crew) -> None:
    events = events_of(DEMO_LOG)
    third = len(events) // 3
    one = crew.hire(patience=SOON)
    send(topics, events[:third])
    wait_until(lambda: one.has_applied(third), 60, "the first third has been applied")
    two = crew.hire(patience=SOON)
    wait_until(lambda: two.figure("rescue_monitor_partitions") == PARTITIONS / 2, 60, "the second has its share")
    send(topics, events[third : 2 * third])
    wait_until(lambda: one.has_applied(third + 1) and two.has_applied(1), 60, "each has applied some")
    assert one.figure("rescue_monitor_partitions") == PARTITIONS / 2
    assert two.stop() == 0
    send(topics, events[2 * third :], close=True)
    wait_for(topics, said_by_replay())
    assert one.figure("rescue_monitor_partitions") == PARTITIONS
    assert said(topics) == exactly(said_by_replay())


def test_state_of_other_rules_is_refused(topics: KafkaSettings, crew: Crew, tmp_path: Path) -> None:
    send(topics, events_of(DEMO_LOG, "bed-6")[:50])
    worker = crew.hire(patience=SOON)
    wait_until(lambda: worker.has_applied(50), 60, "all has been applied")
    assert worker.stop() == 0
    site = tmp_path / "site.yaml"
    site.write_text("strict_fluid: true\n", encoding="utf-8")
    other = crew.hire("--settings", str(site))
    assert other.process.wait(60) == 78
    log = other.log.read_text(encoding="utf-8")
    assert "made with other site settings" in log
    assert "bed-6" not in log
