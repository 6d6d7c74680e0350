"""Conditions made of conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from rules.conditions.node import Node
from rules.logic import ANY, MET, NOT_MET, UNKNOWN, Evaluation, conjunction, disjunction, negation, quorum
from rules.view import View

if TYPE_CHECKING:
    from rules.conditions import Condition


class All(Node):
    """Every part is met."""

    made_of_others: ClassVar[bool] = True

    type: Literal["all"]
    of: tuple[Condition, ...] = Field(min_length=1)

    @override
    def evaluate(self, view: View) -> Evaluation:
        return conjunction((view.ask(part) for part in self.of), self.label or "all of", stop_early=not view.full)

    @override
    def children(self) -> tuple[Node, ...]:
        return self.of


class AnyOf(Node):
    """At least one part is met."""

    made_of_others: ClassVar[bool] = True

    type: Literal["any"]
    of: tuple[Condition, ...] = Field(min_length=1)

    @override
    def evaluate(self, view: View) -> Evaluation:
        return disjunction((view.ask(part) for part in self.of), self.label or ANY, stop_early=not view.full)

    @override
    def children(self) -> tuple[Node, ...]:
        return self.of


class Not(Node):
    """The part is not met."""

    made_of_others: ClassVar[bool] = True

    type: Literal["not"]
    of: Condition

    @override
    def evaluate(self, view: View) -> Evaluation:
        return negation(view.ask(self.of), self.label or "not")

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.of,)


class Certain(Node):
    """The part is known to be met; unknown counts as not met, so use it only where that errs to the safe side."""

    made_of_others: ClassVar[bool] = True

    type: Literal["certain"]
    of: Condition

    @override
    def evaluate(self, view: View) -> Evaluation:
        part = view.ask(self.of)
        return Evaluation(MET if part.truth is MET else NOT_MET, self.label or "known:", (), (), (part,))

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.of,)


class AtLeast(Node):
    """A number of the parts is met."""

    made_of_others: ClassVar[bool] = True

    type: Literal["at_least"]
    count: Annotated[int, Field(ge=1)]
    of: tuple[Condition, ...] = Field(min_length=1)

    @override
    def evaluate(self, view: View) -> Evaluation:
        label = self.label or f"at least {self.count} of"
        return quorum((view.ask(part) for part in self.of), self.count, label)

    @override
    def children(self) -> tuple[Node, ...]:
        return self.of


class Pending(Node):
    """The part is met; or, while something else holds, it is still under way and therefore unknown.

    Where it is unknown anyway, but only for a reason that it ``covers``, it is under way as well.
    """

    made_of_others: ClassVar[bool] = True

    type: Literal["pending"]
    of: Condition
    while_: Annotated[Condition, Field(alias="while")]
    missing: str
    covers: tuple[str, ...] = ()

    @override
    def evaluate(self, view: View) -> Evaluation:
        done = view.ask(self.of)
        covered = done.truth is UNKNOWN and set(done.missing) <= set(self.covers)
        if done.truth is not NOT_MET and not covered:
            return done
        waiting = view.ask(self.while_)
        if waiting.truth is NOT_MET:
            return done
        return Evaluation(UNKNOWN, self.label or done.label, done.all_findings(), (self.missing,), (done, waiting))

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.of, self.while_)
