"""How far time has come in one partition: by what was received, by time marks, and by the wall where data are live."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_INSTANT: Final = timedelta(milliseconds=1)
"""The resolution of the engine's time."""


class PartitionClock:
    """The time up to which deadlines may be decided; it never goes back.

    What was received moves it: just short of the newest ``received_at``, because more may be received at that instant.
    Where nothing comes, the wall clock moves it on, but only if the data are *live*: if the newest was received no
    longer than ``live_within`` before it arrived. A recorded log played through the stream is not live, whenever it was
    recorded, and the wall leaves it alone.

    Attributes:
        newest: when the newest message was received.
        live: whether the wall may move time.
        reached: how far time has come.
        by_wall: whether only the wall has moved it there: what is read again after a crash does not.

    Args:
        lateness: how far out of order messages may come.
        live_within: the most that lies between receiving and arriving of live data.
        silence: how far time stays behind the wall clock where nothing comes; messages may be on their way that long.
    """

    def __init__(self, lateness: timedelta, live_within: timedelta, silence: timedelta) -> None:
        self.newest: datetime | None = None
        self.live = False
        self.reached: datetime | None = None
        self.by_wall = False
        self._lateness = lateness
        self._live_within = live_within
        self._silence = silence

    def receive(self, received_at: datetime, arrived_at: datetime) -> None:
        """A message has come."""
        if self.newest is None or received_at >= self.newest:
            self.newest = received_at
            self.live = abs(arrived_at - received_at) <= self._live_within
            self._reach(received_at - _INSTANT)

    def mark(self, at: datetime) -> None:
        """Every event received up to then has come."""
        self._reach(at + self._lateness)

    def go_on(self) -> None:
        """What was to be read again has been: time is where the newest of all that was ever received had put it."""
        if self.newest is not None:
            self._reach(self.newest - _INSTANT)

    def look_at_the_wall(self, now: datetime) -> bool:
        """Nothing more is there at this time of the wall clock; returns whether that moves time on."""
        further = self.live and self._reach(now - self._silence)
        self.by_wall |= further
        return further

    def _reach(self, at: datetime) -> bool:
        further = self.reached is None or at > self.reached
        if further:
            self.reached, self.by_wall = at, False
        return further


class SteadyWall:
    """The time of day, as far as a clock that never steps bears it out.

    The clock of a machine may be set ahead, by a wrong answer of a time server by a day: every window of every patient
    would end at once, and what comes afterwards would be late. So from the last instant at which live data agreed with
    the time of day, no more time passes than on the other clock. A process that has just begun believes it.

    Args:
        wall: the time of day.
        seconds: a clock that never goes back, and is never set.
        tolerance: how far the time of day may be set ahead and still be believed.
    """

    def __init__(self, wall: Callable[[], datetime], seconds: Callable[[], float], tolerance: timedelta) -> None:
        self._wall = wall
        self._seconds = seconds
        self._tolerance = tolerance
        self.confirm()

    def confirm(self) -> None:
        """Live data have come: whoever sent them has the same time of day."""
        self._confirmed = self._wall(), self._seconds()

    def __call__(self) -> datetime:
        """The time of day, unless it was set ahead."""
        wall, seconds = self._confirmed
        return min(self._wall(), wall + timedelta(seconds=self._seconds() - seconds) + self._tolerance)
