"""A runtime that is at rest takes what it holds out of the garbage collector's sight."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from streams.tidying import EVERY, SLOW, Tidier


class Clock:
    """Seconds; each look at it takes some."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tidier(clock: Clock) -> Iterator[Tidier]:
    tidier = Tidier(clock)
    tidier.start()
    tidier.tidy(idle=True)  # the first look at everything
    gc.unfreeze()
    yield tidier
    tidier.stop()


class Cycle:
    def __init__(self) -> None:
        self.me = self


def test_after_a_slow_collection_what_is_left_is_frozen(tidier: Tidier, clock: Clock) -> None:
    gc.collect()
    tidier.tidy(idle=True)
    assert gc.get_freeze_count() == 0, "it was quick"
    clock.step = 2 * SLOW
    gc.collect(0)
    tidier.tidy(idle=True)
    assert gc.get_freeze_count() == 0, "it was not a full one"
    gc.collect()
    tidier.tidy(idle=True)
    frozen = gc.get_freeze_count()
    assert frozen > 1000
    clock.step = 0.0
    made = [Cycle() for _ in range(1000)]
    gc.collect()
    tidier.tidy(idle=True)
    assert gc.get_freeze_count() < frozen + len(made), "quick again"


def test_garbage_that_was_frozen_is_found_when_everything_is_looked_at_again(tidier: Tidier, clock: Clock) -> None:
    held = Cycle()
    clock.step = 2 * SLOW
    gc.collect()
    tidier.tidy(idle=True)
    garbage = weakref.ref(held)
    del held
    gc.collect()
    assert garbage() is not None, "out of sight"
    clock.now += EVERY
    tidier.tidy(idle=False)
    assert garbage() is not None, "there is something else to do"
    tidier.tidy(idle=True)
    assert garbage() is None
    assert gc.get_freeze_count() > 1000


def test_what_was_let_go_is_looked_for_after_shaking(tidier: Tidier, clock: Clock) -> None:
    held = Cycle()
    clock.step = 2 * SLOW
    gc.collect()
    tidier.tidy(idle=True)
    garbage = weakref.ref(held)
    del held
    tidier.shake()
    tidier.tidy(idle=True)
    assert garbage() is None


def test_the_collector_is_left_as_it_was_found(clock: Clock) -> None:
    before = list(gc.callbacks), gc.get_threshold()
    tidier = Tidier(clock)
    tidier.start()
    clock.now += EVERY
    tidier.tidy(idle=True)
    tidier.stop()
    assert (list(gc.callbacks), gc.get_threshold()) == before
    assert gc.get_freeze_count() == 0
