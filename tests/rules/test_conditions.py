"""Every kind of condition: met, not met, unknown; and honest about when its answer could change by itself."""

from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rules import catalogue
from rules.conditions import Condition, Node, Stayed
from rules.facts import Coded, CultureResult, Flow, Given, Sample, SeizureEvent, Volume
from rules.instants import HOUR, MINUTE, SECOND, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Truth
from rules.minutes import MinuteSeries
from rules.outputs import State
from rules.packs import parse_pack
from rules.pathway import Fold, Pathway
from rules.settings import SiteSettings
from rules.timeline import Fact, Timeline
from rules.view import View
from tests.rules.strategies import MINI_PACK, SITE, scaled, septic

CONDITION: TypeAdapter[Node] = TypeAdapter(Condition)
BASE = 1_772_352_000_000
"""08:00: instants are counted from here, because minutes of the clock matter."""


@cache
def pathway(strict: bool = False) -> Pathway:
    site = SiteSettings(norepinephrine_salt="base", strict_fluid=strict)
    return Pathway(parse_pack("mini.yaml", MINI_PACK), site, catalogue.load())


Known = dict[str, list[tuple[float, Any]]]
"""Facts by channel: minutes after 08:00 and the value; a dense signal has numbers, one per minute from there."""


def timeline(known: Known) -> Timeline:
    built = Timeline()
    for channel, facts in known.items():
        for number, (minute, value) in enumerate(facts):
            at = BASE + round(minute * MINUTE)
            if isinstance(value, list):
                series = built.dense.setdefault(channel, MinuteSeries())
                for offset, level in enumerate(value):
                    series.insert(at + offset * MINUTE, float(level), at + offset * MINUTE)
            else:
                built.insert(channel, Fact(at, at, f"{channel}-{number}", value), at)
    return built


def look(minute: float, known: Known, *, anchors: dict[str, float] | None = None, strict: bool = False) -> View:
    marks = tuple((name, BASE + round(at * MINUTE)) for name, at in sorted((anchors or {}).items()))
    return pathway(strict).view(
        timeline(known), Fold(1, open=True, anchors=marks), BASE + round(minute * MINUTE), full=True
    )


def ask(condition: str | dict[str, Any], view: View) -> Evaluation:
    raw = yaml.safe_load(condition) if isinstance(condition, str) else condition
    return CONDITION.validate_python(raw).evaluate(view)


def lactate(*samples: tuple[float, float]) -> Known:
    return {"signal:lactate": [(minute, Sample(value)) for minute, value in samples]}


def pump(drug: str, *changes: tuple[float, str, float | None]) -> Known:
    return {f"infusion:{drug}": [(at, Flow(action, "main", rate)) for at, action, rate in changes]}


def pressure(at: float, *levels: float) -> Known:
    return {"signal:map_invasive": [(at, list(levels))]}


COMPARE = "{compare: {measure: lactate, gt: lactate_high}}"
SUSTAINED = (
    "{sustained: {measure: norepinephrine_dose, gt: dose, for: hour, max_gap: minutes_10, ignore_pauses: minutes_2}}"
)
STAYED = "{stayed: {measure: mean_arterial_pressure, gte: map_target, for: hour, max_gap: minutes_10}}"
PERSISTENT = "{persistent: {measure: lactate, gt: lactate_high, samples: 2, spacing: hour, max_age: hours_4}}"
FELL = "{fell: {measure: haemoglobin, by: fall, within: hours_4}}"
RUNNING = "{running: {drug: vasopressor}}"
STOPPED = "{stopped: {drug: vasopressor, for: hours_4}}"
YOUNG: Known = {"signal:age": [(0, Sample(40.0))]}


def haemoglobin(*samples: tuple[float, float]) -> Known:
    return {"signal:haemoglobin": [(minute, Sample(value)) for minute, value in samples]}


def echo(minute: float, value: str) -> Known:
    return {"state:echo": [(minute, Coded(value))]}


def dose(minute: float, status: str = "given") -> Known:
    return {"dose:propofol": [(minute, Given(50.0, 0, "iv", status, None, True))]}


CASES: list[tuple[str, str, Known, float, Truth, str]] = [
    # name, condition, what is known, minute asked, answer, what is missing
    ("compare above", COMPARE, lactate((0, 2.1)), 10, MET, ""),
    ("compare at the limit", COMPARE, lactate((0, 2.0)), 10, NOT_MET, ""),
    ("compare the latest", COMPARE, lactate((0, 5.0), (5, 1.0)), 10, NOT_MET, ""),
    ("compare before the first", COMPARE, lactate((20, 5.0)), 10, UNKNOWN, "lactate"),
    ("compare nothing", COMPARE, {}, 10, UNKNOWN, "lactate"),
    ("compare as old as allowed", COMPARE, lactate((0, 5.0)), 240, MET, ""),
    ("compare too old", COMPARE, lactate((0, 5.0)), 240.02, UNKNOWN, "lactate (last 2026-03-01 08:00)"),
    ("sustained long enough", SUSTAINED, pump("norepinephrine", (0, "rate", 0.6), (40, "rate", 0.6)), 60, MET, ""),
    ("sustained not yet", SUSTAINED, pump("norepinephrine", (1, "rate", 0.6), (40, "rate", 0.6)), 60, NOT_MET, ""),
    ("sustained at the limit", SUSTAINED, pump("norepinephrine", (0, "rate", 0.5)), 60, NOT_MET, ""),
    (
        "sustained with a short pause",
        SUSTAINED,
        pump("norepinephrine", (0, "rate", 0.6), (30, "pause", None), (32, "resume", None)),
        60,
        MET,
        "",
    ),
    (
        "sustained with a long pause",
        SUSTAINED,
        pump("norepinephrine", (0, "rate", 0.6), (30, "pause", None), (33, "resume", None)),
        60,
        NOT_MET,
        "",
    ),
    (
        "sustained unknown weight",
        SUSTAINED,
        {"infusion:norepinephrine": [(0, Flow("rate", "main", 40.0, -1))]},
        60,
        UNKNOWN,
        "weight",
    ),
    ("sustained stale", SUSTAINED, pump("norepinephrine", (0, "rate", 0.6)), 105, UNKNOWN, "norepinephrine_rate_stale"),
    ("sustained never given", SUSTAINED, {}, 60, NOT_MET, ""),
    ("stayed all the time", STAYED, {**YOUNG, **pressure(0, *[70] * 90)}, 85, MET, ""),
    ("stayed with a dip", STAYED, {**YOUNG, **pressure(0, *[70] * 40, *[50] * 10, *[70] * 40)}, 85, NOT_MET, ""),
    (
        "stayed with a short gap",
        STAYED,
        {**YOUNG, "signal:map_invasive": [(0, [70] * 40), (48, [70] * 40)]},
        85,
        MET,
        "",
    ),
    (
        "stayed with a long gap",
        STAYED,
        {**YOUNG, "signal:map_invasive": [(0, [70] * 30), (55, [70] * 40)]},
        85,
        UNKNOWN,
        "mean_arterial_pressure",
    ),
    ("stayed unmeasured", STAYED, YOUNG, 85, UNKNOWN, "mean_arterial_pressure"),
    (
        "stayed of unknown age between the targets",
        STAYED,
        pressure(0, *[62] * 90),
        85,
        UNKNOWN,
        "mean_arterial_pressure",
    ),
    ("stayed of unknown age above both", STAYED, pressure(0, *[70] * 90), 85, MET, ""),
    ("persistent", PERSISTENT, lactate((0, 3.0), (60, 4.0)), 61, MET, ""),
    ("persistent too close", PERSISTENT, lactate((0, 3.0), (59, 4.0)), 61, UNKNOWN, "repeat lactate"),
    ("persistent with a normal one between", PERSISTENT, lactate((0, 3.0), (30, 2.0), (90, 4.0)), 91, NOT_MET, ""),
    ("persistent with close ones between", PERSISTENT, lactate((0, 3.0), (30, 3.0), (60, 3.0)), 61, MET, ""),
    ("persistent but normal now", PERSISTENT, lactate((0, 3.0), (60, 2.0)), 61, NOT_MET, ""),
    (
        "persistent too old",
        PERSISTENT,
        lactate((0, 3.0), (60, 3.0)),
        300.02,
        UNKNOWN,
        "lactate (last 2026-03-01 09:00)",
    ),
    ("persistent nothing", PERSISTENT, {}, 61, UNKNOWN, "lactate"),
    ("fell enough", FELL, haemoglobin((0, 10.0), (60, 8.0)), 61, MET, ""),
    ("fell less", FELL, haemoglobin((0, 10.0), (60, 8.1)), 61, NOT_MET, ""),
    ("fell too slowly", FELL, haemoglobin((0, 12.0), (200, 10.5), (250, 10.0)), 251, NOT_MET, ""),
    ("fell from one sample", FELL, haemoglobin((0, 8.0)), 61, UNKNOWN, "repeat haemoglobin"),
    ("fell unmeasured", FELL, {}, 61, UNKNOWN, "haemoglobin"),
    ("present", "{present: {concept: echo}}", echo(0, "present"), 1, MET, ""),
    ("present as done", "{present: {concept: echo}}", echo(0, "done"), 1, MET, ""),
    ("absent", "{present: {concept: echo}}", echo(0, "absent"), 1, NOT_MET, ""),
    ("stated unknown", "{present: {concept: echo}}", echo(0, "unknown"), 1, UNKNOWN, "echo"),
    (
        "stated unknown is not absent",
        "{present: {concept: echo, if_missing: absent}}",
        echo(0, "unknown"),
        1,
        UNKNOWN,
        "echo",
    ),
    ("never stated", "{present: {concept: echo}}", {}, 1, UNKNOWN, "echo"),
    ("never stated means absent", "{present: {concept: echo, if_missing: absent}}", {}, 1, NOT_MET, ""),
    ("present too old", "{present: {concept: echo, max_age: hour}}", echo(0, "present"), 60.02, UNKNOWN, "echo"),
    ("present as old as allowed", "{present: {concept: echo, max_age: hour}}", echo(0, "present"), 60, MET, ""),
    (
        "goals",
        "{present: {concept: goals_of_care, value: dnr}}",
        {"state:goals_of_care": [(0, Coded("dnr"))]},
        1,
        MET,
        "",
    ),
    (
        "other goals",
        "{present: {concept: goals_of_care, value: dnr}}",
        {"state:goals_of_care": [(0, Coded("full"))]},
        1,
        NOT_MET,
        "",
    ),
    ("running", RUNNING, pump("vasopressin", (0, "rate", 0.03)), 1, MET, ""),
    ("running at zero", RUNNING, pump("vasopressin", (0, "rate", 0.0)), 1, NOT_MET, ""),
    ("running never", RUNNING, {}, 1, NOT_MET, ""),
    ("running stale", RUNNING, pump("vasopressin", (0, "rate", 0.03)), 91, UNKNOWN, "vasopressin_rate_stale"),
    (
        "running stale beside another",
        RUNNING,
        {**pump("vasopressin", (0, "rate", 0.03)), **pump("norepinephrine", (30, "rate", 0.1))},
        61,
        MET,
        "",
    ),
    (
        "running for an hour",
        "{running: {drug: dobutamine, for: hour, max_gap: minutes_10}}",
        pump("dobutamine", (0, "rate", 5)),
        60,
        MET,
        "",
    ),
    (
        "running for less",
        "{running: {drug: dobutamine, for: hour, max_gap: minutes_10}}",
        pump("dobutamine", (1, "rate", 5)),
        60,
        NOT_MET,
        "",
    ),
    ("stopped", STOPPED, pump("vasopressin", (0, "rate", 0.03), (10, "stop", None)), 250, MET, ""),
    ("stopped too recently", STOPPED, pump("vasopressin", (0, "rate", 0.03), (10, "stop", None)), 249.9, NOT_MET, ""),
    (
        "stopped but unheard of before",
        STOPPED,
        pump("vasopressin", (0, "rate", 0.03)),
        400,
        UNKNOWN,
        "vasopressin_rate",
    ),
    ("given", "{given: {drug: propofol, within: hour}}", dose(0), 60, MET, ""),
    ("given too long ago", "{given: {drug: propofol, within: hour}}", dose(0), 60.02, NOT_MET, ""),
    ("ordered is not given", "{given: {drug: propofol, within: hour}}", dose(0, "ordered"), 1, NOT_MET, ""),
    ("given one of a class", "{given: {drug: sedative, within: hour}}", dose(0), 1, MET, ""),
]


@pytest.mark.parametrize(
    ("condition", "known", "minute", "truth", "missing"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_condition_is_met_not_met_or_unknown(
    condition: str, known: Known, minute: float, truth: Truth, missing: str
) -> None:
    evaluation = ask(condition, look(minute, known))
    assert evaluation.truth is truth
    assert evaluation.label
    assert (missing in " ".join(evaluation.missing)) if missing else not evaluation.missing


@pytest.mark.parametrize(
    ("condition", "known", "event"),
    [
        (COMPARE, lactate((0, 1.0), (5, 4.0)), "signal:lactate-1"),
        (PERSISTENT, lactate((0, 3.0), (60, 4.0)), "signal:lactate-0"),
        (FELL, haemoglobin((0, 10.0), (60, 8.0)), "signal:haemoglobin-0"),
        ("{present: {concept: echo}}", echo(0, "present"), "state:echo-0"),
        ("{given: {drug: propofol, within: hour}}", dose(50), "dose:propofol-0"),
    ],
)
def test_the_evidence_names_the_events_it_came_from(condition: str, known: Known, event: str) -> None:
    findings = ask(condition, look(61, known)).all_findings()
    assert event in {finding.event for finding in findings}
    assert all(finding.at is not None and finding.text for finding in findings)


def test_elapsed_counts_from_an_anchor() -> None:
    condition = "{elapsed: {since: recognition, more_than: hour}}"
    assert ask(condition, look(60, {}, anchors={"recognition": 0})).truth is NOT_MET
    assert ask(condition, look(60.02, {}, anchors={"recognition": 0})).truth is MET
    assert ask(condition, look(600, {})).truth is NOT_MET
    view = look(10, {}, anchors={"recognition": 0})
    ask(condition, view)
    assert view.next_change == BASE + HOUR + TICK


def test_reached_asks_whether_a_stage_was_reached_by_then() -> None:
    assert ask("{reached: T-1}", look(10, {}, anchors={"T-1": 10})).truth is MET
    assert ask("{reached: T-1}", look(9, {}, anchors={"T-1": 10})).truth is NOT_MET
    assert ask("{reached: T-1}", look(9, {})).truth is NOT_MET


def test_a_setting_is_compared() -> None:
    condition = "{setting: {name: strict_fluid, is: true}}"
    assert ask(condition, look(0, {}, strict=True)).truth is MET
    assert ask(condition, look(0, {})).truth is NOT_MET


def test_the_verdict_of_the_moment_is_compared() -> None:
    view = look(0, {})
    assert ask("{verdict: {is: [CONFIRMED]}}", view).truth is NOT_MET
    view.state = State.CONFIRMED
    assert ask("{verdict: {is: [SUSPECTED, CONFIRMED]}}", view).truth is MET


TRUTHS = {
    MET: {"present": {"concept": "echo"}},
    NOT_MET: {"present": {"concept": "tamponade"}},
    UNKNOWN: {"present": {"concept": "hypovolaemia"}},
}
SOME: Known = {"state:echo": [(0, Coded("present"))], "state:tamponade": [(0, Coded("absent"))]}


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ({"not": TRUTHS[MET]}, NOT_MET),
        ({"not": TRUTHS[UNKNOWN]}, UNKNOWN),
        ({"certain": TRUTHS[MET]}, MET),
        ({"certain": TRUTHS[UNKNOWN]}, NOT_MET),
        ({"all": [TRUTHS[MET], TRUTHS[UNKNOWN]]}, UNKNOWN),
        ({"all": [TRUTHS[NOT_MET], TRUTHS[UNKNOWN]]}, NOT_MET),
        ({"any": [TRUTHS[MET], TRUTHS[UNKNOWN]]}, MET),
        ({"any": [TRUTHS[NOT_MET], TRUTHS[UNKNOWN]]}, UNKNOWN),
        ({"at_least": {"count": 2, "of": [TRUTHS[MET], TRUTHS[MET], TRUTHS[UNKNOWN]]}}, MET),
        ({"at_least": {"count": 2, "of": [TRUTHS[MET], TRUTHS[NOT_MET], TRUTHS[UNKNOWN]]}}, UNKNOWN),
        ({"at_least": {"count": 2, "of": [TRUTHS[MET], TRUTHS[NOT_MET], TRUTHS[NOT_MET]]}}, NOT_MET),
        ({"pending": {"of": TRUTHS[NOT_MET], "while": TRUTHS[MET], "missing": "under_way"}}, UNKNOWN),
        ({"pending": {"of": TRUTHS[NOT_MET], "while": TRUTHS[NOT_MET], "missing": "under_way"}}, NOT_MET),
        ({"pending": {"of": TRUTHS[MET], "while": TRUTHS[MET], "missing": "under_way"}}, MET),
        ({"use": "high"}, UNKNOWN),
        ({"check": "gap"}, MET),
    ],
    ids=str,
)
def test_conditions_of_conditions_follow_three_valued_logic(condition: dict[str, Any], truth: Truth) -> None:
    evaluation = ask(condition, look(1, SOME))
    assert evaluation.truth is truth
    assert bool(evaluation.missing) == (truth is UNKNOWN)


def test_what_is_still_under_way_is_named_as_missing() -> None:
    condition = {"pending": {"of": TRUTHS[NOT_MET], "while": TRUTHS[MET], "missing": "fluid_in_progress"}}
    assert ask(condition, look(1, SOME)).missing == ("fluid_in_progress",)


def test_a_label_of_the_pack_replaces_the_generated_one() -> None:
    assert ask("{compare: {measure: lactate, gt: lactate_high, label: raised}}", look(1, {})).label == "raised"
    assert ask(COMPARE, look(1, {})).label == "lactate > 2"
    assert ask("{compare: {measure: mean_arterial_pressure, lt: map_target}}", look(1, {})).label.endswith("< 65 or 60")


@pytest.mark.parametrize(
    "raw", ["{compare: {measure: lactate}}", "{a: 1, b: 2}", "{nothing: {x: 1}}", "[1]", "text", "{all: 3}"]
)
def test_what_is_no_condition_is_refused(raw: str) -> None:
    with pytest.raises(ValidationError):
        CONDITION.validate_python(yaml.safe_load(raw))


# --- when the answer could change by itself ------------------------------------------------------------------------

BUNDLED = Pathway(septic(), SITE, catalogue.load())
ROOTS = list(BUNDLED.pack.roots())
SPARSE = {
    "lactate": [1.0, 2.0, 2.1, 5.0],
    "haemoglobin": [7.0, 9.0, 10.0],
    "map_noninvasive": [50.0, 75.0],
    "capillary_refill": [2.0, 4.0],
    "lvef": [15.0, 30.0, 55.0],
    "cardiac_index": [1.5, 2.5, 3.5],
    "ph": [7.1, 7.3],
    "weight": [80.0],
    "age": [40.0, 70.0],
    "sodium": [120.0, 140.0],
    "glucose": [8.0, 20.0],
    "pao2": [60.0, 90.0],
    "fio2": [0.5, 0.9],
}
PUMPS = ["norepinephrine", "vasopressin", "epinephrine", "dobutamine", "hydrocortisone", "meropenem", "phenylephrine"]
DOSES = ["ceftriaxone", "meropenem", "hydrocortisone", "propofol", "etomidate", "fluconazole"]
STATES = [
    "suspected_infection",
    "culture_taken",
    "echo",
    "fluid_responsiveness",
    "fluid_responsive",
    "tamponade",
    "transducer_levelled",
    "arterial_line_damped",
    "source_needs_control",
    "source_control",
    "chronic_steroid_use",
    "intubated",
    "ecmo_va",
]
whole_minutes = st.integers(0, 14 * 60).map(float) | st.integers(0, 14 * 3600).map(lambda second: second / 60)
often = st.sampled_from([0.0, 60.0, 61.0, 120.0, 240.0, 360.0])


@st.composite
def histories(draw: st.DrawFn) -> Known:
    """Facts of every kind that the septic shock pack reads, thrown over fourteen hours."""
    known: Known = {}

    def add(channel: str, value: Any) -> None:
        minute = draw(often | whole_minutes)
        held = known.setdefault(channel, [])
        if minute not in {at for at, _ in held}:
            held.append((minute, value))

    for _ in range(draw(st.integers(0, 6))):
        name = draw(st.sampled_from(sorted(SPARSE)))
        add(f"signal:{name}", Sample(draw(st.sampled_from(SPARSE[name])), draw(st.sampled_from([None, "charted"]))))
    for _ in range(draw(st.integers(0, 7))):
        action = draw(st.sampled_from(["rate", "rate", "rate", "pause", "resume", "stop", "bag_change", "alarm"]))
        rate = draw(st.sampled_from([0.0, 0.3, 0.6])) if action == "rate" else None
        alarm = "occlusion" if action == "alarm" else None
        drug = draw(st.sampled_from(["norepinephrine", *PUMPS]))
        line, pumping = draw(st.sampled_from(["main", "second"])), draw(st.sampled_from([None, None, "a"]))
        add(f"infusion:{drug}", Flow(action, line, rate, alarm=alarm, pump=pumping))
    at, rate = float(draw(st.integers(0, 120))), draw(st.sampled_from([0.05, 0.3, 0.6]))
    for interval in draw(st.lists(st.sampled_from([30, 60, 61, 66, 75, 300]), max_size=5)):
        known.setdefault("infusion:norepinephrine", []).append((at, Flow("rate", "main", rate)))
        at += interval
    for _ in range(draw(st.integers(0, 4))):
        given_ = Given(
            50.0,
            draw(st.sampled_from([0, 0, 1])),
            "iv",
            draw(st.sampled_from(["given", "given", "ordered"])),
            None,
            True,
        )
        add(f"dose:{draw(st.sampled_from(DOSES))}", given_)
    for _ in range(draw(st.integers(0, 4))):
        add(
            f"state:{draw(st.sampled_from(STATES))}",
            Coded(draw(st.sampled_from(["present", "absent", "unknown", "done"]))),
        )
    if draw(st.booleans()):
        add("fluid", Volume(draw(st.sampled_from([800.0, 2400.0])), "crystalloid", None))
    if draw(st.booleans()):
        group = draw(st.sampled_from(["bacterial", "fungal"]))
        add("culture", CultureResult("blood", "Candida", group, (("ceftriaxone", draw(st.sampled_from(["R", "S"]))),)))
    if draw(st.booleans()):
        add("seizure", SeizureEvent("start", "tonic_clonic"))
    begin = float(draw(st.integers(0, 600)))
    for _ in range(draw(st.integers(0, 2))):
        levels = [draw(st.sampled_from([45.0, 58.0, 63.0, 72.0]))] * draw(st.integers(1, 60))
        known.setdefault("signal:map_invasive", []).append((begin, levels))
        begin += len(levels) + draw(st.sampled_from([0, 4, 12, 40]))
    return known


@settings(max_examples=scaled(150), deadline=None, derandomize=True)
@given(
    histories(),
    st.lists(st.sampled_from(ROOTS), min_size=3, max_size=8),
    st.dictionaries(st.sampled_from(["recognition", "SEP-1", "SEP-3"]), st.integers(0, 300), max_size=3),
    st.integers(0, 15 * 60) | st.none(),
    st.lists(st.floats(0, 1), min_size=2, max_size=3),
)
def test_between_now_and_the_noted_instant_nothing_changes_by_itself(
    known: Known, roots: list[tuple[str, Node]], anchors: dict[str, int], begin: int | None, shares: list[float]
) -> None:
    """The promise behind every deadline: an engine may sleep until the noted instant or the next fact."""
    minute = begin if begin is not None else int(min((at for held in known.values() for at, _ in held), default=0)) + 1
    marks = tuple((name, BASE + reached * MINUTE) for name, reached in sorted(anchors.items()) if reached <= minute)
    for path, root in roots:
        assert_honest(path, root, known, Fold(1, open=True, anchors=marks), BASE + minute * MINUTE, shares)


def assert_honest(path: str, root: Node, known: Known, fold: Fold, at: int, shares: list[float]) -> None:
    facts = timeline(known)
    channels = frozenset(channel for channel, held in known.items() if not isinstance(held[0][1], list))
    for _ in range(8):
        view = BUNDLED.view(facts, fold, at)
        truth = root.evaluate(view).truth
        instants = [view.next_change, facts.next_change(channels, at)]
        instants += [series.next_end(at) for series in facts.dense.values()]
        until = min((instant for instant in instants if instant is not None), default=at + 30 * HOUR)
        assert until > at
        soon = [share**4 for share in shares]  # what was not noted is mostly due within minutes
        for instant in {
            until - TICK,
            *(at + round((until - at) * share) // SECOND * SECOND for share in shares + soon),
        }:
            if at < instant < until:
                later = root.evaluate(BUNDLED.view(facts, fold, instant)).truth
                where = f"{path}: {truth} at {at - BASE}, {later} at {instant - BASE}, noted {until - BASE}"
                assert later is truth, where
        at = until


def test_what_stayed_is_looked_at_again_though_nothing_more_is_measured() -> None:
    node = next(node for _, root in ROOTS for node in root.walk() if isinstance(node, Stayed))
    known = {**YOUNG, **pressure(0, *[50] * 30)}
    assert_honest("stayed", node, known, Fold(1, open=True), BASE + 32 * MINUTE, [0.1, 0.3, 0.6])


def given_doses(*minutes: float, drug: str = "ceftriaxone") -> Known:
    return {f"dose:{drug}": [(minute, Given(1000.0, 0, "iv", "given", None, True)) for minute in minutes]}


ECOLI = CultureResult("blood", "Escherichia coli", "bacterial", (("ceftriaxone", "S"),))
SOURCE: Known = {"state:source_needs_control": [(0, Coded("present"))]}


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("checks.antimicrobial_missed_or_late", {}),
        ("checks.antimicrobial_missed_or_late", given_doses(30)),
        ("checks.antimicrobial_missed_or_late", given_doses(30, 510)),
        ("checks.antimicrobial_missed_or_late", given_doses(30, 510, 750)),
        ("checks.antimicrobial_inactive", {"culture": [(0, ECOLI)], **given_doses(30)}),
        ("checks.source_uncontrolled", SOURCE),
        ("checks.source_uncontrolled", {**SOURCE, "state:source_control": [(400, Coded("done"))]}),
        ("checks.infusion_interrupted", pump("norepinephrine", (0, "rate", 0.3), (20, "pause", None))),
        (
            "checks.infusion_interrupted",
            pump("norepinephrine", (0, "rate", 0.3), (20, "pause", None), (25, "resume", None)),
        ),
        ("checks.infusion_interrupted", pump("norepinephrine", (0, "rate", 0.3), (20, "bag_change", None))),
        (  # what is charted of the line grows too old just after its pump was paused
            "checks.infusion_interrupted",
            {
                "infusion:norepinephrine": [
                    (0, Flow("pause", "main", pump="a")),
                    (1, Flow("rate", "main", 0.6)),
                    (61, Flow("pause", "main", pump="a")),
                ]
            },
        ),
        ("checks.map_artefact", {"signal:map_noninvasive": [(10, Sample(50.0))], **pressure(0, *[80] * 30)}),
        ("checks.lactate_confounded", pump("epinephrine", (0, "rate", 0.1), (50, "rate", 0.1), (100, "rate", 0.1))),
        ("checks.lactate_confounded", {"seizure": [(0, SeizureEvent("start", "tonic_clonic"))]}),
        (
            "hush",
            {**pump("norepinephrine", (0, "rate", 0.5), (30, "rate", 0.4)), **pump("vasopressin", (10, "rate", 0.03))},
        ),
        ("conditions.vasopressor_running", pump("norepinephrine", (0, "rate", 0.5), (30, "pause", None))),
        ("therapies.hydrocortisone.running", given_doses(0, 360, 720, drug="hydrocortisone")),
        (  # of a course that is reduced the first dose leaves the day
            "therapies.hydrocortisone.running",
            {
                "dose:hydrocortisone": [
                    (minute, Given(amount, 0, "iv", "given", None, True))
                    for minute, amount in ((0, 200.0), (1380, 50.0))
                ]
            },
        ),
    ],
    ids=str,
)
def test_each_check_of_adequate_treatment_wakes_the_engine_when_it_runs_out(path: str, known: Known) -> None:
    root = dict(ROOTS)[path]
    fold = Fold(1, open=True, anchors=(("recognition", BASE),))
    for minute in (0, 15, 31, 61, 520):
        assert_honest(path, root, known, fold, BASE + minute * MINUTE, [0.1, 0.22, 0.5, 0.9])


@settings(max_examples=scaled(60), deadline=None, derandomize=True)
@given(histories(), st.lists(st.sampled_from(ROOTS), min_size=5, max_size=10), st.integers(0, 15 * 60))
def test_looking_at_every_part_or_stopping_early_gives_the_same_answer(
    known: Known, roots: list[tuple[str, Node]], minute: int
) -> None:
    facts, fold = timeline(known), Fold(1, open=True, anchors=(("recognition", BASE),))
    for path, root in roots:
        brief = root.evaluate(BUNDLED.view(facts, fold, BASE + minute * MINUTE))
        whole = root.evaluate(BUNDLED.view(facts, fold, BASE + minute * MINUTE, full=True))
        assert brief.truth is whole.truth, path


@settings(max_examples=scaled(60), deadline=None, derandomize=True)
@given(histories(), st.lists(st.sampled_from(ROOTS), min_size=5, max_size=10), st.integers(0, 15 * 60))
def test_nothing_is_read_that_is_not_true_yet(known: Known, roots: list[tuple[str, Node]], minute: int) -> None:
    """A verdict at an instant is the same whether or not later facts are known already."""
    before: Known = {}
    for channel, held in known.items():
        for at, value in held:
            if at > minute:
                continue
            kept = value[: max(0, int(minute - at))] if isinstance(value, list) else value
            if kept != []:
                before.setdefault(channel, []).append((at, kept))
    fold = Fold(1, open=True, anchors=(("recognition", BASE),))
    for path, root in roots:
        live = root.evaluate(BUNDLED.view(timeline(before), fold, BASE + minute * MINUTE)).truth
        hindsight = root.evaluate(BUNDLED.view(timeline(known), fold, BASE + minute * MINUTE)).truth
        assert live is hindsight, path
