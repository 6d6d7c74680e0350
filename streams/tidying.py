"""Keeps the garbage collector from stopping a runtime that holds much and throws little of it away."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

EVERY: Final = 60.0
"""Seconds between two times of tidying up."""


class Tidier:
    """Takes what is held for long out of the collector's sight, whenever there is time for that.

    A full collection looks at every object, and everything waits for it: a quarter of a second for some hundred
    patients. But these are no garbage, and go by their count of references when they go. So after one collection, what
    is left is frozen, and from then on the collector looks only at what has been made since.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = 0.0

    def rest(self) -> None:
        """There is little to do now: tidy up, if it is time."""
        if self._clock() >= self._next:
            self._next = self._clock() + EVERY
            gc.collect()
            gc.freeze()

    def shake(self) -> None:
        """Much of what was held has been let go: look at all of it again when there is time."""
        gc.unfreeze()
        self._next = self._clock()
