"""The worker on a real broker passes the suite that every lasting runtime passes."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from rules.events import Event
from streams.kafka.admin import TopicAdmin
from streams.kafka.publish import Publisher
from streams.kafka.settings import KafkaSettings, WorkerSettings
from streams.topics import INPUTS
from tests.integration.brokers import MARKS, Broker, wait_until
from tests.integration.workers import WorkerProcess, said
from tests.streams.conformance import Conformance
from tests.streams.stream import Words

pytestmark = list(MARKS)

PARTITIONS = 2


class OnKafka:
    """One worker after the other on topics of their own."""

    def __init__(self, kafka: KafkaSettings, folder: Path) -> None:
        self._kafka, self._folder = kafka, folder
        self._newest: datetime | None = None
        self._publisher = Publisher(kafka)
        self._start()

    def _start(self) -> None:
        # Only marks say that nothing more comes: pieces may take long to follow one another.
        self._worker = WorkerProcess(self._kafka, self._folder, snapshot_interval=0.5, patience=300.0)

    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            self._newest = event.received_at if self._newest is None else max(self._newest, event.received_at)
            self._publisher.send(event)
        self._publisher.settle()

    def close(self) -> None:
        if self._newest is not None:
            self._publisher.mark(self._newest)

    def crash(self) -> None:
        self._worker.wait_until_ready()
        self._worker.kill()
        self._start()

    def said(self) -> Words:
        wait_until(self._is_at_the_end, 120, "everything has been applied and kept", 0.5)
        found = said(self._kafka)
        assert all(len(lines) == 1 for lines in found.values())
        return {place: line for place, (line,) in found.items()}

    def _is_at_the_end(self) -> bool:
        """Whether the offsets that are committed are the ends of the inputs."""
        group = self._kafka.prefix + WorkerSettings.model_fields["group"].default
        consumer: Any = KafkaConsumer(**self._kafka.client_options(), group_id=group, enable_auto_commit=False)
        try:
            places = [TopicPartition(self._kafka.topic(name), n) for name in INPUTS for n in range(PARTITIONS)]
            ends = consumer.end_offsets(places)
            return all((consumer.committed(place) or 0) >= ends[place] for place in places)
        finally:
            consumer.close()

    def stop(self) -> None:
        self._publisher.__exit__(None, None, None)
        self._worker.kill()


class TestKafka(Conformance):
    crashes = 0.15  # the others of a group wait for one that is dead

    @pytest.fixture
    def runtime(self, broker: Broker, kafka: KafkaSettings, tmp_path: Path) -> Iterator[OnKafka]:
        broker.need_to_be_real()
        with TopicAdmin(kafka) as admin:
            admin.create(partitions=PARTITIONS)
        found = OnKafka(kafka, tmp_path)
        yield found
        found.stop()
