"""The eight topics of the stream: what each carries, under which key, and how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rules.events import Event
from rules.outputs import StatusChange
from streams.logfile import LONGEST_LINE

LARGEST_RECORD: Final = LONGEST_LINE + (1 << 16)
"""Bytes of the largest record that a topic takes: the longest line of a log, with key, headers and framing."""

LARGEST_DEAD_LETTER: Final = LARGEST_RECORD + (1 << 16)
"""Bytes of the largest dead letter: the largest record with headers that say why it is one."""


class TopicName(StrEnum):
    """What the topics are called, before a site's prefix."""

    VITALS = "icu.vitals"
    TREATMENTS = "icu.treatments"
    ENCOUNTERS = "icu.encounters"
    ACTIONS = "icu.actions"
    ALERTS = "icu.alerts"
    STATUS = "icu.status"
    REJECTED = "icu.rejected"
    STATE = "icu.state"


FAMILY: Final = "icu."
"""How each name begins."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        name: without prefix.
        content: what one record is.
        key: what the key of a record is, as UTF-8.
        retention: how long a record is kept at least; None where only the newest record of each key is kept.
        largest: bytes of the largest record.
        settings: further settings, in Kafka's words.
        kinds: the kinds of event that travel here; a topic with any is an input. The inputs have equally many
            partitions, so that all events of a patient reach the same worker.
    """

    name: TopicName
    content: str
    key: str
    retention: timedelta | None
    largest: int = LARGEST_RECORD
    settings: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()

    @property
    def is_input(self) -> bool:
        """Whether events are read from here."""
        return bool(self.kinds)

    @property
    def compacted(self) -> bool:
        """Whether only the newest record of each key is kept."""
        return self.retention is None


# What the rules remember longest is 14 days old: within that, a worker's state can be made anew from its inputs.
_REMEMBERED: Final = timedelta(days=15)

TOPICS: Final[Mapping[TopicName, Topic]] = MappingProxyType(
    {
        topic.name: topic
        for topic in (
            Topic(
                TopicName.VITALS,
                "what was measured: vital signs, ventilator, laboratory, EEG",
                key="patient",
                retention=_REMEMBERED,
                kinds=frozenset({"observations"}),
            ),
            Topic(
                TopicName.TREATMENTS,
                "what was done and found: infusions, doses, fluids, procedures, examinations, cultures, seizures, "
                "resuscitation",
                key="patient",
                retention=_REMEMBERED,
                kinds=frozenset(
                    {"infusion", "dose", "fluid", "procedure", "assessment", "culture", "seizure", "resuscitation"}
                ),
            ),
            # Never compacted: a record says only what has changed. Kept longer than a stay lasts.
            Topic(
                TopicName.ENCOUNTERS,
                "who the patient is: admission, weight, conditions, goals of care, transfer, discharge",
                key="patient",
                retention=timedelta(days=180),
                kinds=frozenset({"encounter"}),
            ),
            Topic(
                TopicName.ACTIONS,
                "what clinicians answered to alerts",
                key="patient",
                retention=_REMEMBERED,
                kinds=frozenset({"action"}),
            ),
            # Never compacted: under the key of the patient, that would keep one alert of several.
            Topic(
                TopicName.ALERTS,
                "alerts that were raised or changed; the newest record of an alert's id is its present state",
                key="patient",
                retention=timedelta(days=90),
            ),
            Topic(
                TopicName.STATUS,
                "the present verdict on one pathway of one patient",
                key="pathway/patient",
                retention=None,
            ),
            Topic(
                TopicName.REJECTED,
                "dead letters: what could not be used, why, and where it came from",
                key="as it came",
                retention=timedelta(days=30),
                largest=LARGEST_DEAD_LETTER,
            ),
            # Read whole by whoever takes over a partition, so what is out of date goes soon: that is not before a
            # segment is closed.
            Topic(
                TopicName.STATE,
                "the workers' own: the state of a patient, from which another worker continues",
                key="patient",
                retention=None,
                settings=MappingProxyType(
                    {
                        "segment.bytes": str(16 << 20),
                        "segment.ms": str(10 * 60_000),
                        "min.cleanable.dirty.ratio": "0.1",
                    }
                ),
            ),
        )
    }
)

INPUTS: Final = tuple(topic.name for topic in TOPICS.values() if topic.is_input)
"""The topics that hold events."""

PARTITIONED_ALIKE: Final = (*INPUTS, TopicName.STATE, TopicName.REJECTED)
"""The topics with equally many partitions: a worker that holds one partition of an input holds it of all of these."""

AT_ONE_INSTANT: Final = (TopicName.VITALS, TopicName.ENCOUNTERS, TopicName.ACTIONS, TopicName.TREATMENTS)
"""The order of the inputs for events that were received at the same instant.

Events of a resuscitation are decided on as they come, so what was received with them comes before them.
"""

_OF_KIND: Final = {kind: topic.name for topic in TOPICS.values() for kind in topic.kinds}


def topic_of(event: Event) -> TopicName:
    """The topic in which an event travels."""
    return _OF_KIND[event.kind]


_RANKS: Final = {name: rank for rank, name in enumerate(AT_ONE_INSTANT)}


def rank_of(event: Event) -> int:
    """The place of an event among those that were received at the same instant, by :data:`AT_ONE_INSTANT`."""
    return _RANKS[topic_of(event)]


def key_of(event: Event) -> bytes:
    """The key of an event's record, which decides its partition."""
    return event.subject.encode()


def key_of_status(change: StatusChange) -> bytes:
    """The key under which only the newest verdict is kept; no pathway's name has a slash."""
    return f"{change.pathway}/{change.patient}".encode()


def configuration(topic: Topic, replication_factor: int) -> dict[str, str]:
    """The settings of a topic, in Kafka's words.

    With three or more replicas, a record is acknowledged when two of them have it.
    """
    milliseconds = -1 if topic.retention is None else topic.retention // timedelta(milliseconds=1)
    return {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(milliseconds),
        "max.message.bytes": str(topic.largest),
        "min.insync.replicas": str(min(2, max(1, replication_factor - 1))),
        **topic.settings,
    }
