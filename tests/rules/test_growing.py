"""What is kept up to date is what would be worked out from scratch, and costs what has changed."""

from bisect import insort
from collections.abc import Sequence
from math import inf, nan
from operator import attrgetter
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.arrest import Arrest, Courses
from rules.bouts import Bouts
from rules.catalogue import load
from rules.delivery import Delivery, Limits, delivery
from rules.eeg import Span
from rules.facts import ArrestEvent, Flow, Given, Sample, SeizureEvent
from rules.instants import MINUTE
from rules.pathway import Fold, Pathway
from rules.portions import Portions, bounds
from rules.quantities.vasoactive import KOTANI_2023, weighted
from rules.settings import SiteSettings
from rules.steps import Step, Steps, bridged, bridging, summed, total
from rules.timeline import Fact, Timeline
from rules.values import Operator, Value
from tests.rules.strategies import packs

LIMITS: Final = Limits(60 * MINUTE, 5.0)
ORDER: Final = attrgetter("at", "received", "event")
RATES: Final = st.sampled_from([None, 0.0, 0.2, 0.4, 0.6, 9.0])


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    action = draw(st.sampled_from(["start", "rate", "rate", "rate", "pause", "resume", "stop", "bag_change", "alarm"]))
    doubt = draw(st.sampled_from([None, None, None, "rate", "concentration"]))
    pump = draw(st.sampled_from([None, None, "a", "b"]))
    line = draw(st.sampled_from(["main", "second", *([pump] if pump is not None else [])]))
    return Flow(action, line, draw(RATES), doubt=doubt, by_volume=draw(st.booleans()), pump=pump, source="s")


def exactly(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
    return (1.0, 1.0, ()) if flow.line != "second" else (0.5, 1.0, ("salt",))


COURSES: Final = st.integers(1, 6).flatmap(
    lambda times: st.lists(st.tuples(st.integers(0, 200).map(lambda at: at * times), flows()), min_size=1, max_size=25)
)
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


def test_a_pump_that_is_identified_later_says_nothing_of_the_time_before() -> None:
    charted = [Flow("rate", "main", 0.4, source="s"), Flow("rate", "main", 0.4, source="s")]
    facts = [Fact(at * MINUTE, at, f"{at:03}", flow) for at, flow in zip((0, 100), charted, strict=True)]
    before = delivery("drug", facts, exactly, LIMITS)
    facts.append(Fact(130 * MINUTE, 130, "130", Flow("rate", "main", 0.6, pump="a", source="s")))
    after = delivery("drug", facts, exactly, LIMITS)
    assert after.value(80 * MINUTE) == before.value(80 * MINUTE) == Value(0.0, inf, ("drug_rate_stale",))
    assert after.value(130 * MINUTE) == Value(0.6, 0.6)


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


PATHWAY: Final = Pathway(packs()[0], SiteSettings(), load())
WORDS: Final = st.builds(
    SeizureEvent,
    st.sampled_from(["start", "ongoing", "stop", "stop"]),
    st.sampled_from(["tonic_clonic", "absence", "electrographic"]),
)
VALUES: Final = st.builds(Sample, st.sampled_from([0.0, 0.0, 2.0, nan]))


@SEVERAL
@given(
    course=st.lists(st.tuples(st.integers(0, 200), WORDS | VALUES), min_size=1, max_size=25),
    back=st.sets(st.integers(0, 200), max_size=4),
    paralysed=st.tuples(st.integers(0, 200), st.integers(0, 60)),
    looks=st.lists(st.integers(0, 210), min_size=25, max_size=25),
)
def test_seizures_followed_to_and_fro_are_the_seizures_from_scratch(
    course: list[tuple[int, SeizureEvent | Sample]], back: set[int], paralysed: tuple[int, int], looks: list[int]
) -> None:
    def recovered(begin: int, end: int) -> bool:
        return any(begin <= minute * MINUTE <= end for minute in back)

    def hidden(stops: Sequence[int]) -> set[int]:
        begin, length = paralysed
        return {at for at in stops if begin * MINUTE <= at <= (begin + length) * MINUTE}

    def followed(bouts: Bouts, at: int) -> object:
        known = bouts.follow(words, values, at, recovered, hidden)
        return known.known, known.stretches, bool(known.compared), known.present([Span(at - MINUTE, at)], recovered)

    words: list[Fact] = []
    values: list[Fact] = []
    growing = Bouts(20 * MINUTE, 30 * MINUTE)
    for number, ((minute, value), look) in enumerate(zip(course, looks, strict=False)):
        among = words if isinstance(value, SeizureEvent) else values
        insort(among, Fact(minute * MINUTE, number, f"{number:02}", value), key=ORDER)
        growing.rewind(minute * MINUTE)
        for at in (look * MINUTE, 210 * MINUTE):
            assert followed(growing, at) == followed(Bouts(20 * MINUTE, 30 * MINUTE), at)


@SEVERAL
@given(steps_=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=20))
def test_what_is_known_after_each_fact_does_not_hang_on_how_they_came(steps_: list[tuple[int, int]]) -> None:
    def sum_of(known: int, fact: Fact, factor: int) -> int:
        return known * factor % 97 + int(fact.value)

    def known(timeline: Timeline, at: int) -> int:
        return PATHWAY.view(timeline, Fold(1, open=True), at).known("state:x", at, sum_of, 5, 3)

    growing = Timeline()
    facts = [Fact(minute, number, f"{number:02}", value) for number, (minute, value) in enumerate(steps_)]
    for number, fact in enumerate(facts):
        growing.insert("state:x", fact, 0)
        whole = Timeline()
        for earlier in sorted(facts[: number + 1], key=ORDER):
            whole.insert("state:x", earlier, 0)
        for at in (fact.at, 30, 61):
            assert known(growing, at) == known(whole, at)


@SEVERAL
@given(known=st.lists(steps(), max_size=8))
def test_since_when_it_is_perhaps_more_than_nothing(known: list[Step]) -> None:
    known.sort(key=lambda step: step.at)
    found = Steps(known)
    for at in range(0, 70, 3):
        since: int | None = None
        for step in found.steps:
            if step.at <= at:
                since = None if not step.high else step.at if since is None else since
        assert found.more_since(at) == since


GIVEN: Final = st.builds(
    Given,
    st.sampled_from([None, 0.1, 1.0, 2.3, 5.0]),
    st.sampled_from([0, 0, 1]),
    st.just("iv"),
    st.sampled_from(["given", "given", "ordered"]),
    st.none(),
    st.just(True),
)
SHOCK: Final = st.one_of(
    st.tuples(st.sampled_from(["dose:hydroxocobalamin", "dose:hydrocortisone"]), GIVEN),
    st.tuples(st.sampled_from(["infusion:hydroxocobalamin", "infusion:norepinephrine"]), flows()),
    st.tuples(st.just("signal:weight"), st.builds(Sample, st.sampled_from([60.0, 70.0]))),
)


@SEVERAL
@given(
    course=st.lists(st.tuples(st.integers(0, 40), SHOCK, st.integers(0, 80)), min_size=1, max_size=20),
    unit=st.sampled_from([MINUTE, 60 * MINUTE]),
)
def test_amounts_followed_are_the_amounts_from_scratch(
    course: list[tuple[int, tuple[str, Given | Flow | Sample], int]], unit: int
) -> None:
    def asked(timeline: Timeline, at: int) -> object:
        view = PATHWAY.view(timeline, Fold(1, open=True), at)
        found: list[object] = [view.value("hydrocortisone_equivalent_per_day"), view.next_change]
        for bridge in (0, 10 * MINUTE):
            weighed = weighted(KOTANI_2023)(view, bridge)
            held = weighed.held(at, "gte", 0.01, 10 * MINUTE, MINUTE, MINUTE)
            found += [weighed.value(at), weighed.next_step(at), weighed.since(at), held]
        return found

    growing = Timeline()
    for number, (begun, (channel, value), look) in enumerate(course):
        growing.insert(channel, Fact(begun * unit, number, f"{number:02}", value), 0)
        for at in (begun * unit, look * unit, begun * unit + 24 * 60 * MINUTE):
            whole = Timeline()
            whole.channels = growing.channels
            assert asked(growing, at) == asked(whole, at)


@SEVERAL
@given(course=st.lists(st.tuples(st.integers(0, 60), GIVEN), max_size=12), unit=st.sampled_from([MINUTE, 60 * MINUTE]))
def test_sums_of_portions_are_what_they_sum_to(course: list[tuple[int, Given]], unit: int) -> None:
    lasts = 24 * 60 * MINUTE
    view = PATHWAY.view(Timeline(), Fold(1, open=True), 0)
    portions = Portions()
    known = [(begun * unit, view.amount(dose)) for begun, dose in sorted(course, key=lambda told: told[0])]
    for begun, amount in known:
        portions.add(begun, amount)
    for at in range(-unit, 90 * unit, unit):
        counted = [amount for begun, amount in known if begun <= at < begun + lasts]
        least, most = bounds(portions.sum(at, lasts))
        assert least == pytest.approx(sum(amount.low for amount in counted))
        assert most == pytest.approx(sum(amount.high for amount in counted))
        assert portions.missing(at, lasts) == tuple(item for amount in counted for item in amount.missing)
        changes = [instant for begun, _ in known for instant in (begun, begun + lasts) if instant > at]
        assert portions.next_change(at, lasts) == min(changes, default=None)
