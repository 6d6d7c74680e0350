"""Plays a seed from its beginning to its end, and says what came of it."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from rules.outputs import encode_change
from tests.simulation.cluster import ClusterWard
from tests.simulation.embedded import EmbeddedWard
from tests.simulation.shrinking import shortened
from tests.simulation.world import BrokenPromiseError, Fault, Step, World

WARDS: Final = (EmbeddedWard, ClusterWard)
"""One seed after the other is of each of these."""


class Result(NamedTuple):
    """What came of a seed.

    Attributes:
        broken: the promise that was broken, or None.
        injected: how often each fault took effect.
        said: everything that was published.
    """

    broken: str | None
    injected: Counter[Fault]
    said: tuple[str, ...]


def steps_of(seed: int) -> list[Step]:
    """What happens in a seed."""
    return ward_of(seed).plan(World(seed))


def play(seed: int, steps: Sequence[Step] | None = None) -> Result:
    """Play a seed, or other steps in its world."""
    world = World(seed)
    broken = None
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder, _silence():
        ward = ward_of(seed)(world, Path(folder))
        try:
            ward.run(steps_of(seed) if steps is None else steps)
        except BrokenPromiseError as error:
            broken = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a bug raises where nobody expects it
            broken = f"unexpected {type(error).__name__}: {error}"
    return Result(broken, world.injected, tuple(encode_change(entry.change) for entry in ward.told))


def shortest(seed: int) -> list[Step]:
    """The steps of a seed that matter for what it breaks."""
    return shortened(steps_of(seed), lambda steps: play(seed, steps).broken is not None)


def ward_of(seed: int) -> type[EmbeddedWard | ClusterWard]:
    """Which ward a seed is of."""
    return WARDS[seed % len(WARDS)]


@contextmanager
def _silence() -> Iterator[None]:
    """What the monitor logs is no part of what is printed."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
