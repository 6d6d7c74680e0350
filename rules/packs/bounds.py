"""What the simple conditions of one alternative say together, and where they contradict each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from rules.catalogue import Catalogue, UnknownCodeError
from rules.conditions import (
    Compare,
    DoseGiven,
    Elapsed,
    Fell,
    Node,
    Persistent,
    Present,
    Reached,
    Setting,
    Stands,
    Stayed,
    Sustained,
)
from rules.outputs import State
from rules.pack import Pack
from rules.quantities import QUANTITIES
from rules.settings import SiteSettings
from rules.values import SYMBOLS, Operator, number

JUDGED: Final = frozenset(
    (State.ACTIVE, State.PSEUDO, State.INDETERMINATE, State.SUSPECTED, State.CONFIRMED),
)
"""The verdicts at which a therapy can be judged: those of an episode that goes on."""

_OPPOSITE: Final[dict[Operator, Operator]] = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
_READ_BELOW: Final = frozenset({"label", "type", "measure", "operator", "threshold", "duration", "max_gap", "max_age"})
"""The fields that the bounds look at; a node with others set is compared with its like only."""


@dataclass(frozen=True, slots=True)
class World:
    """The pack, the band of ages that is looked at, and the stages that can be reached at all."""

    pack: Pack
    catalogue: Catalogue
    ages: tuple[float, float]
    reachable: frozenset[str]


@dataclass(slots=True)
class _Range:
    """The numbers that something may still be, and which condition set each limit."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False
    low_by: str = ""
    high_by: str = ""

    def narrow(self, operator: Operator, limit: float, words: str) -> str | None:
        """Take in one comparison; why nothing is left, if so."""
        is_open = operator in ("gt", "lt")
        if operator in ("gt", "gte"):
            if limit > self.low or (limit == self.low and is_open and not self.low_open):
                self.low, self.low_open, self.low_by = limit, is_open, words
        elif limit < self.high or (limit == self.high and is_open and not self.high_open):
            self.high, self.high_open, self.high_by = limit, is_open, words
        if self.low < self.high or (self.low == self.high and not (self.low_open or self.high_open)):
            return None
        return f"'{self.low_by}' and '{self.high_by}' exclude each other"


@dataclass(slots=True)
class Facts:
    """What is taken to be so in one alternative."""

    world: World
    asked: dict[str, bool] = field(default_factory=dict)
    ranges: dict[Any, _Range] = field(default_factory=dict)
    values: dict[str, frozenset[Any]] = field(default_factory=dict)

    def copy(self) -> Facts:
        """The same, to go on with separately."""
        ranges = {key: replace(found) for key, found in self.ranges.items()}
        return Facts(self.world, dict(self.asked), ranges, dict(self.values))

    def ask(self, node: Node, wanted: bool) -> str | None:
        """Take a condition to be met, or not met; why that cannot be, if so."""
        key = _key(node)
        if self.asked.setdefault(key, wanted) is not wanted:
            return f"'{words_of(node)}' would have to be met and not met"
        reason: str | None = None
        match node:
            case Compare() | Persistent() | Stayed() | Sustained():
                reason = self._compare(node, wanted)
            case Fell() if wanted:
                reason = self._fall(node)
            case Elapsed():
                reason = self._elapsed(node, wanted)
            case DoseGiven():
                reason = self._narrow(("given", node.drug), "lte" if wanted else "gt", node.within, node)
            case Reached() if wanted:
                reason = self._unreached(node.name)
            case Setting() if wanted:
                reason = self._setting(node)
            case Stands():
                reason = self._verdict(node, wanted)
            case Present() if wanted:
                reason = self._present(node)
        return reason

    def _unreached(self, stage: str) -> str | None:
        known = stage in {found.id for found in self.world.pack.stages}
        if known and stage not in self.world.reachable:
            return f"it needs {stage} to have been reached, which cannot be"
        return None

    def _verdict(self, node: Stands, wanted: bool) -> str | None:
        among = JUDGED & set(node.among) if wanted else JUDGED - set(node.among)
        if not among:
            return f"while a therapy is judged the verdict is {', '.join(sorted(JUDGED))}"
        return self._among("verdict", among, node)

    def _narrow(self, key: Any, operator: Operator, duration: str, node: Node) -> str | None:
        limit = self._milliseconds(duration)
        if limit is None:
            return None
        known = self.ranges.setdefault(key, _Range(low=0.0, low_by="at any time"))
        return known.narrow(operator, limit, words_of(node))

    def _compare(self, node: Compare | Persistent | Stayed | Sustained, wanted: bool) -> str | None:
        found = self.world.pack.parameters.get(node.threshold)
        if found is None or found.is_duration or not (wanted or isinstance(node, Compare)):
            return None
        kind = "now"
        if isinstance(node, Stayed | Sustained):
            duration, gap = self._milliseconds(node.duration), self._milliseconds(node.max_gap)
            if duration is None or gap is None or duration <= gap:
                return None
            kind = "sustained" if isinstance(node, Sustained) else "now"
        limit = found.for_ages(self.world.ages[0], self.world.ages[0])[0] if found.by_age else found.number
        operator = node.operator if wanted else _OPPOSITE[node.operator]
        words = f"{node.measure} {SYMBOLS[operator]} {number(limit)}"
        signal = self._signal(node.measure)
        key = (kind, node.measure, _rest(node))
        if key not in self.ranges:
            self.ranges[key] = self._first(node.measure)
        if signal is not None:
            low, high = signal
            beyond = _Range(low, high, low_by="l", high_by="h").narrow(operator, limit, words)
            if beyond is not None:
                return (
                    f"'{words}' lies outside the plausible range {number(low)} to {number(high)}: no such value is used"
                )
        return self.ranges[key].narrow(operator, limit, words)

    def _first(self, measure: str) -> _Range:
        if measure != "age":
            return _Range()
        low, high = self.world.ages
        return _Range(low, high, high_open=True, low_by=f"age from {number(low)}", high_by=f"age below {number(high)}")

    def _signal(self, measure: str) -> tuple[float, float] | None:
        """The plausible range of a signal."""
        if measure in QUANTITIES or measure == "age":
            return None
        try:
            return self.world.catalogue.signal(measure).plausible
        except UnknownCodeError:
            return None

    def _fall(self, node: Fell) -> str | None:
        found, signal = self.world.pack.parameters.get(node.by), self._signal(node.measure)
        if (
            found is None
            or found.is_duration
            or found.by_age
            or signal is None
            or found.number <= signal[1] - signal[0]
        ):
            return None
        return f"'{words_of(node)}' is more than the plausible range {number(signal[0])} to {number(signal[1])}"

    def _elapsed(self, node: Elapsed, wanted: bool) -> str | None:
        reason = self._unreached(node.since) if wanted else None
        (duration,) = node.durations()
        operator: Operator = "gt" if node.more_than else "gte"
        return reason or self._narrow(
            ("since", node.since), operator if wanted else _OPPOSITE[operator], duration, node
        )

    def _milliseconds(self, name: str) -> int | None:
        found = self.world.pack.parameters.get(name)
        return found.milliseconds if found is not None and found.is_duration else None

    def _setting(self, node: Setting) -> str | None:
        if not _can_be_set(node.name, node.value):
            return f"the setting {node.name} is never {node.value!r}"
        return self._among(f"setting {node.name}", frozenset({repr(node.value)}), node)

    def _present(self, node: Present) -> str | None:
        try:
            concept = self.world.catalogue.concept(node.concept)
        except UnknownCodeError:
            return None
        allowed = frozenset({node.value, *(("done",) if node.value == "present" else ())})
        if concept.kind == "coded" and not allowed & set(concept.values):
            return f"{node.concept} is never '{node.value}', only {', '.join(concept.values)}"
        return self._among(node.concept, allowed, node)

    def _among(self, name: str, allowed: frozenset[Any], node: Node) -> str | None:
        left = self.values[name] = allowed & self.values.get(name, allowed)
        return None if left else f"'{words_of(node)}' excludes what else is asked of it"


def words_of(node: Node) -> str:
    """A condition in a few words."""
    if node.label:
        return node.label
    body = node.model_dump(exclude={"label", "type"}, exclude_defaults=True)
    kind = getattr(node, "type", type(node).__name__)
    simple = [str(value) for value in body.values() if isinstance(value, str | int | float | bool)]
    return " ".join((str(kind), *simple)) if simple and not node.children() else str(kind)


def _rest(node: Node) -> str:
    """The fields that say of which value the comparison speaks, besides its measure."""
    spacing = {"samples", "spacing"} if isinstance(node, Persistent) else set[str]()
    body = node.model_dump(exclude=set(_READ_BELOW) | spacing, exclude_defaults=True)
    return repr(sorted(body.items()))


def _key(node: Node) -> str:
    return repr(_bare(node.model_dump()))


def _bare(value: Any) -> Any:
    """A dumped condition without its labels."""
    match value:
        case dict():
            return {key: _bare(found) for key, found in value.items() if key != "label"}
        case list() | tuple():
            return [_bare(found) for found in value]
        case _:
            return value


@cache
def _can_be_set(name: str, value: str | bool) -> bool:
    annotation: Any = SiteSettings.model_fields[name].annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    try:
        return bool(adapter.validate_python(value, strict=True) == value)
    except ValidationError:
        return False
