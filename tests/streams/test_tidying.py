"""A runtime takes what it holds out of the garbage collector's sight, once looking at it has taken too long."""

from collections.abc import Callable
from typing import Any

import pytest

from streams import tidying
from streams.tidying import EVERY, SLOW, Tidier

THRESHOLDS = (700, 10, 10)


class Collector:
    """Stands for the garbage collector, which all tests of a process share."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[str, dict[str, Any]], None]] = []
        self.done: list[str] = []
        self.threshold = THRESHOLDS

    def freeze(self) -> None:
        self.done.append("freeze")

    def unfreeze(self) -> None:
        self.done.append("unfreeze")

    def collect(self) -> None:
        self.done.append("collect")

    def get_threshold(self) -> tuple[int, int, int]:
        return self.threshold

    def set_threshold(self, *threshold: int) -> None:
        self.threshold = (threshold[0], threshold[1], threshold[2])


class Ward:
    """A tidier that has looked at everything once, a collector and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.collector = Collector()

    def begin(self) -> Tidier:
        self.tidier = Tidier(lambda: self.now)
        self.tidier.start()
        self.tidier.tidy(idle=True)
        return self.tidier

    def collects(self, generation: int, seconds: float) -> None:
        """The collector runs by itself."""
        for phase in ("start", "stop"):
            for callback in self.collector.callbacks:
                callback(phase, {"generation": generation})
            self.now += seconds

    def done(self) -> list[str]:
        """What the tidier has had done since the last time."""
        found, self.collector.done = self.collector.done, []
        return found


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Ward:
    found = Ward()
    monkeypatch.setattr(tidying, "gc", found.collector)
    return found


def test_everything_is_looked_at_in_the_beginning_and_each_hour_when_there_is_time(ward: Ward) -> None:
    tidier = ward.begin()
    assert ward.done() == ["unfreeze", "collect", "freeze"]
    tidier.tidy(idle=True)
    assert ward.done() == []
    ward.now += EVERY
    tidier.tidy(idle=False)
    assert ward.done() == []
    tidier.tidy(idle=True)
    assert ward.done() == ["unfreeze", "collect", "freeze"]


@pytest.mark.parametrize(
    ("generation", "seconds", "wanted"), [(2, 2 * SLOW, ["freeze"]), (2, SLOW / 2, []), (1, 2 * SLOW, [])]
)
def test_after_a_full_collection_that_was_slow_what_is_left_is_frozen_once(
    ward: Ward, generation: int, seconds: float, wanted: list[str]
) -> None:
    tidier = ward.begin()
    ward.done()
    ward.collects(generation, seconds)
    tidier.tidy(idle=False)
    assert ward.done() == wanted
    tidier.tidy(idle=False)
    assert ward.done() == []


def test_what_was_let_go_is_looked_for_after_shaking(ward: Ward) -> None:
    tidier = ward.begin()
    ward.done()
    tidier.shake()
    tidier.tidy(idle=True)
    assert ward.done() == ["unfreeze", "collect", "freeze"]


def test_the_collector_is_left_as_it_was_found(ward: Ward) -> None:
    tidier = ward.begin()
    assert ward.collector.threshold[2] > THRESHOLDS[2]
    tidier.stop()
    assert ward.collector.threshold == THRESHOLDS
    assert not ward.collector.callbacks
    assert ward.done()[-1] == "unfreeze"
