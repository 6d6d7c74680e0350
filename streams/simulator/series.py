"""How a number runs over time: along the rows of a table, or wandering about its course with a memory."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from random import Random

from streams.simulator.course import Rows, moment


class Line:
    """The rows of a driver, with straight lines between them; constant before the first and after the last."""

    __slots__ = ("_times", "_values")

    def __init__(self, rows: Rows, shift: int) -> None:
        self._times, self._values = _columns(rows, shift)

    def at(self, instant: int) -> float:
        """The value at an instant in milliseconds."""
        after = bisect_right(self._times, instant)
        if after == 0 or after == len(self._times):
            return self._values[after and -1]
        begin, low = self._times[after - 1], self._values[after - 1]
        share = (instant - begin) / (self._times[after] - begin)
        return low + share * (self._values[after] - low)


class Levels:
    """The rows of a setting, each of which holds until the next."""

    __slots__ = ("_values", "times")

    def __init__(self, rows: Rows, shift: int) -> None:
        self.times, self._values = _columns(rows, shift)

    def at(self, instant: int) -> float:
        """The value at an instant in milliseconds; before the first row, that of the first."""
        return self._values[max(bisect_right(self.times, instant) - 1, 0)]


class Wander:
    """A first-order autoregressive deviation (Ornstein-Uhlenbeck, sampled exactly at any interval).

    ``spread`` is its standard deviation, ``memory`` the time in seconds after which a deviation has faded to 1/e.
    """

    __slots__ = ("_chance", "_keep", "_memory", "_passed", "_push", "_spread", "value")

    def __init__(self, chance: Random, spread: float, memory: float) -> None:
        self._chance, self._spread, self._memory = chance, spread, memory
        self._passed, self._keep, self._push = 0, 1.0, 0.0
        self.value = chance.gauss(0.0, spread)

    def step(self, passed: int) -> float:
        """The deviation ``passed`` milliseconds later."""
        if passed != self._passed:
            self._passed = passed
            self._keep = math.exp(-passed / (1000 * self._memory))
            self._push = self._spread * math.sqrt(1 - self._keep * self._keep)
        self.value = value = self._keep * self.value + self._push * self._chance.gauss(0.0, 1.0)
        return value


def approach(value: float, target: float, passed: float, memory: float) -> float:
    """A value that closes the gap to its target with a time constant, ``passed`` later (both in the same unit)."""
    return target + (value - target) * math.exp(-passed / memory)


def _columns(rows: Rows, shift: int) -> tuple[Sequence[int], Sequence[float]]:
    return [moment(at) + shift for at, _ in rows], [float(value) for _, value in rows]
