"""Checks of septic shock: infection, antimicrobials, source control, what norepinephrine and pressure really were."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from rules.facts import CultureResult, Flow
from rules.instants import DAY, HOUR, MINUTE, TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding
from rules.predicates.base import Predicate
from rules.quantities.steroids import SYSTEMIC
from rules.timeline import Fact, MinuteSeries
from rules.values import number
from rules.view import View, names_of


def _infusion_interrupted(view: View) -> Evaluation:
    label = "norepinephrine delivery interrupted"
    reasons = [*_stops(view)]
    for fact in view.timeline.upto("infusion:norepinephrine", view.at):
        flow: Flow = fact.value
        if flow.action == "bag_change":
            reasons += _recent(view, fact, view.duration("bag_change_hold"), "syringe or bag changed")
        elif flow.alarm in ("occlusion", "extravasation"):
            reasons += _recent(view, fact, view.duration("restart_hold"), f"pump alarm: {flow.alarm}")
    return Evaluation(MET if reasons else NOT_MET, label, tuple(reasons))


def _stops(view: View) -> Iterator[Finding]:
    """Stretches without delivery that were too long, and have not ended or ended a short while ago."""
    limit, hold = view.duration("pause_limit"), view.duration("restart_hold")
    steps = view.rate("norepinephrine").steps
    for before, stop, after in zip(steps, steps[1:], [*steps[2:], None], strict=False):
        if stop.at > view.at:
            return
        if stop.high or not before.low:
            continue
        restarted = after.at if after is not None and after.at <= view.at else None
        view.note(stop.at + limit + TICK)
        if restarted is None:
            view.note(stop.at + hold + TICK)
            if limit < view.at - stop.at <= hold:
                yield Finding("norepinephrine", f"stopped at {clock_time(stop.at)}, not restarted", stop.at)
        elif restarted - stop.at > limit and view.at - restarted < hold:
            view.note(restarted + hold)
            text = f"interrupted for {format_duration(restarted - stop.at)}, restarted {clock_time(restarted)}"
            yield Finding("norepinephrine", text, restarted)


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


def _antimicrobials_given(view: View) -> list[tuple[str, Fact]]:
    """Every antimicrobial dose given, or infusion running, up to now, oldest first."""
    timeline = view.timeline

    def build() -> list[tuple[str, Fact]]:
        given = []
        for name in names_of(view.catalogue, "antimicrobial"):
            doses, rates = timeline.facts(f"dose:{name}"), timeline.facts(f"infusion:{name}")
            given += [(name, fact) for fact in doses if fact.value.status == "given"]
            given += [(name, fact) for fact in rates if fact.value.action in ("start", "rate") and fact.value.rate]
        return sorted(given, key=lambda pair: (pair[1].at, pair[1].event))

    known = timeline.memo("antimicrobials", ("dose:", "infusion:"), build)
    return known[: bisect_right(known, view.at, key=lambda pair: pair[1].at)]


def _infection_suspected(view: View) -> Evaluation:
    label = "infection suspected"
    flagged, fact = view.coded("suspected_infection")
    if flagged == "present" and fact is not None:
        return Evaluation(MET, label, (Finding("suspected_infection", "flagged", fact.at, fact.event),))
    if flagged == "absent":
        return Evaluation(NOT_MET, label)
    cultures = view.timeline.upto("state:culture_taken", view.at)
    if cultures:
        for name, dose in _antimicrobials_given(view):
            for culture in cultures:
                if abs(dose.at - culture.at) <= view.duration("culture_antimicrobial_window"):
                    return Evaluation(
                        MET,
                        label,
                        (
                            Finding("antimicrobial", f"{name} given", dose.at, dose.event),
                            Finding("culture", "culture taken", culture.at, culture.event),
                        ),
                    )
    return Evaluation(NOT_MET, label)


def _antimicrobial_missed_or_late(view: View) -> Evaluation:
    label = "antimicrobial missed or late"
    recognised = view.anchors.get("recognition")
    if recognised is None:
        return Evaluation(NOT_MET, label)
    given = _antimicrobials_given(view)
    due = recognised + view.duration("first_antimicrobial_limit")
    since = [fact for _, fact in given if fact.at > recognised - view.duration("culture_antimicrobial_window")]
    if not since:
        view.note(due + TICK)
        if view.at > due:
            text = f"none given {format_duration(view.at - recognised)} after recognition"
            return Evaluation(MET, label, (Finding("antimicrobial", text, recognised),))
        return Evaluation(NOT_MET, label)
    if since[0].at > due:
        text = f"first dose {format_duration(since[0].at - recognised)} after recognition"
        return Evaluation(MET, label, (Finding("antimicrobial", text, since[0].at, since[0].event),))
    return _overdue(view, given, label)


def _overdue(view: View, given: list[tuple[str, Fact]], label: str) -> Evaluation:
    by_drug: dict[str, list[Fact]] = {}
    for name, fact in given:
        by_drug.setdefault(name, []).append(fact)
    reasons = []
    for name, facts in by_drug.items():
        if len(facts) < 2 or facts[-1] != given[-1][1]:  # noqa: PLR2004 - an interval takes two doses
            continue
        interval = facts[-1].at - facts[-2].at
        limit = facts[-1].at + round(interval * view.number("late_dose_ratio"))
        view.note(limit + TICK)
        view.note(facts[-1].at + DAY + TICK)
        if HOUR <= interval <= DAY and limit < view.at <= facts[-1].at + DAY:
            text = f"{name}: next dose was due {clock_time(facts[-1].at + interval)}"
            reasons.append(Finding("antimicrobial", text, facts[-1].at, facts[-1].event))
    return Evaluation(MET if reasons else NOT_MET, label, tuple(reasons))


def _antimicrobial_inactive(view: View) -> Evaluation:
    label = "running antimicrobial inactive against isolate"
    cover = view.duration("antimicrobial_cover")
    running: set[str] = set()
    for name, fact in _antimicrobials_given(view):
        if view.at - fact.at <= cover:
            running.add(name)
            view.note(fact.at + cover + TICK)
    reasons: list[Finding] = []
    untested: list[str] = []
    for fact in view.timeline.upto("culture", view.at):
        result: CultureResult = fact.value
        if result.organism is None or result.specimen == "screening":
            continue
        tested = dict(result.susceptibilities)
        if any(tested.get(name) in ("S", "I") for name in running):
            continue
        if result.group in _MATCHING and not running & set(names_of(view.catalogue, _MATCHING[result.group])):
            text = f"{result.organism}: no {_MATCHING[result.group]} running"
        elif running and all(tested.get(name) == "R" for name in running):
            text = f"{result.organism}: resistant to {', '.join(sorted(running))}"
        elif not running:
            text = f"{result.organism}: no antimicrobial given in {format_duration(cover)}"
        else:
            untested.append(f"susceptibility of {result.organism}")
            continue
        reasons.append(Finding("culture", text, fact.at, fact.event))
    if reasons:
        return Evaluation(MET, label, tuple(reasons))
    if untested:
        return Evaluation(UNKNOWN, label, (), tuple(dict.fromkeys(untested)))
    return Evaluation(NOT_MET, label)


_MATCHING: Final = {"fungal": "antifungal", "viral": "antiviral", "anaerobic": "anaerobe_active"}


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
    done = view.timeline.upto("state:source_control", view.at)
    reasons = []
    for source in SOURCES:
        needed, fact = view.coded(source)
        if needed != "present" or fact is None or any(f.at >= fact.at for f in done):
            continue
        limit = fact.at + view.duration("source_control_limit")
        view.note(limit + TICK)
        if view.at > limit:
            text = f"{source.replace('_', ' ')}, diagnosed {clock_time(fact.at)}: no source control recorded"
            reasons.append(Finding("source_control", text, fact.at, fact.event))
    return Evaluation(MET if reasons else NOT_MET, label, tuple(reasons))


def _missed_stress_steroid(view: View) -> Evaluation:
    label = "chronic steroid without a stress dose"
    chronic, fact = view.coded("chronic_steroid_use")
    recognised = view.anchors.get("recognition")
    if chronic != "present" or fact is None or recognised is None:
        return Evaluation(NOT_MET, label)
    for name in SYSTEMIC:
        if any(f.value.status == "given" and f.at >= recognised - DAY for f in _doses(view, name)):
            return Evaluation(NOT_MET, label)
        if view.running(name):
            return Evaluation(NOT_MET, label)
    return Evaluation(MET, label, (Finding("chronic_steroid_use", "no stress dose recorded", fact.at, fact.event),))


def _doses(view: View, name: str) -> list[Fact]:
    return view.timeline.upto(f"dose:{name}", view.at)


def _epinephrine_new(view: View) -> Evaluation:
    label = "epinephrine started in the last 6 h"
    held = view.rate("epinephrine").held(view.at, "gt", 0.0, view.duration("epinephrine_new"), HOUR)
    view.note(held.next_change)
    if view.running("epinephrine") and held.truth is NOT_MET:
        return Evaluation(MET, label, (Finding("epinephrine", "running", held.since),))
    return Evaluation(NOT_MET, label)


def _recent_seizure(view: View) -> Evaluation:
    label = "seizure in the last 2 h"
    fact = view.timeline.latest("seizure", view.at)
    if fact is None or view.at - fact.at > view.duration("seizure_recent"):
        return Evaluation(NOT_MET, label)
    view.note(fact.at + view.duration("seizure_recent") + TICK)
    return Evaluation(MET, label, (Finding("seizure", fact.value.action, fact.at, fact.event),))


def _add_on_working(view: View) -> Evaluation:
    label = "norepinephrine falls after vasopressin or an analogue was added"
    window, relief = view.duration("relief_window"), view.number("relief")
    norepinephrine = view.rate("norepinephrine")
    view.note(norepinephrine.next_step(view.at))
    for name in view.running("vasopressin_analogue"):
        held = view.rate(name).held(view.at, "gt", 0.0, window + TICK, 0)
        view.note(held.next_change)
        if held.truth is not NOT_MET or held.since is None:
            continue
        before, present = norepinephrine.value(held.since), norepinephrine.value(view.at)
        if before.known and present.known and round(before.low - present.low, 9) >= relief:
            text = f"{number(before.low)} to {number(present.low)} ug/kg/min since {name} was added"
            return Evaluation(MET, label, (Finding("norepinephrine", text, held.since),))
    return Evaluation(NOT_MET, label)


SEPSIS: Final = (
    Predicate(
        "infection_suspected",
        "infection suspected: flagged, or antimicrobial and culture within 48 h of each other",
        "Sepsis-3 as operationalised by Seymour, JAMA 2016 (not checked against it)",
        ("state:suspected_infection", "state:culture_taken"),
        _infection_suspected,
        ("antimicrobial",),
        parameters=("culture_antimicrobial_window",),
        can_be_unknown=False,
    ),
    Predicate(
        "infusion_interrupted",
        "norepinephrine paused > 2 min, alarm, or syringe or bag change",
        "local setting",
        ("infusion:norepinephrine",),
        _infusion_interrupted,
        parameters=(
            "pause_limit",
            "restart_hold",
            "bag_change_hold",
        ),
        can_be_unknown=False,
    ),
    Predicate(
        "map_artefact",
        "arterial trace damped, or cuff and line differ by more than 15 mmHg",
        "local setting",
        (
            "state:arterial_line_damped",
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
    ),
    Predicate(
        "antimicrobial_missed_or_late",
        "no antimicrobial within 1 h of recognition, or a later dose late by more than a quarter of its interval",
        "Surviving Sepsis Campaign 2026 (secondary source only); tolerance: local setting",
        (),
        _antimicrobial_missed_or_late,
        ("antimicrobial",),
        parameters=(
            "first_antimicrobial_limit",
            "late_dose_ratio",
            "culture_antimicrobial_window",
        ),
        can_be_unknown=False,
    ),
    Predicate(
        "antimicrobial_inactive",
        "an isolate is resistant to every running agent, or of a kind no running agent covers",
        "general clinical knowledge, not checked against a source",
        ("culture",),
        _antimicrobial_inactive,
        ("antimicrobial",),
        parameters=("antimicrobial_cover",),
    ),
    Predicate(
        "source_uncontrolled",
        "a source that needs control has had none 6 h after diagnosis",
        "Surviving Sepsis Campaign 2026 (secondary source only)",
        ("state:source_control", *(f"state:{source}" for source in SOURCES)),
        _source_uncontrolled,
        parameters=("source_control_limit",),
        can_be_unknown=False,
    ),
    Predicate(
        "missed_stress_steroid",
        "steroid taken for weeks and no stress dose given",
        "general clinical knowledge, not checked against a source",
        ("state:chronic_steroid_use",),
        _missed_stress_steroid,
        ("corticosteroid",),
        can_be_unknown=False,
    ),
    Predicate(
        "add_on_working",
        "norepinephrine fell within an hour of adding vasopressin or an analogue, whose own equivalents raise the sum",
        "local setting: vasopressin of 0.03 U/min adds 0.075 to the equivalents by itself",
        ("infusion:norepinephrine",),
        _add_on_working,
        ("vasopressin_analogue",),
        parameters=("relief", "relief_window"),
        can_be_unknown=False,
    ),
    Predicate(
        "epinephrine_new",
        "epinephrine started less than 6 h ago raises lactate by itself",
        "general clinical knowledge, not checked against a source",
        ("infusion:epinephrine",),
        _epinephrine_new,
        parameters=("epinephrine_new",),
        can_be_unknown=False,
    ),
    Predicate(
        "recent_seizure",
        "seizure less than 2 h ago raises lactate",
        "general clinical knowledge, not checked against a source",
        ("seizure",),
        _recent_seizure,
        parameters=("seizure_recent",),
        can_be_unknown=False,
    ),
)
