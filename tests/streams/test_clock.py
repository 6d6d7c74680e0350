from datetime import UTC, datetime, timedelta

from streams.clock import PartitionClock

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)


def clock() -> PartitionClock:
    return PartitionClock(timedelta(seconds=5), timedelta(minutes=1), timedelta(seconds=10))


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def test_what_is_received_moves_time_to_just_before_it_and_never_back() -> None:
    time = clock()
    time.receive(at(10), at(11))
    time.receive(at(7), at(11))
    assert time.reached == at(10) - INSTANT


def test_a_mark_closes_its_instant_and_the_lateness() -> None:
    time = clock()
    time.mark(at(10))
    assert time.reached == at(15)


def test_the_wall_moves_live_data_on_and_stays_behind() -> None:
    time = clock()
    time.receive(at(10), at(11))
    assert not time.look_at_the_wall(at(15))
    assert time.look_at_the_wall(at(100))
    assert time.reached == at(90)


def test_the_wall_leaves_recorded_data_alone_and_data_from_the_future_too() -> None:
    for arrived in (at(1e6), at(-1e6)):
        time = clock()
        time.receive(at(10), arrived)
        assert not time.look_at_the_wall(at(2e6))
    assert not clock().look_at_the_wall(at(2e6)), "nothing has come yet"


def test_the_newest_says_whether_data_are_live() -> None:
    time = clock()
    time.receive(at(10), at(1e6))
    time.receive(at(20), at(21))
    time.receive(at(15), at(1e6))
    assert time.live
