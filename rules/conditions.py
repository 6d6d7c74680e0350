"""Conditions: trees of typed nodes, written in YAML as one key per node, evaluated against a view.

``{compare: {measure: lactate, gt: lactate_high}}`` reads: the latest usable lactate is above the pack's parameter
``lactate_high``. No number stands in a condition; each has a name, a unit and a source among the pack's parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import override

from rules.facts import Given, Sample
from rules.instants import TICK, clock_time, format_duration
from rules.logic import (
    MET,
    NOT_MET,
    UNKNOWN,
    Evaluation,
    Finding,
    Truth,
    conjunction,
    disjunction,
    negation,
    quorum,
)
from rules.outputs import State
from rules.predicates import PREDICATES
from rules.values import SYMBOLS, Operator, Value, compare, exact, number
from rules.view import View

_OPERATORS = ("gt", "gte", "lt", "lte")


class Node(BaseModel):
    """A condition. Subclasses say what it reads, so that only the facts it needs re-evaluate and keep it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str | None = None

    def evaluate(self, view: View) -> Evaluation:
        """The truth of the condition at the view's instant, with its evidence."""
        raise NotImplementedError

    def children(self) -> tuple[Node, ...]:
        """Conditions inside this one."""
        return ()

    def measures(self) -> tuple[str, ...]:
        """Signals and quantities read."""
        return ()

    def numbers(self) -> tuple[str, ...]:
        """Parameters that must be numbers in the unit of the measure."""
        return ()

    def durations(self) -> tuple[str, ...]:
        """Parameters that must be durations."""
        return ()

    def concepts(self) -> tuple[str, ...]:
        """Coded facts read."""
        return ()

    def drug_classes(self) -> tuple[str, ...]:
        """Drugs or drug classes read."""
        return ()

    def walk(self) -> Iterator[Node]:
        """This condition and all inside it."""
        yield self
        for child in self.children():
            yield from child.walk()


def _one_key(raw: Any) -> Any:
    """Turn ``{key: body}`` into the form that the discriminated union reads."""
    if not isinstance(raw, dict) or "type" in raw:
        return raw
    if len(raw) != 1:
        msg = f"a condition has exactly one key, found {sorted(map(str, raw))}"
        raise ValueError(msg)
    ((kind, body),) = raw.items()
    match kind, body:
        case (("all" | "any"), list()):
            return {"type": kind, "of": body}
        case (("not" | "certain"), _):
            return {"type": kind, "of": body}
        case (("use" | "check" | "predicate" | "reached"), str()):
            return {"type": kind, "name": body}
        case _, dict():
            return {"type": kind, **body}
    msg = f"'{kind}' has a wrong body: {body!r}"
    raise ValueError(msg)


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
    """The latest usable value of a signal, or a quantity, against a parameter."""

    type: Literal["compare"]
    measure: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        value = view.value(self.measure)
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


class Sustained(_Comparison):
    """A stepwise quantity has stood in the relation for a duration without a break.

    A stretch in which it is unknown is bridged up to ``max_gap``; a pause of an infusion up to ``ignore_pauses``.
    """

    type: Literal["sustained"]
    measure: str
    duration: Annotated[str, Field(alias="for")]
    max_gap: str
    ignore_pauses: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        quantity = view.knowledge.quantities[self.measure]
        if quantity.steps is None:
            msg = f"{self.measure} has no steps"
            raise TypeError(msg)
        steps = quantity.steps(view, view.duration(self.ignore_pauses))
        limits, _ = view.thresholds(self.threshold)
        wanted = view.duration(self.duration)
        held = steps.held(view.at, self.operator, limits[0], wanted, view.duration(self.max_gap))
        view.note(held.next_change)
        value = steps.value(view.at)
        name = quantity.short or self.measure
        missing = tuple(f"{item}: {name} {value.text('')}" for item in value.missing) or (name,)
        label = self.label or f"{self.measure} {self.limit(view)} for {format_duration(wanted)}" if view.full else ""
        text = value.text(quantity.unit)
        if held.since is not None:
            text += f", {self.limit(view)} for {format_duration(view.at - held.since)}"
        finding = Finding(self.measure, text, held.since)
        return Evaluation(held.truth, label, (finding,), missing if held.truth is UNKNOWN else ())

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.duration, self.max_gap, self.ignore_pauses)


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
            past = View(view.knowledge, view.timeline, view.anchors, at)
            value = past.value(self.measure)
            truth, _ = self.decide(past, value)
            if truth is NOT_MET:
                return Evaluation(NOT_MET, label, value.findings)
            if truth is MET:
                unknown_since = at
            elif unknown_since - at > gap:
                doubtful = True
                break
            at -= _STRIDE
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


_STRIDE = 60 * TICK


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
            if self.decide(view, exact(sample.value))[0] is not MET:
                run.append(view.found(self.measure, sample.value, fact))
                break
            run.append(view.found(self.measure, sample.value, fact))
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
        if len(facts) < 2:  # noqa: PLR2004 - a fall takes two samples
            return Evaluation(UNKNOWN, label, (), (f"repeat {self.measure}" if facts else self.measure,))
        view.note(facts[0].at + within + TICK)
        last = facts[-1]
        highest = max(facts, key=lambda f: (f.value.value, f.at))
        fall = round(highest.value.value - last.value.value, 6)
        found = (
            view.found(self.measure, highest.value.value, highest),
            view.found(self.measure, last.value.value, last),
        )
        return Evaluation(MET if fall >= limit else NOT_MET, label, found)

    @override
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    @override
    def numbers(self) -> tuple[str, ...]:
        return (self.by,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.within,)


class Present(Node):
    """A coded fact is present; where nobody recorded it, ``if_missing`` says what that means.

    ``value`` asks for another value than ``present`` (goals of care, for example); ``max_age`` is how old a record may be.
    """

    type: Literal["present"]
    concept: str
    value: str = "present"
    if_missing: Literal["absent", "unknown"] = "unknown"
    max_age: str | None = None

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or (f"{self.concept} {self.value}".replace("_", " ") if view.full else "")
        value, fact = view.coded(self.concept)
        if fact is not None and self.max_age is not None:
            limit = view.duration(self.max_age)
            if view.at - fact.at > limit:
                value = None
            else:
                view.note(fact.at + limit + TICK)
        if value in (None, "unknown") and self.value != "unknown":
            if self.if_missing == "absent" and value is None:
                return Evaluation(NOT_MET, label)
            return Evaluation(UNKNOWN, label, (), (self.concept,))
        found = (Finding(self.concept, str(value), fact.at, fact.event),) if fact else ()
        met = value == self.value or (self.value == "present" and value == "done")
        return Evaluation(MET if met else NOT_MET, label, found)

    @override
    def concepts(self) -> tuple[str, ...]:
        return (self.concept,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.max_age,) if self.max_age else ()


class Running(Node):
    """A drug, or one of a class, is running; with ``for``, it has run that long."""

    type: Literal["running"]
    drug: str
    duration: Annotated[str | None, Field(alias="for")] = None
    max_gap: str | None = None

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or (f"{self.drug} running".replace("_", " ") if view.full else "")
        missing: list[str] = []
        found: list[Finding] = []
        truths: list[Truth] = []
        for name in view.drugs(self.drug):
            if f"infusion:{name}" not in view.timeline.channels:
                continue
            value = view.flow(name)
            truth = compare(value, "gt", 0.0)
            steps = view.rate(name)
            if self.duration is not None:
                gap = view.duration(self.max_gap) if self.max_gap else 0
                held = steps.held(view.at, "gt", 0.0, view.duration(self.duration), gap)
                view.note(held.next_change)
                truth = held.truth
            truths.append(truth)
            unit = view.catalogue.drug(name).rate_unit or ""
            if truth is UNKNOWN:
                missing.extend(value.missing or (f"{name}_rate",))
            if truth is MET:
                found.append(Finding(name, value.text(unit), steps.since(view.at)))
        truth = MET if MET in truths else UNKNOWN if UNKNOWN in truths else NOT_MET
        return Evaluation(truth, label, tuple(found), tuple(missing) if truth is UNKNOWN else ())

    @override
    def drug_classes(self) -> tuple[str, ...]:
        return (self.drug,)

    @override
    def durations(self) -> tuple[str, ...]:
        return tuple(name for name in (self.duration, self.max_gap) if name)


class Stopped(Node):
    """No drug of a class has run for a duration; a pause is not a stop."""

    type: Literal["stopped"]
    drug: str
    duration: Annotated[str, Field(alias="for")]

    @override
    def evaluate(self, view: View) -> Evaluation:
        wanted = view.duration(self.duration)
        label = self.label or f"no {self.drug} for {format_duration(wanted)}" if view.full else ""
        truth, missing = MET, []
        for name in view.drugs(self.drug):
            if f"infusion:{name}" not in view.timeline.channels:
                continue
            held = view.rate(name).held(view.at, "lte", 0.0, wanted, 0)
            view.note(held.next_change)
            if held.truth is NOT_MET:
                return Evaluation(NOT_MET, label, (Finding(name, "running, or stopped too recently", held.since),))
            if held.truth is UNKNOWN:
                truth = UNKNOWN
                missing.append(f"{name}_rate")
        return Evaluation(truth, label, (), tuple(missing))

    @override
    def drug_classes(self) -> tuple[str, ...]:
        return (self.drug,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.duration,)


class DoseGiven(Node):
    """A dose of a drug, or of one of a class, was given within a duration."""

    type: Literal["given"]
    drug: str
    within: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        within = view.duration(self.within)
        label = self.label or f"{self.drug} given in {format_duration(within)}" if view.full else ""
        found = []
        for name in view.drugs(self.drug):
            for fact in view.timeline.upto(f"dose:{name}", view.at):
                given: Given = fact.value
                if given.status == "given" and view.at - fact.at <= within:
                    view.note(fact.at + within + TICK)
                    found.append(Finding(name, f"dose given {clock_time(fact.at)}", fact.at, fact.event))
        return Evaluation(MET if found else NOT_MET, label, tuple(found))

    @override
    def drug_classes(self) -> tuple[str, ...]:
        return (self.drug,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.within,)


class Elapsed(Node):
    """More than a duration has passed since an anchor: ``recognition``, ``episode``, or a stage being reached."""

    type: Literal["elapsed"]
    since: str
    more_than: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        limit = view.duration(self.more_than)
        label = self.label or f"more than {format_duration(limit)} since {self.since}" if view.full else ""
        passed = view.since(self.since)
        if passed is None:
            return Evaluation(NOT_MET, label)
        view.note(view.anchors[self.since] + limit + TICK)
        finding = Finding(self.since, f"{format_duration(passed)} ago", view.anchors[self.since])
        return Evaluation(MET if passed > limit else NOT_MET, label, (finding,))

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.more_than,)


class Reached(Node):
    """A stage has been reached in this episode."""

    type: Literal["reached"]
    name: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        since = view.anchors.get(self.name)
        met = since is not None and since <= view.at
        finding = (Finding(self.name, "reached", since),) if met else ()
        return Evaluation(MET if met else NOT_MET, self.label or f"{self.name} reached", finding)


class Setting(Node):
    """A site setting has a value."""

    type: Literal["setting"]
    name: Literal["guideline_profile", "rss_basis", "strict_fluid"]
    value: str | bool = Field(alias="is")

    @override
    def evaluate(self, view: View) -> Evaluation:
        met = getattr(view.settings, self.name) == self.value
        return Evaluation(MET if met else NOT_MET, self.label or f"{self.name} is {self.value}")


class Stands(Node):
    """The pathway's own verdict at this instant is one of these (only therapies may ask)."""

    type: Literal["verdict"]
    among: Annotated[tuple[State, ...], Field(alias="is", min_length=1)]

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or f"verdict is {' or '.join(self.among)}"
        return Evaluation(MET if view.state in self.among else NOT_MET, label)


class Check(Node):
    """A check of the pack is met."""

    type: Literal["check"]
    name: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        return view.named(f"check {self.name}")


class Use(Node):
    """A condition that the pack names once and uses in several places."""

    type: Literal["use"]
    name: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        return view.named(f"condition {self.name}")


class Decide(Node):
    """A named predicate in Python."""

    type: Literal["predicate"]
    name: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        return PREDICATES[self.name].decide(view)


class All(Node):
    """Every part is met."""

    type: Literal["all"]
    of: tuple[Condition, ...] = Field(min_length=1)

    @override
    def evaluate(self, view: View) -> Evaluation:
        return conjunction((part.evaluate(view) for part in self.of), self.label or "all of", stop_early=not view.full)

    @override
    def children(self) -> tuple[Node, ...]:
        return self.of


class AnyOf(Node):
    """At least one part is met."""

    type: Literal["any"]
    of: tuple[Condition, ...] = Field(min_length=1)

    @override
    def evaluate(self, view: View) -> Evaluation:
        return disjunction((part.evaluate(view) for part in self.of), self.label or "any of", stop_early=not view.full)

    @override
    def children(self) -> tuple[Node, ...]:
        return self.of


class Not(Node):
    """The part is not met."""

    type: Literal["not"]
    of: Condition

    @override
    def evaluate(self, view: View) -> Evaluation:
        return negation(self.of.evaluate(view), self.label or "not")

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.of,)


class Certain(Node):
    """The part is known to be met; where it is unknown this is not met, so use it only where that errs to the safe side."""

    type: Literal["certain"]
    of: Condition

    @override
    def evaluate(self, view: View) -> Evaluation:
        part = self.of.evaluate(view)
        return Evaluation(MET if part.truth is MET else NOT_MET, self.label or "known:", (), (), (part,))

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.of,)


class AtLeast(Node):
    """A number of the parts is met."""

    type: Literal["at_least"]
    count: Annotated[int, Field(ge=1)]
    of: tuple[Condition, ...] = Field(min_length=1)

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or f"at least {self.count} of"
        return quorum((part.evaluate(view) for part in self.of), self.count, label)

    @override
    def children(self) -> tuple[Node, ...]:
        return self.of


class Pending(Node):
    """The part is met; or, while something else holds, it is still under way and therefore unknown."""

    type: Literal["pending"]
    of: Condition
    while_: Annotated[Condition, Field(alias="while")]
    missing: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        done = self.of.evaluate(view)
        if done.truth is not NOT_MET:
            return done
        waiting = self.while_.evaluate(view)
        if waiting.truth is NOT_MET:
            return done
        return Evaluation(UNKNOWN, self.label or done.label, done.all_findings(), (self.missing,), (done, waiting))

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.of, self.while_)


Condition = Annotated[
    Annotated[
        Compare
        | Sustained
        | Stayed
        | Persistent
        | Fell
        | Present
        | Running
        | Stopped
        | DoseGiven
        | Elapsed
        | Reached
        | Setting
        | Stands
        | Check
        | Use
        | Decide
        | All
        | AnyOf
        | Not
        | Certain
        | AtLeast
        | Pending,
        Field(discriminator="type"),
    ],
    BeforeValidator(_one_key),
]

for _model in (All, AnyOf, Not, Certain, AtLeast, Pending):
    _model.model_rebuild()
