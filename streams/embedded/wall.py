"""The time of day: the system's, or that of a script which is played for a demonstration."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Wall = Callable[[], datetime]
"""Returns the present time, with its zone; it may jump, as the system's clock does."""


def system_wall() -> datetime:
    """The time of day of this machine."""
    return datetime.now(UTC)


class ScriptWall:
    """The time of day in a script: it stands at ``begin`` until it is started, runs, and stands still at ``end``.

    Once started, it passes ``speed`` times as fast as ``clock`` (in seconds).
    """

    def __init__(
        self, begin: datetime, end: datetime, speed: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._begin = begin
        self._end = end
        self._speed = speed
        self._clock = clock
        self._started: float | None = None

    def start(self) -> None:
        """Let time pass from now on."""
        self._started = self._clock()

    def seconds(self) -> float:
        """Seconds that pass as its time does."""
        return (self() - self._begin).total_seconds()

    def __call__(self) -> datetime:
        """The time of day."""
        passed = 0.0 if self._started is None else self._clock() - self._started
        return min(self._begin + timedelta(seconds=passed * self._speed), self._end)
