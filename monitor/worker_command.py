"""``rescue-monitor worker``: decides on what comes through Kafka, as one of any number of workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.kafka_options import with_kafka
from monitor.options import FILE
from monitor.site import open_rules

if TYPE_CHECKING:
    from streams.kafka.settings import KafkaSettings

_EXIT_CODES = """\b
Exit codes:
  0    ended in order (SIGTERM, Ctrl-C); all state is kept
  1    Kafka was lost or could not be reached: start again
  2    the command line is wrong
  4    Kafka cannot be reached or refuses, or a file cannot be used
  70   something unexpected; nothing was committed: start again
  78   the kept state does not fit these rules or is damaged: starting again does not help
"""


@click.command(epilog=_EXIT_CODES)
@click.option("--settings", type=FILE, help="Site settings (YAML).")
@click.option("--pack", "packs", type=FILE, multiple=True, help="Use this rule pack, not the bundled; repeatable.")
@with_kafka
def worker(kafka: KafkaSettings, settings: Path | None, packs: tuple[Path, ...]) -> None:
    """Decide on events from Kafka and publish alerts, verdicts and dead letters.

    Any number of workers share the partitions. When one ends or dies, others continue from its state. Figures and
    health are at /metrics, /livez and /readyz of the address worker.listen of the Kafka settings.
    """
    from streams.kafka.admin import present_claim
    from streams.kafka.worker import Worker

    rules, site = open_rules(settings, packs)
    Worker(kafka, rules, site, present_claim(kafka)).run()
