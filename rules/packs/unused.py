"""What a pack has and nothing in it uses: numbers, conditions, checks, sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rules.conditions import Check, Decide, Node, Use
from rules.pack import Pack
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.wording import placeholders

_ASKED_FOR = frozenset({"decline_holds", "snooze", "pause_tolerance"})
"""Read by every pathway: how long answers hold, and how long what runs may be off."""


@dataclass(slots=True)
class _Mentions:
    """What is mentioned in a part of a pack."""

    nodes: list[Node] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    def read(self, part: Any) -> None:
        match part:
            case Node():
                self.nodes += part.walk()
            case BaseModel():
                for name in type(part).model_fields:
                    value = getattr(part, name)
                    if name == "source":
                        self.sources.add(value)
                    elif name != "id":
                        self.read(value)
            case dict():
                for value in part.values():
                    self.read(value)
            case tuple():
                for value in part:
                    self.read(value)
            case str():
                self.texts.update((part, *placeholders(part)))

    def used(self, kind: type[Use | Check]) -> set[str]:
        return {node.name for node in self.nodes if isinstance(node, kind)}


def find_unused(pack: Pack) -> Iterator[str]:
    """Everything that is never used, as ``path: reason``."""
    mentions = _Mentions()
    for name in Pack.model_fields:
        if name not in ("conditions", "sources", "parameters"):
            mentions.read(getattr(pack, name))
    reached = _conditions(pack, mentions)
    unread = (name for name in pack.conditions if name not in reached)
    yield from (f"conditions.{name}: never used" for name in unread)
    mentions.read(pack.conditions)
    known = _parameters(mentions)
    yield from (f"parameters.{name}: never used" for name in pack.parameters if name not in known)
    cited = mentions.sources | {parameter.source for parameter in pack.parameters.values()}
    yield from (f"sources.{name}: never cited" for name in pack.sources if name not in cited)
    asked = mentions.used(Check) | {name for therapy in pack.therapies for name in therapy.hold_while}
    asked |= {hard.check for stage in pack.stages for hard in stage.hard}
    for check in pack.checks:
        if check.kind == "hard" and check.id not in asked:
            yield f"checks.{check.id}: a hard check that no stage and no therapy lists stops nothing"


def _conditions(pack: Pack, mentions: _Mentions) -> set[str]:
    """The named conditions that are used, also by way of others; what they mention is added."""
    reached: set[str] = set()
    while new := {name for name in mentions.used(Use) if name in pack.conditions} - reached:
        reached |= new
        for name in new:
            mentions.read(pack.conditions[name])
    return reached


def _parameters(mentions: _Mentions) -> set[str]:
    """The parameters that are read: by conditions, by what quantities and predicates ask for, in texts."""
    names = mentions.texts | _ASKED_FOR
    for node in mentions.nodes:
        names |= {*node.numbers(), *node.durations()}
        if isinstance(node, Decide) and node.name in PREDICATES:
            names |= set(PREDICATES[node.name].parameters)
    return names | {name for quantity in QUANTITIES.values() for name in quantity.parameters}
