"""One broker for all tests that need Kafka; their marks are ``brokers.MARKS``."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from itertools import count

import pytest

from streams.kafka.settings import KafkaSettings
from tests.integration.brokers import Broker, broker_at_hand

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker_at_hand(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def _sockets_collected() -> Iterator[None]:
    """Finds what the clients of a test have left open while its warning is expected."""
    yield
    gc.collect()


@pytest.fixture
def kafka(broker: Broker) -> KafkaSettings:
    """How to reach the broker, with a prefix that no other test has."""
    return KafkaSettings(
        bootstrap_servers=tuple(broker.servers.split(",")), prefix=f"test-{os.getpid()}-{next(_NUMBERS)}."
    )
