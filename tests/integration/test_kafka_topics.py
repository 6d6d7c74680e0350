"""The topics of a real cluster: created once, described, checked, and never changed or deleted."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.admin import KafkaAdminClient

from streams.kafka.admin import TopicAdmin
from streams.kafka.connecting import BrokerError
from streams.kafka.settings import KafkaSettings
from streams.topics import TOPICS, TopicName
from tests.integration.brokers import MARKS, Broker, free_port

pytestmark = list(MARKS)


@pytest.fixture(autouse=True)
def _real(broker: Broker) -> None:
    broker.need_to_be_real()


def create(kafka: KafkaSettings, name: str, partitions: int, **configs: str) -> None:
    client: Any = KafkaAdminClient(**kafka.client_options())
    client.create_topics(
        {kafka.prefix + name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}},
        wait_for_metadata=True,
    )
    client.close()


def test_all_topics_are_created_once_and_are_right(kafka: KafkaSettings) -> None:
    with TopicAdmin(kafka) as admin:
        assert len(admin.check()) == len(TOPICS)
        assert set(admin.create(partitions=3)) == {kafka.topic(name) for name in TOPICS}
        assert admin.check() == []
        assert admin.create(partitions=3) == []
        found = admin.describe()
    assert {(topic.partitions, topic.replication_factor) for topic in found.values()} == {(3, 1)}
    assert found[kafka.topic(TopicName.STATUS)].settings["cleanup.policy"] == "compact"


def test_topics_that_are_missing_join_those_that_are_there(kafka: KafkaSettings) -> None:
    create(kafka, "icu.vitals", 5)
    with TopicAdmin(kafka) as admin:
        with pytest.raises(BrokerError, match="have 5 partitions, so the missing ones cannot have 4"):
            admin.create(partitions=4)
        assert len(admin.create()) == len(TOPICS) - 1
        assert {topic.partitions for topic in admin.describe().values()} == {5}


def test_what_is_wrong_is_named_and_left_alone(kafka: KafkaSettings) -> None:
    create(kafka, "icu.actions", 2)
    create(kafka, "icu.vitals", 3)
    create(kafka, "icu.status", 1)
    create(kafka, "icu.strange", 1)
    with TopicAdmin(kafka) as admin:
        before = admin.describe()
        admin.create(partitions=3)
        text = "\n".join(map(str, admin.check()))
        assert {name: admin.describe()[name] for name in before} == before
    assert "the inputs, the state and the dead letters must have equally many partitions" in text
    assert f"{kafka.prefix}icu.status: cleanup.policy is 'delete' instead of 'compact'" in text
    assert f"{kafka.prefix}icu.strange: unknown" in text
    assert f"{kafka.prefix}icu.vitals: retention.ms is 604800000, less than 1296000000" in text


def test_more_replicas_than_brokers_are_refused_with_the_brokers_reason(kafka: KafkaSettings) -> None:
    with TopicAdmin(kafka) as admin, pytest.raises(BrokerError, match="replication factor"):
        admin.create(partitions=1, replication_factor=3)


def test_a_cluster_that_does_not_answer_is_named() -> None:
    settings = KafkaSettings(bootstrap_servers=(f"127.0.0.1:{free_port()}",))
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:\d+: no Kafka answers"):
        TopicAdmin(settings)
