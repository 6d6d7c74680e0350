"""Step functions: quantities that hold until they change, such as an infusion rate, and how long a comparison held."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from rules.instants import TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.values import Operator, Value, compare

_AT: Final = attrgetter("at")


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


class _Runs:
    """The stretches of a step function on which one comparison comes out the same; the first is before all steps.

    Where stretches that are met are parted by no more than short dips, the first of them is known to each: so whether
    a comparison has held is not found by going through every step of the hours.
    """

    __slots__ = ("_comparison", "_dip", "_steps", "begin", "first", "truths")

    def __init__(self, steps: list[Step], operator: Operator, threshold: float, max_dip: int) -> None:
        self._steps = steps
        self._comparison = operator, threshold
        self._dip = max_dip
        self.first = [-1]
        """The index of the first step of each stretch."""
        self.truths = [self._truth(BEFORE)]
        self.begin = [0]
        """Of each stretch that is met, with which stretch it began, short dips left out."""
        self.grow(0)

    def grow(self, kept: int) -> None:
        """The steps from an index on are new."""
        while self.first[-1] >= kept:
            for known in (self.first, self.truths, self.begin):
                known.pop()
        for index in range(kept, len(self._steps)):
            truth = self._truth(self._steps[index])
            if truth is not self.truths[-1] or index == 0:
                self.first.append(index)
                self.truths.append(truth)
                self.begin.append(self._began(len(self.first) - 1))

    def at(self, index: int) -> int:
        """In which stretch a step is."""
        return bisect_right(self.first, index) - 1

    def _began(self, run: int) -> int:
        first, truths = self.first, self.truths
        if truths[run] is MET and run > 1 and truths[run - 1] is NOT_MET and truths[run - 2] is MET:
            dip = self._steps[first[run]].at - self._steps[first[run - 1]].at
            return self.begin[run - 2] if self._dip and dip <= self._dip else run
        return run

    def _truth(self, step: Step) -> Truth:
        operator, threshold = self._comparison
        return compare(Value(step.low, step.high), operator, threshold)


class Steps:
    """A piecewise constant quantity; before its first step it is zero."""

    __slots__ = ("_at", "_runs", "steps")

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps: list[Step] = []
        self._at: list[int] = []
        self._runs: dict[tuple[Operator, float, int], _Runs] = {}
        self.rewrite(BEFORE.at, steps)

    def rewrite(self, since: int, steps: Iterable[Step]) -> None:
        """Have other steps from an instant on; nothing before it changes."""
        kept = bisect_left(self._at, since)
        del self.steps[kept:]
        for step in steps:
            if self.steps and self.steps[-1].at == step.at:
                self.steps.pop()
            if not self.steps or self.steps[-1][1:] != step[1:]:
                self.steps.append(step)
        self._at[kept:] = [step.at for step in self.steps[kept:]]
        for runs in self._runs.values():
            runs.grow(kept)

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

    def index(self, at: int) -> int:
        """Of the first step from an instant on."""
        return bisect_left(self._at, at)

    def since(self, at: int) -> int | None:
        """When the present step began."""
        index = bisect_right(self._at, at)
        return self._at[index - 1] if index else None

    def more_since(self, at: int) -> int | None:
        """Since when the quantity has perhaps been more than zero at an instant; None where it is not."""
        runs = self._compared("lte", 0.0, 0)
        run = runs.at(bisect_right(self._at, at) - 1)
        if runs.truths[run] is MET:
            return None
        while runs.truths[run - 1] is not MET:
            run -= 1
        return self._step(runs.first[run]).at

    def held(
        self, at: int, operator: Operator, threshold: float, duration: int, max_gap: int, max_dip: int = 0
    ) -> Held:
        """Whether the comparison has held for ``duration`` up to ``at``; unknown stretches up to ``max_gap`` count.

        An unknown stretch longer than that leaves the answer unknown. A stretch that does not qualify ends the run,
        unless it lasts no longer than ``max_dip`` and the run goes on before it. While such a dip goes on, the answer
        is the one of its beginning.
        """
        upcoming = self.next_step(at)
        runs = self._compared(operator, threshold, max_dip)
        index, end = bisect_right(self._at, at) - 1, at
        run = runs.at(index)
        dipping = runs.truths[run] is NOT_MET
        if dipping:
            end = self._step(runs.first[run]).at
            if not max_dip or at - end > max_dip:
                return Held(NOT_MET, None, upcoming)
            index = runs.first[run] - 1
        found = self._run(end, index, runs, duration, (max_gap, max_dip), growing=not dipping)
        if not dipping:
            return found._replace(next_change=earliest(upcoming, found.next_change))
        over = None if found.truth is NOT_MET else end + max_dip + TICK
        return found._replace(next_change=earliest(upcoming, over))

    def standstills(self, at: int) -> Iterator[int]:
        """The steps, by index, with which stretches of zero began by an instant, the newest first."""
        runs = self._compared("lte", 0.0, 0)
        for run in range(runs.at(bisect_right(self._at, at) - 1), 0, -1):
            if runs.truths[run] is MET:
                yield runs.first[run]

    def _compared(self, operator: Operator, threshold: float, max_dip: int) -> _Runs:
        runs = self._runs.get((operator, threshold, max_dip))
        if runs is None:
            runs = self._runs[operator, threshold, max_dip] = _Runs(self.steps, operator, threshold, max_dip)
        return runs

    def _run(self, at: int, index: int, runs: _Runs, duration: int, limits: tuple[int, int], *, growing: bool) -> Held:
        """Whether the comparison has held up to ``at``, where the step of ``index`` is the last.

        ``limits`` are those of an unknown stretch and of a dip; ``growing`` says whether the last step still goes on.
        """
        max_gap, max_dip = limits
        begin, end = at - duration, at
        since: int | None = None
        gap_end = trailing = doubtful = dip_end = None
        ongoing, grows = growing, False
        while True:
            run = runs.at(index)
            truth, first = runs.truths[run], runs.first[run]
            if truth is NOT_MET:
                dip_end = end if dip_end is None else dip_end
                if not max_dip or dip_end - self._step(first).at > max_dip:
                    break
            elif truth is MET:
                if since is not None and since <= begin:
                    break
                first = runs.first[runs.begin[run]]
                since = self._latest(first, index, begin, runs)
                if since <= begin:
                    gap_end = None
                    break
                gap_end = dip_end = None
                ongoing = False
            else:
                dip_end = None
                gap_end = end if gap_end is None else gap_end
                since = self._step(first).at
                if ongoing:
                    trailing = since
                if doubtful is None and (ongoing or gap_end > begin) and gap_end - since > max_gap:
                    doubtful, grows = gap_end, ongoing
            end = self._step(first).at
            index = first - 1
        if since is None or since > begin:
            return Held(NOT_MET, since, None if since is None else since + duration)
        if doubtful is not None:
            return Held(UNKNOWN, since, None if grows else doubtful + duration)
        return Held(MET, since, None if trailing is None else trailing + max_gap + TICK)

    def _latest(self, first: int, last: int, begin: int, runs: _Runs) -> int:
        """When the last step that is met began, of those between two that began by an instant; else when the first did.

        Between the two there are no stretches but such that are met, and short dips.
        """
        index = min(last, bisect_right(self._at, begin) - 1)
        if index <= first:
            return self._step(first).at
        run = runs.at(index)
        return self._step(index if runs.truths[run] is MET else runs.first[run] - 1).at

    def _step(self, index: int) -> Step:
        return self.steps[index] if index >= 0 else BEFORE


def earliest(*instants: int | None) -> int | None:
    """The first of the instants that are given."""
    return min((instant for instant in instants if instant is not None), default=None)


def side_by_side(parts: Sequence[Sequence[Step]], since: int | None = None) -> Iterator[tuple[int, list[Step]]]:
    """Each instant at which any of the step functions changes, with the step of each from then on.

    With ``since``, only the instants from that one on.
    """
    positions = [0 if since is None else bisect_left(part, since, key=_AT) for part in parts]
    changes = sorted((step.at, index) for index, part in enumerate(parts) for step in part[positions[index] :])
    current = [part[position - 1] if position else BEFORE for part, position in zip(parts, positions, strict=True)]
    for order, (at, index) in enumerate(changes):
        current[index] = parts[index][positions[index]]
        positions[index] += 1
        if order + 1 == len(changes) or changes[order + 1][0] != at:
            yield at, current


def reasons(steps: Iterable[Step]) -> tuple[str, ...]:
    """Why any of the steps is not exact, each reason once."""
    return tuple(dict.fromkeys(item for step in steps for item in step.missing))


def total(parts: Sequence[tuple[float, Steps]]) -> Steps:
    """The sum of step functions, each times its coefficient (which is not negative)."""
    return Steps(summed(parts))


def summed(parts: Sequence[tuple[float, Steps]], since: int | None = None) -> Iterator[Step]:
    """The steps of the sum; with ``since``, those from that instant on."""
    return added([(coefficient, part.steps) for coefficient, part in parts], since)


def added(parts: Sequence[tuple[float, Sequence[Step]]], since: int | None = None) -> Iterator[Step]:
    """The same of bare steps."""
    coefficients = [coefficient for coefficient, _ in parts]
    for at, steps in side_by_side([part for _, part in parts], since):
        low = sum(factor * step.low for factor, step in zip(coefficients, steps, strict=True))
        high = sum(factor * step.high for factor, step in zip(coefficients, steps, strict=True) if step.high)
        yield Step(at, round(low, 9), round(high, 9), reasons(steps))


def bridged(plain: Steps, limit: int) -> Steps:
    """The same rate, with an interruption read as if the drug ran on, up to ``limit`` milliseconds of it."""
    return Steps(bridging(plain, limit, 0))


def bridging(plain: Steps, limit: int, first: int) -> Iterator[Step]:
    """The steps of that from the one on with which the step ``first`` of the plain rate is read."""
    for index, step in enumerate(plain.steps[first:], start=first):
        before = plain.steps[index - 1] if index else BEFORE
        if step.high or not before.low:
            yield step
            continue
        following = plain.steps[index + 1].at if index + 1 < len(plain.steps) else None
        if following is None or following > step.at + limit:
            late = step.at + limit + TICK
            yield step._replace(at=late if following is None else min(late, following - 1))


BEFORE = Step(-(2**62), 0.0, 0.0)
"""What every step function is before its first step."""
