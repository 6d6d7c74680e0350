"""Step functions against their definition, worked out second by second."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.delivery import Limits, confirmed, delivery
from rules.facts import CONCENTRATION, UNREADABLE, Flow
from rules.instants import MINUTE, SECOND, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.steps import Step, Steps, bridged, earliest, total
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
    steps: Steps, at: int, operator: Operator, threshold: float, duration: int, max_gap: int, max_dip: int
) -> Truth:
    """Every second of the window qualifies, or belongs to a dip that is passed over.

    A dip is passed over if it is at most ``max_dip`` long and something before it qualifies or may; while it goes on,
    the window ends where it began. Unknown runs are counted to where they began, dips between unknown seconds among
    them, and are at most ``max_gap`` long.
    """
    first = -HORIZON * SECOND
    seconds = range(min(first, at - duration), at + 1, SECOND)
    truths = [compare(steps.value(instant), operator, threshold) for instant in seconds]
    last = len(truths) - 1
    while last >= 0 and truths[last] is NOT_MET:
        last -= 1
    lasted = (len(truths) - 2 - last) * SECOND
    if last < len(truths) - 1 and last >= 0 and max_dip > 0 and lasted <= max_dip:
        truths[last + 1 :] = [MET]
    index = 0
    while index < len(truths):
        end = index
        while end < len(truths) and truths[end] is NOT_MET:
            end += 1
        if len(truths) > end > index > 0 and 0 < (end - index) * SECOND <= max_dip:
            between = (truths[index - 1], truths[end]) == (UNKNOWN, UNKNOWN)
            truths[index:end] = [UNKNOWN if between else MET] * (end - index)
        index = max(end, index + 1)
    window = max(0, len(truths) - 1 - duration // SECOND)
    if NOT_MET in truths[window:]:
        return NOT_MET
    for place in range(window, len(truths)):
        if truths[place] is UNKNOWN:
            begin = end = place
            while begin and truths[begin - 1] is UNKNOWN:
                begin -= 1
            while end + 1 < len(truths) and truths[end] is UNKNOWN:
                end += 1
            if (end - begin) * SECOND > max_gap:
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
        st.integers(0, 5),
    )
    def test_held_is_what_its_definition_says(
        self, steps: Steps, at: int, operator: Operator, threshold: float, duration: int, gap: int, dip: int
    ) -> None:
        arguments = (at * SECOND, operator, threshold, duration * SECOND, gap * SECOND, dip * SECOND)
        assert steps.held(*arguments).truth is held_by_definition(steps, *arguments)

    @many
    @given(
        step_functions(),
        OPERATORS,
        st.sampled_from([0.0, 0.5]),
        st.integers(0, 15),
        st.integers(0, 8),
        st.integers(0, 5),
    )
    def test_nothing_changes_before_the_instant_that_held_names(
        self, steps: Steps, operator: Operator, threshold: float, duration: int, gap: int, dip: int
    ) -> None:
        rest = (operator, threshold, duration * SECOND, gap * SECOND, dip * SECOND)
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

    @pytest.mark.parametrize(("dip", "truth"), [(2 * MINUTE, MET), (2 * MINUTE + 1, NOT_MET)])
    def test_a_dip_of_just_the_length_that_is_allowed_ends_no_run(self, dip: int, truth: Truth) -> None:
        low, back = Step(10 * MINUTE, 0.2, 0.2), Step(10 * MINUTE + dip, 0.6, 0.6)
        steps = Steps([Step(0, 0.6, 0.6), low, back])
        assert steps.held(30 * MINUTE, "gt", 0.5, 25 * MINUTE, 0, 2 * MINUTE).truth is truth

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
STALE = 90 * MINUTE
HIGHEST = 5.0
LIMITS = Limits(STALE, HIGHEST)
PUMPS = {"main": None, "second": None, "third": "P3", "fourth": "P4"}
"""Lines, and what is known to deliver there."""


@st.composite
def charts(draw: st.DrawFn, *, steady: bool = False) -> list[Fact]:
    """What was said of four lines, oldest first, over some hours; mostly the same again where it is ``steady``."""
    facts, at = [], 0
    for count in range(draw(st.integers(0, 9))):
        at += draw(st.sampled_from([0, 1, 90, 120, 121, 1800, 3600, 5399, 5400, 5401, 5402, 7000])) * SECOND
        action = draw(st.sampled_from(("rate",) * 6 + ("pause",) if steady else ACTIONS))
        rate = (
            draw(st.sampled_from([0.2, 0.2, 0.2, 0.6, 0.0] if steady else [0.0, 0.2, 0.6, 48.0, None]))
            if action in ("start", "rate")
            else None
        )
        if action in ("resume", "bag_change", "alarm"):
            rate = draw(st.sampled_from([None, None, 0.6]))
        doubt = UNREADABLE if action in ("start", "rate") and rate is None else None
        doubt = CONCENTRATION if action == "bag_change" and rate is None else doubt
        line = draw(st.sampled_from(["main", "main", "second", "third", "fourth"]))
        volume = rate is not None and not steady and draw(st.booleans())
        flow = Flow(action, line, rate, by_volume=volume, doubt=doubt, pump=PUMPS[line])
        facts.append(Fact(at, at, f"e{count}", flow))
    return facts


def twice(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
    """A rate charted in tartrate, or in base: between half and all of it."""
    return 1.0, 2.0, ("salt",)


def exactly(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
    return 1.0, 1.0, ()


def holds_by_definition(stated: list[int]) -> float:
    """How long a rate counts: the usual, or an interval between its last three statements and a little more."""
    habit = [after - before for before, after in pairwise(stated[-3:])]
    return max([STALE, *(interval + STALE / 30 for interval in habit if interval <= 1.5 * STALE)])


def line_by_definition(facts: list[Fact], line: str, at: int) -> tuple[float, float, int, float]:
    """What one line delivered at an instant, at least and at most, when last charted, until when it counted."""
    known: float | None = None
    volume, state, confirmed = False, "off", 0
    stood = False
    stated: list[int] = []
    until = -inf
    for fact in facts:
        flow: Flow = fact.value
        if fact.at > at or flow.line != line:
            continue
        if flow.action in ("stop", "pause"):
            state, stood, stated = "off", True, []
            known = None if flow.action == "stop" else known
            continue
        emptied = flow.doubt == CONCENTRATION and volume and known is not None
        if flow.says_rate:
            known = flow.rate
            volume = flow.by_volume
        elif emptied:
            known = None
        elif flow.action in ("bag_change", "alarm"):
            continue
        if flow.action not in ("bag_change", "alarm"):
            state, stood = "on", False
        elif stood:
            state = "perhaps" if flow.says_rate else state
        else:
            state = "on"
        again = bool(stated) and until >= fact.at
        stated = [*stated, fact.at] if flow.says_rate and state == "on" else []
        lasts = fact.at + holds_by_definition(stated)
        until = max(until, lasts) if again and stated else lasts
        confirmed = fact.at
        if known is None or not 0 < known <= HIGHEST:
            until = -inf
    if state == "off" or known == 0:
        return 0.0, 0.0, confirmed, inf
    if known is None or known > HIGHEST or at > until:
        return 0.0, inf, confirmed, until if until > -inf else inf
    return (known if state == "on" else 0.0), known, confirmed, inf


def stood_by_definition(facts: list[Fact], line: str, at: int) -> float:
    """Since when a pump stands that does: from then on it was never said to run."""
    began = -inf
    for instant in [fact.at for fact in facts if fact.value.line == line and fact.at <= at]:
        said = [fact for fact in facts if fact.value.line == line and fact.at <= instant]
        if all(fact.value.action in ("bag_change", "alarm") and not fact.value.says_rate for fact in said):
            continue
        stands = line_by_definition(facts, line, instant)[1] == 0
        began = (began if began >= 0 else instant) if stands else -inf
    return began


def running_by_definition(facts: list[Fact], at: int) -> tuple[float, float]:
    """What pumps deliver, and lines that say more.

    Without a pump that runs, from the largest line that was charted after they stood to all of them; so too where the
    one that runs has fallen silent, and a line was charted since.
    """
    ran = {line: line_by_definition(facts, line, at) for line in PUMPS}
    pumps = [line for line, pump in PUMPS.items() if pump]
    low, high = (sum(ran[line][bound] for line in pumps) for bound in (0, 1))
    lines = [ran[line] for line, pump in PUMPS.items() if not pump]
    silent = [ran[line][3] + TICK - STALE for line in pumps if ran[line][1]]
    charted_since = len(silent) == 1 and any(said > silent[0] and 0 < most < inf for _, most, said, _ in lines)
    if high and not charted_since:
        return low, high + sum(most for least, most, _, _ in lines if least > high)
    stood = max(stood_by_definition(facts, line, at) for line in pumps)
    least = max((least for least, _, said, _ in lines if said > stood), default=0.0)
    return least, sum(most for _, most, _, _ in lines)


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
        steps = delivery("norepinephrine", facts, exactly, LIMITS)
        assert [step.at for step in steps.steps] == sorted(step.at for step in steps.steps)
        for second in [*seconds, *(fact.at // SECOND for fact in facts)]:
            value = steps.value(second * SECOND)
            assert (value.low, value.high) == pytest.approx(running_by_definition(facts, second * SECOND))
            assert bool(value.missing) == (value.low != value.high)

    @many
    @given(charts(steady=True))
    def test_what_only_confirms_changes_no_answer_before_the_one_it_confirms_runs_out(self, facts: list[Fact]) -> None:
        for index, fact in enumerate(facts):
            if confirmed(facts[:index], fact, fact.at, STALE):
                before, after = (delivery("norepinephrine", facts[:end], exactly, LIMITS) for end in (index, index + 1))
                until = before.next_step(fact.at)
                changes = [step.at for step in after.steps if step.at >= fact.at]
                for at in [fact.at, *(change for change in changes if until is None or change < until)]:
                    assert after.value(at) == before.value(at)

    @many
    @given(charts(), st.sampled_from([0, 120, 1800]), st.lists(st.integers(0, 20_000), min_size=1, max_size=40))
    def test_an_interruption_is_bridged_up_to_the_limit(
        self, facts: list[Fact], limit: int, seconds: list[int]
    ) -> None:
        plain = delivery("norepinephrine", facts, exactly, LIMITS)
        steps = bridged(plain, limit * SECOND)
        for second in [*seconds, *(fact.at // SECOND for fact in facts)]:
            value = steps.value(second * SECOND)
            assert (value.low, value.high) == bridged_by_definition(plain, limit * SECOND, second * SECOND)

    def test_a_second_pause_does_not_start_the_drug_again(self) -> None:
        facts = [
            Fact(minutes * MINUTE, minutes * MINUTE, f"e{minutes}", Flow(action, "main", rate))
            for minutes, action, rate in [(0, "start", 0.6), (10, "pause", None), (40, "pause", None)]
        ]
        steps = bridged(delivery("norepinephrine", facts, exactly, LIMITS), 2 * MINUTE)
        assert steps.value(11 * MINUTE).low == 0.6
        assert steps.value(13 * MINUTE).high == 0
        assert steps.value(41 * MINUTE).high == 0

    def test_an_unknown_salt_leaves_bounds(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("rate", "main", 0.45))], twice, LIMITS)
        assert steps.value(0) == Value(0.45, 0.9, ("salt",))

    def test_a_rate_is_unknown_once_nobody_has_confirmed_it_for_too_long(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("rate", "main", 0.45))], exactly, LIMITS)
        assert steps.value(STALE).known
        stale = steps.value(STALE + TICK)
        assert (stale.low, stale.high, stale.missing) == (0, inf, ("norepinephrine_rate_stale",))

    def test_a_pump_at_rest_does_not_become_unknown(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("rate", "main", 0.0))], exactly, LIMITS)
        assert steps.value(600 * MINUTE) == Value(0.0, 0.0)

    def ran(self, *flows: tuple[int, Flow]) -> Steps:
        facts = [Fact(minute * MINUTE, minute * MINUTE, f"e{minute}", flow) for minute, flow in flows]
        return delivery("norepinephrine", facts, exactly, LIMITS)

    def test_a_rate_that_cannot_be_read_ends_the_one_before_it(self) -> None:
        steps = self.ran(
            (0, Flow("start", "main", 0.6)),
            (15, Flow("rate", "main", doubt=UNREADABLE)),
            (30, Flow("rate", "main", 0.4)),
        )
        assert steps.value(14 * MINUTE).known
        assert steps.value(15 * MINUTE) == Value(0.0, inf, ("norepinephrine_rate_unreadable",))
        assert steps.value(30 * MINUTE) == Value(0.4, 0.4)

    def test_a_rate_beyond_any_pump_is_not_the_one_before_it(self) -> None:
        steps = self.ran((0, Flow("start", "main", 0.6)), (15, Flow("rate", "main", 48.0)))
        assert steps.value(15 * MINUTE) == Value(0.0, inf, ("norepinephrine_rate_implausible",))

    def test_a_bag_that_comes_with_a_rate_sets_it(self) -> None:
        steps = self.ran((0, Flow("start", "main", 0.3, by_volume=True)), (30, Flow("bag_change", "main", 0.6)))
        assert steps.value(30 * MINUTE) == Value(0.6, 0.6)

    def test_a_bag_without_a_rate_makes_a_rate_by_volume_unknown_and_no_other(self) -> None:
        bag = Flow("bag_change", "main", doubt=CONCENTRATION)
        by_volume = self.ran((0, Flow("start", "main", 0.3, by_volume=True)), (30, bag))
        assert by_volume.value(30 * MINUTE).missing == ("norepinephrine_concentration",)
        assert self.ran((0, Flow("start", "main", 0.3)), (30, bag)).value(30 * MINUTE) == Value(0.3, 0.3)

    def test_a_new_bag_does_not_say_that_a_stopped_pump_runs(self) -> None:
        steps = self.ran(
            (0, Flow("start", "main", 0.6)), (10, Flow("stop", "main")), (20, Flow("bag_change", "main", 0.3))
        )
        assert steps.value(20 * MINUTE) == Value(0.0, 0.3, ("norepinephrine_restart",))

    def test_one_drug_on_two_lines_is_from_the_larger_to_the_sum(self) -> None:
        steps = self.ran((0, Flow("start", "main", 0.3)), (10, Flow("start", "mar", 0.2)))
        assert steps.value(10 * MINUTE) == Value(0.3, 0.5, ("norepinephrine_on_two_lines",))

    def test_two_sources_on_one_line_do_not_take_turns(self) -> None:
        steps = self.ran(
            (0, Flow("start", "main", 0.4, source="pump")),
            (10, Flow("rate", "main", 0.2, source="mar")),
            (20, Flow("rate", "main", 0.4, source="pump")),
        )
        assert {steps.value(minute * MINUTE)[:2] for minute in (10, 15, 20, 25)} == {(0.4, 0.6)}

    def test_a_source_that_fell_silent_is_superseded_by_the_other_on_its_line(self) -> None:
        steps = self.ran(
            (0, Flow("start", "main", 0.4, source="pump")),
            *((minute, Flow("rate", "main", 0.2, source="mar")) for minute in range(30, 150, 30)),
        )
        assert steps.value(STALE + TICK) == Value(0.2, 0.2)

    def test_a_stop_is_for_the_whole_line_whoever_charts_it(self) -> None:
        steps = self.ran(
            (0, Flow("start", "main", 0.4, source="pump", pump="P1")), (10, Flow("stop", "main", source="chart"))
        )
        assert steps.value(10 * MINUTE) == Value(0.0, 0.0)

    def test_what_a_chart_says_beside_a_pump_is_the_charting_of_it(self) -> None:
        pump = Flow("start", "pump-3", 0.3, pump="pump-3")
        charted = self.ran((0, pump), (0, Flow("start", "mar", 0.3)), (5, Flow("rate", "mar", 0.2)))
        assert {charted.value(minute * MINUTE) for minute in (0, 5, 80)} == {Value(0.3, 0.3)}
        more = self.ran((0, pump), (5, Flow("start", "mar", 0.4)))
        assert more.value(5 * MINUTE) == Value(0.3, 0.7, ("norepinephrine_on_two_lines",))

    def test_a_chart_that_goes_on_after_the_pump_stopped_is_in_doubt(self) -> None:
        pump = Flow("start", "pump-3", 0.3, pump="pump-3")
        stop = Flow("stop", "pump-3", pump="pump-3")
        steps = self.ran((0, pump), (0, Flow("start", "mar", 0.3)), (10, stop), (30, Flow("rate", "mar", 0.2)))
        assert steps.value(10 * MINUTE) == Value(0.0, 0.3, ("norepinephrine_on_two_lines",))
        assert steps.value(30 * MINUTE) == Value(0.2, 0.2)

    def test_pumps_that_are_named_add_up_and_one_pump_is_one(self) -> None:
        two = self.ran((0, Flow("start", "a", 0.4, pump="P1")), (1, Flow("start", "b", 0.3, pump="P2")))
        assert two.value(MINUTE) == Value(0.7, 0.7)
        one = self.ran((0, Flow("start", "a", 0.4, pump="P1")), (1, Flow("start", "b", 0.3, pump="P1")))
        assert one.value(MINUTE) == Value(0.3, 0.3)

    def test_a_resume_without_a_known_rate_is_unknown(self) -> None:
        steps = delivery("norepinephrine", [Fact(0, 0, "e", Flow("resume", "main"))], exactly, LIMITS)
        assert steps.value(0).missing == ("norepinephrine_rate",)
