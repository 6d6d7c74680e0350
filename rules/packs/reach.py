"""Stages, checks and therapies that can never come about, because what they ask for contradicts itself.

A stage is unreachable if its pattern and its definition cannot both be met while none of its unconditional hard checks
is, whatever the patient's data: by contradictory bounds on one measure, a condition and its opposite, a count larger
than its parts, a comparison outside the plausible range of a signal, a value that a setting, verdict or record never
has, or a stage that must have been reached before and cannot have been. All else, and whatever takes too long to find
out, counts as reachable: nothing that could happen is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from math import comb, inf
from typing import Final

from rules.catalogue import Catalogue
from rules.conditions import All, AnyOf, AtLeast, Certain, Check, Node, Not, Pending, Use
from rules.pack import Pack, Stage
from rules.packs.bounds import Facts, World

Asked = tuple[Node, bool]
"""A condition, and whether it is to be met or not met."""

_STEPS: Final = 5_000
"""Conditions looked at before giving up on a question."""

_MOST_CHOICES: Final = 100


class _TooHardError(Exception):
    """The question has too many alternatives."""


def find_unreachable(pack: Pack, catalogue: Catalogue) -> Iterator[str]:
    """Everything that can never come about, as ``path: reason``."""
    reachable = _reachable(pack, catalogue)
    question = _Question(pack, catalogue, reachable)
    for stage in pack.stages:
        yield from _stage(question, stage, reachable)
    for check in pack.checks:
        yield from question.report(f"checks.{check.id}.when", [(check.when, True)])
    for therapy in pack.therapies:
        path = f"therapies.{therapy.id}"
        trigger = [*question.report(f"{path}.when", [(therapy.when, True)])]
        yield from trigger
        if therapy.requires is not None and not trigger:
            yield from question.report(f"{path}.requires", [(therapy.when, True), (therapy.requires, True)])
        for kind, reasons in (("absolute", therapy.absolute), ("relative", therapy.relative)):
            for reason in reasons:
                yield from question.report(f"{path}.{kind}.{reason.id}", [(reason.when, True)])


def contradicts_itself(pack: Pack, catalogue: Catalogue, asked: Iterable[Asked]) -> Iterator[bool]:
    """Of each condition, asked to be met or not met by itself, whether that can never be."""
    question = _Question(pack, catalogue, _reachable(pack, catalogue))
    for found in asked:
        yield question.contradiction([found]) is not None


def _stage(question: _Question, stage: Stage, reachable: frozenset[str]) -> Iterator[str]:
    path = f"stages.{stage.id}"
    parts = [("when", stage.when), *((("pattern", stage.pattern),) if stage.pattern is not None else ())]
    alone = [fault for name, part in parts for fault in question.report(f"{path}.{name}", [(part, True)])]
    yield from alone
    if alone or stage.id in reachable:
        return
    needed = _needed(question.pack, stage)
    yield from [*question.report(path, needed)] or question.report(
        f"{path}.confirm", [*needed, *((found.when, True) for found in stage.confirm)]
    )


def _needed(pack: Pack, stage: Stage) -> list[Asked]:
    """What must be so for a stage to be announced."""
    if stage.role == "marker":
        return [(stage.when, True)]
    checks = {check.id: check.when for check in pack.checks}
    always = [hard.check for hard in stage.hard if hard.when is None and hard.unless is None]
    hard = [(checks[name], False) for name in always if name in checks]
    pattern = [] if stage.pattern is None else [(stage.pattern, True)]
    return [*pattern, (stage.when, True), *hard]


def _reachable(pack: Pack, catalogue: Catalogue) -> frozenset[str]:
    """The stages that can be remembered as reached, found from those that need no other."""
    reached = frozenset[str]()
    while True:
        question = _Question(pack, catalogue, reached)
        more = frozenset(
            stage.id
            for stage in pack.stages
            if question.contradiction(
                [
                    *_needed(pack, stage),
                    *((found.when, True) for found in stage.confirm if stage.role == "refractory"),
                ]
            )
            is None
        )
        if more <= reached:
            return reached
        reached |= more


class _Question:
    """Whether conditions can be as asked, all at once."""

    def __init__(self, pack: Pack, catalogue: Catalogue, reachable: frozenset[str]) -> None:
        self.pack = pack
        self._named: dict[str, Node] = {f"use {name}": node for name, node in pack.conditions.items()}
        self._named |= {f"check {check.id}": check.when for check in pack.checks}
        years = {0.0, *(band.from_years for found in pack.parameters.values() for band in found.by_age)}
        self._worlds = [World(pack, catalogue, ages, reachable) for ages in pairwise((*sorted(years), inf))]
        self._steps = 0

    def report(self, path: str, asked: Sequence[Asked]) -> Iterator[str]:
        """The fault, if there is one."""
        reason = self.contradiction(asked)
        if reason is not None:
            yield f"{path}: can never be met: {reason}"

    def contradiction(self, asked: Sequence[Asked]) -> str | None:
        """Why the conditions can never be so together, at any age; None if they can, or if that is hard to tell."""
        self._steps = 0
        reason: str | None = None
        for world in self._worlds:
            try:
                reason = self._solve(list(asked), Facts(world))
            except _TooHardError:
                return None
            if reason is None:
                return None
        return reason

    def _solve(self, asked: list[Asked], facts: Facts) -> str | None:
        choices: list[list[list[Asked]]] = []
        while asked:
            node, wanted = asked.pop()
            self._steps += 1
            if self._steps > _STEPS:
                raise _TooHardError
            reason = facts.ask(node, wanted)
            if reason is not None:
                return reason
            alternatives = self._alternatives(node, wanted)
            if not alternatives and isinstance(node, AtLeast):
                return f"it asks for {node.count} of {len(node.of)} parts"
            if len(alternatives) == 1:
                asked += alternatives[0]
            elif alternatives:
                choices.append(alternatives)
        if not choices:
            return None
        first, *rest = sorted(choices, key=len)
        reasons = []
        for alternative in first:
            reason = self._branch(alternative, rest, facts.copy())
            if reason is None:
                return None
            reasons.append(reason)
        return "; ".join(dict.fromkeys(reasons))

    def _branch(self, alternative: list[Asked], others: list[list[list[Asked]]], facts: Facts) -> str | None:
        """One alternative of a choice, with the choices that are left."""
        if not others:
            return self._solve(list(alternative), facts)
        reason = self._solve(list(alternative), facts.copy())
        if reason is not None:
            return reason
        first, *rest = others
        reasons = []
        for further in first:
            reason = self._branch([*alternative, *further], rest, facts.copy())
            if reason is None:
                return None
            reasons.append(reason)
        return "; ".join(dict.fromkeys(reasons))

    def _alternatives(self, node: Node, wanted: bool) -> list[list[Asked]]:
        """The ways in which a condition made of others is as wanted; one empty way where nothing is known of it."""
        ways: list[list[Asked]] = [[]]
        match node:
            case Use() | Check():
                found = self._named.get(f"{node.type} {node.name}")
                ways = [[(found, wanted)]] if found is not None else [[]]
            case Not():
                ways = [[(node.of, not wanted)]]
            case Certain() if wanted:
                ways = [[(node.of, True)]]
            case Pending():
                ways = [[(node.of, True)]] if wanted else [[(node.of, False), (node.while_, False)]]
            case All() | AnyOf() if wanted is isinstance(node, All):
                ways = [[(part, wanted) for part in node.of]]
            case All() | AnyOf():
                ways = [[(part, wanted)] for part in node.of]
            case AtLeast():
                count = node.count if wanted else len(node.of) - node.count + 1
                ways = _selections(node.of, count, wanted)
        return ways


def _selections(parts: Sequence[Node], count: int, wanted: bool) -> list[list[Asked]]:
    """Every selection of so many parts; none where there are not enough, one empty one where there are too many."""
    if count < 1 or comb(len(parts), count) > _MOST_CHOICES:
        return [[]]
    return [[(part, wanted) for part in chosen] for chosen in combinations(parts, count)]
