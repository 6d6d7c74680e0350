"""A runtime that is at rest takes what it holds out of the garbage collector's sight."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from streams.tidying import EVERY, Tidier


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


class Cycle:
    def __init__(self) -> None:
        self.me = self


def test_what_is_held_is_frozen_now_and_then() -> None:
    now = 1000.0
    tidier = Tidier(lambda: now)
    tidier.rest()
    frozen = gc.get_freeze_count()
    assert frozen > 0
    made = [Cycle() for _ in range(1000)]
    tidier.rest()
    assert gc.get_freeze_count() <= frozen, "not every time"
    now += EVERY
    tidier.rest()
    assert gc.get_freeze_count() >= frozen + len(made)


def test_garbage_is_collected_before_anything_is_frozen() -> None:
    garbage = weakref.ref(Cycle())
    Tidier(lambda: 1000.0).rest()
    assert garbage() is None


def test_what_was_let_go_later_is_found_after_shaking() -> None:
    tidier = Tidier(lambda: 1000.0)
    held = Cycle()
    tidier.rest()
    garbage = weakref.ref(held)
    del held
    gc.collect()
    assert garbage() is not None, "out of sight"
    tidier.shake()
    tidier.rest()
    assert garbage() is None
