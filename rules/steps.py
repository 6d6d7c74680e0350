"""Step functions: quantities that hold until they change, such as an infusion rate, and how long a comparison held."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import NamedTuple

from rules.facts import Flow
from rules.instants import MINUTE, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.timeline import Fact, Timeline
from rules.values import Operator, Value, compare

STALE_AFTER = 60 * MINUTE
"""A rate that nobody confirmed for this long is unknown (local setting: charted rates count for 60 min)."""


Scale = Callable[[Flow], tuple[float, float, tuple[str, ...]]]
"""Bounds of the factor from a charted rate to the canonical one, and why they differ."""


class Step(NamedTuple):
    """From ``at`` on, the quantity lies between ``low`` and ``high``; ``missing`` says why it is not exact."""

    at: int
    low: float
    high: float
    missing: tuple[str, ...] = ()


class Held(NamedTuple):
    """Whether a comparison held for a duration, since when it has held, and when that could change by itself."""

    truth: Truth
    since: int | None
    next_change: int | None


class Steps:
    """A piecewise constant quantity; before its first step it is zero."""

    __slots__ = ("_at", "steps")

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps: list[Step] = []
        for step in steps:
            if self.steps and self.steps[-1].at == step.at:
                self.steps.pop()
            if not self.steps or self.steps[-1][1:] != step[1:]:
                self.steps.append(step)
        self._at = [step.at for step in self.steps]

    def value(self, at: int) -> Value:
        """The quantity at an instant."""
        index = bisect_right(self._at, at)
        if not index:
            return Value(0.0, 0.0)
        step = self.steps[index - 1]
        return Value(step.low, step.high, step.missing)

    def next_step(self, after: int) -> int | None:
        """When the quantity next changes by what is known now."""
        index = bisect_right(self._at, after)
        return self._at[index] if index < len(self._at) else None

    def since(self, at: int) -> int | None:
        """When the present step began."""
        index = bisect_right(self._at, at)
        return self._at[index - 1] if index else None

    def held(self, at: int, operator: Operator, threshold: float, duration: int, max_gap: int) -> Held:
        """Whether the comparison has held for ``duration`` up to ``at``; unknown stretches up to ``max_gap`` count.

        An unknown stretch longer than that leaves the answer unknown; any stretch that does not qualify ends the run.
        """
        index = bisect_right(self._at, at) - 1
        begin, end = at - duration, at
        since: int | None = None
        gap_end = trailing = doubtful = None
        ongoing, growing = True, False
        while True:
            step = self.steps[index] if index >= 0 else _BEFORE
            truth = compare(Value(step.low, step.high), operator, threshold)
            if truth is NOT_MET or (since is not None and since <= begin and truth is MET):
                break
            gap_end = (end if gap_end is None else gap_end) if truth is UNKNOWN else None
            ongoing = ongoing and truth is UNKNOWN
            if ongoing:
                trailing = step.at
            if gap_end is not None and doubtful is None and gap_end - step.at > max_gap:
                doubtful, growing = gap_end, ongoing
            since = end = step.at
            index -= 1
            if since <= begin and gap_end is None:
                break
        upcoming = self.next_step(at)
        if since is None or since > begin:
            return Held(NOT_MET, since, earliest(upcoming, None if since is None else since + duration))
        if doubtful is not None:
            return Held(UNKNOWN, since, earliest(upcoming, None if growing else doubtful + duration))
        return Held(MET, since, earliest(upcoming, None if trailing is None else trailing + max_gap + TICK))


def earliest(*instants: int | None) -> int | None:
    """The first of the instants that are given."""
    return min((instant for instant in instants if instant is not None), default=None)


def total(parts: Sequence[tuple[float, Steps]]) -> Steps:
    """The sum of step functions, each times its coefficient (which is not negative)."""
    changes = sorted((step.at, index) for index, (_, part) in enumerate(parts) for step in part.steps)
    positions = [0] * len(parts)
    lows, highs = [0.0] * len(parts), [0.0] * len(parts)
    missing: list[tuple[str, ...]] = [()] * len(parts)
    summed: list[Step] = []
    for order, (at, index) in enumerate(changes):
        coefficient, part = parts[index]
        step = part.steps[positions[index]]
        positions[index] += 1
        lows[index] = coefficient * step.low
        highs[index] = coefficient * step.high if step.high else 0.0
        missing[index] = step.missing
        if order + 1 == len(changes) or changes[order + 1][0] != at:
            lacking = tuple(dict.fromkeys(item for items in missing for item in items)) if any(missing) else ()
            summed.append(Step(at, round(sum(lows), 9), round(sum(highs), 9), lacking))
    return Steps(summed)


def delivery(name: str, facts: Sequence[Fact], scale: Scale) -> Steps:
    """The rate at which one drug ran, over all its lines, from its changes.

    Args:
        name: the drug, for what is missing.
        facts: its :class:`~rules.facts.Flow` changes, oldest first.
        scale: what turns a charted rate into the canonical one: bounds, and why they differ (weight, salt).

    A rate holds until it is changed, and is unknown once nobody has confirmed it for :data:`STALE_AFTER`.
    """
    lines: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.value.action not in ("alarm", "bag_change"):
            lines.setdefault(fact.value.line, []).append(fact)
    parts = [(1.0, Steps(_line(name, changes, scale))) for changes in lines.values()]
    return parts[0][1] if len(parts) == 1 else total(parts)


def bridged(plain: Steps, limit: int) -> Steps:
    """The same rate, with an interruption read as if the drug ran on, up to ``limit`` milliseconds of it."""
    steps: list[Step] = []
    for index, step in enumerate(plain.steps):
        before = plain.steps[index - 1] if index else _BEFORE
        if step.high or not before.low:
            steps.append(step)
            continue
        following = plain.steps[index + 1].at if index + 1 < len(plain.steps) else None
        if following is None or following > step.at + limit:
            late = step.at + limit + TICK
            steps.append(step._replace(at=late if following is None else min(late, following - 1)))
    return Steps(steps)


def confirmed(timeline: Timeline, channel: str, fact: Fact, now: int) -> bool:
    """Whether a rate only confirms, in time, the newest one of its line: then no answer changes by it now."""
    facts = timeline.channels.get(channel)
    if not facts or fact.value.action != "rate" or fact.at < facts[-1].at:
        return False
    last = next((f for f in reversed(facts) if f.value.line == fact.value.line), None)
    if last is None or last.value.action not in ("start", "rate") or now - last.at > STALE_AFTER:
        return False
    return bool(last.value._replace(action="rate") == fact.value)


def _line(name: str, changes: Sequence[Fact], scale: Scale) -> list[Step]:
    steps: list[Step] = []
    rate: Flow | None = None
    for index, fact in enumerate(changes):
        flow: Flow = fact.value
        until = changes[index + 1].at if index + 1 < len(changes) else None
        if flow.action in ("stop", "pause"):
            rate = None if flow.action == "stop" else rate
            steps.append(Step(fact.at, 0.0, 0.0))
            continue
        rate = flow if flow.rate is not None else rate
        if rate is None:
            steps.append(Step(fact.at, 0.0, inf, (f"{name}_rate",)))
            continue
        steps.append(_running(fact.at, rate, scale))
        if rate.rate and (until is None or until > fact.at + STALE_AFTER + TICK):
            steps.append(Step(fact.at + STALE_AFTER + TICK, 0.0, inf, (f"{name}_rate_stale",)))
    return steps


def plausible(plain: Steps, name: str, limit: float) -> Steps:
    """The same rate without what is higher than any pump would run: the rate before it holds, until it is stale."""
    kept: list[Step] = []
    for index, step in enumerate(plain.steps):
        if step.low <= limit:
            kept.append(step)
            continue
        following = plain.steps[index + 1].at if index + 1 < len(plain.steps) else None
        stale = step.at + STALE_AFTER + TICK
        if following is None or following > stale:
            kept.append(Step(stale, 0.0, inf, (f"{name}_rate_implausible",)))
    return Steps(kept)


def _running(at: int, flow: Flow, scale: Scale) -> Step:
    if not flow.rate:
        return Step(at, 0.0, 0.0)
    low, high, missing = scale(flow)
    return Step(at, flow.rate * low, flow.rate * high, missing)


_BEFORE = Step(-(2**62), 0.0, 0.0)
