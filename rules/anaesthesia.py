"""Continuous anaesthesia for status epilepticus: since when, for how long without a gap, and whether it was reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rules import seizures
from rules.instants import HOUR, TICK
from rules.steps import Step, Steps, total

if TYPE_CHECKING:
    from rules.view import View

ANAESTHETICS: Final = {
    "midazolam": "midazolam_maintenance",
    "propofol": "propofol_maintenance",
    "ketamine": "ketamine_maintenance",
    "pentobarbital": "pentobarbital_maintenance",
    "thiopental": "thiopental_maintenance",
}
"""Agents, and the parameter with the lowest rate that counts as maintenance of each."""

READS: Final = (*seizures.READS, *(f"infusion:{name}" for name in ANAESTHETICS))
PARAMETERS: Final = (
    *seizures.PARAMETERS,
    *ANAESTHETICS.values(),
    "anaesthetic_share",
    "anaesthetic_gap_limit",
    "super_refractory_after",
    "wean_window",
)


class Stretch(NamedTuple):
    """A stretch in which anaesthesia was deep enough (True), was not (False), or nobody knows (None)."""

    start: int
    end: int
    deep: bool | None


class Course(NamedTuple):
    """Anaesthesia of the episode: its start, milliseconds without the gaps (at least, at most), and the gaps."""

    start: int
    least: int
    most: int
    gaps: tuple[Stretch, ...]
    missing: tuple[str, ...]


def depth(view: View) -> Steps:
    """The rates of all agents, each as a multiple of its lowest maintenance rate, added up."""
    channels = tuple(f"infusion:{name}" for name in ANAESTHETICS if view.timeline.facts(f"infusion:{name}"))
    weights = tuple(view.number(parameter) for parameter in ANAESTHETICS.values())
    key = ("anaesthesia", channels, weights, view.value("weight")[:3])

    def build() -> Steps:
        names = [channel.partition(":")[2] for channel in channels]
        return total([(1 / view.number(ANAESTHETICS[name]), view.rate(name)) for name in names])

    steps = view.timeline.memo(key, channels, build)
    view.note(steps.next_step(view.at))
    return steps


def start(view: View) -> int | None:
    """When anaesthesia, deep enough, began in the episode; what ran before counts from the first seizure."""
    return next((stretch.start for stretch in _stretches(view) if stretch.deep), None)


def course(view: View) -> Course | None:
    """How long anaesthesia has lasted, gaps longer than the limit left out; None where there was none."""
    stretches = list(_stretches(view))
    while stretches and not stretches[0].deep:
        stretches.pop(0)
    if not stretches:
        return None
    limit = view.duration("anaesthetic_gap_limit")
    gaps = tuple(s for s in stretches if s.deep is False and s.end - s.start > limit)
    length = {s: s.end - s.start for s in stretches if s not in gaps}
    least = sum(length[s] for s in length if s.deep is not None)
    last = stretches[-1]
    if last.deep is False:
        view.note(last.start + limit + TICK)
    remaining = round(view.number("super_refractory_after") * HOUR) - least
    if last.deep is not False and remaining > 0:
        view.note(view.at + remaining)
    missing = ("anaesthetic rate",) if any(s.deep is None for s in length) else ()
    return Course(stretches[0].start, least, sum(length.values()), gaps, missing)


def reduced_before(view: View, instant: int) -> bool:
    """Whether anaesthesia had been reduced or withdrawn when something happened; a paused pump is no reduction."""
    began = start(view)
    if began is None or instant <= began:
        return False
    for name in ANAESTHETICS:
        flow = view.timeline.latest(f"infusion:{name}", instant)
        recent = flow is not None and instant - flow.at <= view.duration("wean_window")
        if flow is not None and recent and flow.value.action == "pause":
            return False
    steps, since = depth(view), max(began, instant - view.duration("wean_window"))
    highest = max(steps.value(since).low, *(s.low for s in steps.steps if since <= s.at <= instant), 0.0)
    return steps.value(instant).high < highest


def _stretches(view: View) -> list[Stretch]:
    return view.once("anaesthesia", _worked_out)


def _worked_out(view: View) -> list[Stretch]:
    begin = seizures.episode_onset(view)
    steps = depth(view)
    if begin is None or not steps.steps:
        return []
    share = view.number("anaesthetic_share")
    found: list[Stretch] = []
    first = steps.value(begin)
    inside = [Step(begin, first.low, first.high), *(s for s in steps.steps if begin < s.at <= view.at)]
    for step, following in zip(inside, [*inside[1:], None], strict=True):
        deep = True if step.low >= share else False if step.high < share else None
        end = view.at if following is None else following.at
        if found and found[-1].deep is deep:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Stretch(step.at, end, deep))
    return found
