"""The worker's own clients: aiokafka made from the settings, one to write, one to read state back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.deadletters import NotADeadLetterError, read_dead_letter
from streams.kafka.settings import KafkaSettings
from streams.letterbox import Letterbox, Source
from streams.topics import INPUTS, LARGEST_DEAD_LETTER, TopicName

_ACKNOWLEDGED_WITHIN_MS: Final = 30_000
_AT_ONCE: Final = 1000


class Message(NamedTuple):
    """One record to be written; without a ``partition``, the key decides."""

    topic: TopicName
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Outbox(Protocol):
    """Where messages go."""

    async def send(self, messages: Iterable[Message]) -> Sequence[int]:
        """Send messages, in their order for each key; once the brokers have all, return their offsets, or -1."""


class Gap(NamedTuple):
    """What is at offsets that were not delivered: the ``first`` that is still there, and whether any holds a record."""

    first: int
    filled: bool


class Journal(Protocol):
    """Reads what is stored, without being a member of any group."""

    async def gap(self, topic: TopicName, partition: int, offsets: range) -> Gap:
        """What is at these offsets."""

    async def read(self, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
        """The newest state of each key, by partition."""

    async def letters(self, begins: Mapping[int, int]) -> Mapping[int, Letterbox]:
        """The dead letters about records of some partitions, of each from an offset on."""


class KafkaOutbox:
    """Writes with acknowledgement by all replicas in sync; the producer repeats none."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None

    async def stop(self) -> None:
        """Say goodbye."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, messages: Iterable[Message]) -> list[int]:
        """Send messages and wait for the brokers; returns where each was stored, or -1 if they do not remember.

        Raises:
            KafkaError: if one is not taken in time.
        """
        if self._producer is None:
            self._producer = await self._connected()
        sent = [
            await self._producer.send(
                self._settings.topic(message.topic),
                key=message.key,
                value=message.value,
                partition=message.partition,
                headers=list(message.headers),
            )
            for message in messages
        ]
        return [stored.offset for stored in await asyncio.gather(*sent)]

    async def _connected(self) -> Any:
        producer = AIOKafkaProducer(
            **aiokafka_options(self._settings),
            acks="all",
            enable_idempotence=True,
            max_request_size=LARGEST_DEAD_LETTER,
            max_batch_size=1 << 18,
            request_timeout_ms=_ACKNOWLEDGED_WITHIN_MS,
        )
        await producer.start()
        return producer


class KafkaJournal:
    """Reads partitions from one place to another.

    Gaps are asked for often where producers use transactions, so there is one connection for that, used by one question
    after the other; everything else has a connection for each question.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._for_gaps: Any = None

    async def stop(self) -> None:
        """Say goodbye."""
        if self._for_gaps is not None:
            await self._for_gaps.stop()

    async def gap(self, topic: TopicName, partition: int, offsets: range) -> Gap:
        """What is at these offsets; marks of transactions, and records of those that were given up, are nothing.

        Raises:
            KafkaError: if it cannot be read.
        """
        place = TopicPartition(self._settings.topic(topic), partition)
        if self._for_gaps is None:
            self._for_gaps = self._consumer()
            await self._for_gaps.start()
        consumer = self._for_gaps
        if consumer.assignment() != {place}:
            consumer.assign([place])
        first: int = (await consumer.beginning_offsets([place]))[place]
        consumer.seek(place, max(first, offsets.start))
        while await consumer.position(place) < offsets.stop:
            for records in (await consumer.getmany(place, timeout_ms=1000, max_records=1)).values():
                return Gap(first, bool(records[0].offset < offsets.stop))
        return Gap(first, filled=False)

    async def read(self, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
        """The newest state of each key, by partition; a key whose state was taken away is not there.

        Raises:
            KafkaError: if it cannot be read.
        """
        topic = self._settings.topic(TopicName.STATE)
        wanted = [TopicPartition(topic, number) for number in partitions]
        states: dict[int, dict[bytes, bytes]] = {place.partition: {} for place in wanted}
        if not wanted:
            return states
        async with self._reader(wanted) as consumer:
            await consumer.seek_to_beginning(*wanted)
            async for record in _up_to(await consumer.end_offsets(wanted), consumer):
                if record.value is None:
                    states[record.partition].pop(record.key, None)
                else:
                    states[record.partition][record.key] = record.value
        return states

    async def letters(self, begins: Mapping[int, int]) -> dict[int, Letterbox]:
        """The dead letters about records of some partitions, of each from an offset on.

        Raises:
            KafkaError: if they cannot be read.
        """
        topic = self._settings.topic(TopicName.REJECTED)
        wanted = [TopicPartition(topic, number) for number in begins]
        inputs = {self._settings.topic(name): name for name in INPUTS}
        found: dict[int, dict[Source, int]] = {number: {} for number in begins}
        if not wanted:
            return {}
        async with self._reader(wanted) as consumer:
            first = await consumer.beginning_offsets(wanted)
            ends = await consumer.end_offsets(wanted)
            for place in wanted:
                consumer.seek(place, max(first[place], begins[place.partition]))
            async for record in _up_to(ends, consumer):
                # Notes of what was sent again lie among them, and whatever else somebody has put there.
                with suppress(NotADeadLetterError):
                    letter = read_dead_letter(None, None, record.headers)
                    if letter.topic in inputs and letter.partition == record.partition:
                        found[record.partition].setdefault((inputs[letter.topic], letter.offset), record.offset)
        return {place.partition: Letterbox(found[place.partition], ends[place]) for place in wanted}

    @asynccontextmanager
    async def _reader(self, places: list[Any]) -> AsyncIterator[Any]:
        consumer = self._consumer()
        await consumer.start()
        try:
            consumer.assign(places)
            yield consumer
        finally:
            await consumer.stop()

    def _consumer(self) -> Any:
        return AIOKafkaConsumer(
            **aiokafka_options(self._settings),
            enable_auto_commit=False,
            max_partition_fetch_bytes=1 << 24,
            isolation_level="read_committed",
        )


async def _up_to(ends: Mapping[Any, int], consumer: Any) -> AsyncIterator[Any]:
    """The records from where a consumer is, up to an offset of each partition."""
    while open_ends := [place for place, end in ends.items() if await consumer.position(place) < end]:
        batches = await consumer.getmany(*open_ends, timeout_ms=1000, max_records=_AT_ONCE)
        for records in batches.values():
            for record in records:
                yield record


def aiokafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """What every client of aiokafka is made with; the secrets are in it, so it is not for printing."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": "rescue-monitor",
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.startswith("SASL") and settings.sasl_password is not None:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(settings)
    return options


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """What is trusted, and the client's own certificate where there is one."""
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certfile is not None:
        password = None if settings.ssl_password is None else settings.ssl_password.get_secret_value()
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
    return context
