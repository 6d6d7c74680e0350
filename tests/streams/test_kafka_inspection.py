"""What is wrong with a cluster's topics is found by comparison alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.kafka.inspection import FoundTopic, faults, partitions_of_inputs
from streams.topics import TOPICS, TopicName, configuration

PREFIX = "ward-7."


def cluster() -> dict[str, FoundTopic]:
    return {PREFIX + name: FoundTopic(PREFIX + name, 12, 3, configuration(topic, 3)) for name, topic in TOPICS.items()}


def texts(found: dict[str, FoundTopic]) -> list[str]:
    return [str(fault).removeprefix(PREFIX) for fault in faults(found, PREFIX, 3)]


def changed(name: TopicName, **settings: str) -> dict[str, FoundTopic]:
    found = cluster()
    topic = found[PREFIX + name]
    new = {key.replace("_", "."): value for key, value in settings.items()}
    return found | {PREFIX + name: replace(topic, settings={**topic.settings, **new})}


def test_topics_as_they_are_created_are_right() -> None:
    assert texts(cluster()) == []


def test_topics_of_others_are_passed_over() -> None:
    others = FoundTopic("icu.vitals", 1, 1, {})
    assert texts(cluster() | {"icu.vitals": others, "orders": replace(others, name="orders")}) == []


def test_each_fault_is_named_at_its_topic() -> None:
    found = cluster()
    del found[PREFIX + TopicName.ALERTS]
    found[PREFIX + TopicName.ACTIONS] = replace(found[PREFIX + TopicName.ACTIONS], partitions=6, replication_factor=1)
    found[PREFIX + "icu.strange"] = FoundTopic(PREFIX + "icu.strange", 1, 3, {})
    counts = "ward-7.icu.vitals 12, ward-7.icu.treatments 12, ward-7.icu.encounters 12, ward-7.icu.actions 6, "
    counts += "ward-7.icu.state 12, ward-7.icu.rejected 12"
    assert texts(found) == [
        "icu.actions: 1 replicas of each record instead of 3",
        "icu.actions: min.insync.replicas exceeds the 1 replicas: nothing can be written",
        "icu.alerts: missing",
        "icu.*: the inputs, the state and the dead letters must have equally many partitions (" + counts + ")",
        "icu.strange: unknown: nothing reads or writes it",
    ]


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        (TopicName.STATUS, {"cleanup_policy": "delete"}, "instead of 'compact': old records never go"),
        (TopicName.ENCOUNTERS, {"cleanup_policy": "compact"}, "records that are still needed would go"),
        (TopicName.ALERTS, {"cleanup_policy": "compact,delete"}, "records that are still needed would go"),
        (TopicName.VITALS, {"retention_ms": "3600000"}, "retention.ms is 3600000, less than"),
        (TopicName.VITALS, {"max_message_bytes": "1048588"}, "max.message.bytes is 1048588, less than"),
        (TopicName.REJECTED, {"min_insync_replicas": "1"}, "min.insync.replicas is 1, less than 2"),
    ],
)
def test_a_setting_that_loses_records_is_named(name: TopicName, settings: dict[str, str], said: str) -> None:
    (text,) = texts(changed(name, **settings))
    assert text.startswith(f"{name}: ")
    assert said in text


def test_keeping_records_longer_is_no_fault() -> None:
    assert texts(changed(TopicName.VITALS, retention_ms="-1")) == []


def test_the_inputs_that_are_there_say_how_many_partitions_there_are() -> None:
    assert partitions_of_inputs(cluster(), PREFIX) == 12
    assert partitions_of_inputs(cluster(), "") is None
