"""Real patients through Kafka: two workers say of twenty stays of the MIMIC-IV demo what a replay says.

The data is not part of the project: it is found through ``ICU_MONITOR_DATA`` and this test is skipped without it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.cli import open_ward
from rules.events import Event
from rules.outputs import Rejection
from streams.kafka.admin import TopicAdmin
from streams.kafka.settings import KafkaSettings
from streams.replay import replay
from streams.sources.mimic_iv import ImportReport, convert
from streams.summary import Tally
from tests.integration.brokers import MARKS, Broker, wait_until
from tests.integration.workers import WorkerProcess, exactly, said, send
from tests.streams.stream import words

DATA = Path(os.environ.get("ICU_MONITOR_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
DEMO = DATA / "mimic-iv-demo"
CENTURIES = 1e10
"""Seconds by which its dates may lie in the future."""

pytestmark = [
    *(mark for mark in MARKS if mark.name != "xdist_group"),
    pytest.mark.skipif(not DEMO.is_dir(), reason="no MIMIC-IV demo: set ICU_MONITOR_DATA to its folder"),
    pytest.mark.xdist_group("kafka-mimic"),  # with a broker of its own, because it takes minutes
]


def ten_stays() -> list[Event]:
    events = list(convert(DEMO, None, ImportReport()))
    chosen = set(sorted({event.subject for event in events})[::14])
    return [event for event in events if event.subject in chosen]


def test_real_patients_through_two_workers_are_the_replay_byte_for_byte(
    broker: Broker, kafka: KafkaSettings, tmp_path: Path
) -> None:
    broker.need_to_be_real()
    with TopicAdmin(kafka) as admin:
        admin.create(partitions=4)
    events = ten_stays()
    workers = [WorkerProcess(kafka, tmp_path, ahead=CENTURIES) for _ in range(2)]
    try:
        for worker in workers:
            worker.wait_until_ready()
        send(kafka, events, close=True)
        changes = replay(iter(events), open_ward(None, ()), Tally())
        wanted = words(change for change in changes if not isinstance(change, Rejection))
        wait_until(lambda: len(said(kafka)) >= len(wanted), 180, "all has been published", 2.0)
    finally:
        for worker in workers:
            worker.kill()
    assert said(kafka) == exactly(wanted)
