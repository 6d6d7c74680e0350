"""Conditions on the pathway itself: its memory, its verdict, its named parts, and the site's settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import override

from rules.conditions.node import Node
from rules.instants import TICK, format_duration
from rules.logic import MET, NOT_MET, Evaluation, Finding
from rules.outputs import State
from rules.predicates import PREDICATES
from rules.view import View


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
