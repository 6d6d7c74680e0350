"""Finds a short history that still breaks a promise: steps are left out as long as it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.simulation.world import Step


def shortened(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """The steps without those that do not matter.

    Time passes all the same: what a step would have waited, the next one does.

    Args:
        steps: that fail.
        fails: whether others do.
    """
    left = list(steps)
    size = max(1, len(left) // 2)
    while True:
        place = 0
        while place < len(left):
            tried = _without(left, place, size)
            if fails(tried):
                left = tried
            else:
                place += size
        if size == 1:
            return left
        size //= 2


def _without(steps: Sequence[Step], place: int, size: int) -> list[Step]:
    waited = sum(step.after for step in steps[place : place + size])
    after = list(steps[place + size :])
    if after:
        after[0] = after[0]._replace(after=after[0].after + waited)
    return [*steps[:place], *after]
