"""When the state of each patient is kept: not after every change, but spread evenly, and each soon enough."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final
from zlib import crc32

Name = tuple[int, str]
"""A partition and a patient in it."""

_SCALE: Final = 1 << 32


class Rota:
    """Whose turn it is. All times are seconds of a clock that never goes back.

    Args:
        interval: between two turns of one patient who keeps changing.
        soonest: between two turns of one patient whose state is wanted at once.
    """

    def __init__(self, interval: float, soonest: float) -> None:
        self._interval = interval
        self._soonest = soonest
        self._turns: dict[Name, float] = {}
        self._heap: list[tuple[float, Name]] = []
        self._last: dict[Name, float] = {}

    def changed(self, name: Name, now: float) -> None:
        """A patient has changed: there will be a turn. The first one of all comes at a time drawn from the name."""
        if name in self._turns:
            return
        last = self._last.get(name)
        spread = crc32(f"{name[0]} {name[1]}".encode()) / _SCALE
        self._set(name, now + self._interval * spread if last is None else max(now, last + self._interval))

    def wanted(self, name: Name, now: float) -> None:
        """The state of a patient is wanted at once."""
        self._set(name, max(now, self._last.get(name, now - self._soonest) + self._soonest))

    def take(self, now: float, most: int) -> list[Name]:
        """The patients whose turn has come, at most so many; they had it."""
        taken: list[Name] = []
        while self._heap and len(taken) < most and self._heap[0][0] <= now:
            turn, name = heappop(self._heap)
            if self._turns.get(name) == turn:
                del self._turns[name]
                self._last[name] = now
                taken.append(name)
        return taken

    def forget(self, partition: int) -> None:
        """A partition is not ours any more."""
        for known in (self._turns, self._last):
            for name in [name for name in known if name[0] == partition]:
                del known[name]

    def _set(self, name: Name, turn: float) -> None:
        if turn < self._turns.get(name, turn + 1):
            self._turns[name] = turn
            heappush(self._heap, (turn, name))
