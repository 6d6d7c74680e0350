"""Conditions on numbers: signals and quantities against the pack's parameters."""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from rules.conditions.node import Node
from rules.facts import Sample
from rules.instants import MINUTE, TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth
from rules.lookback import MEMORY, Term
from rules.values import SYMBOLS, Operator, Value, compare, number, unknown
from rules.view import View, wanting

_OPERATORS: Final = ("gt", "gte", "lt", "lte")


def _comparison(raw: Any) -> Any:
    """Turn ``gt: name`` into operator and threshold."""
    if isinstance(raw, dict) and "operator" not in raw:
        given = [key for key in _OPERATORS if key in raw]
        if len(given) != 1:
            msg = f"give exactly one of {', '.join(_OPERATORS)}"
            raise ValueError(msg)
        rest = {key: value for key, value in raw.items() if key not in _OPERATORS}
        return {**rest, "operator": given[0], "threshold": raw[given[0]]}
    return raw


class _Comparison(Node):
    operator: Operator
    threshold: str

    _split = model_validator(mode="before")(_comparison)

    @override
    def numbers(self) -> tuple[str, ...]:
        return (self.threshold,)

    def decide(self, view: View, value: Value) -> tuple[Truth, tuple[str, ...]]:
        """The comparison of a value, unknown where the threshold hangs on an unknown age and the answer with it."""
        limits, missing = view.thresholds(self.threshold)
        truths = {compare(value, self.operator, limit) for limit in limits}
        if len(truths) == 1:
            return truths.pop(), value.missing
        return UNKNOWN, (*value.missing, *missing)

    def limit(self, view: View) -> str:
        """The threshold for people."""
        limits, _ = view.thresholds(self.threshold)
        return f"{SYMBOLS[self.operator]} {' or '.join(number(limit) for limit in limits)}"


class Compare(_Comparison):
    """The latest usable value of a signal, or a quantity, against a parameter; ``max_age`` limits its age further."""

    type: Literal["compare"]
    measure: str
    max_age: str | None = None

    @override
    def evaluate(self, view: View) -> Evaluation:
        value = view.value(self.measure)
        if self.max_age is not None and value.findings and value.findings[0].at is not None:
            at, limit = value.findings[0].at, view.duration(self.max_age)
            if view.at - at > limit:
                value = unknown(f"{self.measure} (last {clock_time(at)})")
            else:
                view.note(at + limit + TICK)
        truth, missing = self.decide(view, value)
        return Evaluation(
            truth,
            self.label or f"{self.measure} {self.limit(view)}" if view.full else "",
            value.findings,
            missing if truth is UNKNOWN else (),
        )

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.max_age,) if self.max_age else ()

    @override
    def looks_back(self) -> tuple[Term, ...]:
        return ()


class Sustained(_Comparison):
    """A stepwise quantity has stood in the relation for a duration without a break.

    A stretch in which it is unknown is bridged up to ``max_gap``; a pause of an infusion up to ``ignore_pauses``, and
    so is a dip to the other side of the threshold, unless ``ignore_dips`` says how long that may be. With
    ``dose_known``, bounds are not enough: weight and salt must be known before the answer can be yes.
    """

    type: Literal["sustained"]
    measure: str
    duration: Annotated[str, Field(alias="for")]
    max_gap: str
    ignore_pauses: str
    ignore_dips: str | None = None
    dose_known: bool = False

    @override
    def evaluate(self, view: View) -> Evaluation:
        quantity = view.knowledge.quantities[self.measure]
        if quantity.steps is None:
            msg = f"{self.measure} has no steps"
            raise TypeError(msg)
        pause, dip = view.duration(self.ignore_pauses), view.duration(self.ignore_dips or self.ignore_pauses)
        steps = quantity.steps(view, pause)
        limits, _ = view.thresholds(self.threshold)
        wanted = view.duration(self.duration)
        # A pause is itself a dip, so where both may be as long, it is not to be looked through twice.
        whole = quantity.steps(view, 0) if pause == dip else steps
        held = whole.held(view.at, self.operator, limits[0], wanted, view.duration(self.max_gap), dip)
        view.note(held.next_change)
        value = steps.value(view.at)
        name = quantity.short or self.measure
        bounds = f": {name} {value.text('')}" if value.high < inf else ""
        missing = tuple(f"{item}{bounds}" for item in value.missing) or (name,)
        label = self.label or f"{self.measure} {self.limit(view)} for {format_duration(wanted)}" if view.full else ""
        text = value.text(quantity.unit)
        if view.full and value.low > view.value(self.measure).high:
            text += " before the interruption"
        if held.since is not None:
            text += f", {self.limit(view)} for {format_duration(view.at - held.since)}"
        finding = Finding(self.measure, text, held.since)
        doubtful = self.dose_known and any(item == "weight" or item.endswith("_salt") for item in value.missing)
        truth = UNKNOWN if held.truth is MET and doubtful else held.truth
        return Evaluation(truth, label, (finding,), missing if truth is UNKNOWN else ())

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.duration, self.max_gap, self.ignore_pauses, *((self.ignore_dips,) if self.ignore_dips else ()))


class Stayed(_Comparison):
    """A dense signal's windowed median has stood in the relation for a duration, minute by minute."""

    type: Literal["stayed"]
    measure: str
    duration: Annotated[str, Field(alias="for")]
    max_gap: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        wanted, gap = view.duration(self.duration), view.duration(self.max_gap)
        label = self.label or f"{self.measure} {self.limit(view)} for {format_duration(wanted)}" if view.full else ""
        at, unknown_since = view.at, view.at
        doubtful = False
        while at > view.at - wanted:
            past = view.as_of(at)
            value = past.value(self.measure)
            truth, _ = self.decide(past, value)
            if truth is not UNKNOWN:
                view.note_minute()
            if truth is NOT_MET:
                return Evaluation(NOT_MET, label, value.findings)
            if truth is MET:
                unknown_since = at
            elif unknown_since - at > gap:
                doubtful = True
                break
            at -= MINUTE
        present = view.value(self.measure)
        if doubtful:
            return Evaluation(UNKNOWN, label, present.findings, (self.measure,))
        return Evaluation(MET, label, present.findings)

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.duration, self.max_gap)


class Persistent(_Comparison):
    """The last ``samples`` samples of a sparse signal are in the relation, spaced apart, the newest fresh enough.

    Between the first and the last of them no sample is out of it.
    """

    type: Literal["persistent"]
    measure: str
    samples: Annotated[int, Field(ge=2)] = 2
    spacing: str
    max_age: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        spacing, age = view.duration(self.spacing), view.duration(self.max_age)
        label = ""
        if view.full:
            label = self.label or (
                f"{self.measure} {self.limit(view)} in {self.samples} samples {format_duration(spacing)} apart"
            )
        facts = view.timeline.upto(f"signal:{self.measure}", view.at)
        if not facts:
            return Evaluation(UNKNOWN, label, (), (self.measure,))
        last = facts[-1]
        finding = view.found(self.measure, last.value.value, last)
        if view.at - last.at > age:
            return Evaluation(UNKNOWN, label, (finding,), (f"{self.measure} (last {clock_time(last.at)})",))
        view.note(last.at + age + TICK)
        run: list[Finding] = []
        kept: list[int] = []
        for fact in reversed(facts):
            sample: Sample = fact.value
            run.append(view.found(self.measure, sample.value, fact))
            truth, missing = self.decide(view, Value(*sample.bounds))
            if truth is UNKNOWN:  # nobody can tell whether it ends the run
                return Evaluation(UNKNOWN, label, tuple(run), missing or (wanting(self.measure, fact),))
            if truth is NOT_MET:
                break
            if not kept or kept[-1] - fact.at >= spacing:
                kept.append(fact.at)
            if len(kept) >= self.samples:
                return Evaluation(MET, label, tuple(run))
        else:
            if kept:
                return Evaluation(UNKNOWN, label, tuple(run), (f"repeat {self.measure}",))
        return Evaluation(NOT_MET, label, tuple(run))

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.spacing, self.max_age)

    @override
    def looks_back(self) -> tuple[Term, ...]:
        """The sample before the last may be of any age; where there are more of them, so may several be."""
        several = self.samples > 2  # noqa: PLR2004 - one is kept in any case
        return (self.max_age, self.spacing, *((MEMORY,) if several else ()))


class Fell(Node):
    """A sparse signal fell by at least a parameter within a duration."""

    type: Literal["fell"]
    measure: str
    by: str
    within: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        within, limit = view.duration(self.within), view.number(self.by)
        label = (
            self.label or f"{self.measure} fell by {number(limit)} in {format_duration(within)}" if view.full else ""
        )
        facts = [f for f in view.timeline.upto(f"signal:{self.measure}", view.at) if f.at >= view.at - within]
        if facts:
            view.note(facts[0].at + within + TICK)
        if len(facts) < 2:  # noqa: PLR2004 - a fall takes two samples
            return Evaluation(UNKNOWN, label, (), (f"repeat {self.measure}" if facts else self.measure,))
        last = facts[-1]
        least, most = last.value.bounds
        highest = max(facts, key=lambda f: (f.value.bounds[0], f.at))
        possible = max(f.value.bounds[1] for f in facts)
        found = (
            view.found(self.measure, highest.value.value, highest),
            view.found(self.measure, last.value.value, last),
        )
        if round(highest.value.bounds[0] - most, 6) >= limit:
            return Evaluation(MET, label, found)
        if round(possible - least, 6) >= limit:
            return Evaluation(UNKNOWN, label, found, (self.measure,))
        return Evaluation(NOT_MET, label, found)

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def numbers(self) -> tuple[str, ...]:
        return (self.by,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.within,)
