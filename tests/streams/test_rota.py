from itertools import pairwise

import pytest

from streams.rota import Rota

INTERVAL, SOONEST = 20.0, 1.0


def rota() -> Rota:
    return Rota(INTERVAL, SOONEST)


def test_each_patient_has_a_turn_once_in_an_interval_however_often_it_changes() -> None:
    turns = rota()
    names = [(0, f"bed-{number}") for number in range(50)]
    had: dict[tuple[int, str], list[float]] = {name: [] for name in names}
    for now in range(100):
        for name in names:
            turns.changed(name, now)
        for name in turns.take(now, 100):
            had[name].append(now)
    assert {len(times) for times in had.values()} == {4, 5}
    for times in had.values():
        assert all(later - earlier >= INTERVAL for earlier, later in pairwise(times))


def test_turns_are_spread_evenly() -> None:
    turns = rota()
    for number in range(1000):
        turns.changed((0, f"bed-{number}"), 0.0)
    counts = [len(turns.take(now, 1000)) for now in range(1, 21)]
    assert sum(counts) == 1000
    assert max(counts) < 100


def test_no_more_than_asked_for_have_their_turn_at_once() -> None:
    turns = rota()
    for number in range(10):
        turns.changed((0, f"bed-{number}"), 0.0)
    assert [len(turns.take(INTERVAL, 4)) for _ in range(4)] == [4, 4, 2, 0]


def test_what_is_wanted_at_once_comes_at_once_but_not_all_the_time() -> None:
    turns, name = rota(), (0, "bed-1")
    turns.changed(name, 0.0)
    turns.wanted(name, 0.0)
    assert turns.take(0.0, 1) == [name]
    turns.wanted(name, 0.5)
    assert turns.take(0.5, 1) == []
    assert turns.take(SOONEST, 1) == [name]
    assert turns.take(10 * INTERVAL, 1) == []


@pytest.mark.parametrize("partition", [0, 1])
def test_a_partition_that_is_given_away_has_no_turns(partition: int) -> None:
    turns = rota()
    for number in (0, 1):
        turns.changed((number, "bed-1"), 0.0)
    turns.forget(partition)
    assert turns.take(INTERVAL, 9) == [(1 - partition, "bed-1")]
