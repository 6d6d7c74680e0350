"""How fast a drug really runs: what pumps and charts said of each line, put together.

What cannot be read, what nobody has confirmed for too long and what no pump could deliver is unknown from the moment it
was said, never the value before it. One drug charted on two lines at once is a range: from the larger of the two, if it
is one infusion charted twice, to their sum. Pumps that are identified are known to be two, and are believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

from rules.facts import CONCENTRATION, IMPLAUSIBLE, Flow
from rules.instants import TICK
from rules.steps import BEFORE, Step, Steps, reasons, side_by_side
from rules.timeline import Fact
from rules.values import beyond

Scale = Callable[[Flow], tuple[float, float, tuple[str, ...]]]
"""Bounds of the factor from a charted rate to the canonical one, and why they differ."""

_LONGEST: Final = 1.5
"""How many times the usual a chart may take between two rates and still be known by its habit (local setting)."""
_LATE: Final = 30
"""Part of the usual time by which a chart may be late against its own habit (local setting)."""

_STATED: Final = ("start", "rate")
_STANDS: Final = ("stop", "pause")
_ASIDE: Final = ("bag_change", "alarm")
"""What may happen to a line whether it runs or not."""


class Limits(NamedTuple):
    """What a charted rate is held against.

    ``plausible`` is in the canonical unit; ``stale_after`` says how many milliseconds a running rate counts without
    being confirmed.
    """

    stale_after: int
    plausible: float = inf


def delivery(name: str, facts: Sequence[Fact], scale: Scale, limits: Limits) -> Steps:
    """The rate at which one drug ran, over all its lines, from its changes.

    Args:
        name: the drug, for what is missing.
        facts: its :class:`~rules.facts.Flow` changes, oldest first.
        scale: what turns a charted rate into the canonical one: bounds, and why they differ (weight, salt).
        limits: how long a rate holds, and how high one may be.
    """
    streams = _streams(facts)
    if len(streams) == 1:
        return Steps(_ran(name, next(iter(streams.values())), scale, limits))
    own = [next(fact.value for fact in changes if fact.value.stream == key) for key, changes in streams.items()]
    parts = [_ran(name, changes, scale, limits) for changes in streams.values()]
    parts = [part if flow.pump is None else Steps(part).steps for flow, part in zip(own, parts, strict=True)]
    return Steps(_together(name, own, at, steps) for at, steps in side_by_side(parts))


def confirmed(facts: Sequence[Fact], fact: Fact, now: int, stale_after: int) -> bool:
    """Whether a rate only confirms, in time, the newest one of its line: then no answer changes by it now."""
    said: Flow = fact.value
    if not facts or said.action != "rate" or fact.at < facts[-1].at:
        return False
    for last in reversed(facts):
        flow: Flow = last.value
        if flow.stream == said.stream:
            in_time = flow.action in _STATED and now - last.at <= stale_after
            return in_time and flow._replace(action="rate") == said
        if flow.line == said.line and flow.action not in _STATED:
            return False
        if flow.pump is not None and said.pump is None:
            return False  # a pump may have stood since: then what is charted now is known to run
    return False


def _streams(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """The changes by who delivers or charts them; what says nothing of a rate, such as a pause, is for a whole line."""
    streams: dict[str, list[Fact]] = {}
    for fact in facts:
        flow: Flow = fact.value
        if flow.pump is None and not flow.says_rate:
            on_line = [changes for changes in streams.values() if any(f.value.line == flow.line for f in changes)]
            if on_line:
                for changes in on_line:
                    changes.append(fact)
                continue
        streams.setdefault(flow.stream, []).append(fact)
    return streams


def _ran(name: str, changes: Sequence[Fact], scale: Scale, limits: Limits) -> list[Step]:
    """What one stream delivered."""
    steps: list[Step] = []
    rate: Flow | None = None
    why = "rate"
    standing = False
    """Whether the line was stopped or paused, and nobody has said that it runs again."""
    expires: int | None = None
    """When the rate that runs has not been confirmed for too long."""
    charted: tuple[int, ...] = ()
    """When the rate was last stated, the newest three times."""

    for fact in changes:
        flow: Flow = fact.value
        if flow.action in _STANDS:
            standing, rate, why = True, None if flow.action == "stop" else rate, "rate"
            step = Step(fact.at, 0.0, 0.0)
        else:
            if flow.says_rate:
                rate, why = (flow, "rate") if flow.doubt is None else (None, flow.doubt)
            elif flow.doubt == CONCENTRATION and rate is not None and rate.by_volume:
                rate, why = None, flow.doubt
            elif flow.action in _ASIDE:
                continue
            standing = standing and flow.action in _ASIDE
            if standing and not flow.says_rate and not steps[-1].high:
                continue
            step = _running(name, fact.at, rate, why, scale, limits)
            if standing and step.high:
                step = Step(fact.at, 0.0, step.high, (f"{name}_restart", *step.missing))
        if expires is not None and expires < fact.at:
            steps.append(Step(expires, 0.0, inf, (_stale(name),)))
        steps.append(step)
        going_on = charted and expires is not None and expires >= fact.at
        charted = (*charted[-2:], fact.at) if flow.says_rate and not standing else ()
        until = fact.at + _holds(charted, limits.stale_after) + TICK
        # What is stated again is not known for a shorter time by that.
        until = max(until, expires) if going_on and charted and expires is not None else until
        expires = until if 0 < step.high < inf else None
    if expires is not None:
        steps.append(Step(expires, 0.0, inf, (_stale(name),)))
    return steps


def _holds(charted: Sequence[int], usual: int) -> int:
    """How long a rate counts: as usual, or for the interval at which this chart states it, if that is little longer."""
    intervals = [after - before for before, after in pairwise(charted) if after - before <= _LONGEST * usual]
    return max([usual, *(interval + usual // _LATE for interval in intervals)])


def _running(name: str, at: int, rate: Flow | None, why: str, scale: Scale, limits: Limits) -> Step:
    if rate is None or rate.rate is None:
        return Step(at, 0.0, inf, (f"{name}_{why}",))
    if not rate.rate:
        return Step(at, 0.0, 0.0)
    low, high, missing = scale(rate)
    low, high = rate.rate * low, rate.rate * high
    if beyond(low, limits.plausible):
        return Step(at, 0.0, inf, (f"{name}_{IMPLAUSIBLE}",))
    return Step(at, low, high, missing)


def _together(name: str, streams: Sequence[Flow], at: int, steps: Sequence[Step]) -> Step:
    """What all streams deliver.

    Identified pumps add up and are believed: what a line beside them says is taken for their charting, unless it says
    more than they deliver, or was charted after they stood. Lines without a pump may all be one infusion. The step of
    a pump begins when its rate changed, that of a line when it was last charted.
    """
    pairs = list(zip(streams, steps, strict=True))
    known = {flow.line for flow, step in pairs if step.missing != (_stale(name),)}
    pumps = [step for flow, step in pairs if flow.pump is not None]
    lines = [
        step
        for flow, step in pairs
        if flow.pump is None and step.high and (step.missing != (_stale(name),) or flow.line not in known)
    ]
    low, high = sum(step.low for step in pumps), sum(step.high for step in pumps)
    stood = max((step.at for step in pumps if step.at > BEFORE.at and not step.high), default=BEFORE.at)
    if high:
        lines = [step for step in lines if step.low > high]
    if not high:
        low = max((step.low for step in lines if step.at > stood), default=0.0)
    more = sum(step.high for step in lines)
    missing = reasons([*pumps, *lines])
    if round(high + more, 9) > round(low, 9) and (len(lines) > 1 or (lines and low < lines[0].low)):
        missing = (*missing, f"{name}_on_two_lines")
    return Step(at, round(low, 9), round(high + more, 9), missing)


def _stale(name: str) -> str:
    return f"{name}_rate_stale"
