"""Step functions: quantities that hold until they change, such as an infusion rate, and how long a comparison held."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rules.instants import TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.values import Operator, Value, compare


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

    def held(
        self, at: int, operator: Operator, threshold: float, duration: int, max_gap: int, max_dip: int = 0
    ) -> Held:
        """Whether the comparison has held for ``duration`` up to ``at``; unknown stretches up to ``max_gap`` count.

        An unknown stretch longer than that leaves the answer unknown. A stretch that does not qualify ends the run,
        unless it lasts no longer than ``max_dip`` and the run goes on before it. While such a dip goes on, the answer
        is the one of its beginning.
        """
        upcoming = self.next_step(at)
        index, end = bisect_right(self._at, at) - 1, at
        dipping = False
        while self._truth(index, operator, threshold) is NOT_MET:
            end = self._step(index).at
            if not max_dip or at - end > max_dip:
                return Held(NOT_MET, None, upcoming)
            index, dipping = index - 1, True
        found = self._run(end, index, (operator, threshold), duration, (max_gap, max_dip), growing=not dipping)
        if not dipping:
            return found._replace(next_change=earliest(upcoming, found.next_change))
        over = None if found.truth is NOT_MET else end + max_dip + TICK
        return found._replace(next_change=earliest(upcoming, over))

    def _run(
        self,
        at: int,
        index: int,
        comparison: tuple[Operator, float],
        duration: int,
        limits: tuple[int, int],
        *,
        growing: bool,
    ) -> Held:
        """Whether the comparison has held up to ``at``, where the step of ``index`` is the last.

        ``limits`` are those of an unknown stretch and of a dip; ``growing`` says whether the last step still goes on.
        """
        max_gap, max_dip = limits
        begin, end = at - duration, at
        since: int | None = None
        gap_end = trailing = doubtful = dip_end = None
        ongoing, grows = growing, False
        while True:
            step = self._step(index)
            truth = self._truth(index, *comparison)
            if truth is NOT_MET:
                dip_end = end if dip_end is None else dip_end
                if not max_dip or dip_end - step.at > max_dip:
                    break
            else:
                if since is not None and since <= begin and truth is MET:
                    break
                dip_end = None
                gap_end = (end if gap_end is None else gap_end) if truth is UNKNOWN else None
                ongoing = ongoing and truth is UNKNOWN
                if ongoing:
                    trailing = step.at
                within = gap_end is not None and (ongoing or gap_end > begin)
                if within and doubtful is None and gap_end is not None and gap_end - step.at > max_gap:
                    doubtful, grows = gap_end, ongoing
                since = step.at
            end = step.at
            index -= 1
            if since is not None and since <= begin and gap_end is None:
                break
        if since is None or since > begin:
            return Held(NOT_MET, since, None if since is None else since + duration)
        if doubtful is not None:
            return Held(UNKNOWN, since, None if grows else doubtful + duration)
        return Held(MET, since, None if trailing is None else trailing + max_gap + TICK)

    def _step(self, index: int) -> Step:
        return self.steps[index] if index >= 0 else BEFORE

    def _truth(self, index: int, operator: Operator, threshold: float) -> Truth:
        step = self._step(index)
        return compare(Value(step.low, step.high), operator, threshold)


def earliest(*instants: int | None) -> int | None:
    """The first of the instants that are given."""
    return min((instant for instant in instants if instant is not None), default=None)


def side_by_side(parts: Sequence[Sequence[Step]]) -> Iterator[tuple[int, list[Step]]]:
    """Each instant at which any of the step functions changes, with the step of each from then on."""
    changes = sorted((step.at, index) for index, part in enumerate(parts) for step in part)
    positions = [0] * len(parts)
    current = [BEFORE] * len(parts)
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
    coefficients = [coefficient for coefficient, _ in parts]
    summed: list[Step] = []
    for at, steps in side_by_side([part.steps for _, part in parts]):
        low = sum(factor * step.low for factor, step in zip(coefficients, steps, strict=True))
        high = sum(factor * step.high for factor, step in zip(coefficients, steps, strict=True) if step.high)
        summed.append(Step(at, round(low, 9), round(high, 9), reasons(steps)))
    return Steps(summed)


def bridged(plain: Steps, limit: int) -> Steps:
    """The same rate, with an interruption read as if the drug ran on, up to ``limit`` milliseconds of it."""
    steps: list[Step] = []
    for index, step in enumerate(plain.steps):
        before = plain.steps[index - 1] if index else BEFORE
        if step.high or not before.low:
            steps.append(step)
            continue
        following = plain.steps[index + 1].at if index + 1 < len(plain.steps) else None
        if following is None or following > step.at + limit:
            late = step.at + limit + TICK
            steps.append(step._replace(at=late if following is None else min(late, following - 1)))
    return Steps(steps)


BEFORE = Step(-(2**62), 0.0, 0.0)
"""What every step function is before its first step."""
