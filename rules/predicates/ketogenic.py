"""Checks of the ketogenic diet: what must be known before it, and what does not go with it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from rules import ketosis
from rules.instants import DAY, TICK, clock_time
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding
from rules.predicates.base import Predicate
from rules.values import exact, number
from rules.view import View

_LABS: Final = ("glucose", "sodium", "potassium", "bicarbonate", "lipase", "triglycerides", "bilirubin", "lactate")


def _workup(view: View) -> Evaluation:
    """There is a result of everything that must be known before a ketogenic diet.

    A bound is one: whether it suffices is for the contraindications to say.
    """
    values = [view.value(lab) for lab in _LABS]
    missing = [item for value in values if (value.low, value.high) == (-inf, inf) for item in value.missing]
    if view.coded("enteral_access_working")[0] not in ("present", "absent"):
        missing.append("enteral_access_working")
    if view.coded("sex")[0] != "male" and view.coded("pregnancy")[0] not in ("present", "absent"):
        missing.append("pregnancy")
    if view.coded("metabolic_screen_sent")[0] != "present":
        missing.append("metabolic_screen_sent")
    return Evaluation(UNKNOWN if missing else MET, "work-up before a ketogenic diet", (), tuple(missing))


def _ketosis_long(view: View) -> Evaluation:
    """There has been ketosis for as long as it takes to review the diet."""
    label, spell, wanted = (
        "ketosis long enough to review the diet",
        ketosis.spell(view),
        view.duration("ketogenic_review"),
    )
    if spell is None or spell.most < wanted:
        return Evaluation(NOT_MET, label)
    found = Finding(
        "ketosis", f"{number(round(spell.least / DAY, 1))} days, diet since {clock_time(spell.since)}", spell.since
    )
    if spell.least < wanted:
        return Evaluation(UNKNOWN, label, (found,), (ketosis.SIGNAL,))
    return Evaluation(MET, label, (found,))


def _propofol_recent(view: View) -> Evaluation:
    """Propofol ran, or was given, too short a time ago; an infusion of which nothing is known may be running."""
    label, free = "propofol too recent", view.duration("propofol_free")
    steps = view.rate("propofol").steps
    last = possible = None
    doses = [f.at for f in view.timeline.upto("dose:propofol", view.at) if f.value.status == "given"]
    for step, end in zip(steps, [*(following.at for following in steps[1:]), view.at], strict=False):
        if step.at > view.at:
            break
        last = min(end, view.at) if step.low > 0 else last
        possible = min(end, view.at) if step.high > 0 else possible
    given = max((instant for instant in (last, *doses[-1:]) if instant is not None), default=None)
    if given is not None and view.at - given < free:
        view.note(given + free)
        stopped = "running" if given == view.at else f"until {clock_time(given)}"
        words = f"{stopped}, release {clock_time(given + free)}" if given < view.at else stopped
        return Evaluation(MET, label, (Finding("propofol", words, given),))
    if possible is not None and view.at - possible < free:
        view.note(possible + free)
        return Evaluation(UNKNOWN, label, (), ("propofol_rate",))
    return Evaluation(NOT_MET, label)


def _going_in(drug: str, label: str) -> Callable[[View], Evaluation]:
    """Something is ordered, given or running that does not go with the diet; what nobody confirmed may be running."""

    def decide(view: View) -> Evaluation:
        within = view.duration("order_counts")
        found = []
        missing: list[str] = []
        for name in view.drugs(drug):
            words = name.replace("_", " ")
            for fact in view.timeline.upto(f"dose:{name}", view.at):
                if fact.value.status in ("ordered", "given") and view.at - fact.at <= within:
                    view.note(fact.at + within + TICK)
                    found.append(Finding(name, f"{words} {fact.value.status}", fact.at, fact.event))
            flow = view.flow(name) if view.timeline.facts(f"infusion:{name}") else exact(0.0)
            if flow.low > 0:
                found.append(Finding(name, f"{words} running", view.rate(name).since(view.at)))
            elif flow.high > 0:
                missing += flow.missing
        if missing and not found:
            return Evaluation(UNKNOWN, label, (), tuple(missing))
        return Evaluation(MET if found else NOT_MET, label, tuple(found))

    return decide


_KNOWLEDGE: Final = "general clinical knowledge, not checked against a source"

KETOGENIC: Final = (
    Predicate(
        "ketogenic_workup",
        "what must be known before a ketogenic diet",
        _KNOWLEDGE,
        (
            *(f"signal:{lab}" for lab in _LABS),
            "state:enteral_access_working",
            "state:sex",
            "state:pregnancy",
            "state:metabolic_screen_sent",
        ),
        _workup,
        can_be_not_met=False,
    ),
    Predicate(
        "ketosis_long",
        "ketosis long enough to review the diet",
        _KNOWLEDGE,
        ketosis.READS,
        _ketosis_long,
        parameters=ketosis.PARAMETERS,
        looks_back=ketosis.LOOKS_BACK,
    ),
    Predicate(
        "propofol_recent",
        "propofol too recent for a ketogenic diet",
        _KNOWLEDGE,
        ("infusion:propofol", "dose:propofol", "signal:weight"),
        _propofol_recent,
        parameters=("propofol_free",),
    ),
    Predicate(
        "carbohydrate_going_in",
        "carbohydrate ordered, given or running",
        _KNOWLEDGE,
        (),
        _going_in("carbohydrate", "carbohydrate ordered, given or running"),
        ("carbohydrate",),
        parameters=("order_counts",),
    ),
    Predicate(
        "propofol_going_in",
        "propofol ordered, given or running",
        _KNOWLEDGE,
        ("infusion:propofol", "dose:propofol", "signal:weight"),
        _going_in("propofol", "propofol ordered, given or running"),
        parameters=("order_counts",),
    ),
)
