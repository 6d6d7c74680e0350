"""Continuous anaesthesia for status epilepticus: since when, for how long without a gap, and whether it was reduced.

Sedation is not anaesthesia. It begins once an agent runs at its own lowest maintenance rate at least, and is
interrupted while every agent is below the share of it that counts. What had been running before the seizure and was
never raised is treatment of it only once the EEG target is reached.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import seizures
from rules.instants import HOUR, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.steps import BEFORE, Step, Steps, reasons, side_by_side, summed

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


_BEGUN: Final = attrgetter("begun")


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

    def parts() -> list[tuple[float, Steps]]:
        return [(1 / least, rate) for rate, least in zip(_rates(view, channels), lowest, strict=True)]

    def extend(found: Steps, since: int) -> Steps:
        found.rewrite(since, summed(parts(), since))
        return found

    steps = view.timeline.memo(("anaesthesia", *key), channels, Steps, extend)
    view.note(steps.next_step(view.at))
    return steps


def deepest(view: View) -> Steps:
    """The rate of the agent nearest to, or furthest above, its lowest maintenance rate, as a multiple of that."""
    channels, lowest, key = _agents(view)

    def extend(found: Steps, since: int) -> Steps:
        parts = [rate.steps for rate in _rates(view, channels)]
        found.rewrite(since, (_nearest(at, steps, lowest) for at, steps in side_by_side(parts, since)))
        return found

    steps = view.timeline.memo(("deepest", *key), channels, Steps, extend)
    view.note(steps.next_step(view.at))
    return steps


def _rates(view: View, channels: tuple[str, ...]) -> list[Steps]:
    return [view.rate(channel.partition(":")[2]) for channel in channels]


def _nearest(at: int, steps: Sequence[Step], lowest: Sequence[float]) -> Step:
    low = max(step.low / least for step, least in zip(steps, lowest, strict=True))
    high = max(step.high / least for step, least in zip(steps, lowest, strict=True))
    return Step(at, round(low, 9), round(high, 9) if high < inf else high, reasons(steps) if low < high else ())


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
        rate = view.rate(channel.partition(":")[2])
        after = rate.index(begin + TICK)
        known = (step.low for step in reversed(rate.steps[:after]) if step.low > 0 or not step.high)
        before = next(known, 0.0)
        if any(step.low > before for step in rate.steps[after : rate.index(view.at + TICK)]):
            return True
    return False


def target_recorded(view: View) -> bool:
    """Whether the EEG was read, since the first seizure, as suppressed far enough."""
    begin = seizures.episode_onset(view)
    facts = view.timeline.upto("state:seizure_suppressed_on_eeg", view.at)
    return begin is not None and any(fact.at >= begin and fact.value.value == "present" for fact in facts)


def reduced_before(view: View, instant: int) -> Truth:
    """Whether anaesthesia had been reduced or withdrawn when something happened; a paused pump is no reduction.

    What another agent was given less of meanwhile is. Reduced is what had lasted longer than an interruption may: two
    syringes that overlap in a relay, and a bolus given by the pump, are no level from which anything is reduced.
    """
    begun = start(view)
    began = begun.at if begun.perhaps is None else begun.perhaps
    if began is None or instant <= began:
        return NOT_MET
    paused = tuple(name for name in ANAESTHETICS if _paused(view, name, instant))
    if paused and not _agents(view, paused)[0]:
        return NOT_MET
    steps, since = depth(view, paused), max(began, instant - view.duration("wean_window"))
    within = steps.steps[steps.index(since) : steps.index(instant + TICK)]
    first, now = steps.value(since), steps.value(instant)
    within = [Step(since, first.low, first.high), *within]
    if begun.at is not None and begun.at < instant:
        lasting = _lasting(within, instant, view.duration("anaesthetic_gap_limit"))
        withdrawn = not now.high and any(step.low for step in within)
        return MET if withdrawn or now.high < lasting else NOT_MET
    return NOT_MET if now.high else UNKNOWN


def _lasting(steps: Sequence[Step], until: int, limit: int) -> float:
    """The highest rate that was kept, or exceeded, for longer than a limit."""
    highest, kept = 0.0, list[tuple[int, float]]()
    for step in (*steps, Step(until, 0.0, 0.0)):
        since = step.at
        while kept and kept[-1][1] >= step.low:
            since, low = kept.pop()
            if step.at - since > limit:
                highest = max(highest, low)
        kept.append((since, step.low))
    return highest


def _paused(view: View, name: str, instant: int) -> bool:
    """Whether the last word of an agent, not long before an instant, was that its pump is paused."""
    flow = view.timeline.latest(f"infusion:{name}", instant)
    return flow is not None and flow.value.action == "pause" and instant - flow.at <= view.duration("wean_window")


def _stretches(view: View) -> list[Stretch]:
    return view.once("anaesthesia", _worked_out)


def _worked_out(view: View) -> list[Stretch]:
    begin = seizures.episode_onset(view)
    if begin is None:
        return []
    known = _depths(view, begin)
    known = known[: bisect_right(known, view.at, key=_BEGUN)]
    ends = [*(depth.begun for depth in known), view.at][1:]
    return [Stretch(depth.begun, end, depth.deep) for depth, end in zip(known, ends, strict=True)]


class _Depth(NamedTuple):
    """From when on anaesthesia was deep enough (True), was not (False), or nobody knows (None)."""

    begun: int
    deep: bool | None


def _depths(view: View, begin: int) -> list[_Depth]:
    """How deep anaesthesia is from an instant on, also by what will change with no new fact."""
    steps = deepest(view)
    limit, share = view.duration("anaesthetic_gap_limit"), view.number("anaesthetic_share")
    channels, _, key = _agents(view)

    def extend(found: list[_Depth], since: int) -> list[_Depth]:
        del found[bisect_left(found, since, key=_BEGUN) :]
        if found and found[0].begun != begin:
            found.clear()
        if not found and steps.steps:
            first = steps.value(begin)
            found.append(_Depth(begin, _deep(Step(begin, first.low, first.high), (), limit, share)))
            since = begin + TICK
        for step in steps.steps[steps.index(since) :] if found else ():
            deep = _deep(step, found, limit, share)
            if deep is not found[-1].deep:
                found.append(_Depth(step.at, deep))
        return found

    known = view.timeline.memo(("depths", *key, limit, share), channels, list[_Depth], extend)
    return known if not known or known[0].begun == begin else extend(known, BEFORE.at)


def _deep(step: Step, before: Sequence[_Depth], limit: int, share: float) -> bool | None:
    """Whether a step is anaesthesia: from the lowest maintenance rate on, and once begun down to a share of it.

    After an interruption longer than the limit it has to begin anew.
    """
    if step.low >= 1:
        return True
    last = before[-1] if before else None
    if last is not None and last.deep is False and step.at - last.begun <= limit:
        last = before[-2] if len(before) > 1 else None
    begun = False if last is None else last.deep
    least = share if begun is not False else 1.0
    if step.high < least:
        return False
    return True if begun and step.low >= least else None
