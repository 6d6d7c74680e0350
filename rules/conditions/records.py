"""Conditions on what was recorded and given: coded facts, infusions, doses."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from operator import attrgetter
from typing import Annotated, Final, Literal

from pydantic import Field
from typing_extensions import override

from rules.brief import NAMED
from rules.conditions.node import Node
from rules.facts import Coded, Flow, Given
from rules.instants import TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding
from rules.lookback import Term
from rules.timeline import Fact
from rules.values import compare
from rules.view import View

_AT: Final = attrgetter("at")


class Present(Node):
    """A coded fact is present; where nobody recorded it, ``if_missing`` says what that means.

    ``value`` asks for another value than ``present`` (goals of care, for example). ``max_age`` is how old the record
    may be, ``began_within`` how long ago what it says may have begun: to chart it again does not make it begin anew.
    Once an examination of the kind ``examined_by`` was done later and did not find it, the record no longer counts.
    """

    type: Literal["present"]
    concept: str
    value: str = "present"
    if_missing: Literal["absent", "unknown"] = "unknown"
    max_age: str | None = None
    began_within: str | None = None
    examined_by: str | None = None

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or (f"{self.concept} {self.value}".replace("_", " ") if view.full else "")
        value, fact = view.coded(self.concept)
        if fact is not None and value != "absent" and self._outdated(view, fact):
            value = None
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

    def _outdated(self, view: View, fact: Fact) -> bool:
        """Whether it began too long ago, or an examination that is newer did not find it."""
        examined = [] if self.examined_by is None else view.timeline.upto(f"state:{self.examined_by}", view.at)
        if examined and examined[-1].at > fact.at:
            return True
        if self.began_within is None:
            return False
        limit = view.duration(self.began_within)
        began = _began(view.timeline.upto(f"state:{self.concept}", view.at), {found.event for found in examined})
        view.note(began + limit + TICK)
        return view.at - began > limit

    @override
    def concepts(self) -> tuple[str, ...]:
        return (self.concept, *((self.examined_by,) if self.examined_by else ()))

    @override
    def durations(self) -> tuple[str, ...]:
        return tuple(name for name in (self.max_age, self.began_within) if name)

    @override
    def looks_back(self) -> tuple[Term, ...]:
        return ()


def _began(facts: Sequence[Fact], examinations: AbstractSet[str]) -> int:
    """When what the last of some records says began: when it was first said, or is said to have begun.

    An examination that finds it shows that it is there then, whatever was charted before.
    """
    began: int | None = None
    for fact in facts:
        coded: Coded = fact.value
        since = fact.at if coded.since is None else min(coded.since, fact.at)
        if coded.value == "absent":
            began = None
        elif began is None or fact.event in examinations or (coded.since is not None and since > began):
            began = since
    return facts[-1].at if began is None else began


class Running(Node):
    """A drug, or one of a class, is running; with ``for``, it has run that long.

    With ``ignore_pauses``, a pump that says it is paused still counts as running for that long; a stopped one does not.
    """

    type: Literal["running"]
    drug: str
    duration: Annotated[str | None, Field(alias="for")] = None
    max_gap: str | None = None
    ignore_pauses: str | None = None

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or (f"{self.drug} running".replace("_", " ") if view.full else "")
        parts = [self._one(view, name) for name in view.drugs(self.drug) if view.timeline.facts(f"infusion:{name}")]
        truths = [part.truth for part in parts]
        truth = MET if MET in truths else UNKNOWN if UNKNOWN in truths else NOT_MET
        findings = tuple(finding for part in parts if part.truth is MET for finding in part.findings)
        missing = tuple(item for part in parts for item in part.missing) if truth is UNKNOWN else ()
        return Evaluation(truth, label, findings, missing)

    def _one(self, view: View, name: str) -> Evaluation:
        value, steps = view.flow(name), view.rate(name)
        truth = compare(value, "gt", 0.0)
        if self.duration is not None:
            gap = view.duration(self.max_gap) if self.max_gap else 0
            held = steps.held(view.at, "gt", 0.0, view.duration(self.duration), gap)
            view.note(held.next_change)
            truth = held.truth
        elif truth is NOT_MET and self.ignore_pauses is not None:
            limit = view.duration(self.ignore_pauses)
            for paused in _paused(view, name):
                if view.at - paused.at <= limit:
                    view.note(paused.at + limit + TICK)
                    return Evaluation(MET, "", (Finding(name, "paused", paused.at, paused.event),))
        if truth is UNKNOWN:
            return Evaluation(UNKNOWN, "", (), value.missing or (f"{name}_rate",))
        unit = view.catalogue.drug(name).rate_unit or ""
        return Evaluation(truth, "", (Finding(name, value.text(unit), steps.since(view.at)),))

    @override
    def infusions(self) -> tuple[str, ...]:
        return (self.drug,)

    @override
    def durations(self) -> tuple[str, ...]:
        return tuple(name for name in (self.duration, self.max_gap, self.ignore_pauses) if name)


def _paused(view: View, name: str) -> Iterable[Fact]:
    """The pause that each line of an infusion is in, where it was running before."""
    running: dict[str, bool] = {}
    pauses: dict[str, Fact] = {}
    for fact in view.timeline.upto(f"infusion:{name}", view.at):
        flow: Flow = fact.value
        if flow.action == "pause":
            if running.get(flow.line):
                pauses.setdefault(flow.line, fact)
        elif flow.action not in ("alarm", "bag_change"):
            running[flow.line] = flow.action != "stop" and flow.rate != 0
            pauses.pop(flow.line, None)
    return pauses.values()


class Stopped(Node):
    """No drug of a class has been delivered for a duration, be it stopped or paused."""

    type: Literal["stopped"]
    drug: str
    duration: Annotated[str, Field(alias="for")]

    @override
    def evaluate(self, view: View) -> Evaluation:
        wanted = view.duration(self.duration)
        label = self.label or f"no {self.drug} for {format_duration(wanted)}" if view.full else ""
        truth, missing = MET, []
        for name in view.drugs(self.drug):
            if not view.timeline.facts(f"infusion:{name}"):
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
    def infusions(self) -> tuple[str, ...]:
        return (self.drug,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.duration,)


def _given(fact: Fact) -> bool:
    given: Given = fact.value
    return given.status == "given"


class DoseGiven(Node):
    """A dose of a drug, or of one of a class, was given within a duration; the newest of them are its evidence."""

    type: Literal["given"]
    drug: str
    within: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        within = view.duration(self.within)
        label = self.label or f"{self.drug} given in {format_duration(within)}" if view.full else ""
        found: list[Finding] = []
        for name in view.drugs(self.drug):
            facts = view.timeline.upto(f"dose:{name}", view.at)
            recent = facts[bisect_left(facts, view.at - within, key=_AT) :]
            oldest = next((fact for fact in recent if _given(fact)), None)
            if oldest is None:
                continue
            view.note(oldest.at + within + TICK)
            newest = [*islice(filter(_given, reversed(recent)), NAMED)]
            found += (
                Finding(name, f"dose given {clock_time(fact.at)}", fact.at, fact.event) for fact in reversed(newest)
            )
        return Evaluation(MET if found else NOT_MET, label, tuple(found))

    @override
    def doses(self) -> tuple[str, ...]:
        return (self.drug,)

    @override
    def durations(self) -> tuple[str, ...]:
        return (self.within,)
