"""The patient as seen from one instant: what conditions, quantities and predicates read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from math import inf
from operator import attrgetter
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar

from rules.catalogue import AgeContext, Catalogue
from rules.delivery import Delivery, Limits, Scale
from rules.facts import BY_HAND, Coded, Flow, Given, Sample
from rules.instants import FOREVER, MINUTE, TICK, clock_time
from rules.landmarks import LANDMARKS, Mark
from rules.logic import Evaluation, Finding
from rules.minutes import MinuteSeries
from rules.outputs import State
from rules.parameters import Parameter
from rules.quantities.base import Quantity
from rules.settings import SiteSettings
from rules.steps import Steps, bridging
from rules.timeline import Fact, Record
from rules.trace import Anchors, Answer, Course, Trace, shared
from rules.values import Value, exact, number, powered, unknown

T = TypeVar("T")
G = TypeVar("G")
_AT: Final = attrgetter("at")
_GOES_ON: Final = 2 * MINUTE
"""A device that sent a value so shortly before another was charted is still sending (local setting)."""
_ABOVE_ZERO: Final = 1e-12
"""A rate per kilogram of an unknown weight is more than nothing; that is all that is known of it."""


@cache
def names_of(catalogue: Catalogue, drug_or_class: str) -> tuple[str, ...]:
    """The names of the drugs of a class, or of the one drug."""
    if any(drug_or_class in drug.classes for drug in catalogue.drugs):
        return tuple(drug.name for drug in catalogue.drugs_of_class(drug_or_class))
    return (catalogue.drug(drug_or_class).name,)


def wanting(name: str, fact: Fact) -> str:
    """What is missing where a sample of a signal has no value, or only a bound."""
    sample: Sample = fact.value
    if not sample.readable:
        return f"{name} (not readable {clock_time(fact.at)})"
    return f"{name} (only {sample.comparator} {number(sample.value)})"


@cache
def _age_limit(catalogue: Catalogue, signal: str, charted: bool, context: AgeContext | None) -> int | None:
    limit = catalogue.signal(signal).age_limit(charted=charted, when=context)
    return None if limit is None else round(limit.total_seconds() * 1000)


class Evaluable(Protocol):
    """Something with a three-valued answer: a condition."""

    made_of_others: ClassVar[bool]
    """Whether its answer follows from those of other conditions, or from the pathway itself."""

    def evaluate(self, view: View) -> Evaluation:
        """The answer at the view's instant."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a pathway is judged by, whoever the patient is.

    ``durations`` are those of the parameters, in milliseconds; ``named`` holds the conditions and checks a pack names;
    ``context`` is the situation that decides how old values may be.
    """

    settings: SiteSettings
    catalogue: Catalogue
    quantities: Mapping[str, Quantity]
    parameters: Mapping[str, Parameter]
    durations: Mapping[str, int]
    named: Mapping[str, Evaluable]
    context: AgeContext | None = None


class _Found(NamedTuple):
    """Something worked out in a view: what it was read from, and until when it holds.

    ``anchors`` says whether these were asked for.
    """

    value: Any
    reads: AbstractSet[str] = frozenset()
    anchors: bool = False
    until: int = FOREVER


class _Asked:
    """What is true of what is being worked out, be it at this instant or in the past: see :class:`_Found`."""

    __slots__ = ("anchors",)

    def __init__(self) -> None:
        self.anchors = False


class View:
    """One patient at one instant of effective time, given everything received so far.

    Attributes:
        at: the instant.
        timeline: what is known of the patient, without what is of a former stay.
        full: whether conditions look at every part (to explain) or stop as soon as the answer is known.
        state: the pathway's verdict at this instant, once there is one.
    """

    __slots__ = (
        "_anchors",
        "_answers",
        "_asked",
        "_named",
        "_next",
        "_once",
        "_remembered",
        "_remembers",
        "_trace",
        "_values",
        "_worded",
        "at",
        "full",
        "knowledge",
        "state",
        "timeline",
    )

    def __init__(
        self,
        knowledge: Knowledge,
        timeline: Record,
        anchors: dict[str, int],
        at: int,
        *,
        full: bool = False,
        asked: _Asked | None = None,
    ) -> None:
        self.knowledge = knowledge
        self.timeline = timeline
        self.at = at
        self.full = full
        self.state: State | None = None
        self._anchors = anchors
        self._next = FOREVER
        self._values: dict[str, _Found] = {}
        self._once: dict[Hashable, _Found] = {}
        self._trace: Trace | None = None
        self._answers: dict[int, tuple[Evaluable, Answer]] = {}
        """With a trace: each question that was asked, with its answer."""
        self._named: dict[str, Evaluation] = {}
        """With a trace: the conditions and checks that the pack names, as they came out of these answers."""
        self._worded: dict[str, str] = {}
        self._remembered = False
        """Whether something was reached at this instant for the first time."""
        self._remembers: Anchors | None = None
        """The anchors as they are compared, once they are."""
        self._asked = _Asked() if asked is None else asked

    def follow(self, given: G, walk: Callable[[View], tuple[G, T]], trace: Trace | None) -> tuple[G, T]:
        """Where a walk from question to question leads from what is ``given``, and what is to be given next time.

        With a trace of earlier answers it leads where it led before as long as every answer is the same.
        """
        if trace is None:
            return walk(self)
        self._trace = trace
        course = trace.course
        if course is not None and course.given == given and self._same(course, trace):
            self._take(_Found(None, course.reads, until=course.until))
            outcome: tuple[G, T] = given, course.outcome
        else:
            outcome = self._walk(given, walk, trace)
        for reads in {id(answer.reads): answer.reads for _, answer in self._answers.values()}.values():
            self.timeline.heard(reads)
        self._next = min(self._next, *(answer.until for _, answer in self._answers.values()), FOREVER)
        return outcome

    def ask(self, condition: Evaluable) -> Evaluation:
        """The answer of a condition; with a trace it comes without evidence, and may be one that still stands."""
        if self._trace is None or condition.made_of_others:
            return condition.evaluate(self)
        found = self._answers.get(id(condition))
        if found is None:
            found = self._answers[id(condition)] = condition, self._answer(condition, self._trace)
        return found[1].evaluation

    def named(self, name: str) -> Evaluation:
        """A condition or check that the pack names, evaluated once per view."""
        condition = self.knowledge.named[name]
        if self._trace is None:
            return self.once(("named", name), condition.evaluate)
        found = self._named.get(name)
        if found is None:
            found = self._named[name] = self.ask(condition)
        return found

    def once(self, key: Hashable, build: Callable[[View], T]) -> T:
        """Something that several conditions need, worked out once per view."""
        found = self._once.get(key)
        if found is None:
            found = self._once[key] = self._work_out(build)
        self._take(found)
        value: T = found.value
        return value

    def worded(self, measure: str) -> str:
        """The present value of a measure as its evidence words it."""
        value = self.value(measure)
        words = self._worded[measure] = value.findings[0].text if value.findings else value.text("")
        return words

    @property
    def anchors(self) -> dict[str, int]:
        """Instants that the pathway remembers: recognition, and when each stage was first reached."""
        self._asked.anchors = True
        return self._anchors

    def remember(self, anchor: str) -> None:
        """Note the first time that something was reached; conditions may ask for it from now on."""
        if anchor not in self._anchors:
            self._anchors[anchor] = self.at
            self._remembered, self._remembers = True, None
            for _, answer in self._answers.values():
                self._take(_Found(None, answer.reads, until=answer.until))
            self._answers.clear()
            self._named.clear()
            self._once.clear()
            self._values.clear()

    def _same(self, course: Course, trace: Trace) -> bool:
        """Whether a course would be the same at this instant."""
        if not course.since <= self.at < course.until:
            return False
        stand, anchors = trace.answers.get, self._known()
        for question, before in zip(course.questions, course.answers, strict=True):
            answer = stand(id(question))
            if answer is None or not answer.stands(self.at, anchors):
                if self.ask(question) != before:
                    return False
            elif answer.evaluation != before:
                return False
            else:
                self._answers[id(question)] = question, answer
        return all(self.worded(measure) == words for measure, words in course.worded)

    def _known(self) -> Anchors:
        if self._remembers is None:
            self._remembers = tuple(self._anchors.items())
        return self._remembers

    def _walk(self, given: G, walk: Callable[[View], tuple[G, T]], trace: Trace) -> tuple[G, T]:
        found = self._work_out(walk)
        self._take(found)
        outcome: tuple[G, T] = found.value
        trace.course = None
        if not self._remembered and outcome[0] == given:
            asked = self._answers.values()
            trace.course = Course(
                given,
                outcome[1],
                self.at,
                self._until(found),
                shared(frozenset(found.reads)),
                tuple(condition for condition, _ in asked),
                tuple(answer.evaluation for _, answer in asked),
                tuple(self._worded.items()),
            )
        return outcome

    def _answer(self, condition: Evaluable, trace: Trace) -> Answer:
        """The answer that stands, or what the question comes out as."""
        anchors = self._known()
        answer = trace.find(id(condition), self.at, anchors)
        if answer is not None:
            return answer
        self._trace = None
        found = self._work_out(condition.evaluate)
        self._trace = trace
        asked = anchors if found.anchors else None
        answer = Answer(self.at, self._until(found), found.value, frozenset(found.reads), asked)
        return trace.keep(id(condition), answer)

    def _until(self, found: _Found) -> int:
        """Until when what was found holds by itself, by the facts that are known already as well."""
        following = self.timeline.next_change(found.reads, self.at)
        return found.until if following is None else min(found.until, following)

    def _work_out(self, build: Callable[[View], Any]) -> _Found:
        """Work something out, and take down what it is read from."""
        asked, outside = self._asked, self._next
        anchors = asked.anchors
        asked.anchors = False
        self._next = FOREVER
        reads = set[str]()
        heard = self.timeline.listen_apart(reads)
        value = build(self)
        self.timeline.listen_apart(heard)
        found = _Found(value, reads, asked.anchors, self._next)
        self._next, asked.anchors = outside, anchors
        return found

    def _take(self, found: _Found) -> None:
        """Use what was found: whoever does reads what it was read from, for as long as it holds."""
        self.timeline.heard(found.reads)
        if found.anchors:
            self._asked.anchors = True
        if found.until < self._next:  # noqa: PLR1730 - faster than min()
            self._next = found.until

    @property
    def settings(self) -> SiteSettings:
        """The site's settings."""
        return self.knowledge.settings

    @property
    def catalogue(self) -> Catalogue:
        """Signals, drugs and concepts."""
        return self.knowledge.catalogue

    def note(self, instant: int | None) -> None:
        """Remember that an answer could change at an instant, if that is still to come."""
        if instant is not None and self.at < instant < self._next:
            self._next = instant

    def note_minute(self) -> None:
        """Note the end of the minute that goes on: with it a window of whole minutes moves on."""
        self.note((self.at // MINUTE + 1) * MINUTE)

    def recent(self, instant: int, limit: int) -> bool:
        """Whether an instant is no longer ago than ``limit`` milliseconds; when it will be is noted."""
        if self.at - instant > limit:
            return False
        self.note(instant + limit + TICK)
        return True

    def newest_minute(self, series: MinuteSeries, age: int) -> int | None:
        """The last whole minute of a series that could be read and ended at most ``age`` milliseconds ago.

        When there will be another, and when it will be too old, is noted.
        """
        self.note(series.next_end(self.at))
        minute = series.newest_before(self.at, age)
        return minute if minute is not None and self.recent((minute + 1) * MINUTE, age) else None

    @property
    def next_change(self) -> int | None:
        """The earliest instant at which an answer given so far could change with no new fact."""
        return self._next if self._next < FOREVER else None

    def value(self, measure: str) -> Value:
        """A quantity or the latest usable value of a signal, in its canonical unit."""
        found = self._values.get(measure)
        if found is None:
            quantity = self.knowledge.quantities.get(measure)
            found = self._work_out(quantity.value if quantity else lambda view: view.signal(measure))
            self._values[measure] = found
        self._take(found)
        value: Value = found.value
        return value

    def signal(self, name: str) -> Value:
        """The latest value of a signal, or unknown if there is none or it is too old.

        Of a dense signal that is the median of the last whole minute; of a live one, of the minute going on. What was
        charted by hand goes before an older minute.
        """
        series = self.timeline.series(f"signal:{name}")
        charted = None if series is None else self.charted(name, self.at)
        if series is None or charted is not None:
            return self._sparse(name)
        return self._minute(name, series)

    def charted(self, name: str, at: int) -> Fact | None:
        """The newest value of a dense signal that was charted by hand, if it is the one to use at an instant.

        It is not where a device has sent a later one, nor where one goes on sending: what is charted then is a copy.
        """
        fact = self.timeline.latest(f"signal:{name}", at)
        if fact is None:
            return None
        limit = self.max_age(name, fact.value.method) or 0
        if at - fact.at > limit:
            return None
        self.note(fact.at + limit + TICK)
        series = self.timeline.series(f"signal:{name}")
        if series is None:
            return fact
        self.note(series.next_end(at))
        sent = series.newest_sent(at, at - fact.at + _GOES_ON)
        if sent is None:
            return fact
        end = (sent + 1) * MINUTE
        gone = end + (self.max_age(name) or 0)
        self.note(gone + TICK)
        return fact if end < fact.at and at > gone else None

    def sampled(self, measure: str) -> list[int]:
        """The instants up to now at which a sparse signal or quantity was measured, oldest first."""
        quantity = self.knowledge.quantities.get(measure)
        if quantity is None:
            return list(dict.fromkeys(fact.at for fact in self.timeline.upto(f"signal:{measure}", self.at)))
        if quantity.samples is None:
            msg = f"{measure} has no samples"
            raise TypeError(msg)
        return quantity.samples(self)

    def past(self, at: int) -> View:
        """The patient at an earlier instant, by what is known now."""
        return self.once(("past", at), lambda view: view.as_of(at))

    def as_of(self, at: int) -> View:
        """The patient at an instant, with nothing worked out yet."""
        return View(self.knowledge, self.timeline, self._anchors, at, asked=self._asked)

    def mask(self, measure: str) -> None:
        """From now on a measure counts as not known: it has no sample that belongs to this instant."""
        self._values[measure] = _Found(unknown(measure))

    def _minute(self, name: str, series: MinuteSeries) -> Value:
        self.note(series.next_end(self.at))
        unit = self.catalogue.signal(name).unit
        live = self.catalogue.signal(name).live
        if live:
            self.note(series.next_sample(self.at))
        current = series.so_far(self.at) if live else None
        if current is not None:
            return exact(current, Finding(name, f"{number(round(current, 4))} {unit}", self.at))
        limit = self.max_age(name) or 0
        minute = series.newest_before(self.at, limit)
        if minute is None:
            return unknown(name)
        end, value = (minute + 1) * MINUTE, series.at(minute) or 0.0
        self.note(end + limit + TICK)
        return exact(value, Finding(name, f"{number(round(value, 4))} {unit}", end))

    def _sparse(self, name: str) -> Value:
        fact = self.timeline.latest(f"signal:{name}", self.at)
        if fact is None:
            return unknown(name)
        sample: Sample = fact.value
        limit = self.max_age(name, sample.method)
        if limit is not None:
            if self.at - fact.at > limit:
                return unknown(f"{name} (last {clock_time(fact.at)})")
            self.note(fact.at + limit + TICK)
        if not sample.readable:
            return unknown(wanting(name, fact))
        found = self.found(name, sample.value, fact)
        if sample.comparator is not None:
            return Value(*sample.bounds, (wanting(name, fact),), (found,))
        return exact(sample.value, found)

    def found(self, name: str, value: float, fact: Fact) -> Finding:
        """Evidence for one sample of a signal."""
        sample: Sample = fact.value
        if not sample.readable:
            return Finding(name, "not readable", fact.at, fact.event)
        unit = self.catalogue.signal(name).unit if name != "age" else "a"
        shown = number(value) if unit == "1" else f"{number(value)} {unit}"
        return Finding(name, f"{sample.comparator or ''} {shown}".lstrip(), fact.at, fact.event)

    def max_age(self, name: str, method: str | None = None) -> int | None:
        """How old a value of a signal may be, in milliseconds; None where age does not matter."""
        if name == "age":
            return None
        return _age_limit(self.catalogue, name, method in BY_HAND, self.knowledge.context)

    def age_limit(self, name: str, when: AgeContext | None) -> int | None:
        """How old a value of a signal may be in a situation, in milliseconds."""
        return _age_limit(self.catalogue, name, False, when)

    def coded(self, concept: str) -> tuple[str | None, Fact | None]:
        """The latest value of a coded fact, and the fact."""
        fact = self.timeline.latest(f"state:{concept}", self.at)
        if fact is None:
            return None, None
        coded: Coded = fact.value
        return coded.value, fact

    def after_each(self, channel: str, step: Callable[..., T], first: T, *given: Hashable) -> list[T]:
        """What is known after each fact of a channel, also after those that become true later.

        Args:
            channel: the channel.
            step: from what was known before a fact, the fact and what is ``given``, to what is known after it.
            first: what is known before the first.
            given: what the steps hang on besides.
        """
        facts = self.timeline.facts(channel)

        def extend(found: list[T], since: int) -> list[T]:
            kept = bisect_left(facts, since, key=_AT)
            del found[kept:]
            known = found[-1] if found else first
            for fact in facts[kept:]:
                known = step(known, fact, *given)
                found.append(known)
            return found

        key = ("after each", channel, step, first, *given)
        return self.timeline.memo(key, (channel,), list[T], extend)

    def known(self, channel: str, at: int, step: Callable[..., T], first: T, *given: Hashable) -> T:
        """What is known after the facts of a channel up to an instant: see :meth:`after_each`."""
        found = self.after_each(channel, step, first, *given)
        index = bisect_right(self.timeline.facts(channel), at, key=_AT)
        return found[index - 1] if index else first

    def rate(self, drug: str, bridge: int = 0) -> Steps:
        """The rate of a drug over time in its canonical unit, without interruptions up to ``bridge`` milliseconds.

        When it next changes by what is known now, because nobody confirms it any more, is noted.
        """
        if bridge:
            return self._bridged(drug, bridge)
        weight = self.value("weight")
        channel = f"infusion:{drug}"
        facts, scale = self.timeline.facts(channel), self._scale(drug, weight)

        def build() -> Delivery:
            stale_after = round(self.settings.rate_holds.total_seconds() * 1000)
            limits = Limits(stale_after, self.catalogue.drug(drug).max_plausible_rate or inf)
            return Delivery(drug, limits)

        def extend(found: Delivery, since: int) -> Delivery:
            return found.follow(facts, scale, since)

        steps = self.timeline.memo(("rate", drug, weight[:3]), (channel,), build, extend).steps
        self.note(steps.next_step(self.at))
        return steps

    def read_bridged_from(self, drug: str, bridge: int, since: int) -> int:
        """From when on a rate is read otherwise if it changes from an instant on: what stands then may be bridged."""
        rate = self.rate(drug)
        before = rate.since(since - TICK) if bridge else None
        # What runs is read as it is, and a pause that has become too long is none, whatever follows.
        if before is None or since - before > bridge + TICK or rate.value(since - TICK).high:
            return since
        return before

    def _bridged(self, drug: str, bridge: int) -> Steps:
        plain = self.rate(drug)

        def extend(steps: Steps, since: int) -> Steps:
            start = self.read_bridged_from(drug, bridge, since)
            steps.rewrite(start, bridging(plain, bridge, plain.index(start)))
            return steps

        key = ("bridged", drug, bridge, self.value("weight")[:3])
        return self.timeline.memo(key, (f"infusion:{drug}",), Steps, extend)

    def flow(self, drug: str) -> Value:
        """The rate of a drug now, in its canonical unit."""
        return self.rate(drug).value(self.at)

    def amount(self, given: Given) -> Value:
        """A dose in its canonical unit; unknown where it was not recorded, or was per kilogram of an unknown weight."""
        if given.amount is None:
            return unknown("dose", low=0.0)
        weight = self.value("weight") if given.weight_power else exact(1.0)
        if weight.high == inf:
            return unknown("weight", low=0.0)
        low, high = powered(weight, given.weight_power)
        return Value(given.amount * low, given.amount * high, weight.missing)

    def running(self, drug_or_class: str) -> tuple[str, ...]:
        """The drugs of a class (or the one drug) that are certainly running now."""
        return tuple(
            name
            for name in self.drugs(drug_or_class)
            if self.timeline.facts(f"infusion:{name}") and self.flow(name).low > 0
        )

    def _scale(self, name: str, weight: Value) -> Scale:
        drug = self.catalogue.drug(name)

        def scale(flow: Flow) -> tuple[float, float, tuple[str, ...]]:
            low = high = 1.0
            missing: tuple[str, ...] = ()
            if drug.salts:
                salt = flow.salt or self.settings.norepinephrine_salt
                if salt is None:
                    low, high = min(drug.salts.values()), max(drug.salts.values())
                    missing = (f"{name}_salt",)
                else:
                    low = high = drug.salts[salt]
            if flow.weight_power:
                if weight.high == inf:
                    return _ABOVE_ZERO, inf, ("weight", *missing)
                least, most = powered(weight, flow.weight_power)
                return low * least, high * most, (*weight.missing, *missing)
            return low, high, missing

        return scale

    def drugs(self, name: str) -> tuple[str, ...]:
        """The drugs of a class, or the drug itself."""
        return names_of(self.catalogue, name)

    def duration(self, parameter: str) -> int:
        """A parameter that is a duration, in milliseconds."""
        return self.knowledge.durations[parameter]

    def number(self, parameter: str) -> float:
        """A parameter that is a number, in its own unit."""
        return self.knowledge.parameters[parameter].number

    def thresholds(self, parameter: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
        """The values a parameter may have here (several if it hangs on an unknown age), and what is missing."""
        found = self.knowledge.parameters[parameter]
        if not found.by_age:
            return (found.number,), ()
        age = self.value("age")
        possible = found.for_ages(age.low, age.high)
        return possible, () if len(possible) == 1 else ("age",)

    def since(self, anchor: str) -> int | None:
        """Milliseconds since an anchor, or None if it has not been reached."""
        instant = self.anchors.get(anchor)
        return None if instant is None or instant > self.at else self.at - instant

    def mark(self, name: str) -> Mark:
        """When an anchor of the pathway, or a landmark of the patient's course, was reached."""
        landmark = LANDMARKS.get(name)
        if landmark is not None:
            return landmark.find(self)
        instant = self.anchors.get(name)
        return Mark(None if instant is None or instant > self.at else instant)
