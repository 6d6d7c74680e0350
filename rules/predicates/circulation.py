"""Checks of the circulation that several pathways share."""

from __future__ import annotations

from typing import Final

from rules.instants import format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding
from rules.predicates.base import Predicate
from rules.view import View


def _vasopressor_rising(view: View) -> Evaluation:
    label = "vasopressor requirement rising"
    window = view.duration("vasopressor_rise_window")
    steps = view.knowledge.quantities["nee_kotani"].steps
    if steps is None:
        return Evaluation(UNKNOWN, label, (), ("nee_kotani",))
    requirement = steps(view, 0)
    before, now = requirement.value(view.at - window), requirement.value(view.at)
    view.note(requirement.next_step(view.at))
    following = requirement.next_step(view.at - window)
    view.note(None if following is None else following + window)
    text = f"{before.text('')} to {now.text('ug/kg/min')} in {format_duration(window)}"
    finding = Finding("nee_kotani", text, view.at)
    if round(now.low - before.high, 9) >= view.number("vasopressor_rise"):
        return Evaluation(MET, label, (finding,))
    if round(now.high - before.low, 9) < view.number("vasopressor_rise"):
        return Evaluation(NOT_MET, label, (finding,))
    return Evaluation(UNKNOWN, label, (finding,), now.missing or before.missing or ("nee_kotani",))


CIRCULATION: Final = (
    Predicate(
        "vasopressor_rising",
        "vasopressor requirement rose in the last hour",
        "local setting",
        ("signal:weight",),
        _vasopressor_rising,
        ("vasopressor",),
        parameters=("vasopressor_rise", "vasopressor_rise_window"),
    ),
)
