"""How much memory a worker takes while it works through a long backlog on a real broker."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from rules.events import decode
from streams.kafka.publish import Publisher, publish
from tests.bench.kafka import cluster
from tests.bench.table import Figure
from tests.bench.wards import READINGS, ward
from tests.integration.brokers import OwnBroker
from tests.integration.workers import WorkerProcess

EVERY: Final = timedelta(minutes=2)
"""Between two bundles of one bed: so the 28 hours for which vitals are kept are full within the first quarter.

Changes of an infusion's rate are kept for 14 days, which is longer than the whole: they may still add something.
"""

_SAMPLES: Final = 20
_WARM: Final = 5
"""Samples until which memory may grow, because the windows of the rules fill."""

_STUCK_AFTER: Final = 300.0


def figures(folder: Path, beds: int, messages: int) -> list[Figure]:
    """The resident memory of one worker at even steps, and how much it grew over the last three quarters.

    Args:
        folder: for the broker's data.
        beds: patients on the ward, a quarter of them in septic shock.
        messages: how many the worker is given, nearly all of them bundles of vitals.
    """
    broker = OwnBroker(folder)
    broker.start()
    try:
        kafka = cluster(broker, "memory.")
        lines = islice(ward(beds, EVERY * (messages // beds + 1), EVERY), messages)
        with Publisher(kafka) as publisher:
            list(publish(enumerate(map(decode, lines), start=1), publisher, close=True))
        worker = WorkerProcess(kafka, folder, session_timeout=10.0, heartbeat=2.0, snapshot_interval=25.0)
        try:
            sizes = list(_sizes(worker, messages))
        finally:
            worker.kill()
    finally:
        broker.stop()
    name = f"worker, {messages:,} messages, bundles of {READINGS} readings of {beds} beds"
    growth = (sizes[-1] / sizes[_WARM - 1] - 1) * 100
    steps = " ".join(f"{size / 1e6:.0f}" for size in sizes)
    return [
        Figure(f"{name}: resident after each {messages // _SAMPLES:,}", "", f"{steps} MB"),
        Figure(f"{name}: grown since {messages // _SAMPLES * _WARM:,}", "<= 5 %", f"{growth:+.1f} %"),
    ]


def _sizes(worker: WorkerProcess, messages: int) -> Iterator[int]:
    """Resident bytes each time that another part of the messages has been applied."""
    memory = Path(f"/proc/{worker.process.pid}/statm")
    worker.wait_until_ready()
    for sample in range(1, _SAMPLES + 1):
        give_up = time.monotonic() + _STUCK_AFTER
        while worker.events < messages * sample // _SAMPLES:
            if time.monotonic() > give_up:
                raise TimeoutError(worker.log.read_text(encoding="utf-8"))
            time.sleep(0.25)
        yield int(memory.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
