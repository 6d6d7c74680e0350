"""Creates the topics that are missing and describes those that are there; it deletes and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError, for_code

from streams.kafka.claims import Claim
from streams.kafka.connecting import BrokerError, connect, explained
from streams.kafka.inspection import Fault, FoundTopic, faults, partitions_of_inputs
from streams.kafka.settings import KafkaSettings
from streams.topics import FAMILY, TOPICS, TopicName, configuration

PARTITIONS: Final = 12
"""Partitions of each topic unless said otherwise; the number of workers that can share the load."""

REPLICAS: Final = 3
"""Replicas of each record, where there are that many brokers."""

_READY_WITHIN_MS: Final = 15_000


class TopicAdmin:
    """One connection to a cluster; made by ``with``.

    Raises:
        BrokerError: here and in each method, if the cluster cannot be reached or refuses.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._prefix = settings.prefix
        self._client = connect(KafkaAdminClient, settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def describe(self) -> dict[str, FoundTopic]:
        """The topics of the cluster whose names begin as ours do, by full name."""
        with explained():
            ours = [
                topic for topic in self._client.describe_topics() if topic["name"].startswith(self._prefix + FAMILY)
            ]
            wanted = [ConfigResource(ConfigResourceType.TOPIC, topic["name"]) for topic in ours]
            described = self._client.describe_configs(wanted, config_filter="all")["topic"] if ours else {}
        return {
            topic["name"]: FoundTopic(
                topic["name"],
                len(topic["partitions"]),
                min((len(partition["replica_nodes"]) for partition in topic["partitions"]), default=0),
                {
                    name: entry["value"]
                    for name, entry in described[topic["name"]].items()
                    if entry["value"] is not None
                },
                str(topic.get("topic_id", "")),
            )
            for topic in sorted(ours, key=lambda topic: str(topic["name"]))
        }

    def create(self, partitions: int | None = None, replication_factor: int | None = None) -> list[str]:
        """Create the topics that are missing, wait until they can be used, and return their full names.

        Args:
            partitions: of each; by default as many as the inputs have that are there, else :data:`PARTITIONS`.
            replication_factor: by default :data:`REPLICAS`, or as many as there are brokers if they are fewer.
        """
        found = self.describe()
        there = partitions_of_inputs(found, self._prefix)
        if None not in (partitions, there) and partitions != there:
            raise BrokerError(
                f"the inputs that are there have {there} partitions, so the missing ones cannot have {partitions}: "
                "the events of a patient would reach different workers"
            )
        replicas = replication_factor or self.usual_replicas()
        missing = {
            full: {
                "num_partitions": partitions or there or PARTITIONS,
                "replication_factor": replicas,
                "configs": configuration(topic, replicas),
            }
            for topic in TOPICS.values()
            if (full := self._prefix + topic.name) not in found
        }
        if not missing:
            return []
        with explained():
            answer = self._client.create_topics(missing, raise_errors=False)
            created = [topic["name"] for topic in answer["topics"] if _succeeded(topic)]
            self._client.wait_for_topics(list(missing), timeout_ms=_READY_WITHIN_MS)
        return created

    def check(self, replication_factor: int | None = None) -> list[Fault]:
        """What is wrong with the topics; the replicas to be expected are chosen as for :meth:`create`."""
        return faults(self.describe(), self._prefix, replication_factor or self.usual_replicas())

    def demand(self, names: Iterable[TopicName]) -> dict[str, FoundTopic]:
        """The topics, described, unless some are missing, or those that are to be partitioned alike are not.

        Raises:
            BrokerError: naming what is missing, and how it is made.
        """
        found = self.describe()
        missing = [name for name in (self._prefix + name for name in names) if name not in found]
        if missing:
            raise BrokerError(f"missing topics: {', '.join(missing)}; make them with: rescue-monitor topics create")
        wrong = [fault for fault in faults(found, self._prefix, 1) if fault.topic.endswith("*")]
        if wrong:
            raise BrokerError(str(wrong[0]))
        return found

    def usual_replicas(self) -> int:
        """:data:`REPLICAS`, or the number of brokers if they are fewer."""
        with explained():
            brokers: Sequence[object] = self._client.describe_cluster()["brokers"]
        return max(1, min(REPLICAS, len(brokers)))


def present_claim(settings: KafkaSettings) -> Claim:
    """What a worker of these settings works on, as the topics are now.

    Raises:
        BrokerError: if topics are missing, or are not partitioned alike, or the cluster cannot be reached.
    """
    with TopicAdmin(settings) as admin:
        return Claim.of(settings, admin.demand(TopicName))


def _succeeded(answer: dict[str, Any]) -> bool:
    """Whether a topic was created; not so if somebody else has just done it."""
    error = for_code(answer["error_code"])
    if answer["error_code"] and error is not TopicAlreadyExistsError:
        raise BrokerError(f"{answer['name']}: {answer.get('error_message') or error.__name__}")
    return not answer["error_code"]
