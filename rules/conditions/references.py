"""Conditions on the pathway itself: its memory, its verdict, its named parts, and the site's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from rules.conditions.node import Node
from rules.instants import TICK, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding
from rules.lookback import Term
from rules.outputs import State
from rules.predicates import PREDICATES
from rules.view import View


class Elapsed(Node):
    """A duration has passed since something was reached.

    That is an anchor of the pathway (``recognition``, ``episode``, a stage) or a landmark of the patient's course. Give
    ``more_than``, or ``at_least`` where the very instant counts.
    """

    type: Literal["elapsed"]
    since: str
    more_than: str | None = None
    at_least: str | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Elapsed:
        if (self.more_than is None) == (self.at_least is None):
            msg = "give either 'more_than' or 'at_least'"
            raise ValueError(msg)
        return self

    @override
    def evaluate(self, view: View) -> Evaluation:
        (parameter,) = self.durations()
        limit = view.duration(parameter)
        relation = "more than" if self.more_than else "at least"
        label = self.label or f"{relation} {format_duration(limit)} since {self.since}" if view.full else ""
        began, missing, stands = view.mark(self.since)
        if began is None:
            return Evaluation(UNKNOWN if missing else NOT_MET, label, (), missing)
        passed = view.at - began
        if not stands:
            view.note(began + limit + (TICK if self.more_than else 0))
        finding = Finding(self.since, f"{format_duration(passed)} ago", began)
        met = passed > limit if self.more_than else passed >= limit
        return Evaluation(MET if met else NOT_MET, label, (finding,))

    @override
    def durations(self) -> tuple[str, ...]:
        return tuple(name for name in (self.more_than, self.at_least) if name)

    @override
    def looks_back(self) -> tuple[Term, ...]:
        return ()


class Reached(Node):
    """A stage has been reached in this episode."""

    made_of_others: ClassVar[bool] = True

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

    made_of_others: ClassVar[bool] = True

    type: Literal["setting"]
    name: Literal["guideline_profile", "rss_basis", "strict_fluid"]
    value: str | bool = Field(alias="is")

    @override
    def evaluate(self, view: View) -> Evaluation:
        met = getattr(view.settings, self.name) == self.value
        return Evaluation(MET if met else NOT_MET, self.label or f"{self.name} is {self.value}")


class Stands(Node):
    """The pathway's own verdict at this instant is one of these (only therapies may ask)."""

    made_of_others: ClassVar[bool] = True

    type: Literal["verdict"]
    among: Annotated[tuple[State, ...], Field(alias="is", min_length=1)]

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or f"verdict is {' or '.join(self.among)}"
        return Evaluation(MET if view.state in self.among else NOT_MET, label)


class Check(Node):
    """A check of the pack is met."""

    made_of_others: ClassVar[bool] = True

    type: Literal["check"]
    name: str

    @override
    def evaluate(self, view: View) -> Evaluation:
        return view.named(f"check {self.name}")


class Use(Node):
    """A condition that the pack names once and uses in several places."""

    made_of_others: ClassVar[bool] = True

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
