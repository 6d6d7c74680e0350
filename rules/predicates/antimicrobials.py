"""Checks of antimicrobial treatment: begun in time, no dose missed, active against what has grown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from rules.antimicrobials import (
    ANTIMICROBIAL,
    Begun,
    Course,
    courses,
    covering,
    doses,
    kinds,
    newly_begun,
    orders,
    related,
)
from rules.catalogue import Catalogue, Organism
from rules.facts import CultureResult
from rules.instants import HOUR, TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding
from rules.predicates.base import Predicate
from rules.timeline import Fact
from rules.view import View, names_of

_SHORTEST: Final = HOUR
"""Doses closer together than this show no interval (local setting)."""


def _antimicrobial_missed_or_late(view: View) -> Evaluation:
    label = "antimicrobial missed or late"
    recognised = view.anchors.get("recognition")
    if recognised is None:
        return Evaluation(NOT_MET, label)
    due = recognised + view.duration("first_antimicrobial_limit")
    window = recognised - view.duration("culture_antimicrobial_window")
    since = [dose for dose in doses(view) if dose.at > window]
    if not since:
        view.note(due + TICK)
        return Evaluation(MET, label, (_none_given(view, recognised),)) if view.at > due else Evaluation(NOT_MET, label)
    reasons = [*_first_late(view, since[0], recognised, due), *_all_ended(view)]
    late, unknown = _overdue(view)
    reasons += late
    if reasons:
        return Evaluation(MET, label, tuple(reasons))
    return Evaluation(UNKNOWN, label, (), tuple(unknown)) if unknown else Evaluation(NOT_MET, label)


def _none_given(view: View, recognised: int) -> Finding:
    passed = format_duration(view.at - recognised)
    ordered = orders(view)
    if not ordered:
        return Finding(ANTIMICROBIAL, f"none given {passed} after recognition", recognised)
    name, fact = ordered[-1]
    text = f"{name} ordered, not recorded as given, {passed} after recognition"
    return Finding(ANTIMICROBIAL, text, fact.at, fact.event)


def _first_late(view: View, first: Begun, recognised: int, due: int) -> Iterator[Finding]:
    """A first dose that came late explains shock for as long as one dose counts as a running antimicrobial."""
    until = first.at + view.duration("antimicrobial_cover")
    if first.at > due and view.at <= until:
        view.note(until + TICK)
        text = f"first dose {format_duration(first.at - recognised)} after recognition"
        yield Finding(ANTIMICROBIAL, text, first.at, first.fact.event)


def _all_ended(view: View) -> Iterator[Finding]:
    """No drug is dosed less often than once in ``antimicrobial_cover``: later than that, none runs any more."""
    last = max(course.seen[-1].at for course in courses(view).values())
    limit = last + _longest(view)
    view.note(limit + TICK)
    if view.at > limit and not any(view.flow(name).high for name in courses(view)):
        yield Finding(ANTIMICROBIAL, f"none given since {clock_time(last)}", last)


def _longest(view: View) -> int:
    """The longest interval between two doses that counts as one, with its tolerance."""
    return round(view.duration("antimicrobial_cover") * view.number("late_dose_ratio"))


def _overdue(view: View) -> tuple[list[Finding], list[str]]:
    """Drugs whose next dose is late, and why that cannot be told of others.

    A drug's interval is the time between its last two doses; where the two before were closer or further apart, it lies
    between both. A drug for which another one was begun meanwhile may have been replaced.
    """
    late: list[Finding] = []
    unknown: list[str] = []
    for name, course in courses(view).items():
        interval = _interval(view, course)
        if interval is None:
            continue
        last, ratio = course.doses[-1], view.number("late_dose_ratio")
        perhaps, surely = (last.at + round(length * ratio) for length in interval)
        ends = last.at + interval[1] + view.duration("antimicrobial_cover")
        for instant in (perhaps, surely, ends):
            view.note(instant + TICK)
        if not perhaps < view.at <= ends:
            continue
        flow, instead = view.flow(name), _instead(view, name, last)
        if flow.low > 0 or any(related(view, name, other) for other in instead):
            continue
        if flow.high or view.at <= surely or instead:
            unknown.append(
                f"{name}_rate" if flow.high else f"interval of {name}" if not instead else f"whether {name} goes on"
            )
            continue
        text = f"{name}: next dose was due {clock_time(last.at + interval[1])}"
        late.append(Finding(ANTIMICROBIAL, text, last.at, last.fact.event))
    return late, unknown


def _interval(view: View, course: Course) -> tuple[int, int] | None:
    """The shortest and the longest that the interval between two doses may be; None where nothing shows it."""
    longest, ratio = _longest(view), view.number("late_dose_ratio")
    gaps = course.gaps()[-2:]
    if not gaps or not _SHORTEST <= gaps[-1] <= longest:
        return None
    low, high = min(gaps), max(gaps)
    if high > longest or low < _SHORTEST or high <= low * ratio:
        return gaps[-1], gaps[-1]
    return low, high


def _instead(view: View, name: str, last: Begun) -> list[str]:
    """Other drugs against the same kind of organism that were begun after the last dose of this one."""
    begun = newly_begun(view, last.at, _longest(view))
    return [other for other in begun if other != name and kinds(view, other) & kinds(view, name)]


class _Isolate(NamedTuple):
    """What grew, by the report that counts, and what the catalogue knows of it."""

    fact: Fact
    result: CultureResult
    organism: str
    known: Organism | None

    @property
    def group(self) -> str | None:
        return self.result.group or (self.known.group if self.known else None)


_MATCHING: Final = {
    "bacterial": "antibacterial",
    "fungal": "antifungal",
    "viral": "antiviral",
    "anaerobic": "anaerobe_active",
    "mycobacterial": "antimycobacterial",
}
"""The class of drugs that can act on a kind of organism."""


def _antimicrobial_inactive(view: View) -> Evaluation:
    label = "running antimicrobial inactive against isolate"
    isolates = _isolates(view)
    stated, statement = view.coded("antimicrobial_covers_isolate")
    if statement is not None and stated == "absent" and not newly_begun(view, statement.at, _longest(view)):
        return Evaluation(MET, label, (Finding("culture", "not covered, as stated", statement.at, statement.event),))
    if not isolates:
        return Evaluation(NOT_MET, label)
    running = covering(view, view.duration("antimicrobial_cover"))
    reasons: list[Finding] = []
    unknown: list[str] = []
    weighed: dict[tuple[object, ...], tuple[str | None, list[str]]] = {}
    found = _found_at(isolates)
    for isolate in isolates:
        if statement is not None and stated == "present" and isolate.fact.received <= statement.at:
            continue
        alike = (isolate.organism, isolate.result.group, isolate.result.susceptibilities)
        if alike not in weighed:
            weighed[alike] = _weigh(view, isolate, running)
        against, untested = weighed[alike]
        doubt = _doubt(isolate, found)
        if against is not None and doubt is None:
            reasons.append(Finding("culture", f"{isolate.organism}: {against}", isolate.fact.at, isolate.fact.event))
        elif against is not None or untested:
            unknown.append(doubt or f"susceptibility of {isolate.organism} to {', '.join(untested)}")
    if reasons:
        return Evaluation(MET, label, tuple(reasons))
    return Evaluation(UNKNOWN, label, (), tuple(dict.fromkeys(unknown))) if unknown else Evaluation(NOT_MET, label)


@cache
def _known(catalogue: Catalogue, reported: str) -> Organism | None:
    return catalogue.organism(reported)


def _isolates(view: View) -> list[_Isolate]:
    """What grew and may be the cause: of reports on one specimen the final ones, of one organism the last."""
    specimens: dict[tuple[int, str], list[Fact]] = {}
    for fact in view.timeline.upto("culture", view.at):
        if fact.value.specimen != "screening":
            specimens.setdefault((fact.at, fact.value.specimen), []).append(fact)
    found: dict[tuple[int, str, str], _Isolate] = {}
    for (at, specimen), facts in specimens.items():
        final = [fact for fact in facts if not fact.value.preliminary]
        for fact in sorted(final or facts, key=lambda fact: (fact.received, fact.event)):
            result: CultureResult = fact.value
            if result.organism is not None:
                known = _known(view.catalogue, result.organism)
                key = (at, specimen, result.organism.lower())
                found[key] = _Isolate(fact, result, result.organism, known)
    return list(found.values())


def _weigh(view: View, isolate: _Isolate, running: set[str]) -> tuple[str | None, list[str]]:
    """Why no running drug acts on an isolate (None where one may), and which of them nobody knows it of."""
    tested = dict(isolate.result.susceptibilities)
    if any(tested.get(name) in ("S", "I") for name in running):
        return None, []
    if not running:
        return f"no antimicrobial given in {format_duration(view.duration('antimicrobial_cover'))}", []
    matching = ANTIMICROBIAL if isolate.group is None else _MATCHING[isolate.group]
    candidates = sorted(running & set(names_of(view.catalogue, matching)))
    if not candidates:
        return f"no {matching.replace('_', '-')} drug running", []
    resistant = [name for name in candidates if tested.get(name) == "R"]
    powerless = [name for name in candidates if name not in resistant and _expected(view, isolate, name)]
    untested = [name for name in candidates if name not in resistant and name not in powerless]
    if untested:
        # A drug for another kind than bacteria is chosen for the organism: laboratories seldom test it.
        return None, untested if isolate.group in (None, "bacterial") else []
    parts = [f"resistant to {_named(view, resistant)}"] if resistant else []
    parts += [f"{_named(view, powerless)} not expected to act on it"] if powerless else []
    return "; ".join(parts), []


def _named(view: View, drugs: Sequence[str]) -> str:
    """Drugs as people call them."""
    return ", ".join(view.catalogue.drug(drug).title.lower() for drug in drugs)


def _expected(view: View, isolate: _Isolate, drug: str) -> bool:
    """Whether the catalogue expects a drug not to act on an organism."""
    if isolate.known is None:
        return False
    return bool({drug, *view.catalogue.drug(drug).classes} & set(isolate.known.resists))


def _found_at(isolates: Sequence[_Isolate]) -> dict[Organism, set[int]]:
    """When each organism was found that the catalogue knows."""
    found: dict[Organism, set[int]] = {}
    for isolate in isolates:
        if isolate.known is not None:
            found.setdefault(isolate.known, set()).add(isolate.fact.at)
    return found


def _doubt(isolate: _Isolate, found: Mapping[Organism, set[int]]) -> str | None:
    """Why a report does not settle that the organism is the cause."""
    if isolate.result.preliminary:
        return f"final report of {isolate.organism}"
    if isolate.known is not None and isolate.known.contaminant and len(found[isolate.known]) == 1:
        return f"whether {isolate.organism} is a contaminant"
    return None


ANTIMICROBIALS: Final = (
    Predicate(
        "antimicrobial_missed_or_late",
        "no antimicrobial in time after recognition, or a later dose of one of them late for its own interval",
        "Surviving Sepsis Campaign 2026 (secondary source only); tolerance: local setting",
        (),
        _antimicrobial_missed_or_late,
        (ANTIMICROBIAL,),
        parameters=(
            "first_antimicrobial_limit",
            "late_dose_ratio",
            "culture_antimicrobial_window",
            "antimicrobial_cover",
        ),
        episode=True,
    ),
    Predicate(
        "antimicrobial_inactive",
        "an isolate is resistant to every running agent of its kind, or none of its kind runs",
        "general clinical knowledge, not checked against a source",
        ("culture", "state:antimicrobial_covers_isolate"),
        _antimicrobial_inactive,
        (ANTIMICROBIAL,),
        parameters=("antimicrobial_cover", "late_dose_ratio"),
        episode=True,
    ),
)
