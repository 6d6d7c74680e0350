"""How fast a simulated ward is made: what part of a processor it takes to send as fast as it would happen."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from functools import partial
from statistics import median

from streams.simulator import Simulation
from tests.bench.table import Figure
from tests.bench.throughput import seconds

_SECOND = timedelta(seconds=1)


def figures(beds: int, minutes: int, rounds: int) -> list[Figure]:
    """Of a ward with the default mix and a bundle of vitals every second, once what was known before has been sent."""
    length = timedelta(minutes=minutes)
    shares = []
    for seed in range(rounds):
        messages = Simulation(beds=beds, seed=seed, length=length, every=_SECOND).messages()
        while next(messages).received == 0:
            pass
        shares.append(seconds(partial(deque, messages, 0)) / length.total_seconds())
    title = f"simulator, {beds} beds, vitals every second: share of a core"
    return [Figure(title, "<= 0.50", f"{median(shares):.3f}")]
