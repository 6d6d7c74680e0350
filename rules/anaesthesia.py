"""Continuous anaesthesia for status epilepticus: since when, for how long without a gap, and whether it was reduced.

Sedation is not anaesthesia. It begins once an agent runs at its own lowest maintenance rate at least, and is
interrupted while every agent is below the share of it that counts. What had been running before the seizure and was
never raised is treatment of it only once the EEG target is reached.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import seizures
from rules.instants import HOUR, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
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

READS: Final = (
    *seizures.READS,
    "state:seizure_suppressed_on_eeg",
    *(f"infusion:{name}" for name in ANAESTHETICS),
)
PARAMETERS: Final = (
    *seizures.PARAMETERS,
    *ANAESTHETICS.values(),
    "anaesthetic_share",
    "anaesthetic_gap_limit",
    "super_refractory_after",
    "wean_window",
    "before_onset",
)


class Stretch(NamedTuple):
    """A stretch in which anaesthesia was deep enough (True), was not (False), or nobody knows (None)."""

    start: int
    end: int
    deep: bool | None


class Course(NamedTuple):
    """Anaesthesia of the episode: its start, milliseconds without the gaps (at least, at most), and the gaps.

    Where nobody knows whether the agents ran at an anaesthetic rate, it may have started, and ``least`` is nought.
    """

    start: int
    least: int
    most: int
    gaps: tuple[Stretch, ...]
    missing: tuple[str, ...]


class Start(NamedTuple):
    """When anaesthesia began, if it did; when it perhaps did, if nobody knows, and what would tell."""

    at: int | None
    perhaps: int | None = None
    missing: tuple[str, ...] = ()


def _agents(
    view: View, besides: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[float, ...], tuple[Hashable, ...]]:
    """The channels of the agents on record, the lowest maintenance rate of each, and what their rates hang on."""
    names = [name for name in ANAESTHETICS if view.timeline.facts(f"infusion:{name}") and name not in besides]
    channels = tuple(f"infusion:{name}" for name in names)
    lowest = tuple(view.number(ANAESTHETICS[name]) for name in names)
    return channels, lowest, (channels, lowest, view.value("weight")[:3])


def depth(view: View, besides: tuple[str, ...] = ()) -> Steps:
    """The rates of all agents but some, each as a multiple of its lowest maintenance rate, added up."""
    channels, lowest, key = _agents(view, besides)

    def build() -> Steps:
        return total(
            [(1 / least, view.rate(channel.partition(":")[2])) for channel, least in zip(channels, lowest, strict=True)]
        )

    steps = view.timeline.memo(("anaesthesia", *key), channels, build)
    view.note(steps.next_step(view.at))
    return steps


def deepest(view: View) -> Steps:
    """The rate of the agent nearest to, or furthest above, its lowest maintenance rate, as a multiple of that."""
    channels, weights, key = _agents(view)

    def build() -> Steps:
        parts = [
            (weight, view.rate(channel.partition(":")[2])) for channel, weight in zip(channels, weights, strict=True)
        ]
        found = []
        for at in sorted({step.at for _, part in parts for step in part.steps}):
            values = [(weight, part.value(at)) for weight, part in parts]
            missing = tuple(dict.fromkeys(item for _, value in values for item in value.missing))
            low = max(value.low / weight for weight, value in values)
            high = max(value.high / weight for weight, value in values)
            found.append(Step(at, round(low, 9), round(high, 9) if high < inf else high, missing if low < high else ()))
        return Steps(found)

    steps = view.timeline.memo(("deepest", *key), channels, build)
    view.note(steps.next_step(view.at))
    return steps


def start(view: View) -> Start:
    """When anaesthesia, deep enough, began in the episode; what ran before counts from the first seizure."""
    stretches = _stretches(view)
    begun = next((stretch.start for stretch in stretches if stretch.deep), None)
    perhaps = next((stretch for stretch in stretches if stretch.deep is None), None)
    if perhaps is None or (begun is not None and begun < perhaps.start):
        return Start(begun)
    return Start(begun, perhaps.start, deepest(view).value(perhaps.start).missing or ("anaesthetic_rate",))


def course(view: View) -> Course | None:
    """How long anaesthesia has lasted, gaps longer than the limit left out; None where there was none."""
    stretches = list(_stretches(view))
    while stretches and stretches[0].deep is False:
        stretches.pop(0)
    if not stretches:
        return None
    limit = view.duration("anaesthetic_gap_limit")
    gaps = tuple(s for s in stretches if s.deep is False and s.end - s.start > limit)
    length = {s: s.end - s.start for s in stretches if s not in gaps}
    begun = next((s.start for s in stretches if s.deep), view.at)
    least = sum(length[s] for s in length if s.deep is not None and s.start >= begun)
    last = stretches[-1]
    if last.deep is False:
        view.note(last.start + limit + TICK)
    most = sum(length.values())
    if last.deep is not False:
        for lasted in (least, most):
            view.note(view.at + round(view.number("super_refractory_after") * HOUR) - lasted)
    doubtful = next((s for s in length if s.deep is None), None)
    missing = () if doubtful is None else deepest(view).value(doubtful.start).missing or ("anaesthetic_rate",)
    return Course(stretches[0].start, least, most, gaps, missing)


def running(view: View) -> Truth:
    """Whether the patient is being anaesthetised for the seizures now."""
    stretches = _stretches(view)
    if not stretches or stretches[-1].deep is False:
        return NOT_MET
    if not (begun_or_raised(view) or target_recorded(view)):
        return NOT_MET
    return MET if stretches[-1].deep else UNKNOWN


def begun_or_raised(view: View) -> bool:
    """Whether an agent was begun or raised since shortly before the first seizure: one left alone treats nothing."""
    begin = seizures.episode_onset(view)
    if begin is None:
        return False
    begin -= view.duration("before_onset")
    for channel in _agents(view)[0]:
        # Of a rate per kilogram of an unknown weight the lower bounds still compare.
        steps = view.rate(channel.partition(":")[2]).steps
        known = [step.low for step in steps if step.at <= begin and (step.low > 0 or not step.high)]
        before = known[-1] if known else 0.0
        if any(step.low > before for step in steps if begin < step.at <= view.at):
            return True
    return False


def target_recorded(view: View) -> bool:
    """Whether the EEG was read, since the first seizure, as suppressed far enough."""
    begin = seizures.episode_onset(view)
    facts = view.timeline.upto("state:seizure_suppressed_on_eeg", view.at)
    return begin is not None and any(fact.at >= begin and fact.value.value == "present" for fact in facts)


def reduced_before(view: View, instant: int) -> Truth:
    """Whether anaesthesia had been reduced or withdrawn when something happened; a paused pump is no reduction.

    What another agent was given less of meanwhile is.
    """
    begun = start(view)
    began = begun.at if begun.perhaps is None else begun.perhaps
    if began is None or instant <= began:
        return NOT_MET
    paused = tuple(name for name in ANAESTHETICS if _paused(view, name, instant))
    if paused and not _agents(view, paused)[0]:
        return NOT_MET
    steps, since = depth(view, paused), max(began, instant - view.duration("wean_window"))
    highest = max(steps.value(since).low, *(s.low for s in steps.steps if since <= s.at <= instant), 0.0)
    now = steps.value(instant)
    if begun.at is not None and begun.at < instant:
        return MET if now.high < highest else NOT_MET
    return NOT_MET if now.high else UNKNOWN


def _paused(view: View, name: str, instant: int) -> bool:
    """Whether the last word of an agent, not long before an instant, was that its pump is paused."""
    flow = view.timeline.latest(f"infusion:{name}", instant)
    return flow is not None and flow.value.action == "pause" and instant - flow.at <= view.duration("wean_window")


def _stretches(view: View) -> list[Stretch]:
    return view.once("anaesthesia", _worked_out)


def _worked_out(view: View) -> list[Stretch]:
    begin = seizures.episode_onset(view)
    steps = deepest(view)
    if begin is None or not steps.steps:
        return []
    first = steps.value(begin)
    inside = [Step(begin, first.low, first.high), *(s for s in steps.steps if begin < s.at <= view.at)]
    found: list[Stretch] = []
    for step, following in zip(inside, [*inside[1:], None], strict=True):
        deep = _deep(view, step, found)
        end = view.at if following is None else following.at
        if found and found[-1].deep is deep:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Stretch(step.at, end, deep))
    return found


def _deep(view: View, step: Step, before: list[Stretch]) -> bool | None:
    """Whether a step is anaesthesia: from the lowest maintenance rate on, and once begun down to a share of it.

    After an interruption longer than the limit it has to begin anew.
    """
    if step.low >= 1:
        return True
    last = before[-1] if before else None
    if last is not None and last.deep is False and step.at - last.start <= view.duration("anaesthetic_gap_limit"):
        last = before[-2] if len(before) > 1 else None
    begun = False if last is None else last.deep
    share = view.number("anaesthetic_share") if begun is not False else 1.0
    if step.high < share:
        return False
    return True if begun and step.low >= share else None
