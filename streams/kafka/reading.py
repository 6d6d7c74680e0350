"""Reads a topic from its beginning, without a consumer group: what is there, then what comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaConsumer, TopicPartition

from streams.kafka.connecting import BrokerError, connect, explained
from streams.kafka.settings import KafkaSettings
from streams.topics import TopicName

_POLL_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Record:
    """One record and where it is; ``partition`` and ``offset`` count from 0."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()

    @property
    def position(self) -> str:
        """Where it is, in one word: ``icu.vitals[3]@17``."""
        return position(self.topic, self.partition, self.offset)


def position(topic: str, partition: int, offset: int) -> str:
    """Where a record is, in one word."""
    return f"{topic}[{partition}]@{offset}"


class TopicReader:
    """All partitions of one topic; made by ``with``. Records of one partition come in their order.

    Raises:
        BrokerError: here and in each method, if the cluster cannot be reached, refuses or has no such topic.
    """

    def __init__(self, settings: KafkaSettings, name: TopicName) -> None:
        topic = settings.topic(name)
        self._consumer = connect(
            KafkaConsumer,
            settings,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
        )
        with explained():
            partitions = self._consumer.partitions_for_topic(topic)
        if not partitions:
            self._consumer.close()
            raise BrokerError(f"{topic}: no such topic; make it with: rescue-monitor topics create")
        self._partitions = [TopicPartition(topic, number) for number in sorted(partitions)]
        self._consumer.assign(self._partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def present(self) -> Iterator[Record]:
        """The records that are there now."""
        with explained():
            self._consumer.seek_to_beginning(*self._partitions)
            ends: dict[Any, int] = self._consumer.end_offsets(self._partitions)
        while any(self._reached(partition) < end for partition, end in ends.items()):
            yield from (record for record in self._poll() if record.offset < ends[_partition_of(record)])

    def coming(self) -> Iterator[Record]:
        """The records after those of :meth:`present`, for ever, as they come."""
        while True:
            yield from self._poll()

    def _reached(self, partition: Any) -> int:
        with explained():
            reached: int = self._consumer.position(partition)
        return reached

    def _poll(self) -> list[Record]:
        with explained():
            batches = self._consumer.poll(timeout_ms=_POLL_MS)
        return [
            Record(one.topic, one.partition, one.offset, one.key, one.value, tuple(one.headers))
            for batch in batches.values()
            for one in batch
        ]


def _partition_of(record: Record) -> Any:
    return TopicPartition(record.topic, record.partition)
