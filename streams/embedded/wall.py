"""The time of day: the system's, or one that passes faster for a demonstration."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Wall = Callable[[], datetime]
"""Returns the present time, with its zone; it never goes back by more than the system's clock does."""


def system_wall() -> datetime:
    """The time of day of this machine."""
    return datetime.now(UTC)


def fast_wall(speed: float, start: datetime, clock: Callable[[], float] = time.monotonic) -> Wall:
    """A time of day that begins at ``start`` and passes ``speed`` times as fast as ``clock`` (in seconds)."""
    began = clock()

    def wall() -> datetime:
        return start + timedelta(seconds=(clock() - began) * speed)

    return wall
