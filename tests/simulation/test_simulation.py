"""A few seeds of the simulation, and that it sees what is wrong: each fault is injected, each planted bug is found."""

from __future__ import annotations

import sys
from collections import Counter
from unittest.mock import patch

import pytest

from tests.simulation.__main__ import main
from tests.simulation.planted import BUGS, Bug
from tests.simulation.seeds import play, shortest, steps_of, ward_of
from tests.simulation.shrinking import shortened
from tests.simulation.world import Fault, Step

pytestmark = pytest.mark.usefixtures("bulkheads")

SEEDS = 200
_TOGETHER = 20
_SOON = 60
"""A planted bug is found within so many seeds."""
ONCE_BROKEN = (300343, 300654, 400516, 401824, 500828)
"""A dead letter about a message that a kept state held back; a sender ahead, and the wall another step; an audit of
which an entry was changed, beside all else that was repaired; a clock that jumps before anybody was heard; a schema of
which SQLite quotes what is no text."""


@pytest.mark.parametrize("first", range(0, SEEDS, _TOGETHER))
def test_every_promise_holds_whatever_happens(first: int) -> None:
    for seed in range(first, first + _TOGETHER):
        broken = play(seed).broken
        assert broken is None, f"seed {seed}: {broken}; to shorten it: make simulate FIRST={seed} SEEDS=1"


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_what_once_broke_a_promise_breaks_none_any_more(seed: int) -> None:
    assert play(seed).broken is None


def test_each_kind_of_fault_is_injected() -> None:
    injected = Counter[Fault]()
    for seed in range(SEEDS):
        injected += play(seed).injected
        if injected.keys() >= set(Fault):
            break
    assert injected.keys() == set(Fault)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    seeds = [seed for seed in range(bug.first, bug.first + _SOON) if ward_of(seed) is bug.ward]
    with bug.plant():
        assert any(play(seed).broken is not None for seed in seeds)


def test_a_seed_says_the_same_again() -> None:
    for seed in (2, 3):
        assert play(seed) == play(seed)


def test_a_failing_seed_is_shown_with_its_shortened_history(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bug = next(bug for bug in BUGS if bug.what == "a dead letter is lost")
    monkeypatch.setattr(sys, "argv", ["simulation", "--seeds", "1"])
    with bug.plant():
        assert main() == 1
        assert len(shortest(0)) < len(steps_of(0)) / 2
    shown = capsys.readouterr().out
    assert "seed 0: " in shown
    assert "shortened to " in shown
    assert str(Fault.KILLED) in shown
    assert main() == 0


def test_steps_that_do_not_matter_are_left_out_and_time_passes_all_the_same() -> None:
    steps = [Step(str(number), 1.0, 0) for number in range(20)]

    def fails(tried: object) -> bool:
        assert isinstance(tried, list)
        names = [step.what for step in tried]
        return "3" in names and "11" in names

    assert shortened(steps, fails) == [Step("3", 4.0, 0), Step("11", 8.0, 0)]


def test_what_is_unexpected_breaks_a_promise_too() -> None:
    with patch.object(ward_of(0), "run", side_effect=ZeroDivisionError):
        assert play(0).broken == "unexpected ZeroDivisionError: "
