"""The broker of the tests and of developers: it can be stopped, killed and started again on its data."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaProducer

from streams.kafka.admin import TopicAdmin
from streams.kafka.reading import TopicReader
from streams.kafka.settings import KafkaSettings
from streams.topics import TopicName
from tests.integration import brokers
from tests.integration.brokers import GIVEN, MARKS, REQUIRED, OwnBroker, broker_at_hand, is_listening, own_broker

pytestmark = list(MARKS)


def settings_of(broker: OwnBroker) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(broker.servers,))


def contents(kafka: KafkaSettings) -> list[bytes | None]:
    with TopicReader(kafka, TopicName.VITALS) as reader:
        return [record.value for record in reader.present()]


def write(kafka: KafkaSettings, value: bytes) -> None:
    producer: Any = KafkaProducer(**kafka.client_options(), acks="all")
    producer.send(kafka.topic(TopicName.VITALS), value, key=b"bed-1").get(timeout=30)
    producer.close()


def test_what_was_acknowledged_outlives_a_stop_and_a_kill(tmp_path: Path) -> None:
    with own_broker(tmp_path) as broker:
        kafka = settings_of(broker)
        with TopicAdmin(kafka) as admin:
            admin.create(partitions=2)
        write(kafka, b"one")
        broker.restart()
        write(kafka, b"two")
        broker.kill()
        assert not is_listening(broker.port)
        broker.start()
        assert contents(kafka) == [b"one", b"two"]
    assert not is_listening(broker.port)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = subprocess.run(
            [brokers.RUN, f"--port={port}", f"--data={tmp_path}"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert started.returncode == 1
    assert f"already listens on 127.0.0.1:{port}" in started.stderr


@pytest.fixture
def without_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "run"
    script.write_text("#!/bin/sh\necho no Java >&2\nexit 1\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(brokers, "RUN", script)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv(GIVEN, raising=False)
    monkeypatch.delenv(REQUIRED, raising=False)
    return tmp_path


def test_where_a_real_broker_is_required_nothing_less_is_used(
    without_java: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no Java"), broker_at_hand(without_java):
        pass


def test_a_broker_that_is_given_is_used(without_java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, "kafka.example:9092")
    with broker_at_hand(without_java) as broker:
        assert broker.servers == "kafka.example:9092"


def test_where_nothing_better_is_at_hand_a_mock_carries_records(without_java: Path) -> None:
    with broker_at_hand(without_java) as broker:
        assert not broker.real
        assert asyncio.run(carried(broker.servers, b"one")) == b"one"


async def carried(servers: str, value: bytes) -> bytes | None:
    """What comes out when a value is sent; by aiokafka, because kafka-python does not understand the mock."""
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    consumer = AIOKafkaConsumer("carried", bootstrap_servers=servers, auto_offset_reset="earliest")
    async with producer, consumer:
        await producer.send_and_wait("carried", value)
        record = await consumer.getone()
        content: bytes | None = record.value
        return content
