"""Step functions against their definition, worked out second by second."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import Flow
from rules.instants import MINUTE, SECOND, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.steps import STALE_AFTER, Step, Steps, bridged, delivery, earliest, total
from rules.timeline import Fact
from rules.values import Operator, Value, compare
from tests.rules.strategies import scaled

many = settings(max_examples=scaled(150), deadline=None, derandomize=True)

OPERATORS = st.sampled_from(["gt", "gte", "lt", "lte"])
LEVELS = st.sampled_from([(0.0, 0.0), (0.5, 0.5), (0.6, 0.6), (0.4, 0.8), (0.0, inf)])
HORIZON = 40


@st.composite
def step_functions(draw: st.DrawFn) -> Steps:
    seconds = sorted(draw(st.sets(st.integers(0, HORIZON), max_size=7)))
    return Steps(Step(at * SECOND, *draw(LEVELS)) for at in seconds)


def held_by_definition(
    steps: Steps, at: int, operator: Operator, threshold: float, duration: int, max_gap: int
) -> Truth:
    """Every second of the window qualifies; unknown runs are counted to where they began, at most ``max_gap`` long."""

    def truth(instant: int) -> Truth:
        return compare(steps.value(instant), operator, threshold)

    window = range(at - duration, at + 1, SECOND)
    if any(truth(instant) is NOT_MET for instant in window):
        return NOT_MET
    for instant in window:
        if truth(instant) is UNKNOWN:
            begin = end = instant
            while truth(begin - SECOND) is UNKNOWN:
                begin -= SECOND
            while end < at and truth(end) is UNKNOWN:
                end += SECOND
            if end - begin > max_gap:
                return UNKNOWN
    return MET


class TestHeld:
    @many
    @given(
        step_functions(),
        st.integers(0, HORIZON + 20),
        OPERATORS,
        st.sampled_from([0.0, 0.5]),
        st.integers(0, 15),
        st.integers(0, 8),
    )
    def test_held_is_what_its_definition_says(
        self, steps: Steps, at: int, operator: Operator, threshold: float, duration: int, gap: int
    ) -> None:
        arguments = (at * SECOND, operator, threshold, duration * SECOND, gap * SECOND)
        assert steps.held(*arguments).truth is held_by_definition(steps, *arguments)

    @many
    @given(step_functions(), OPERATORS, st.sampled_from([0.0, 0.5]), st.integers(0, 15), st.integers(0, 8))
    def test_nothing_changes_before_the_instant_that_held_names(
        self, steps: Steps, operator: Operator, threshold: float, duration: int, gap: int
    ) -> None:
        rest = (operator, threshold, duration * SECOND, gap * SECOND)
        answers = [steps.held(second * SECOND, *rest) for second in range(HORIZON + 40)]
        for second, now in enumerate(answers):
            until = len(answers) if now.next_change is None else -(-now.next_change // SECOND)
            assert until > second
            assert {later.truth for later in answers[second:until]} == {now.truth}

    def test_held_says_since_when(self) -> None:
        steps = Steps([Step(0, 0.2, 0.2), Step(10 * MINUTE, 0.6, 0.6), Step(40 * MINUTE, 0.9, 0.9)])
        held = steps.held(60 * MINUTE, "gt", 0.5, 60 * MINUTE, 0)
        assert held == (NOT_MET, 10 * MINUTE, 70 * MINUTE)
        assert steps.held(70 * MINUTE, "gt", 0.5, 60 * MINUTE, 0) == (MET, 10 * MINUTE, None)

    def test_a_gap_at_the_present_end_runs_out(self) -> None:
        steps = Steps([Step(0, 0.6, 0.6), Step(60 * MINUTE, 0.0, inf)])
        held = steps.held(61 * MINUTE, "gt", 0.5, 60 * MINUTE, 10 * MINUTE)
        assert (held.truth, held.next_change) == (MET, 70 * MINUTE + TICK)
        assert steps.held(70 * MINUTE + TICK, "gt", 0.5, 60 * MINUTE, 10 * MINUTE).truth is UNKNOWN

    def test_a_long_gap_leaves_the_window_by_itself(self) -> None:
        steps = Steps([Step(0, 0.6, 0.6), Step(60 * MINUTE, 0.0, inf), Step(90 * MINUTE, 0.6, 0.6)])
        held = steps.held(100 * MINUTE, "gt", 0.5, 60 * MINUTE, 10 * MINUTE)
        assert held.truth is UNKNOWN
        assert held.next_change is not None
        assert steps.held(150 * MINUTE, "gt", 0.5, 60 * MINUTE, 10 * MINUTE).truth is MET


class TestValue:
    @many
    @given(step_functions(), st.integers(-1, HORIZON + 2))
    def test_the_value_is_that_of_the_last_step(self, steps: Steps, at: int) -> None:
        instant = at * SECOND
        before = [step for step in steps.steps if step.at <= instant]
        expected = Value(before[-1].low, before[-1].high) if before else Value(0.0, 0.0)
        assert steps.value(instant)[:2] == expected[:2]
        assert steps.since(instant) == (before[-1].at if before else None)
        assert steps.next_step(instant) == next((step.at for step in steps.steps if step.at > instant), None)

    @many
    @given(st.lists(st.tuples(st.sampled_from([1.0, 0.06, 2.5]), step_functions()), max_size=4))
    def test_a_total_is_the_sum_at_every_second(self, parts: list[tuple[float, Steps]]) -> None:
        summed = total(parts)
        for instant in range(0, (HORIZON + 2) * SECOND, SECOND):
            values = [(factor, steps.value(instant)) for factor, steps in parts]
            found = summed.value(instant)
            assert found.low == pytest.approx(sum(factor * value.low for factor, value in values))
            assert found.high == pytest.approx(sum(factor * value.high for factor, value in values))

    def test_equal_neighbours_are_one_step(self) -> None:
        steps = Steps([Step(0, 1, 1), Step(5, 1, 1), Step(7, 2, 2), Step(7, 3, 3)])
        assert steps.steps == [Step(0, 1, 1), Step(7, 3, 3)]

    def test_earliest_ignores_what_is_not_given(self) -> None:
        assert earliest(None, 3, 2) == 2
        assert earliest(None) is None


ACTIONS = ("start", "rate", "rate", "pause", "resume", "stop", "bag_change", "alarm")


@st.composite
def charts(draw: st.DrawFn) -> list[Fact]:
    """What a pump said, oldest first, over some hours; two lines at most."""
    facts, at = [], 0
    for number in range(draw(st.integers(0, 9))):
        at += draw(st.sampled_from([0, 1, 90, 120, 121, 1800, 3599, 3600, 3601, 3602, 5000])) * SECOND
        action = draw(st.sampled_from(ACTIONS))
        rate = draw(st.sampled_from([0.0, 0.2, 0.6])) if action in ("start", "rate") else None
        flow = Flow(action, draw(st.sampled_from(["main", "main", "second"])), rate)
        facts.append(Fact(at, at, f"e{number}", flow))
    return facts


def twice(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
    """A rate charted in tartrate, or in base: between half and all of it."""
    return 1.0, 2.0, ("salt",)


def exactly(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
    return 1.0, 1.0, ()


def running_by_definition(facts: list[Fact], at: int) -> tuple[float, float]:
    """The rate over all lines, from everything charted up to an instant."""
    low = high = 0.0
    for line in {fact.value.line for fact in facts}:
        rate: float | None = None
        state, confirmed = "off", 0
        for fact in facts:
            flow: Flow = fact.value
            if fact.at > at or flow.line != line or flow.action in ("bag_change", "alarm"):
                continue
            if flow.action == "stop":
                rate, state = None, "off"
            elif flow.action == "pause":
                state = "off"
            else:
                rate = flow.rate if flow.rate is not None else rate
                state, confirmed = "on", fact.at
        if state == "off" or rate == 0:
            continue
        if rate is None or at > confirmed + STALE_AFTER:
            high = inf
        else:
            low, high = low + rate, high + rate
    return low, high


def bridged_by_definition(plain: Steps, limit: int, at: int) -> tuple[float, float]:
    """What ran before an interruption, as long as that has lasted no longer than ``limit``; else the plain value."""
    value = plain.value(at)
    began = plain.since(at)
    if value.high == 0 and began is not None:
        before = plain.value(began - 1)
        end = plain.next_step(at)
        lasts = None if end is None else end - began
        if before.low > 0 and ((lasts is not None and lasts <= limit) or at <= began + limit):
            return before.low, before.high
    return value.low, value.high


class TestDelivery:
    @many
    @given(charts(), st.lists(st.integers(0, 20_000), min_size=1, max_size=40))
    def test_only_what_was_charted_lately_counts_as_running(self, facts: list[Fact], seconds: list[int]) -> None:
        steps = delivery("norepinephrine", facts, exactly)
        assert [step.at for step in steps.steps] == sorted(step.at for step in steps.steps)
        for second in [*seconds, *(fact.at // SECOND for fact in facts)]:
            value = steps.value(second * SECOND)
            assert (value.low, value.high) == pytest.approx(running_by_definition(facts, second * SECOND))
            assert bool(value.missing) == (value.low != value.high)

    @many
    @given(charts(), st.sampled_from([0, 120, 1800]), st.lists(st.integers(0, 20_000), min_size=1, max_size=40))
    def test_an_interruption_is_bridged_up_to_the_limit(
        self, facts: list[Fact], limit: int, seconds: list[int]
    ) -> None:
        plain = delivery("norepinephrine", facts, exactly)
        steps = bridged(plain, limit * SECOND)
        for second in [*seconds, *(fact.at // SECOND for fact in facts)]:
            value = steps.value(second * SECOND)
            assert (value.low, value.high) == bridged_by_definition(plain, limit * SECOND, second * SECOND)

    def test_a_second_pause_does_not_start_the_drug_again(self) -> None:
        facts = [
            Fact(minutes * MINUTE, minutes * MINUTE, f"e{minutes}", Flow(action, "main", rate))
            for minutes, action, rate in [(0, "start", 0.6), (10, "pause", None), (40, "pause", None)]
        ]
        steps = bridged(delivery("norepinephrine", facts, exactly), 2 * MINUTE)
        assert steps.value(11 * MINUTE).low == 0.6
        assert steps.value(13 * MINUTE).high == 0
        assert steps.value(41 * MINUTE).high == 0

    def test_an_unknown_salt_leaves_bounds(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("rate", "main", 0.45))], twice)
        assert steps.value(0) == Value(0.45, 0.9, ("salt",))

    def test_a_rate_is_unknown_an_hour_after_it_was_charted(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("rate", "main", 0.45))], exactly)
        assert steps.value(60 * MINUTE).known
        stale = steps.value(60 * MINUTE + TICK)
        assert (stale.low, stale.high, stale.missing) == (0, inf, ("norepinephrine_rate_stale",))

    def test_a_pump_at_rest_does_not_become_unknown(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("rate", "main", 0.0))], exactly)
        assert steps.value(600 * MINUTE) == Value(0.0, 0.0)

    def test_a_resume_without_a_known_rate_is_unknown(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("resume", "main"))], exactly)
        assert steps.value(0).missing == ("norepinephrine_rate",)
