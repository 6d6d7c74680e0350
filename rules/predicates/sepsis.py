"""Checks of septic shock: infection, source control, steroids, what norepinephrine and pressure really were."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from rules.antimicrobials import ANTIMICROBIAL, doses, orders
from rules.facts import Coded, Flow, Given
from rules.instants import DAY, FOREVER, MINUTE, TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth
from rules.minutes import MinuteSeries
from rules.predicates.base import Predicate
from rules.quantities.steroids import SYSTEMIC
from rules.quantities.vasoactive import BY_AMOUNT, KOTANI_2023
from rules.steps import BEFORE
from rules.timeline import Fact
from rules.values import Value, compare, number
from rules.view import View


def _infusion_interrupted(view: View) -> Evaluation:
    label = "norepinephrine delivery interrupted"
    reasons = [stop.finding for stop in view.once("stops of norepinephrine", _stops)]
    for fact in view.timeline.upto("infusion:norepinephrine", view.at):
        flow: Flow = fact.value
        if flow.action == "bag_change":
            reasons += _recent(view, fact, view.duration("bag_change_hold"), "syringe or bag changed")
        elif flow.alarm in ("occlusion", "extravasation"):
            reasons += _recent(view, fact, view.duration("restart_hold"), f"pump alarm: {flow.alarm}")
    for concept, text in _BLOCKED_LINE.items():
        stated, fact_ = view.coded(concept)
        if stated == "present" and fact_ is not None:
            reasons += _recent(view, fact_, view.duration("restart_hold"), text)
    reconciled, said = view.coded("concentration_reconciled")
    if reconciled == "absent" and said is not None and view.timeline.facts("infusion:norepinephrine"):
        reasons.append(Finding("concentration", "new syringe not reconciled with the pump", said.at, said.event))
    return Evaluation(MET if reasons else NOT_MET, label, tuple(reasons))


_BLOCKED_LINE: Final = {"extravasation": "extravasation", "infusion_occlusion": "line occluded"}
"""What an examination of the line may find, in words."""


class _Stop(NamedTuple):
    """A stretch without delivery: since when, what ran before it, and when it ended (None while it lasts)."""

    at: int
    before: Value
    restarted: int | None

    @property
    def finding(self) -> Finding:
        if self.restarted is None:
            return Finding("norepinephrine", f"stopped at {clock_time(self.at)}, not restarted", self.at)
        lasted, restarted = format_duration(self.restarted - self.at), clock_time(self.restarted)
        return Finding("norepinephrine", f"interrupted for {lasted}, restarted {restarted}", self.restarted)


def _stops(view: View) -> list[_Stop]:
    return [stop for stop in reversed([*_stretches(view)]) if _interrupts(view, stop)]


def _stretches(view: View) -> Iterator[_Stop]:
    """Stretches without delivery up to now where something ran before, newest first, as long as they may count."""
    rate, hold = view.rate("norepinephrine"), view.duration("restart_hold")
    steps = rate.steps
    for index in rate.standstills(view.at):
        after = steps[index + 1].at if index + 1 < len(steps) else None
        restarted = after if after is not None and after <= view.at else None
        if restarted is not None and view.at - restarted >= hold:
            return
        if index and steps[index - 1].low:
            yield _Stop(steps[index].at, Value(*steps[index - 1][1:]), restarted)


def _interrupts(view: View, stop: _Stop) -> bool:
    """Whether a stretch without delivery was too long, and has not ended or ended a short while ago.

    One that lasts is a fault while the pump is paused, or if norepinephrine stopped from a high requirement; a wean, at
    whose end little ran, is none. It counts until pressure has held without the drug, or so long that it is over.
    """
    limit, hold, over = (view.duration(name) for name in ("pause_limit", "restart_hold", "resolved_for"))
    if stop.restarted is not None:
        view.note(stop.restarted + hold)
        return stop.restarted - stop.at > limit and view.at - stop.restarted < hold
    view.note(stop.at + limit + TICK)
    view.note(stop.at + hold + TICK)
    view.note(stop.at + over)
    passed = view.at - stop.at
    if not limit < passed < over:
        return False
    if passed <= hold:
        return _paused(view, stop) or _from_high(view, stop) is not NOT_MET
    return _from_high(view, stop) is not NOT_MET and not _pressure_holds(view)


def _paused(view: View, stop: _Stop) -> bool:
    """Whether the pump says that it will go on."""
    facts = view.timeline.upto("infusion:norepinephrine", view.at)
    return any(fact.at == stop.at and fact.value.action == "pause" for fact in facts)


def _from_high(view: View, stop: _Stop) -> Truth:
    """Whether what is needed would be above the limit, had the drug run on, and is not without it."""
    limit = view.number("refractory_requirement")
    alone = compare(stop.before, "gt", limit)
    hidden = [_but_for(view, name, stop, limit) for name in ("requirement_kotani", "requirement_goradia")]
    truths = (alone, *hidden)
    return MET if MET in truths else UNKNOWN if UNKNOWN in truths else NOT_MET


def _but_for(view: View, requirement: str, stop: _Stop, limit: float) -> Truth:
    needed = view.value(requirement)
    if compare(needed, "gt", limit) is MET:
        return NOT_MET
    running_on = Value(needed.low + stop.before.low, needed.high + stop.before.high, needed.missing)
    return compare(running_on, "gt", limit)


def _pressure_holds(view: View) -> bool:
    """Whether mean arterial pressure is known to be adequate, whatever the patient's age."""
    pressure = view.value("mean_arterial_pressure")
    return all(compare(pressure, "gte", target) is MET for target in view.thresholds("map_target")[0])


def _interruption_hides_requirement(view: View) -> Evaluation:
    """What is needed now, with norepinephrine as it ran before a pump stopped, is above the limit."""
    label = "high requirement but for the interruption"
    limit = view.number("refractory_requirement")
    for stop in view.once("stops of norepinephrine", _stops):
        truths = (
            [_from_high(view, stop)]
            if stop.restarted is None
            else [compare(view.value(name), "gt", limit) for name in ("requirement_kotani", "requirement_goradia")]
        )
        if MET in truths:
            return Evaluation(MET, label, (Finding("norepinephrine", stop.before.text("ug/kg/min"), stop.at),))
        if UNKNOWN in truths:
            return Evaluation(UNKNOWN, label, (), stop.before.missing or ("norepinephrine_rate",))
    return Evaluation(NOT_MET, label)


def _recent(view: View, fact: Fact, limit: int, text: str) -> Iterator[Finding]:
    if view.at - fact.at < limit:
        view.note(fact.at + limit)
        yield Finding("norepinephrine", text, fact.at, fact.event)


def _map_artefact(view: View) -> Evaluation:
    label = "arterial pressure not trustworthy"
    reasons: list[Finding] = []
    unknown: list[str] = []
    damped, fact = view.coded("arterial_line_damped")
    if damped == "present" and fact is not None:
        reasons.append(Finding("arterial_line", "damped or resonant trace", fact.at, fact.event))
    gradient, fact = view.coded("femoral_radial_gradient")
    if gradient == "present" and fact is not None:
        reasons.append(Finding("arterial_line", "radial pressure below femoral", fact.at, fact.event))
    levelled = view.timeline.latest("state:transducer_levelled", view.at)
    overdue = levelled is not None and view.at - levelled.at > view.duration("levelling_max_age")
    if levelled is None or overdue:
        unknown.append("transducer_levelled")
    else:
        view.note(levelled.at + view.duration("levelling_max_age") + TICK)
    cuff = view.timeline.latest("signal:map_noninvasive", view.at)
    series = view.timeline.series("signal:map_invasive")
    if cuff is not None and series is not None and view.at - cuff.at <= view.duration("cuff_max_age"):
        view.note(cuff.at + view.duration("cuff_max_age") + TICK)
        line = _line_around(view, series, cuff.at)
        gap = min((abs(value - cuff.value.value) for value in line), default=0.0)
        if gap > view.number("cuff_line_difference"):
            text = f"cuff mean {number(cuff.value.value)} and arterial line differ by {number(round(gap, 1))} mm[Hg]"
            reasons.append(Finding("map_noninvasive", text, cuff.at, cuff.event))
    truth = MET if reasons else UNKNOWN if overdue else NOT_MET
    return Evaluation(truth, label, tuple(reasons), tuple(unknown))


def _line_around(view: View, series: MinuteSeries, at: int) -> list[float]:
    """The arterial line in the five minutes around an instant, if enough minutes lead up to it.

    Of a line that is charted now and then a single value may itself be the artefact.
    """
    found = []
    for minute in range(at // MINUTE - 2, at // MINUTE + 3):
        value, end = series.at(minute), (minute + 1) * MINUTE
        if value is not None and end <= view.at:
            found.append(value)
        elif value is not None:
            view.note(end)
    until = min(view.at, (at // MINUTE + 3) * MINUTE)
    enough = len(series.window(until, view.duration("map_window"))) >= view.number("map_minutes")
    return found if enough else []


class _Suspicion(NamedTuple):
    """What makes an infection suspected, and whether only an order says that an antimicrobial was given."""

    findings: tuple[Finding, ...]
    ordered_only: bool = False


def _suspicion(view: View) -> _Suspicion | None:
    """Flagged, or a culture and an antimicrobial near each other: the newest that says so is the evidence."""
    return view.once("suspicion of infection", _find_suspicion)


def _find_suspicion(view: View) -> _Suspicion | None:
    flagged, fact = view.coded("suspected_infection")
    if flagged == "present" and fact is not None:
        return _Suspicion((Finding("suspected_infection", "flagged", fact.at, fact.event),))
    excluded = fact.at if flagged == "absent" and fact is not None else -FOREVER
    window = view.duration("culture_antimicrobial_window")
    cultures = [culture for culture in _cultures(view) if culture.at > excluded]
    if not cultures:
        return None
    for dose in reversed(doses(view)):
        taken = _near(cultures, dose.at, window)
        if taken is not None and dose.at > excluded:
            return _Suspicion((Finding(ANTIMICROBIAL, f"{dose.drug} given", dose.at, dose.fact.event), taken))
    for name, order in reversed(orders(view)):
        taken = _near(cultures, order.at, window)
        if taken is not None and order.at > excluded:
            text = f"{name} ordered, not recorded as given"
            return _Suspicion((Finding(ANTIMICROBIAL, text, order.at, order.event), taken), ordered_only=True)
    return None


def _near(cultures: list[Fact], at: int, window: int) -> Finding | None:
    found = next((culture for culture in reversed(cultures) if abs(at - culture.at) <= window), None)
    return None if found is None else Finding("culture", "culture taken", found.at, found.event)


def _cultures(view: View) -> list[Fact]:
    """Cultures taken up to now, oldest first: recorded as taken, or known by their result."""
    results = [fact for fact in view.timeline.upto("culture", view.at) if fact.value.specimen != "screening"]
    taken = (fact for concept in _TAKEN for fact in view.timeline.upto(concept, view.at))
    return sorted((*taken, *results), key=lambda fact: (fact.at, fact.event))


_TAKEN: Final = ("state:culture_taken", "state:blood_culture")


def _infection_suspected(view: View) -> Evaluation:
    found = _suspicion(view)
    return Evaluation(NOT_MET if found is None else MET, "infection suspected", found.findings if found else ())


def _infection_treated(view: View) -> Evaluation:
    found = _suspicion(view)
    truth = MET if found is not None and not found.ordered_only else NOT_MET
    return Evaluation(truth, "infection known from more than an order", found.findings if found else ())


def _infection_excluded(view: View) -> Evaluation:
    stated, fact = view.coded("suspected_infection")
    truth = MET if stated == "absent" and _suspicion(view) is None else NOT_MET
    found = (Finding("suspected_infection", "absent", fact.at, fact.event),) if fact is not None else ()
    return Evaluation(truth, "infection excluded", found if truth is MET else ())


INOTROPES_TRIED: Final = ("dobutamine", "milrinone", "epinephrine")
"""Inotropes of which a trial counts; levosimendan is suggested against."""

SOURCES: Final = (
    "source_needs_control",
    "abscess",
    "obstructed_urinary_tract",
    "obstructed_biliary_tract",
    "necrotising_infection",
    "infected_device",
)


def _source_uncontrolled(view: View) -> Evaluation:
    label = "infection source not controlled"
    done = [fact.at for fact in view.timeline.upto("state:source_control", view.at)]
    reasons = []
    for source in SOURCES:
        diagnosis = _diagnosis(view, source, done)
        if diagnosis is None or any(at >= diagnosis.onset for at in done):
            continue
        fact = diagnosis.fact
        limit = fact.at + view.duration("source_control_limit")
        view.note(limit + TICK)
        if view.at > limit:
            text = f"{source.replace('_', ' ')}, diagnosed {clock_time(fact.at)}: no source control recorded"
            reasons.append(Finding("source_control", text, fact.at, fact.event))
    return Evaluation(MET if reasons else NOT_MET, label, tuple(reasons))


class _Diagnosis(NamedTuple):
    """A source that is there now: the record that diagnosed it, and when it is known to have been there first."""

    fact: Fact
    onset: int


def _diagnosis(view: View, source: str, done: list[int]) -> _Diagnosis | None:
    """The diagnosis of a source as it stands now.

    To chart it again, with the problem list or on transfer, makes no new one, unless it is said to have begun since the
    source was last controlled.
    """
    current: _Diagnosis | None = None
    for fact in view.timeline.upto(f"state:{source}", view.at):
        coded: Coded = fact.value
        if coded.value == "absent":
            current = None
        elif coded.value == "present":
            onset = fact.at if coded.since is None else min(coded.since, fact.at)
            said_anew = coded.since is not None and any(
                current is not None and current.onset <= at < onset for at in done
            )
            if current is None or said_anew:
                current = _Diagnosis(fact, onset)
    return current


_PARENTERAL: Final = ("iv", "im", "io")


def _missed_stress_steroid(view: View) -> Evaluation:
    label = "steroid needed for stress, and no stress dose"
    recognised = view.anchors.get("recognition")
    stated = [(name, *view.coded(name)) for name in NEED_STEROID]
    needed = [(name, fact) for name, value, fact in stated if value == "present" and fact is not None]
    if recognised is None or not needed:
        return Evaluation(NOT_MET, label)
    name, fact = needed[0]
    truth = _stress_dose(view, recognised)
    if truth is NOT_MET:
        return Evaluation(MET, label, (Finding(name, "no stress dose recorded", fact.at, fact.event),))
    return Evaluation(NOT_MET if truth is MET else UNKNOWN, label, (), () if truth is MET else ("last_steroid_dose",))


def _stress_dose(view: View, recognised: int) -> Truth:
    """Whether a stress dose was given: a large one by injection, or as much in a day as is advised for shock.

    What is taken by mouth at home counts only where it comes to that much in a day.
    """
    daily = view.value("hydrocortisone_equivalent_per_day")
    truths = [compare(daily, "gte", view.number("steroid_full_dose"))]
    for name in SYSTEMIC:
        factor = view.catalogue.drug(name).hydrocortisone_equivalent_mg or 0.0
        for fact in view.timeline.upto(f"dose:{name}", view.at):
            given: Given = fact.value
            if given.status == "given" and given.route in _PARENTERAL and fact.at >= recognised - DAY:
                amount = view.amount(given)
                equivalent = amount._replace(low=amount.low * factor, high=amount.high * factor)
                truths.append(compare(equivalent, "gte", view.number("stress_dose")))
    return MET if MET in truths else UNKNOWN if UNKNOWN in truths else NOT_MET


NEED_STEROID: Final = ("chronic_steroid_use", "adrenal_insufficiency_risk")


def _epinephrine_new(view: View) -> Evaluation:
    """Started shortly ago, whether it runs on or not; a pause in which a syringe is changed starts nothing."""
    new, pause = view.duration("epinephrine_new"), view.duration("pause_tolerance")
    label = f"epinephrine started in the last {format_duration(new)}"
    rate = view.rate("epinephrine")
    steps = rate.steps[: rate.index(view.at + TICK)]
    for before, step in reversed([*pairwise([BEFORE, *steps])]):
        if view.at - step.at >= new:
            break
        if step.high > 0 and before.high <= 0 and step.at - before.at > pause:
            view.note(step.at + new)
            return Evaluation(MET, label, (Finding("epinephrine", "started", step.at),))
    return Evaluation(NOT_MET, label)


def _inotrope_tried(view: View) -> Evaluation:
    label = f"an inotrope tried for {format_duration(view.duration('inotrope_trial'))}"
    missing: list[str] = []
    for name in INOTROPES_TRIED:
        if not view.timeline.facts(f"infusion:{name}"):
            continue
        tried = _tried(view, name)
        if tried is not None:
            return Evaluation(MET, label, (Finding(name, "tried", tried),))
        now = view.flow(name)
        missing += () if now.known else now.missing or (f"{name}_rate",)
    return Evaluation(UNKNOWN if missing else NOT_MET, label, (), tuple(missing))


def _tried(view: View, name: str) -> int | None:
    """Since when a drug ran in the last trial of it that still counts: it need not run on."""
    trial, counts = view.duration("inotrope_trial"), view.duration("inotrope_trial_counts")
    gap, pause = view.duration("data_gap"), view.duration("pause_tolerance")
    rate = view.rate(name)
    end = view.at
    for step in reversed(rate.steps[: rate.index(view.at + TICK)]):
        if view.at - end >= counts:
            return None
        if step.low > 0:
            held = rate.held(end, "gt", 0.0, trial if end == view.at else trial - TICK, gap, pause)
            if held.truth is MET:
                view.note(end + counts)
                return held.since
            if end == view.at:
                view.note(held.next_change)
        end = step.at - TICK
    return None


def _recent_seizure(view: View) -> Evaluation:
    limit = view.duration("seizure_recent")
    label = f"seizure in the last {format_duration(limit)}"
    stated, said = view.coded("recent_seizure")
    seen = view.timeline.latest("seizure", view.at)
    found = [(seen, seen.value.action)] if seen is not None else []
    found += [(said, "stated")] if said is not None and stated == "present" else []
    for fact, text in found:
        if view.at - fact.at <= limit:
            view.note(fact.at + limit + TICK)
            return Evaluation(MET, label, (Finding("seizure", text, fact.at, fact.event),))
    return Evaluation(NOT_MET, label)


def _add_on_working(view: View) -> Evaluation:
    label = "norepinephrine falls after vasopressin or an analogue was added"
    window, relief = view.duration("relief_window"), view.number("relief")
    pause = view.duration("pause_tolerance")
    norepinephrine = view.rate("norepinephrine")
    for name in view.drugs("vasopressin_analogue"):
        rate = view.rate(name)
        held = rate.held(view.at, "gt", 0.0, window + TICK, 0, pause)
        view.note(held.next_change)
        runs = rate.value(view.at)
        if held.truth is not NOT_MET or held.since is None or not (runs.low or runs.known):
            continue
        if not runs.low:
            view.note((rate.since(view.at) or view.at) + pause + TICK)
        before, present = norepinephrine.value(held.since), norepinephrine.value(view.at)
        if before.known and present.known and round(before.low - present.low, 9) >= relief:
            text = f"{number(before.low)} to {number(present.low)} ug/kg/min since {name} was added"
            return Evaluation(MET, label, (Finding("norepinephrine", text, held.since),))
    return Evaluation(NOT_MET, label)


_STOP_READS: Final = (
    *(f"infusion:{drug}" for drug in KOTANI_2023),
    *(f"dose:{drug}" for drug in BY_AMOUNT),
    "signal:weight",
    "signal:map_invasive",
)
_STOP_NUMBERS: Final = (
    "pause_limit",
    "restart_hold",
    "resolved_for",
    "refractory_requirement",
    "map_target",
    "map_window",
    "map_minutes",
)
_SEYMOUR: Final = "Sepsis-3 as operationalised by Seymour, JAMA 2016 (not checked against it)"
_SUSPICION: Final = ("state:suspected_infection", *_TAKEN, "culture")

SEPSIS: Final = (
    Predicate(
        "infection_suspected",
        "infection suspected: flagged, or antimicrobial given or ordered and culture near each other",
        _SEYMOUR,
        _SUSPICION,
        _infection_suspected,
        (ANTIMICROBIAL,),
        parameters=("culture_antimicrobial_window",),
        can_be_unknown=False,
        episode=True,
    ),
    Predicate(
        "infection_treated",
        "infection known from more than an order of an antimicrobial",
        _SEYMOUR,
        _SUSPICION,
        _infection_treated,
        (ANTIMICROBIAL,),
        parameters=("culture_antimicrobial_window",),
        can_be_unknown=False,
        episode=True,
    ),
    Predicate(
        "infection_excluded",
        "infection stated to be absent, and no culture with an antimicrobial since",
        _SEYMOUR,
        _SUSPICION,
        _infection_excluded,
        (ANTIMICROBIAL,),
        parameters=("culture_antimicrobial_window",),
        can_be_unknown=False,
        episode=True,
    ),
    Predicate(
        "infusion_interrupted",
        "norepinephrine stopped too long, alarm, syringe or bag change, or its concentration not reconciled",
        "local setting",
        (*_STOP_READS, *(f"state:{name}" for name in _BLOCKED_LINE), "state:concentration_reconciled"),
        _infusion_interrupted,
        parameters=("bag_change_hold", *_STOP_NUMBERS),
        can_be_unknown=False,
    ),
    Predicate(
        "interruption_hides_requirement",
        "norepinephrine requirement above the limit, had a pump not stopped",
        "local setting",
        _STOP_READS,
        _interruption_hides_requirement,
        parameters=_STOP_NUMBERS,
    ),
    Predicate(
        "map_artefact",
        "arterial trace damped, cuff and line too far apart, or radial pressure below femoral",
        "local setting",
        (
            "state:arterial_line_damped",
            "state:femoral_radial_gradient",
            "state:transducer_levelled",
            "signal:map_noninvasive",
            "signal:map_invasive",
        ),
        _map_artefact,
        parameters=(
            "cuff_line_difference",
            "cuff_max_age",
            "levelling_max_age",
            "map_minutes",
            "map_window",
        ),
        looks_back=(5 * MINUTE,),
    ),
    Predicate(
        "source_uncontrolled",
        "a source that needs control has had none in time after its diagnosis",
        "Surviving Sepsis Campaign 2026 (secondary source only)",
        ("state:source_control", *(f"state:{source}" for source in SOURCES)),
        _source_uncontrolled,
        parameters=("source_control_limit",),
        can_be_unknown=False,
        episode=True,
    ),
    Predicate(
        "missed_stress_steroid",
        "steroid taken for weeks, or adrenal insufficiency, and no stress dose given",
        "general clinical knowledge, not checked against a source",
        (*(f"state:{name}" for name in NEED_STEROID), "signal:weight"),
        _missed_stress_steroid,
        ("corticosteroid",),
        parameters=("steroid_full_dose", "stress_dose"),
        looks_back=(DAY,),
        episode=True,
    ),
    Predicate(
        "add_on_working",
        "norepinephrine fell within an hour of adding vasopressin or an analogue, whose own equivalents raise the sum",
        "local setting: vasopressin of 0.03 U/min adds 0.075 to the equivalents by itself",
        ("infusion:norepinephrine",),
        _add_on_working,
        ("vasopressin_analogue",),
        parameters=("relief", "relief_window", "pause_tolerance"),
        can_be_unknown=False,
    ),
    Predicate(
        "epinephrine_new",
        "epinephrine started shortly ago raises lactate by itself",
        "general clinical knowledge, not checked against a source",
        ("infusion:epinephrine",),
        _epinephrine_new,
        parameters=("epinephrine_new", "pause_tolerance"),
        can_be_unknown=False,
    ),
    Predicate(
        "inotrope_tried",
        "an inotrope ran long enough to judge its effect",
        "Surviving Sepsis Campaign 2026, read through secondary documents only",
        tuple(f"infusion:{drug}" for drug in INOTROPES_TRIED),
        _inotrope_tried,
        parameters=("inotrope_trial", "inotrope_trial_counts", "data_gap", "pause_tolerance"),
    ),
    Predicate(
        "recent_seizure",
        "a recent seizure raises lactate",
        "general clinical knowledge, not checked against a source",
        ("seizure", "state:recent_seizure"),
        _recent_seizure,
        parameters=("seizure_recent",),
        can_be_unknown=False,
    ),
)
