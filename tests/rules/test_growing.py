"""What is kept up to date is what would be worked out from scratch, and costs what has changed."""

from bisect import insort
from operator import attrgetter
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.arrest import Arrest, Courses
from rules.delivery import Delivery, Limits, delivery
from rules.facts import ArrestEvent, Flow
from rules.instants import MINUTE
from rules.steps import Step, Steps, bridged, bridging, summed, total
from rules.timeline import Fact
from rules.values import Operator

LIMITS: Final = Limits(60 * MINUTE, 5.0)
ORDER: Final = attrgetter("at", "received", "event")
RATES: Final = st.sampled_from([None, 0.0, 0.2, 0.4, 0.6, 9.0])


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    action = draw(st.sampled_from(["start", "rate", "rate", "rate", "pause", "resume", "stop", "bag_change", "alarm"]))
    doubt = draw(st.sampled_from([None, None, None, "rate", "concentration"]))
    pump = draw(st.sampled_from([None, None, "a", "b"]))
    line = draw(st.sampled_from(["main", "second"])) if pump is None else pump
    return Flow(action, line, draw(RATES), doubt=doubt, by_volume=draw(st.booleans()), pump=pump, source="s")


def exactly(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
    return (1.0, 1.0, ()) if flow.line != "second" else (0.5, 1.0, ("salt",))


COURSES: Final = st.lists(st.tuples(st.integers(0, 200), flows()), min_size=1, max_size=25)
SEVERAL: Final = settings(max_examples=400, deadline=None)


@SEVERAL
@given(course=COURSES, orderly=st.booleans(), bridge=st.integers(1, 40))
def test_a_rate_that_grows_is_the_rate_from_scratch(course: list[tuple[int, Flow]], orderly: bool, bridge: int) -> None:
    if orderly:
        course.sort(key=lambda told: told[0])
    facts: list[Fact] = []
    growing, limit = Delivery("drug", LIMITS), bridge * MINUTE
    smooth, twice = Steps(()), Steps(())
    for number, (minute, flow) in enumerate(course):
        at = minute * MINUTE
        insort(facts, Fact(at, number, f"{number:02}", flow), key=ORDER)
        growing.follow(facts, exactly, at)
        whole = delivery("drug", facts, exactly, LIMITS)
        assert growing.steps.steps == whole.steps
        before = growing.steps.since(at - 1)
        start = at if before is None else before
        smooth.rewrite(start, bridging(growing.steps, limit, growing.steps.index(start)))
        assert smooth.steps == bridged(whole, limit).steps
        twice.rewrite(start, summed([(1.0, growing.steps), (2.5, smooth)], start))
        assert twice.steps == total([(1.0, whole), (2.5, bridged(whole, limit))]).steps


@st.composite
def steps(draw: st.DrawFn) -> Step:
    low = draw(st.sampled_from([0.0, 0.3, 0.5, 0.7]))
    return Step(draw(st.integers(1, 60)), low, max(low, draw(st.sampled_from([0.0, 0.3, 0.7]))))


@SEVERAL
@given(
    rewrites=st.lists(st.lists(steps(), max_size=6), min_size=1, max_size=6),
    operator=st.sampled_from(["gt", "lte"]),
    limits=st.tuples(st.integers(1, 40), st.integers(0, 10), st.integers(0, 10)),
)
def test_what_has_held_does_not_hang_on_how_the_steps_came(
    rewrites: list[list[Step]], operator: Operator, limits: tuple[int, int, int]
) -> None:
    growing = Steps(())
    known: list[Step] = []
    duration, gap, dip = limits
    for new in rewrites:
        new.sort(key=lambda step: step.at)
        since = new[0].at if new else 30
        known = [*(step for step in known if step.at < since), *new]
        growing.rewrite(since, new)
        for at in range(0, 70, 3):
            found = growing.held(at, operator, 0.4, duration, gap, dip)
            assert found == Steps(known).held(at, operator, 0.4, duration, gap, dip)


def told(arrest: Arrest | None) -> object:
    return None if arrest is None else (arrest._replace(shocks=None), tuple(arrest.shocks or ()))


EVENTS: Final = st.tuples(
    st.sampled_from(
        ["collapse", "found", "cpr_start", "cpr_stop", "shock", "shock", "rhythm", "rosc", "rearrest", "ecmo_flow"]
    ),
    st.sampled_from([None, "vf", "pea", "organised"]),
)


@SEVERAL
@given(course=st.lists(st.tuples(st.integers(0, 90), EVENTS), min_size=1, max_size=25))
def test_an_arrest_that_goes_on_is_the_arrest_from_scratch(course: list[tuple[int, tuple[str, str | None]]]) -> None:
    facts: list[Fact] = []
    growing = Courses(20 * MINUTE)
    for number, (minute, (action, rhythm)) in enumerate(course):
        event = ArrestEvent(action, rhythm, None, None)
        insort(facts, Fact(minute * MINUTE, number, f"{number:02}", event), key=ORDER)
        growing.follow(facts, minute * MINUTE)
        whole = Courses(20 * MINUTE).follow(facts)
        assert list(map(told, growing.arrests)) == list(map(told, whole.arrests))
        for at in (minute * MINUTE, 95 * MINUTE):
            assert list(growing.left_alone(facts, at)) == list(whole.left_alone(facts, at))
