"""Facts in the order of the patient's time, minute medians, and what is forgotten."""

from itertools import count, pairwise
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import Coded, Flow, Sample
from rules.instants import DAY, FOREVER, HOUR, MINUTE, SECOND
from rules.minutes import SETTLING, MinuteSeries
from rules.timeline import REPEATED, Fact, Timeline
from tests.rules.strategies import scaled

KEPT = 28 * HOUR
LONG = 14 * DAY

many = settings(max_examples=scaled(100), deadline=None, derandomize=True)
facts_of = st.lists(
    st.tuples(
        st.sampled_from(["signal:lactate", "dose:ceftriaxone", "state:echo"]), st.integers(0, 50), st.integers(0, 9)
    ),
    max_size=25,
    unique=True,
)


def sample(at: int, event: str = "e", value: float = 2.0) -> Fact:
    return Fact(at, at, event, Sample(value))


def flow(at: int, action: str, rate: float | None = None, line: str = "main") -> Fact:
    return Fact(at, at, f"{action}-{at}", Flow(action, line, rate))


class TestTimeline:
    @many
    @given(facts_of, st.integers(-1, 60))
    def test_questions_are_answered_in_the_order_of_effective_time(
        self, given_: list[tuple[str, int, int]], at: int
    ) -> None:
        timeline = Timeline()
        facts = [
            (channel, Fact(at_, at_ + lag, f"e{number}", Sample(float(lag))))
            for number, (channel, at_, lag) in enumerate(given_)
        ]
        for channel, fact in facts:
            assert timeline.insert(channel, fact, 60)
        for channel in ("signal:lactate", "dose:ceftriaxone", "state:echo", "state:nothing"):
            mine = sorted((fact for name, fact in facts if name == channel), key=lambda f: (f.at, f.received, f.event))
            before = [fact for fact in mine if fact.at <= at]
            assert timeline.upto(channel, at) == before
            assert timeline.latest(channel, at) == (before[-1] if before else None)
        everything = sorted(fact.at for _, fact in facts)
        channels = frozenset({"signal:lactate", "dose:ceftriaxone", "state:echo"})
        assert timeline.next_change(channels, at) == next((found for found in everything if found > at), None)

    @many
    @given(facts_of)
    def test_what_is_taken_back_is_gone_from_every_channel(self, given_: list[tuple[str, int, int]]) -> None:
        timeline = Timeline()
        for channel, at, event in given_:
            timeline.insert(channel, sample(at, f"e{event}"), 60)
        taken_back = timeline.retract("e3", 60)
        assert sorted((channel, fact.at) for channel, fact in taken_back) == sorted(
            (channel, at) for channel, at, event in given_ if event == 3
        )
        assert all(fact.event != "e3" for facts in timeline.channels.values() for fact in facts)

    def test_a_remembered_value_is_built_again_only_when_its_channel_changed(self) -> None:
        timeline = Timeline()
        built = count(1)

        def ask() -> int:
            return timeline.memo("key", ("signal:lactate",), lambda: next(built))

        assert (ask(), ask()) == (1, 1)
        timeline.insert("signal:other", sample(1), 1)
        assert ask() == 1
        timeline.insert("signal:lactate", sample(1), 1)
        assert ask() == 2
        timeline.retract("e", 2)
        assert ask() == 3


def forgetful(**kept: int) -> Timeline:
    """A timeline that keeps what is named, of each kind, for so long; what is older than a day may be thinned."""
    names = {"lactate": "signal:lactate", "weight": "signal:weight", "norepinephrine": "infusion:norepinephrine"}
    channels = {names.get(name, name if name in ("fluid", "culture") else f"state:{name}"): kept[name] for name in kept}
    return Timeline(channels, DAY)


class TestForgetting:
    def test_samples_are_forgotten_when_no_rule_reads_them_but_the_newest_old_one_stays(self) -> None:
        timeline = forgetful(lactate=KEPT)
        for number, at in enumerate((0, HOUR, 2 * HOUR, 40 * HOUR)):
            timeline.insert("signal:lactate", sample(at, f"e{number}"), at)
        timeline.prune(40 * HOUR)
        assert [fact.at for fact in timeline.channels["signal:lactate"]] == [2 * HOUR, 40 * HOUR]

    def test_each_channel_is_kept_for_as_long_as_it_is_read(self) -> None:
        timeline = forgetful(fluid=KEPT, culture=LONG)
        for channel in ("fluid", "culture"):
            timeline.insert(channel, sample(0, channel), 0)
        timeline.prune(KEPT)
        assert timeline.channels.keys() == {"fluid", "culture"}
        timeline.prune(KEPT + 1)
        assert timeline.channels.keys() == {"culture"}
        timeline.prune(LONG + 1)
        assert not timeline.channels
        assert timeline.newest < 0

    def test_a_coded_fact_lasts_until_another_replaces_it(self) -> None:
        timeline = forgetful(goals_of_care=KEPT)
        timeline.insert("state:goals_of_care", Fact(0, 0, "e", Coded("full")), 0)
        timeline.prune(60 * DAY)
        assert timeline.latest("state:goals_of_care", 60 * DAY) is not None

    def test_since_when_a_coded_fact_has_been_true_is_not_forgotten(self) -> None:
        """Neither the first of an unbroken run, nor what a later record says of its beginning."""
        timeline = forgetful(ards=KEPT)
        said = (("absent", None), ("present", None), ("present", None), ("present", -DAY), ("present", -DAY))
        for day, (value, since) in enumerate(said):
            timeline.insert("state:ards", Fact(day * DAY, day * DAY, f"e{day}", Coded(value, since)), day * DAY)
        timeline.prune(60 * DAY)
        assert [fact.at // DAY for fact in timeline.channels["state:ards"]] == [1, 3, 4]

    @pytest.mark.parametrize("last", ["bag_change", "alarm", "pause", "resume"])
    def test_the_rate_of_an_infusion_is_not_forgotten_behind_a_later_message(self, last: str) -> None:
        timeline = forgetful(norepinephrine=KEPT)
        for fact in (flow(0, "rate", 0.6), flow(HOUR, last), flow(2 * HOUR, "rate", 0.1, "second")):
            timeline.insert("infusion:norepinephrine", fact, fact.at)
        timeline.prune(2 * HOUR + KEPT + HOUR)
        kept = [(fact.value.line, fact.value.action) for fact in timeline.channels["infusion:norepinephrine"]]
        assert kept == [("main", "rate"), ("main", last), ("second", "rate")]

    def test_what_ran_before_a_long_stop_is_known_when_it_is_started_again(self) -> None:
        timeline = forgetful(norepinephrine=KEPT)
        said = [(0, "rate", 0.6), (1, "rate", 0.6), (2, "stop", None), (3, "rate", 0.0), (4, "rate", 0.0)]
        for hour, action, rate in said:
            timeline.insert("infusion:norepinephrine", flow(hour * HOUR, action, rate), hour * HOUR)
        timeline.prune(5 * DAY)
        assert [fact.at // HOUR for fact in timeline.channels["infusion:norepinephrine"]] == [1, 2, 4]

    def test_confirmations_of_a_rate_are_thinned_but_none_that_keeps_it_known(self) -> None:
        timeline = forgetful(norepinephrine=LONG)
        for minute in range(0, 3 * 24 * 60, 2):
            at = minute * MINUTE
            timeline.insert("infusion:norepinephrine", flow(at, "rate", 0.6 if at < DAY else 0.7), at)
        timeline.prune(3 * DAY)
        kept = [fact.at for fact in timeline.channels["infusion:norepinephrine"]]
        assert {0, DAY - 2 * MINUTE, DAY} <= set(kept)
        assert all(later - earlier <= REPEATED for earlier, later in pairwise(kept))
        assert len([at for at in kept if at < 2 * DAY]) <= 2 * DAY / REPEATED + 3
        assert len([at for at in kept if at >= 2 * DAY]) == DAY / (2 * MINUTE)

    def test_a_sample_is_not_thinned_where_it_says_something_else_or_is_charted_now_and_then(self) -> None:
        timeline = forgetful(lactate=LONG)
        said = ((0, 2.0), (10, 2.0), (20, 2.0), (21, 3.0), (22, 2.0), (23, 2.0), (40, 2.0), (60, 2.0))
        for minute, value in said:
            timeline.insert("signal:lactate", sample(minute * MINUTE, f"e{minute}", value), minute * MINUTE)
        timeline.prune(3 * DAY)
        assert [fact.at // MINUTE for fact in timeline.channels["signal:lactate"]] == [minute for minute, _ in said]

    def test_history_that_arrives_too_late_is_not_taken(self) -> None:
        timeline, now = forgetful(lactate=KEPT, weight=KEPT), 40 * HOUR
        assert timeline.insert("signal:lactate", sample(39 * HOUR, "new"), now)
        assert not timeline.insert("signal:lactate", sample(HOUR, "old"), now)
        assert timeline.insert("signal:weight", sample(HOUR, "only"), now)

    @many
    @given(st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=12, unique_by=lambda item: item[0]))
    def test_forgetting_changes_no_value_that_can_still_be_asked_for(self, charted: list[tuple[int, bool]]) -> None:
        now = 80 * HOUR
        whole, pruned = forgetful(weight=KEPT), forgetful(weight=KEPT)
        for timeline in (whole, pruned):
            for hour, again in charted:
                timeline.insert("signal:weight", sample(hour * HOUR, f"e{hour}{again}", hour), now)
        pruned.prune(now)
        for at in range(now - KEPT, now + 1, HOUR):
            assert whole.latest("signal:weight", at) == pruned.latest("signal:weight", at)


class TestMinuteSeries:
    @many
    @given(st.lists(st.tuples(st.integers(0, 400), st.integers(30, 90)), max_size=60, unique_by=lambda item: item[0]))
    def test_a_minute_is_the_median_of_its_samples(self, samples: list[tuple[int, int]]) -> None:
        series = MinuteSeries(KEPT)
        for second, value in samples:
            assert series.insert(second * SECOND, float(value), 0)
        for _ in range(2):
            for minute in range(8):
                mine = [value for second, value in samples if second // 60 == minute]
                assert series.at(minute) == (median(mine) if mine else None)
            window = [median(m) for n in range(1, 6) if (m := [v for s, v in samples if s // 60 == n])]
            assert series.window(6 * MINUTE + 30 * SECOND, 5 * MINUTE) == window
            series.settle(HOUR)

    @many
    @given(st.permutations([(5, 50.0), (20, 60.0), (40, 80.0), (55, 90.0)]))
    def test_the_order_of_samples_does_not_matter(self, samples: list[tuple[int, float]]) -> None:
        series = MinuteSeries(KEPT)
        for second, value in samples:
            series.insert(second * SECOND, value, MINUTE)
        series.settle(MINUTE + SETTLING)
        assert series.at(0) == 70

    def test_the_same_sample_again_changes_nothing(self) -> None:
        series = MinuteSeries(KEPT)
        assert series.insert(5 * SECOND, 50, 5 * SECOND)
        assert not series.insert(5 * SECOND, 99, 6 * SECOND)
        assert series.at(0) == 50

    def test_a_settled_minute_takes_no_more_samples_whether_or_not_settling_was_asked_for(self) -> None:
        for asked in (True, False):
            series = MinuteSeries(KEPT)
            series.insert(5 * SECOND, 50, 5 * SECOND)
            if asked:
                series.settle(MINUTE + SETTLING)
            assert not series.insert(6 * SECOND, 90, MINUTE + SETTLING)
            assert series.at(0) == 50

    def test_a_minute_that_was_missed_is_filled_in_late(self) -> None:
        series = MinuteSeries(KEPT)
        assert series.insert(5 * SECOND, 50, 3 * HOUR)
        assert series.insert(6 * SECOND, 60, 3 * HOUR)
        series.settle(3 * HOUR + MINUTE)
        assert series.at(0) == 55

    def test_nothing_older_than_the_retention_is_taken(self) -> None:
        assert not MinuteSeries(KEPT).insert(0, 50, KEPT + 1)

    def test_minutes_are_forgotten_after_the_retention(self) -> None:
        series = MinuteSeries(KEPT)
        for minute in range(0, 40 * 60, 10):
            series.insert(minute * MINUTE, 50, minute * MINUTE)
            series.settle(minute * MINUTE)
        kept = sum(len(values) for _, values in series.runs())
        assert kept + len(series.unsettled) <= (KEPT + 2 * HOUR) // (10 * MINUTE)

    @many
    @given(st.lists(st.tuples(st.integers(1, 20 * 60), st.integers(30, 90)), min_size=1, max_size=20))
    def test_what_the_newest_minute_said_outlasts_the_retention(self, gaps: list[tuple[int, int]]) -> None:
        """As of a signal charted by hand: silence does not make it unsaid."""
        whole, pruned, restored, now = MinuteSeries(), MinuteSeries(KEPT), MinuteSeries(KEPT), 0
        for gap, value in gaps:
            now += gap * MINUTE
            for series in (whole, pruned):
                series.insert(now, float(value), now)
                series.settle(now + HOUR)
        if pruned.edge is not None:
            restored.edge = pruned.edge
        for first, values in pruned.runs():
            restored.fill(first, values)
        for at in range(max(now + HOUR - KEPT, 0), now + 3 * KEPT, 47 * MINUTE):
            found = whole.newest_sent(at, FOREVER)
            assert pruned.newest_sent(at, FOREVER) == restored.newest_sent(at, FOREVER) == found
            assert found is None or pruned.at(found) == restored.at(found) == whole.at(found)

    def test_medians_are_kept_in_runs_of_minutes_and_filled_in_again(self) -> None:
        series = MinuteSeries(KEPT)
        for minute in (10, 11, 3, 14, 15):
            series.insert(minute * MINUTE, float(minute), 20 * MINUTE)
        series.settle(HOUR)
        assert list(series.runs()) == [(3, [3.0]), (10, [10.0, 11.0]), (14, [14.0, 15.0])]
        again = MinuteSeries(KEPT)
        for first, values in series.runs():
            again.fill(first, values)
        assert [again.at(minute) for minute in range(20)] == [series.at(minute) for minute in range(20)]
        assert again.newest == 15

    def test_a_median_that_is_taken_back_is_gone_wherever_it_was(self) -> None:
        for gone in (3, 10, 11, 15):
            series = MinuteSeries(KEPT)
            for minute in (3, 10, 11, 15):
                series.insert(minute * MINUTE, float(minute), 20 * MINUTE)
            series.settle(HOUR)
            series.remove(gone * MINUTE, HOUR)
            series.remove(99 * MINUTE, HOUR)
            assert [minute for minute in range(20) if series.at(minute) is not None] == [
                minute for minute in (3, 10, 11, 15) if minute != gone
            ]
            assert next(series.runs())[0] == (10 if gone == 3 else 3)

    def test_windows_of_neighbouring_minutes_share_all_but_one(self) -> None:
        series = MinuteSeries(KEPT)
        for minute in range(30):
            series.insert(minute * MINUTE, float(minute), minute * MINUTE)
        windows = [series.window(minute * MINUTE, 15 * MINUTE) for minute in range(15, 30)]
        assert all(later == [*earlier[1:], later[-1]] for earlier, later in pairwise(windows))
