"""The time of day that is trusted: what senders say, carried on by a clock that never jumps; the wall adds a step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rules.instants import MINUTE, format_duration

STEP: Final = timedelta(seconds=30)
"""The most by which the wall clock alone moves time beyond what senders say (local setting)."""

_SETTLED: Final = 20.0
"""Seconds for which a sender must have kept pace with the steady clock before a time far from the wall's is believed:
a recorded log is read faster than it happened."""

_PACE: Final = 0.25
"""By how much of the time that has passed a sender may be faster or slower meanwhile."""

_REFUSED_FOR: Final = 300.0
"""Seconds for which it is told that a sender was refused because its time is ahead."""


class _Word(NamedTuple):
    """What time a sender said it is, and the second of the steady clock at which that was heard."""

    at: datetime
    second: float
    live: bool = True
    """False for what was kept before the start: when it was heard is not known."""

    def carried(self, second: float) -> datetime:
        """What time it is by it at a second."""
        return self.at + timedelta(seconds=second - self.second)


class TrustedTime:
    """What time it is for what is decided, shown and forgotten.

    The wall clock is believed from what senders say, carried on, up to a ``step`` beyond it. Set further ahead it moves
    time by that step, which is over when it comes back; set back it moves nothing. Before any sender that is live has
    been heard there is nothing to hold it against: it counts for when messages arrive, and moves no time.

    A sender is believed who agrees with the wall or with the time that is trusted, who keeps pace with the steady
    clock, or who is the first to be heard after a start that goes on from live data.

    Written by one thread, read by any.

    Args:
        wall: the time of day of this machine.
        steady: seconds that pass as the wall's do, and never jump.
        step: the most by which the wall moves time.
        agreed: how far two clocks may differ, delays included, and still say the same.
    """

    def __init__(
        self, wall: Callable[[], datetime], steady: Callable[[], float], *, step: timedelta, agreed: timedelta
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._step = step
        self._agreed = agreed
        self._word: _Word | None = None
        self._newest: datetime | None = None
        self._base: _Word | None = None
        """From where on the senders' pace is taken."""
        self._used_at: float | None = None
        self._early: _Word | None = None
        """Of the last message that was refused because its time is ahead."""

    def go_on_from(self, at: datetime) -> None:
        """Live data had come up to then before the start; how long ago that was, only the wall says."""
        if self._word is None:
            self._newest, self._word = at, _Word(at, self._steady(), live=False)

    def hear(self, received_at: datetime) -> None:
        """Messages from outside have come that can be used; the newest was received then, by its sender's clock."""
        word = _Word(received_at, self._steady())
        self._used_at = word.second
        if self._newest is not None and received_at <= self._newest:
            return
        self._newest = received_at
        if self._is_believed(word):
            self._word = word

    def refuse(self, received_at: datetime) -> None:
        """A message has come that cannot be used, because it was received in the future."""
        self._early = _Word(received_at, self._steady())

    def now(self) -> datetime | None:
        """The time that is trusted; None while there is nothing to hold the wall against."""
        word = self._word
        if word is None:
            return None
        said = word.carried(self._steady())
        return min(max(said, self._wall()), said + self._step)

    def arrival(self) -> datetime:
        """When something arrives that does now."""
        return self.now() or self._wall()

    def latest(self) -> datetime:
        """The latest that it may be: what was received after that is from the future."""
        return max(self.arrival(), self._wall())

    def shown(self) -> datetime:
        """By what the age of data is told: as the wall says until somebody has been heard since the start."""
        word = self._word
        return self.latest() if word is None or not word.live else self.arrival()

    @property
    def skew(self) -> timedelta | None:
        """How far this machine's clock is ahead of its senders'; None if that is not known."""
        word = self._early if self._is_refusing() else self._word
        if word is None or not (word.live or self._is_behind_its_records()):
            return None
        return self._wall() - word.carried(self._steady())

    @property
    def doubted(self) -> bool:
        """Whether nothing says how old data are: what senders send is refused, or the wall is behind what was kept."""
        return self._is_behind_its_records() or self._is_refusing()

    @property
    def warning(self) -> str:
        """What is wrong with the clocks, in a few words; empty if nothing is."""
        skew, early = self.skew, self._early
        if skew is not None and abs(skew) > self._agreed:
            how = f"{_roughly(abs(skew))} {'ahead of' if skew > timedelta(0) else 'behind'}"
            if self._is_refusing():
                return f"this machine's clock is {how} its senders: their events are refused"
            whose = "what it has kept" if self._is_behind_its_records() else "its senders"
            return f"this machine's clock is {how} {whose}"
        if early is not None and self._steady() - early.second < _REFUSED_FOR:
            ahead = early.carried(self._steady()) - self._wall()
            if ahead > timedelta(0):
                return f"a sender's clock is {_roughly(ahead)} ahead of this machine's: its events are refused"
        return ""

    def _is_believed(self, word: _Word) -> bool:
        known = self._word
        if known is None:
            agreed = self._agree(word.at, self._wall())
        else:
            agreed = not known.live or self._agree(word.at, self._wall()) or self._agree(word.at, self.arrival())
        if agreed:
            self._base = None
        return agreed or self._keeps_pace(word)

    def _keeps_pace(self, word: _Word) -> bool:
        if self._base is None or abs(word.at - self._base.carried(word.second)) > self._agreed:
            self._base = word
        passed = word.second - self._base.second
        drift = abs(word.at - self._base.carried(word.second)).total_seconds()
        return passed >= _SETTLED and drift <= passed * _PACE

    def _agree(self, one: datetime, other: datetime) -> bool:
        return abs(one - other) <= self._agreed

    def _is_behind_its_records(self) -> bool:
        word = self._word
        return word is not None and not word.live and self._wall() < word.at - self._agreed

    def _is_refusing(self) -> bool:
        """Whether messages are refused and none is used."""
        early, used, second = self._early, self._used_at, self._steady()
        if early is None or second - early.second >= _REFUSED_FOR:
            return False
        return used is None or (used < early.second and second - used > self._agreed.total_seconds())


def _roughly(span: timedelta) -> str:
    """A span to the minute, a longer one to the hour: ``10 min``, ``1 d``."""
    minutes = round(span / timedelta(minutes=1))
    if span >= timedelta(days=1):
        minutes = round(span / timedelta(hours=1)) * 60
    return format_duration(max(minutes, 1) * MINUTE)
