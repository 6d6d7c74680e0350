"""How far time has come in one partition: by what was received, by time marks, and of itself where data are live."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_INSTANT: Final = timedelta(milliseconds=1)
"""The resolution of the engine's time."""


class PartitionClock:
    """The time up to which deadlines may be decided; it never goes back.

    What was received moves it: just short of the newest ``received_at``, because more may be received at that instant.
    Where nothing comes, the time that is trusted (:mod:`streams.trust`) moves it on, but only if the data are *live*:
    if the newest was received no longer than ``live_within`` before it arrived. A recorded log played through the
    stream is not live, whenever it was recorded, and is left alone.

    Attributes:
        newest: when the newest message was received.
        live: whether the wall may move time.
        reached: how far time has come.
        by_wall: whether only the wall has moved it there: what is read again after a crash does not.

    Args:
        lateness: how far out of order messages may come.
        live_within: the most that lies between receiving and arriving of live data.
        silence: how far time stays behind where nothing comes; messages may be on their way that long.
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

    def resume(self) -> None:
        """What was to be read again has been: time is where the newest of all that was ever received had put it."""
        if self.newest is not None:
            self._reach(self.newest - _INSTANT)

    def look_at_the_wall(self, now: datetime) -> bool:
        """Nothing more is there at this time; returns whether that moves time on."""
        further = self.live and self._reach(now - self._silence)
        self.by_wall |= further
        return further

    def _reach(self, at: datetime) -> bool:
        further = self.reached is None or at > self.reached
        if further:
            self.reached, self.by_wall = at, False
        return further
