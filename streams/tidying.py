"""Keeps the garbage collector from stopping a runtime that holds much and throws little of it away."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, Final

SLOW: Final = 0.01
"""Seconds from which on a collection is too long to be had again and again."""

EVERY: Final = 3600.0
"""Seconds between two looks at everything."""

_SELDOM: Final = 100
"""Collections of the middle generation before a full one is considered; Python's own 10 has one every few seconds."""

_FULL: Final = 2


class Tidier:
    """Takes what is held for long out of the collector's sight, once looking at it has taken too long.

    A full collection looks at every object, and everything waits for it: a quarter of a second for a thousand
    patients, every few seconds. But these are no garbage, and go by their count of references when they go. So after a
    collection that was slow, what is left is frozen, and from then on the collector looks only at what has been made
    since. Garbage that was frozen with it is found when everything is looked at again.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0
        self._slow = False
        self._look_at = clock()
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Watch the collector, and have it look at everything less often."""
        gc.callbacks.append(self._noticed)
        gc.set_threshold(*self._thresholds[:_FULL], _SELDOM)

    def stop(self) -> None:
        """Leave it alone again."""
        gc.callbacks.remove(self._noticed)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def tidy(self, *, idle: bool) -> None:
        """Tidy up, if that is needed; everything is looked at again only when there is nothing else to do."""
        if idle and self._clock() >= self._look_at:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._look_at = self._clock() + EVERY
        elif self._slow:
            gc.freeze()
        self._slow = False

    def shake(self) -> None:
        """Much of what was held has been let go: look at everything again when there is time."""
        self._look_at = self._clock()

    def _noticed(self, phase: str, about: dict[str, Any]) -> None:
        if about["generation"] < _FULL:
            return
        if phase == "start":
            self._began = self._clock()
        elif self._clock() - self._began >= SLOW:
            self._slow = True
