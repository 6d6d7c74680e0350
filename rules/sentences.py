"""Conditions as sentences: a tree of them with titles, thresholds in their units, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from rules.catalogue import Catalogue
from rules.conditions import (
    All,
    AnyOf,
    AtLeast,
    Certain,
    Check,
    Compare,
    Decide,
    DoseGiven,
    Elapsed,
    Fell,
    Node,
    Not,
    Pending,
    Persistent,
    Present,
    Reached,
    Running,
    Setting,
    Stands,
    Stayed,
    Stopped,
    Sustained,
    Use,
)
from rules.landmarks import LANDMARKS
from rules.pack import Pack
from rules.predicates import PREDICATES
from rules.values import SYMBOLS
from rules.wording import parameter, plain, strength, titles

_ANCHORS: Final = {"recognition": "treatment was recognised to be needed", "episode": "the episode began"}


class Line(NamedTuple):
    """One line of a tree: how deep it stands, the condition, what it says, and the citations of its numbers."""

    depth: int
    node: Node
    text: str
    citations: tuple[str, ...] = ()

    @property
    def heads(self) -> bool:
        """Whether the parts of the condition follow in lines of their own."""
        return self.text.endswith(":")


class Sentences:
    """The conditions of one pack in words."""

    def __init__(self, pack: Pack, catalogue: Catalogue) -> None:
        self._pack = pack
        self._titles = titles(catalogue)
        self._stages = {stage.id: f"{stage.title} ({stage.id})" for stage in pack.stages}

    def tree(self, node: Node, depth: int = 0) -> Iterator[Line]:
        """A condition and the parts that it is made of."""
        match node:
            case Use() if node.name in self._pack.conditions:
                yield from self._headed(node, self._pack.conditions[node.name], depth)
            case Certain():
                yield Line(depth, node, self._head(node, "known for certain:"))
                yield from self.tree(node.of, depth + 1)
            case Not() if not node.of.children() and not isinstance(node.of, Use):
                yield Line(depth, node, self._head(node, f"not: {self.leaf(node.of)}"), self.cite(node.of))
            case Not():
                yield Line(depth, node, self._head(node, "not:"))
                yield from self.tree(node.of, depth + 1)
            case Pending():
                yield from self.tree(node.of, depth)
                yield Line(depth, node.while_, "while this is so, not yet counts as unknown:")
                yield from self.tree(node.while_, depth + 1)
            case All() | AnyOf() | AtLeast() if len(parts := self._flat(node)) > 1:
                word = {"all": "all of", "any": "any of"}.get(node.type, f"at least {getattr(node, 'count', 1)} of")
                yield Line(depth, node, self._head(node, f"{word}:"))
                for part in parts:
                    yield from self.tree(part, depth + 1)
            case All() | AnyOf() | AtLeast():
                yield from self._headed(node, node.of[0], depth)
            case _:
                yield Line(depth, node, self.leaf(node), self.cite(node))

    def _flat(self, node: All | AnyOf | AtLeast) -> list[Node]:
        """The parts, with those of parts that are put together in the same way."""
        parts: list[Node] = []
        for part in node.of:
            inner: Node = part
            while isinstance(inner, Use) and inner.label is None and inner.name in self._pack.conditions:
                inner = self._pack.conditions[inner.name]
            same = type(inner) is type(node) and inner.label is None
            parts += self._flat(inner) if same and isinstance(inner, All | AnyOf) else [part]
        return parts

    def leaf(self, node: Node) -> str:
        """A condition that is not made of others."""
        return plain(self._words(node))

    def cite(self, node: Node) -> tuple[str, ...]:
        """The sources of the numbers in a condition, each once."""
        names = (*node.numbers(), *node.durations())
        if isinstance(node, Decide) and node.name in PREDICATES:
            names = PREDICATES[node.name].parameters
        known = (self._pack.parameters[name] for name in names if name in self._pack.parameters)
        return tuple(dict.fromkeys(self.citation(found.source, found.strength) for found in known))

    def citation(self, source: str, tag: str) -> str:
        """A source and the strength of what was read there, in a few words; its full text stands with the sources."""
        if tag == "D":
            return strength(tag)
        return f"{self._pack.sources[source].text.partition(',')[0]}; {strength(tag)}"

    def value(self, name: str) -> str:
        """The value of a parameter, with its unit."""
        return parameter(self._pack.parameters[name])

    def name(self, name: str) -> str:
        """What a measure, drug, record or stage is called."""
        return self._stages.get(name) or self._titles.get(name) or name.replace("_", " ")

    def anchor(self, name: str) -> str:
        """The moment from which a duration is counted."""
        if name in LANDMARKS:
            return LANDMARKS[name].title
        return _ANCHORS.get(name) or f"{self.name(name)} was reached"

    def _headed(self, node: Node, inner: Node, depth: int) -> Iterator[Line]:
        if node.label is None:
            yield from self.tree(inner, depth)
        else:
            yield Line(depth, node, f"{node.label}:")
            yield from self.tree(inner, depth + 1)

    @staticmethod
    def _head(node: Node, words: str) -> str:
        return words if node.label is None else f"{node.label}: {words}"

    def _words(self, node: Node) -> str:
        match node:
            case Compare() | Sustained() | Stayed() | Persistent():
                words = self._comparison(node)
            case Fell():
                words = f"{self.name(node.measure)} fell by at least {self.value(node.by)} in {self.value(node.within)}"
            case Present() | Running() | Stopped() | DoseGiven():
                words = self._record(node)
            case Elapsed():
                (limit,) = node.durations()
                relation = "more than" if node.more_than else "at least"
                words = f"{relation} {self.value(limit)} since {self.anchor(node.since)}"
            case Reached():
                words = f"{self.name(node.name)} was reached in this episode"
            case Setting():
                words = f"the site's setting {node.name} is {str(node.value).lower()}"
            case Stands():
                words = f"the verdict is {' or '.join(node.among)}"
            case Check():
                words = f"check: {self._pack.check(node.name).title}"
            case Decide():
                words = PREDICATES[node.name].title
            case _:
                words = self._any(node)
        return words

    def _comparison(self, node: Compare | Sustained | Stayed | Persistent) -> str:
        words = f"{self.name(node.measure)} {SYMBOLS[node.operator]} {self.value(node.threshold)}"
        match node:
            case Compare() if node.max_age is not None:
                return f"{words}, at most {self.value(node.max_age)} old"
            case Sustained() | Stayed():
                return f"{words} for {self.value(node.duration)}"
            case Persistent():
                apart = f"in {node.samples} samples at least {self.value(node.spacing)} apart"
                return f"{words} {apart}, the newest at most {self.value(node.max_age)} old"
            case _:
                return words

    def _record(self, node: Present | Running | Stopped | DoseGiven) -> str:
        match node:
            case Present():
                words = self.name(node.concept)
                words += "" if node.value == "present" else f" is {node.value.replace('_', ' ')}"
                words += f", recorded in the last {self.value(node.max_age)}" if node.max_age else ""
                words += f", begun in the last {self.value(node.began_within)}" if node.began_within else ""
                words += (
                    f", with no later {self.name(node.examined_by)} that did not find it" if node.examined_by else ""
                )
                silence = {"absent": " (not recorded counts as absent)"}.get(node.if_missing, "")
                return f"{words}{silence}"
            case Running():
                lasting = f" for {self.value(node.duration)}" if node.duration else ""
                return f"{self.name(node.drug)} is running{lasting}"
            case Stopped():
                return f"no {self.name(node.drug)} for {self.value(node.duration)}"
            case DoseGiven():
                return f"{self.name(node.drug)} was given in the last {self.value(node.within)}"

    def _any(self, node: Node) -> str:
        """A kind of condition that has no sentence of its own: its fields, with numbers for the parameters."""
        parts = [str(getattr(node, "type", type(node).__name__)).replace("_", " ")]
        for field, value in node.model_dump(exclude={"type", "label"}, exclude_none=True).items():
            if isinstance(value, str) and value in self._pack.parameters:
                parts.append(f"{field.replace('_', ' ')} {self.value(value)}")
            elif isinstance(value, str | int | float):
                parts.append(self.name(str(value)))
        return " ".join(parts)
