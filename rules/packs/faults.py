"""What is wrong in a pack that its schema cannot see: names, units and kinds that do not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from rules.catalogue import Catalogue, UnknownCodeError
from rules.catalogue.errors import did_you_mean
from rules.conditions import Check, Decide, Elapsed, Lasted, Node, Reached, Stands, Sustained, Use
from rules.instants import parse_duration
from rules.landmarks import LANDMARKS
from rules.outputs import State
from rules.pack import Pack, Therapy
from rules.packs.numbers import unfilled
from rules.packs.reach import find_unreachable
from rules.packs.reads import find_too_long
from rules.packs.texts import unbracketed
from rules.parameters import Parameter
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.units import UnitError, conversion, is_ucum
from rules.view import names_of
from rules.wording import placeholders

_NEEDED = ("decline_holds", "snooze", "pause_tolerance")
_ANNOUNCED = (State.CONFIRMED, State.SUSPECTED, State.PSEUDO, State.INDETERMINATE)


def find_faults(pack: Pack, catalogue: Catalogue) -> Iterator[str]:
    """Every fault, as ``path: reason``."""
    yield from _structure(pack)
    yield from _citations(pack)
    yield from _words(pack, catalogue)
    yield from (f"{path}: no parameter '{name}' to fill in" for path, name in unfilled(pack))
    yield from _circles(pack)
    yield from _units(pack, catalogue)
    yield from find_unreachable(pack, catalogue)
    yield from (f"{found.path}: {found.fault}" for found in find_too_long(pack, catalogue))
    for measure in pack.display:
        yield from (f"display: {fault}" for fault in _unknown_measure(measure, catalogue))
    for therapy in pack.therapies:
        yield from _therapy(pack, therapy, catalogue)
        yield from _suggestion(therapy, catalogue, pack.parameters.keys())
    for path, root in pack.roots():
        for node in root.walk():
            yield from _durations(pack, path, node)
            yield from _names(pack, path, node, catalogue)
            if isinstance(node, Stands) and not path.startswith("therapies."):
                yield f"{path}: only a therapy may ask for the verdict"
            for measure in node.measures():
                yield from _measure(pack, path, node, measure, catalogue)


def _structure(pack: Pack) -> Iterator[str]:
    for name in _NEEDED:
        if name not in pack.parameters or not pack.parameters[name].is_duration:
            yield f"parameters.{name}: missing, or not a duration"
    yield from (f"priorities: {state} is missing" for state in _ANNOUNCED if state not in pack.priorities)
    if State.INDETERMINATE in pack.priorities and pack.priorities[State.INDETERMINATE].priority.interrupts:
        yield "priorities.INDETERMINATE: what cannot be told must not interrupt"
    if sum(stage.role == "base" for stage in pack.stages) != 1:
        yield "stages: exactly one stage must have role 'base'"
    if not pack.refractory:
        yield "stages: at least one stage must have role 'refractory'"
    hard = {check.id for check in pack.checks if check.kind == "hard"}
    for stage in pack.stages:
        yield from (f"stages.{stage.id}.hard: no hard check '{h.check}'" for h in stage.hard if h.check not in hard)
        if stage.role != "base":
            yield from (f"stages.{stage.id}.hard: only the base's can be lasting" for h in stage.hard if h.lasting)
    for what, names in (
        ("stages", [stage.id for stage in pack.stages]),
        ("checks", [check.id for check in pack.checks]),
        ("therapies", [therapy.id for therapy in pack.therapies]),
    ):
        yield from (f"{what}: '{name}' is there twice" for name in sorted({n for n in names if names.count(n) > 1}))


def _circles(pack: Pack) -> Iterator[str]:
    """Conditions and checks that lead back to themselves."""
    named: dict[str, Node] = {f"conditions.{name}": condition for name, condition in pack.conditions.items()}
    named |= {f"checks.{check.id}": check.when for check in pack.checks}
    uses = {
        path: {
            f"{'conditions' if isinstance(node, Use) else 'checks'}.{node.name}"
            for node in root.walk()
            if isinstance(node, Use | Check)
        }
        for path, root in named.items()
    }
    for path, first in uses.items():
        reached, frontier = set[str](), first
        while frontier:
            reached |= frontier
            frontier = {further for found in frontier for further in uses.get(found, ())} - reached
        if path in reached:
            yield f"{path}: uses itself"


def _citations(pack: Pack) -> Iterator[str]:
    cited = [(f"parameters.{name}", found.source) for name, found in pack.parameters.items()]
    cited += [(f"checks.{check.id}", check.source) for check in pack.checks]
    cited += [(f"stages.{stage.id}", statement.source) for stage in pack.stages for statement in stage.sources]
    cited += [("caveats", statement.source) for statement in pack.caveats]
    for therapy in pack.therapies:
        reasons = therapy.absolute + therapy.relative
        cited += [(f"therapies.{therapy.id}.{reason.id}", reason.source) for reason in reasons]
        cited += [(f"therapies.{therapy.id}.evidence", statement.source) for statement in therapy.evidence]
        if therapy.deadline is not None:
            cited += [
                (f"therapies.{therapy.id}.deadline", source)
                for source in (therapy.deadline.source, *(aim.source for aim in therapy.deadline.aims))
            ]
    for path, source in cited:
        if source not in pack.sources:
            yield f"{path}: unknown source '{source}'{did_you_mean(source, pack.sources)}"


def _words(pack: Pack, catalogue: Catalogue) -> Iterator[str]:
    for index, ending in enumerate(pack.endings):
        unknown = (name for name in placeholders(ending.title) if name not in pack.parameters)
        yield from (f"endings.{index}.title: no parameter '{name}'" for name in unknown)
    for name, text in pack.words.items():
        for asked in placeholders(text):
            if asked not in pack.parameters and asked not in QUANTITIES:
                yield from _lookup(f"words.{name}", catalogue.signal, asked)
    yield from unbracketed(pack)


def _suggestion(therapy: Therapy, catalogue: Catalogue, parameters: AbstractSet[str]) -> Iterator[str]:
    said = set(placeholders(therapy.suggestion)) - parameters
    unsaid = set(placeholders(therapy.elsewhere or "")) - said - parameters
    yield from (f"therapies.{therapy.id}.elsewhere: '{name}' is not in the suggestion" for name in sorted(unsaid))
    for measure in sorted(said):
        yield from (f"therapies.{therapy.id}.suggestion: {fault}" for fault in _unknown_measure(measure, catalogue))


def _therapy(pack: Pack, therapy: Therapy, catalogue: Catalogue) -> Iterator[str]:
    path = f"therapies.{therapy.id}"
    checks = {check.id for check in pack.checks}
    reasons = {reason.id for reason in therapy.absolute + therapy.relative}
    yield from (f"{path}.hold_while: no check '{name}'" for name in therapy.hold_while if name not in checks)
    yield from (f"{path}.must_know: no reason '{name}'" for name in therapy.must_know if name not in reasons)
    if therapy.stage not in {stage.id for stage in pack.stages}:
        yield f"{path}.stage: unknown stage '{therapy.stage}'"
    if therapy.priority[-1].when is not None:
        yield f"{path}.priority: the last rule must have no condition"
    yield from _duration(pack, f"{path}.snooze", therapy.snooze)
    sampled = {signal.name for signal in catalogue.signals if not signal.dense}
    unsampled = [name for name in therapy.answered_until if name not in sampled]
    yield from (f"{path}.answered_until: no signal '{name}' of which each sample is kept" for name in unsampled)
    deadline = therapy.deadline
    if deadline is not None:
        if deadline.since not in _anchors(pack):
            yield f"{path}.deadline: unknown anchor '{deadline.since}'"
        yield from _needed(pack, f"{path}.deadline", deadline.since)
        times = [
            deadline.limit,
            *(lead.time for lead in deadline.lead),
            *(aim.limit for aim in deadline.aims),
            *([deadline.closing] if deadline.closing else []),
        ]
        for name in times:
            yield from _duration(pack, f"{path}.deadline", name)


def _anchors(pack: Pack) -> set[str]:
    """What time may be counted from: anchors of the pathway and landmarks."""
    return {"recognition", "episode", *LANDMARKS, *(stage.id for stage in pack.stages)}


def _needed(pack: Pack, path: str, name: str) -> Iterator[str]:
    """Parameters that a landmark is found with and the pack lacks."""
    needed = LANDMARKS[name].parameters if name in LANDMARKS else ()
    yield from (f"{path}: {name} needs parameter '{p}'" for p in needed if p not in pack.parameters)


def _durations(pack: Pack, path: str, node: Node) -> Iterator[str]:
    for name in node.durations():
        yield from _duration(pack, path, name)


def _duration(pack: Pack, path: str, name: str) -> Iterator[str]:
    found = pack.parameters.get(name)
    if found is None:
        yield f"{path}: {_unknown_parameter(pack, name)}"
    elif not found.is_duration:
        yield f"{path}: parameter '{name}' must be a duration, it is a number in {found.unit}"


def _unknown_parameter(pack: Pack, name: str) -> str:
    if _is_literal(name):
        return f"unknown parameter '{name}': a number or duration needs a name, a source and a strength of its own"
    return f"unknown parameter '{name}'{did_you_mean(name, pack.parameters)}"


def _is_literal(name: str) -> bool:
    """Whether a number or duration stands where the name of a parameter belongs."""
    for read in (float, parse_duration):
        try:
            read(name)
        except ValueError:
            continue
        return True
    return False


def _units(pack: Pack, catalogue: Catalogue) -> Iterator[str]:
    """Units that are none; those of the catalogue need not be looked up, which takes half a second."""
    known = {signal.unit for signal in catalogue.signals} | {quantity.unit for quantity in QUANTITIES.values()}
    for name, found in pack.parameters.items():
        if found.unit is not None and found.unit not in known and not is_ucum(found.unit):
            yield f"parameters.{name}.unit: '{found.unit}' is not a UCUM unit"


def _names(pack: Pack, path: str, node: Node, catalogue: Catalogue) -> Iterator[str]:
    for concept in node.concepts():
        yield from _lookup(path, catalogue.concept, concept)
    for drug in (*node.infusions(), *node.doses()):
        yield from _lookup(path, lambda name: names_of(catalogue, name), drug)
    stages = {stage.id for stage in pack.stages}
    match node:
        case Use() if node.name not in pack.conditions:
            yield f"{path}: unknown condition '{node.name}'{did_you_mean(node.name, pack.conditions)}"
        case Check() if node.name not in (checks := [check.id for check in pack.checks]):
            yield f"{path}: unknown check '{node.name}'{did_you_mean(node.name, checks)}"
        case Reached() if node.name not in stages:
            yield f"{path}: unknown stage '{node.name}'{did_you_mean(node.name, stages)}"
        case Elapsed() if node.since not in _anchors(pack):
            yield f"{path}: unknown anchor '{node.since}'{did_you_mean(node.since, _anchors(pack))}"
        case Elapsed():
            yield from _needed(pack, path, node.since)
        case Decide() if node.name not in PREDICATES:
            yield f"{path}: unknown predicate '{node.name}'{did_you_mean(node.name, PREDICATES)}"
        case Decide():
            needed = PREDICATES[node.name].parameters
            yield from (f"{path}: {node.name} needs parameter '{p}'" for p in needed if p not in pack.parameters)


def _unknown_measure(measure: str, catalogue: Catalogue) -> Iterator[str]:
    if measure in QUANTITIES or measure == "age":
        return
    try:
        signal = catalogue.signal(measure)
    except UnknownCodeError:
        close = did_you_mean(measure, [*(signal.name for signal in catalogue.signals), *QUANTITIES])
        yield f"unknown signal or quantity '{measure}'{close}"
        return
    if signal.name != measure:
        yield f"name the signal '{signal.name}', not its code {measure!r}"


def _measure(pack: Pack, path: str, node: Node, measure: str, catalogue: Catalogue) -> Iterator[str]:
    faults = [*_unknown_measure(measure, catalogue)]
    if faults:
        yield from (f"{path}: {fault}" for fault in faults)
        return
    quantity = QUANTITIES.get(measure)
    unit = quantity.unit if quantity else "a" if measure == "age" else catalogue.signal(measure).unit
    if quantity is not None:
        yield from (f"{path}: {measure} needs parameter '{p}'" for p in quantity.parameters if p not in pack.parameters)
    if isinstance(node, Sustained) and (quantity is None or quantity.steps is None):
        yield f"{path}: {measure} is not a stepwise quantity"
    if isinstance(node, Lasted) and (catalogue.signal(measure).dense if quantity is None else quantity.samples is None):
        yield f"{path}: {measure} has no single samples"
    for name in node.numbers():
        found = pack.parameters.get(name)
        if found is None:
            yield f"{path}: {_unknown_parameter(pack, name)}"
        elif found.is_duration:
            yield f"{path}: parameter '{name}' is a duration, {measure} needs a number in {unit}"
        elif found.unit != unit:
            advice = "" if quantity else _convert(found, measure, catalogue)
            yield f"{path}: parameter '{name}' is in {found.unit}, {measure} is in {unit}{advice}"


def _convert(found: Parameter, signal: str, catalogue: Catalogue) -> str:
    """What to write instead, where the unit measures the same."""
    if found.unit is None or signal == "age" or found.by_age:
        return ""
    try:
        value = conversion(catalogue.signal(signal), found.unit).apply(found.number)
    except UnitError:
        return ""
    return f"; write {value:.4g} {catalogue.signal(signal).unit}"


def _lookup(path: str, find: Callable[[str], object], name: str) -> Iterator[str]:
    try:
        find(name)
    except UnknownCodeError as error:
        yield f"{path}: {error}"
