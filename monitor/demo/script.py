"""What the demo plays: the ten beds of the bundled log, with simulated ones beside them of which most are quiet."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import timedelta
from operator import attrgetter
from typing import Final

from monitor.demo.bedside import DAY
from monitor.demo.build import BEDS, LOG
from rules.events import Event
from streams.logfile import read_log
from streams.replay import in_stream_order
from streams.simulator import Simulation

OPENS: Final = DAY.replace(hour=8, minute=15)
"""When the curtain rises: what was received before is known already."""

CLOSES: Final = DAY.replace(hour=10, minute=27)

SIMULATED: Final = Simulation(
    beds=8,
    first=len(BEDS) + 1,
    seed=7,
    start=DAY.replace(hour=8),
    length=CLOSES - DAY.replace(hour=8),
    every=timedelta(seconds=30),
    mix={"quiet": 5, "septic-shock-responds": 1, "status-resolved": 1, "arrest-transient-rosc": 1},
)
"""A seed with which something happens while the scripted beds are quiet."""


def script() -> Iterator[Event]:
    """All events up to the end, in the order of a stream."""
    with read_log(LOG, lambda _: None) as log:
        scripted = (event for _, event in log if event.received_at <= CLOSES)
        yield from in_stream_order(heapq.merge(scripted, SIMULATED.events(), key=attrgetter("received_at")))
