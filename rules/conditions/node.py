"""What a condition is, and how its YAML form is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from rules.logic import Evaluation
from rules.lookback import Term
from rules.view import View


class Node(BaseModel):
    """A condition. Subclasses say what it reads, so that only the facts it needs re-evaluate and keep it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str | None = None

    judges_the_past: ClassVar[bool] = False
    """Whether it judges the conditions inside it as of earlier instants."""

    made_of_others: ClassVar[bool] = False
    """Whether its answer follows from those of other conditions, or from the pathway itself."""

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

    def looks_back(self) -> tuple[Term, ...]:
        """What adds up to how far back it looks; of what holds until it changes, the newest before that is kept too."""
        return self.durations()

    def concepts(self) -> tuple[str, ...]:
        """Coded facts read."""
        return ()

    def infusions(self) -> tuple[str, ...]:
        """Drugs or drug classes whose infusions are read."""
        return ()

    def doses(self) -> tuple[str, ...]:
        """Drugs or drug classes whose doses are read."""
        return ()

    def walk(self) -> Iterator[Node]:
        """This condition and all inside it."""
        yield self
        for child in self.children():
            yield from child.walk()


def one_key(raw: Any) -> Any:
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
