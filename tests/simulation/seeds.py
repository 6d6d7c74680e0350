"""Plays a seed from its beginning to its end, and says what came of it."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.simulation.cluster import ClusterWard
from tests.simulation.embedded import EmbeddedWard
from tests.simulation.shrinking import shortened
from tests.simulation.world import BrokenPromiseError, Fault, Step, World

WARDS: Final = (EmbeddedWard, ClusterWard)
"""One seed after the other is of each of these."""


class Result(NamedTuple):
    """What came of a seed: the promise that was broken, or None, and how often each fault took effect."""

    seed: int
    broken: str | None
    injected: Counter[Fault]


def steps_of(seed: int) -> list[Step]:
    """What happens in a seed."""
    return _ward(seed).plan(World(seed))


def play(seed: int, steps: Sequence[Step] | None = None) -> Result:
    """Play a seed, or other steps in its world."""
    world = World(seed)
    broken = None
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder, _silence():
        try:
            _ward(seed)(world, Path(folder)).run(steps_of(seed) if steps is None else steps)
        except BrokenPromiseError as error:
            broken = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a bug raises where nobody expects it
            broken = f"unexpected {type(error).__name__}: {error}"
    return Result(seed, broken, world.injected)


def shortest(seed: int) -> list[Step]:
    """The steps of a seed that matter for what it breaks."""
    return shortened(steps_of(seed), lambda steps: play(seed, steps).broken is not None)


def _ward(seed: int) -> type[EmbeddedWard | ClusterWard]:
    return WARDS[seed % len(WARDS)]


@contextmanager
def _silence() -> Iterator[None]:
    """What the monitor logs is no part of what is printed."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
