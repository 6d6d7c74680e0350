"""The time that is trusted, with a wall clock that jumps, lags or is ahead, and senders that are right."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.trust import TrustedTime

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
STEP = timedelta(seconds=30)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


class Ward:
    """What time it is, and a machine whose clock is ``off``."""

    def __init__(self, off: timedelta = timedelta(0)) -> None:
        self.time = BEGIN
        self.off = off
        self.trust = TrustedTime(lambda: self.time + self.off, self.seconds, step=STEP, agreed=MINUTE)

    def seconds(self) -> float:
        return self.time.timestamp()

    def wait(self, number: float) -> None:
        self.time += seconds(number)

    def feed(self, number: int, pace: float = 1.0, behind: timedelta = timedelta(0)) -> None:
        """An event each second, of a recorded log at its own pace."""
        begin = self.time
        for _ in range(number):
            self.wait(1)
            self.trust.hear(begin + (self.time - begin) * pace - behind)


def test_nothing_is_trusted_before_a_sender_is_heard() -> None:
    ward = Ward()
    assert ward.trust.now() is None
    assert ward.trust.arrival() == ward.trust.latest() == BEGIN
    assert (ward.trust.skew, ward.trust.warning, ward.trust.doubted) == (None, "", False)


def test_the_wall_counts_as_long_as_it_goes_with_the_senders() -> None:
    ward = Ward()
    ward.feed(5, behind=seconds(3))
    ward.wait(3600)
    assert ward.trust.now() == ward.time
    assert ward.trust.skew == seconds(3)
    assert ward.trust.warning == ""


def test_a_wall_that_jumps_ahead_moves_time_by_the_step_and_back() -> None:
    ward = Ward()
    ward.feed(5)
    ward.off = DAY
    assert ward.trust.now() == ward.time + STEP
    ward.feed(600)
    assert ward.trust.now() == ward.time + STEP, "however long it lasts"
    assert ward.trust.warning == "this machine's clock is 1 d ahead of its senders"
    assert not ward.trust.doubted
    ward.off = timedelta(0)
    assert ward.trust.now() == ward.time
    assert ward.trust.warning == ""


def test_a_wall_that_is_set_back_moves_nothing_and_is_told() -> None:
    ward = Ward()
    ward.feed(5)
    ward.off = -10 * MINUTE
    assert ward.trust.now() == ward.trust.latest() == ward.trust.shown() == ward.time
    ward.feed(600)
    assert ward.trust.now() == ward.time
    assert ward.trust.warning == "this machine's clock is 10 min behind its senders"
    assert ward.trust.skew == -10 * MINUTE
    ward.wait(3600)
    assert ward.trust.now() == ward.time, "time passes where nobody is heard"


def test_a_wall_that_is_ahead_from_the_start_is_told_once_senders_have_kept_pace() -> None:
    ward = Ward(10 * MINUTE)
    ward.feed(15)
    assert ward.trust.now() is None
    assert ward.trust.warning == ""
    ward.feed(10)
    assert ward.trust.now() == ward.time + STEP
    assert ward.trust.warning == "this machine's clock is 10 min ahead of its senders"
    ward.wait(400)
    assert ward.trust.now() == ward.time + STEP, "silence is noticed all the same"


@pytest.mark.parametrize("pace", [0.0, 0.5, 2.0, 60.0])
def test_a_recorded_log_is_nobody_to_be_believed(pace: float) -> None:
    ward = Ward()
    ward.feed(300, pace, behind=100 * DAY)
    assert ward.trust.now() is None
    assert ward.trust.warning == ""


def test_the_first_who_is_heard_after_a_start_is_believed_whatever_the_wall_says() -> None:
    for off in (timedelta(0), 100 * DAY, 10 * MINUTE):
        ward = Ward(off)
        ward.trust.go_on_from(BEGIN - 60 * MINUTE)
        assert ward.trust.now() == BEGIN - 60 * MINUTE + STEP
        assert ward.trust.shown() == BEGIN + off, "nothing looks fresher than the wall says"
        assert ward.trust.warning == "", "it may have been off as long as that"
        ward.trust.hear(BEGIN)
        assert ward.trust.now() == ward.trust.shown() == BEGIN + min(off, STEP)


def test_a_start_behind_what_was_kept_leaves_every_age_in_doubt() -> None:
    ward = Ward(-10 * MINUTE)
    ward.trust.go_on_from(BEGIN)
    assert ward.trust.doubted
    assert ward.trust.warning == "this machine's clock is 10 min behind what it has kept"
    ward.wait(1)
    ward.trust.hear(ward.time)
    assert not ward.trust.doubted
    assert ward.trust.warning == "this machine's clock is 10 min behind its senders"


def test_what_is_refused_because_it_is_ahead_tells_that_the_wall_is_behind() -> None:
    ward = Ward(-10 * MINUTE)
    ward.trust.refuse(ward.time)
    assert ward.trust.doubted
    assert ward.trust.warning == "this machine's clock is 10 min behind its senders: their events are refused"
    ward.off = timedelta(0)
    ward.trust.hear(ward.time)
    assert not ward.trust.doubted
    assert ward.trust.warning == ""


def test_one_sender_who_is_ahead_of_others_does_not_put_them_in_doubt() -> None:
    ward = Ward()
    for _ in range(10):
        ward.feed(30)
        ward.wait(0.5)
        ward.trust.refuse(ward.time + DAY)
    assert not ward.trust.doubted
    assert ward.trust.skew == timedelta(0)
    assert ward.trust.warning == "a sender's clock is 1 d ahead of this machine's: its events are refused"
    ward.wait(61)
    assert ward.trust.doubted, "nobody else is heard any more"
    ward.wait(300)
    assert (ward.trust.doubted, ward.trust.warning) == (False, ""), "it is silent, too"


def test_a_sender_who_was_a_little_ahead_is_followed_back() -> None:
    ward = Ward()
    ward.trust.hear(BEGIN + seconds(50))
    assert ward.trust.now() == BEGIN + seconds(50)
    ward.feed(60)
    assert ward.trust.now() == ward.time


def test_a_machine_that_slept_goes_by_the_first_who_is_heard() -> None:
    ward = Ward()
    ward.feed(5)
    ward.off = timedelta(hours=8)
    assert ward.trust.now() == ward.time + STEP, "its steady clock has slept, too"
    ward.trust.hear(ward.time + timedelta(hours=8))
    assert ward.trust.now() == ward.time + timedelta(hours=8)
    assert ward.trust.warning == ""
