"""The table of topics: every kind of event has one home, and nothing that is needed is thrown away."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from aiokafka.partitioner import DefaultPartitioner
from kafka.partitioner.default import murmur2

from rules.events import json_schema
from streams.logfile import LONGEST_LINE
from streams.topics import FAMILY, INPUTS, LARGEST_RECORD, TOPICS, TopicName, configuration

REMEMBERED = timedelta(days=14)
"""What ARCHITECTURE.md says the rules remember longest."""


def test_every_kind_of_event_travels_in_exactly_one_topic() -> None:
    homes = Counter(kind for topic in TOPICS.values() for kind in topic.kinds)
    assert homes == Counter(json_schema()["discriminator"]["mapping"].keys())


def test_every_name_has_a_topic_and_begins_as_the_family_does() -> None:
    assert set(TOPICS) == set(TopicName)
    assert all(name.startswith(FAMILY) for name in TopicName)


def test_inputs_outlast_what_the_rules_remember_and_are_never_compacted() -> None:
    for name in INPUTS:
        retention = TOPICS[name].retention
        assert retention is not None
        assert retention > REMEMBERED


def test_only_topics_whose_newest_record_says_all_are_compacted() -> None:
    assert {name for name, topic in TOPICS.items() if topic.compacted} == {TopicName.STATUS, TopicName.STATE}


def test_the_longest_line_of_a_log_fits() -> None:
    assert LARGEST_RECORD > LONGEST_LINE
    assert all(int(configuration(topic, 3)["max.message.bytes"]) >= LARGEST_RECORD for topic in TOPICS.values())


def test_a_dead_letter_has_room_for_the_largest_record_and_for_its_reason() -> None:
    assert TOPICS[TopicName.REJECTED].largest > max(TOPICS[name].largest for name in INPUTS)


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_a_record_is_acknowledged_by_two_replicas_where_a_third_may_be_lost(replicas: int, in_sync: str) -> None:
    assert configuration(TOPICS[TopicName.VITALS], replicas)["min.insync.replicas"] == in_sync


# What Java's own producer chooses of 12 partitions; made with Kafka 4.4's Utils.murmur2.
@pytest.mark.parametrize(("patient", "partition"), [("bed-1", 2), ("30955999", 5), ("pé", 1)])
def test_a_patient_has_the_partition_that_every_client_chooses(patient: str, partition: int) -> None:
    key = patient.encode()
    assert (murmur2(key) & 0x7FFFFFFF) % 12 == partition
    assert DefaultPartitioner()(key, list(range(12)), list(range(12))) == partition
