"""How fast a drug really runs: what pumps and charts said of each line, put together.

What cannot be read, what nobody has confirmed for too long and what no pump could deliver is unknown from the moment it
was said, never the value before it. One drug charted on two lines at once is a range: from the larger of the two, if it
is one infusion charted twice, to their sum. Pumps that are identified are known to be two, and are believed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import inf
from operator import attrgetter
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

_TAKEN_BACK: Final = 8
"""How many changes of a stream can be taken back without following all of them anew."""

_DECIMALS: Final = 12
"""To so many decimals sums are rounded: what is only known to be more than nothing stays so."""

_AT: Final = attrgetter("at")
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
    return Delivery(name, limits).follow(facts, scale).steps


class Delivery:
    """The same, kept up to date: where changes are added, only what comes of these is worked out.

    Attributes:
        steps: the rate.
    """

    __slots__ = ("_limits", "_name", "_streams", "steps")

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._streams: dict[str, _Stream] = {}
        self.steps = Steps(())

    def follow(self, facts: Sequence[Fact], scale: Scale, since: int = BEFORE.at) -> Delivery:
        """Work out what comes of the changes, of which those before ``since`` are as they were."""
        if not all(stream.rewind(since) for stream in self._streams.values()):
            since = BEFORE.at
        self._streams = {key: stream for key, stream in self._streams.items() if stream.began < since}
        for fact in facts[bisect_left(facts, since, key=_AT) :]:
            for stream in self._concerned(fact.value, fact.at):
                stream.take(fact, scale)
        self.steps.rewrite(since, self._delivered(since))
        for stream in self._streams.values():
            stream.forget()
        return self

    def _concerned(self, flow: Flow, at: int) -> list[_Stream]:
        """Of whom a change is; what says nothing of a rate, such as a pause, is for a whole line."""
        if flow.pump is None and not flow.says_rate:
            on_line = [stream for stream in self._streams.values() if flow.line in stream.lines]
            if on_line:
                return on_line
        stream = self._streams.get(flow.stream)
        if stream is None:
            stream = self._streams[flow.stream] = _Stream(self._name, flow, at, self._limits)
        return [stream]

    def _delivered(self, since: int) -> Iterable[Step]:
        streams = list(self._streams.values())
        if len(streams) == 1:
            steps = streams[0].delivered()
            return steps[bisect_left(steps, since, key=_AT) :]
        own = [stream.flow for stream in streams]
        parts = [stream.delivered() if stream.flow.pump is None else stream.plain(since) for stream in streams]
        usual = self._limits.stale_after
        return (_together(self._name, usual, own, at, steps) for at, steps in side_by_side(parts, since))


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


class _Now(NamedTuple):
    """What is known of a stream after a change of it.

    Attributes:
        at: of the change.
        rate: what was said to run.
        why: why it is not known, if it is not.
        standing: whether the line was stopped or paused, and nobody has said that it runs again.
        expires: when the rate that runs has not been confirmed for too long.
        charted: when the rate was last stated, the newest three times.
        lines: on which lines it was charted.
        steps: how many steps came of it so far.
    """

    at: int = BEFORE.at
    rate: Flow | None = None
    why: str = "rate"
    standing: bool = False
    expires: int | None = None
    charted: tuple[int, ...] = ()
    lines: tuple[str, ...] = ()
    steps: int = 0


class _Stream:
    """What one stream delivered: what goes by one rate, as who delivers it or charts it says.

    Of what it went through, only the end is kept: a change that comes a little late takes the newest back.
    """

    __slots__ = ("_dropped", "_limits", "_name", "_past", "_plain", "_present", "_steps", "began", "flow")

    def __init__(self, name: str, flow: Flow, began: int, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self.flow = flow
        self.began = began
        self._present = _Now()
        self._past: list[_Now] = []
        self._steps: list[Step] = []
        self._dropped = 0
        self._plain: Steps | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """On which lines it was charted."""
        return self._present.lines

    def rewind(self, since: int) -> bool:
        """Take the changes from an instant on back; false if too much is forgotten for that."""
        while self._past and self._present.at >= since:
            self._present = self._past.pop()
        del self._steps[self._present.steps - self._dropped :]
        return self._present.at < since

    def forget(self) -> None:
        """Keep of the past what is needed to take the newest changes back."""
        del self._past[:-_TAKEN_BACK]
        if self._past and self._dropped + 1 < self._past[0].steps:
            del self._steps[: self._past[0].steps - 1 - self._dropped]
            self._dropped = self._past[0].steps - 1

    def delivered(self) -> list[Step]:
        """Its steps that are kept; in the end the rate is unknown, once nobody has confirmed it for too long."""
        expires = self._present.expires
        return self._steps if expires is None else [*self._steps, Step(expires, 0.0, inf, (_stale(self._name),))]

    def plain(self, since: int) -> list[Step]:
        """The same without steps that repeat the one before them."""
        if self._plain is None:
            self._plain = Steps(self.delivered())
        else:
            steps = self.delivered()
            self._plain.rewrite(since, steps[bisect_left(steps, since, key=_AT) :])
        return self._plain.steps

    def take(self, fact: Fact, scale: Scale) -> None:
        """A change of it."""
        flow: Flow = fact.value
        self._past.append(self._present)
        _, rate, why, standing, expires, charted, lines, _ = self._present
        lines = lines if flow.line in lines else (*lines, flow.line)
        if flow.action in _STANDS:
            standing, rate, why = True, None if flow.action == "stop" else rate, "rate"
            step = Step(fact.at, 0.0, 0.0)
        else:
            step = None
            if flow.says_rate:
                rate, why = (flow, "rate") if flow.doubt is None else (None, flow.doubt)
            elif flow.doubt == CONCENTRATION and rate is not None and rate.by_volume:
                rate, why = None, flow.doubt
            elif flow.action in _ASIDE:
                self._present = self._present._replace(at=fact.at, lines=lines)
                return
            standing = standing and flow.action in _ASIDE
            if not (standing and not flow.says_rate and not self._steps[-1].high):
                step = _running(self._name, fact.at, rate, why, scale, self._limits)
                if standing and step.high:
                    step = Step(fact.at, 0.0, step.high, (f"{self._name}_restart", *step.missing))
        if step is not None:
            if expires is not None and expires < fact.at:
                self._steps.append(Step(expires, 0.0, inf, (_stale(self._name),)))
            self._steps.append(step)
            going_on = charted and expires is not None and expires >= fact.at
            charted = (*charted[-2:], fact.at) if flow.says_rate and not standing else ()
            until = fact.at + _holds(charted, self._limits.stale_after) + TICK
            # What is stated again is not known for a shorter time by that.
            until = max(until, expires) if going_on and charted and expires is not None else until
            expires = until if 0 < step.high < inf else None
        count = self._dropped + len(self._steps)
        self._present = _Now(fact.at, rate, why, standing, expires, charted, lines, count)


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


def _together(name: str, stale_after: int, streams: Sequence[Flow], at: int, steps: Sequence[Step]) -> Step:
    """What all streams that have begun deliver.

    Identified pumps add up and are believed: what a line beside them says is taken for their charting, unless it says
    more than they deliver, or was charted after they stood. Where the one pump that runs has fallen silent, what was
    charted since goes on. Lines without a pump may all be one infusion. The step of a pump begins when its rate changed
    or when nobody had confirmed it for too long, that of a line when it was last charted.
    """
    pairs = [(flow, step) for flow, step in zip(streams, steps, strict=True) if step.at > BEFORE.at]
    if len(pairs) == 1:
        return pairs[0][1]
    known = {flow.line for flow, step in pairs if step.missing != (_stale(name),)}
    pumps = [step for flow, step in pairs if flow.pump is not None]
    lines = [
        step
        for flow, step in pairs
        if flow.pump is None and step.high and (step.missing != (_stale(name),) or flow.line not in known)
    ]
    running = [step for step in pumps if step.high]
    if len(running) == 1 and running[0].missing == (_stale(name),):
        since = running[0].at - stale_after
        if any(step.at > since and step.high < inf for step in lines):
            pumps.remove(running[0])
    low, high = sum(step.low for step in pumps), sum(step.high for step in pumps)
    stood = max((step.at for step in pumps if not step.high), default=BEFORE.at)
    if high:
        lines = [step for step in lines if step.low > high]
    if not high:
        low = max((step.low for step in lines if step.at > stood), default=0.0)
    more = sum(step.high for step in lines)
    missing = reasons([*pumps, *lines])
    if round(high + more, _DECIMALS) > round(low, _DECIMALS) and (len(lines) > 1 or (lines and low < lines[0].low)):
        missing = (*missing, f"{name}_on_two_lines")
    return Step(at, round(low, _DECIMALS), round(high + more, _DECIMALS), missing)


def _stale(name: str) -> str:
    return f"{name}_rate_stale"
