"""What a simulation is made of: one seed, a clock that only the simulation moves, steps as data, and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)


class Fault(StrEnum):
    """What is done to the system; each is counted when it takes effect, not when it is planned."""

    CRASH_BEFORE = "power lost before a call of the store"
    CRASH_AFTER = "power lost after a call of the store"
    TORN = "power lost in the middle of a write"
    FULL = "disk full"
    FLIPPED = "bit flipped"
    KILLED = "killed between two turns"
    LOST = "message lost on its way"
    DOUBLED = "message sent twice"
    LATE = "message late"
    CORRECTED = "message corrected"
    UNREADABLE = "message that cannot be read"
    CLASHING = "ids of two senders alike"
    SKEWED = "clock of a sender ahead"
    STEPPED_AHEAD = "own clock steps ahead"
    STEPPED_BACK = "own clock steps back"
    POISON = "judging a patient fails"
    RENAMED = "followed file renamed"
    CUT = "followed file copied and cut"
    TWO_ANSWERS = "two people answer at once"
    OTHER_PACKS = "started with other packs"
    SEND_BEFORE = "worker killed before a send"
    SEND_PARTLY = "worker killed with a part of it sent"
    SEND_AFTER = "worker killed after a send, unnoticed"
    ABORTED = "transaction given up"
    REBALANCED = "partitions dealt out anew"
    REPLACED = "worker replaced without knowing"
    UNCOMMITTED = "commit lost"


class Step(NamedTuple):
    """One thing that happens: ``after`` so many seconds, with choices of its own, so that others can be left out."""

    what: str
    after: float
    chance: int

    def __str__(self) -> str:
        """It for people."""
        return f"after {self.after:.0f} s: {self.what} ({self.chance})"


class BrokenPromiseError(AssertionError):
    """A promise does not hold; the text says which, and where it was seen."""


@dataclass
class World:
    """Time and chance. ``stepped`` is how far the machine's own clock of the day is off.

    Attributes:
        seconds: a clock that never goes back.
        stepped: seconds by which the time of day of the machine is ahead.
        injected: what was done so far.
    """

    seed: int
    seconds: float = 0.0
    stepped: float = 0.0
    injected: Counter[Fault] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)

    def inject(self, fault: Fault) -> None:
        """A fault has taken effect."""
        self.injected[fault] += 1

    def true_time(self) -> datetime:
        """The time of day as it is."""
        return START + timedelta(seconds=self.seconds)

    def wall(self) -> datetime:
        """The time of day by the machine's own clock."""
        return self.true_time() + timedelta(seconds=self.stepped)

    def clock(self) -> float:
        """Seconds that never go back; no process begins at 0."""
        return 1000.0 + self.seconds


def demand(holds: object, promise: str) -> None:
    """See to it that a promise holds.

    Raises:
        BrokenPromiseError: if it does not.
    """
    if not holds:
        raise BrokenPromiseError(promise)


def planned(seed: int, kinds: Mapping[str, float], count: int, waits: Sequence[int]) -> list[Step]:
    """So many steps drawn from kinds by their weights, each some seconds after the one before, with its own choices."""
    chance = Random(seed)
    names = chance.choices(list(kinds), list(kinds.values()), k=count)
    return [Step(name, chance.choice(waits), chance.randrange(1 << 30)) for name in names]
