"""What is wrong with the topics of a cluster: a comparison of what is there with the table in ``streams.topics``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streams.topics import FAMILY, PARTITIONED_ALIKE, TOPICS, Topic, TopicName, configuration


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the cluster describes it; ``settings`` are in Kafka's words, ``id`` changes if it is made anew."""

    name: str
    partitions: int
    replication_factor: int
    settings: Mapping[str, str]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to put right; ``topic`` is its full name."""

    topic: str
    text: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.text}"


def faults(found: Mapping[str, FoundTopic], prefix: str, replication_factor: int) -> list[Fault]:
    """All that is wrong, in the order of the table.

    Args:
        found: the topics of the cluster by full name; those of others are passed over.
        prefix: of the topics' names.
        replication_factor: how many replicas a record should have.
    """
    wrong = [fault for topic in TOPICS.values() for fault in _faults_of(topic, found, prefix, replication_factor)]
    inputs = {full: found[full].partitions for name in PARTITIONED_ALIKE if (full := prefix + name) in found}
    if len(set(inputs.values())) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in inputs.items())
        wrong.append(
            Fault(
                prefix + FAMILY + "*",
                f"the inputs, the state and the dead letters must have equally many partitions ({counts})",
            )
        )
    known = {prefix + name for name in TopicName}
    strangers = sorted(name for name in found if name.startswith(prefix + FAMILY) and name not in known)
    wrong += [Fault(name, "unknown: nothing reads or writes it") for name in strangers]
    return wrong


def partitions_of_inputs(found: Mapping[str, FoundTopic], prefix: str) -> int | None:
    """How many partitions the inputs that are there have; None if there is none, the most if they differ."""
    return max((found[prefix + name].partitions for name in PARTITIONED_ALIKE if prefix + name in found), default=None)


def _faults_of(topic: Topic, found: Mapping[str, FoundTopic], prefix: str, replication_factor: int) -> Iterator[Fault]:
    full = prefix + topic.name
    there = found.get(full)
    if there is None:
        yield Fault(full, "missing")
        return
    if there.replication_factor < replication_factor:
        yield Fault(full, f"{there.replication_factor} replicas of each record instead of {replication_factor}")
    wanted = configuration(topic, there.replication_factor)
    policy = there.settings.get("cleanup.policy", "")
    if policy != wanted["cleanup.policy"]:
        harm = "old records never go" if topic.compacted else "records that are still needed would go"
        yield Fault(full, f"cleanup.policy is {policy!r} instead of {wanted['cleanup.policy']!r}: {harm}")
    if not topic.compacted and 0 <= _number(there, "retention.ms") < int(wanted["retention.ms"]):
        yield Fault(full, f"retention.ms is {there.settings['retention.ms']}, less than {wanted['retention.ms']}")
    for name in ("max.message.bytes", "min.insync.replicas"):
        if _number(there, name) < int(wanted[name]):
            yield Fault(full, f"{name} is {there.settings.get(name)}, less than {wanted[name]}")
    if _number(there, "min.insync.replicas") > there.replication_factor:
        yield Fault(
            full, f"min.insync.replicas exceeds the {there.replication_factor} replicas: nothing can be written"
        )


def _number(topic: FoundTopic, setting: str) -> int:
    return int(topic.settings.get(setting, "-1"))
