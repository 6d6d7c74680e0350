"""What stands between a patient and a condition: the criteria that would have to change, as few as possible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rules.conditions import All, AnyOf, AtLeast, Certain, Check, Node, Not, Pending, Use
from rules.logic import MET, NOT_MET, Truth
from rules.pack import Pack, Stage
from rules.pathway import hard_checks
from rules.view import View


class Gap(NamedTuple):
    """A criterion that is not as it would have to be; ``wanted`` is MET or NOT_MET."""

    node: Node
    wanted: Truth


class Nearest:
    """The shortest way to conditions of a pack, for one patient at one instant."""

    def __init__(self, pack: Pack, view: View) -> None:
        self._pack = pack
        self._view = view
        self._checks = {check.id: check.when for check in pack.checks}

    def gaps(self, node: Node, wanted: Truth = MET) -> tuple[Gap, ...]:
        """The fewest criteria that would have to change; none if the condition is as wanted."""
        if node.evaluate(self._view).truth is wanted:
            return ()
        match node:
            case Use():
                found = self.gaps(self._pack.conditions[node.name], wanted)
            case Check():
                found = self.gaps(self._checks[node.name], wanted)
            case Not():
                found = self.gaps(node.of, NOT_MET if wanted is MET else MET)
            case Certain() | Pending():
                found = self.gaps(node.of, wanted)
            case All() | AnyOf() if isinstance(node, All) is (wanted is MET):
                found = self.all_of((part, wanted) for part in node.of)
            case All() | AnyOf():
                found = min((self.gaps(part, wanted) for part in node.of), key=len)
            case AtLeast():
                needed = node.count if wanted is MET else len(node.of) - node.count + 1
                each = sorted((self.gaps(part, wanted) for part in node.of), key=len)[:needed]
                found = _joined(each)
            case _:
                found = (Gap(node, wanted),)
        return found

    def all_of(self, parts: Iterable[tuple[Node, Truth]]) -> tuple[Gap, ...]:
        """What would have to change for all of several conditions."""
        return _joined(self.gaps(node, wanted) for node, wanted in parts)

    def stage(self, stage: Stage) -> tuple[Gap, ...]:
        """What would have to change for a stage to be called, which no hard check may forbid."""
        parts = [(stage.when, MET)]
        if stage.role != "marker":
            parts = [*(((stage.pattern, MET),) if stage.pattern is not None else ()), *parts]
            parts += [(self._checks[name], NOT_MET) for name in hard_checks(stage, self._view)]
        return self.all_of(parts)


def _joined(gaps: Iterable[tuple[Gap, ...]]) -> tuple[Gap, ...]:
    return tuple({(repr(gap.node), gap.wanted): gap for found in gaps for gap in found}.values())
