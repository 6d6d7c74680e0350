from datetime import UTC, datetime, timedelta

from streams.clock import PartitionClock, SteadyWall

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


class Machine:
    """Its clock of the day can be set, the other one cannot."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.set_ahead = 0.0
        self.steady = SteadyWall(self.wall, lambda: self.seconds, timedelta(minutes=1))

    def wall(self) -> datetime:
        return at(self.seconds + self.set_ahead)


def test_a_clock_that_is_set_ahead_is_not_believed_until_live_data_agree_with_it() -> None:
    machine = Machine()
    machine.seconds += 30
    machine.set_ahead = 86_400
    assert machine.steady() == at(1030 + 60)
    machine.seconds += 500
    assert machine.steady() == at(1530 + 60), "time goes on as fast as it passes"
    machine.steady.confirm()
    assert machine.steady() == machine.wall()


def test_a_clock_that_is_set_back_or_a_little_ahead_is_believed() -> None:
    machine = Machine()
    for ahead in (-7200, 45):
        machine.set_ahead = ahead
        assert machine.steady() == machine.wall()
