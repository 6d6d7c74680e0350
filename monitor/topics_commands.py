"""``rescue-monitor topics``: creates, describes and checks the topics of a Kafka cluster; deletes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from monitor.kafka_options import EXIT_CODES, with_kafka
from monitor.options import OK

if TYPE_CHECKING:
    from streams.kafka.settings import KafkaSettings

FAULTY: Final = 3

_REPLICAS = click.option(
    "--replication-factor",
    type=click.IntRange(1),
    help="Replicas of each record.  [default: 3, or all brokers if fewer]",
)


@click.group()
def topics() -> None:
    """Create, describe or check the topics in Kafka. Nothing is ever deleted."""


@topics.command(epilog=EXIT_CODES)
@click.option(
    "--partitions",
    type=click.IntRange(1),
    help="Partitions of each topic, at most as many workers share the load.  [default: as the inputs have, else 12]",
)
@_REPLICAS
@with_kafka
def create(kafka: KafkaSettings, partitions: int | None, replication_factor: int | None) -> int:
    """Create the topics that are missing; those that are there stay as they are.

    The number of partitions of the inputs is for ever: it decides which worker knows a patient.
    """
    from streams.kafka.admin import TopicAdmin

    with TopicAdmin(kafka) as admin:
        created = admin.create(partitions, replication_factor)
        for name in created:
            click.echo(f"created {name}")
        if not created:
            click.echo("all topics are there already")
        wrong = admin.check(replication_factor)
    for fault in wrong:
        click.echo(f"not right: {fault}", err=True)
    return FAULTY if wrong else OK


@topics.command(epilog=EXIT_CODES)
@with_kafka
def describe(kafka: KafkaSettings) -> int:
    """Show each topic as it is, and what it is for."""
    from streams.kafka.admin import TopicAdmin
    from streams.topics import TOPICS

    with TopicAdmin(kafka) as admin:
        found = admin.describe()
    for topic in TOPICS.values():
        full = kafka.topic(topic.name)
        click.echo(full)
        click.echo(f"  holds    {topic.content}")
        click.echo(f"  key      {topic.key}")
        there = found.get(full)
        if there is None:
            click.echo("  missing")
            continue
        kept = ("cleanup.policy", "retention.ms", "max.message.bytes", "min.insync.replicas")
        click.echo(f"  is       {there.partitions} partitions, {there.replication_factor} replicas")
        click.echo("           " + ", ".join(f"{name}={there.settings.get(name)}" for name in kept))
    return OK


@topics.command(epilog=EXIT_CODES)
@_REPLICAS
@with_kafka
def check(kafka: KafkaSettings, replication_factor: int | None) -> int:
    """Say what is wrong with the topics, and end with 3 if anything is."""
    from streams.kafka.admin import TopicAdmin

    with TopicAdmin(kafka) as admin:
        wrong = admin.check(replication_factor)
    for fault in wrong:
        click.echo(str(fault))
    if not wrong:
        click.echo("all topics are right")
    return FAULTY if wrong else OK
