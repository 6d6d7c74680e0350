"""The bundled rule packs, and loading any pack with errors that name the place and the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rules import catalogue as catalogues
from rules.catalogue import Catalogue, UnknownCodeError
from rules.conditions import Check, Decide, Elapsed, Reached, Sustained, Use
from rules.outputs import State
from rules.pack import Pack
from rules.parameters import Parameter
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.settings import SettingsError, SiteSettings
from rules.view import names_of

BUNDLED = ("septic_shock",)
ALWAYS_READ = frozenset({"state:admitted", "state:goals_of_care", "signal:age"})


class PackError(ValueError):
    """A pack that cannot be used; the text names the file, each place and the reason."""


def load_packs(paths: Sequence[Path] | None = None) -> tuple[Pack, ...]:
    """Load packs from files, or the bundled ones.

    Raises:
        PackError: if a file cannot be read, is not YAML, or does not hold a valid pack.
    """
    if paths is None:
        here = resources.files(__package__)
        return tuple(parse_pack(f"{name}.yaml", here.joinpath(f"{name}.yaml").read_text("utf-8")) for name in BUNDLED)
    packs = []
    for path in paths:
        try:
            packs.append(parse_pack(str(path), path.read_text("utf-8")))
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise PackError(msg) from None
        except UnicodeDecodeError:
            msg = f"{path}: not UTF-8 text"
            raise PackError(msg) from None
    return tuple(packs)


def parse_pack(name: str, text: str) -> Pack:
    """Read one pack.

    Raises:
        PackError: naming every fault with its place.
    """
    try:
        pack = Pack.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        msg = f"{name}: not YAML: {error}"
        raise PackError(msg) from None
    except ValidationError as error:
        raise PackError(
            "\n".join(f"{name}: {_place(e)}: {e['msg']}" for e in error.errors(include_url=False))
        ) from None
    faults = sorted(set(find_faults(pack)))
    if faults:
        raise PackError("\n".join(f"{name}: {fault}" for fault in faults))
    return pack


def with_overrides(pack: Pack, settings: SiteSettings) -> Pack:
    """The pack with the site's local values, each marked as overridden.

    Raises:
        SettingsError: naming an unknown parameter, or a value of the wrong kind.
    """
    local = settings.overrides.get(pack.id, {})
    changed: dict[str, Parameter] = {}
    for name, value in local.items():
        found = pack.parameters.get(name)
        place = f"overrides.{pack.id}.{name}"
        if found is None:
            msg = f"{place}: the pack has no such parameter"
            raise SettingsError(msg)
        if isinstance(value, str) != found.is_duration:
            kind = "an ISO 8601 duration" if found.is_duration else f"a number in {found.unit}"
            msg = f"{place}: must be {kind}"
            raise SettingsError(msg)
        try:
            raw = {**found.model_dump(), "value": value, "by_age": (), "overridden": True}
            changed[name] = Parameter.model_validate(raw)
        except ValidationError as error:
            msg = f"{place}: {error.errors()[0]['msg']}"
            raise SettingsError(msg) from None
    return pack.model_copy(update={"parameters": {**pack.parameters, **changed}}) if changed else pack


def channels_read(pack: Pack, catalogue: Catalogue | None = None) -> frozenset[str]:
    """The timeline channels that any condition of a pack reads."""
    known = catalogue or catalogues.load()
    channels = set(ALWAYS_READ)
    for measure in pack.display:
        channels |= _measure_channels(measure)
    for _, root in pack.roots():
        for node in root.walk():
            for measure in node.measures():
                channels |= _measure_channels(measure)
            channels |= {f"state:{concept}" for concept in node.concepts()}
            for drug in node.drug_classes():
                channels |= _drug_channels(known, drug)
            if isinstance(node, Decide):
                predicate = PREDICATES[node.name]
                channels |= set(predicate.reads)
                for name in predicate.classes:
                    channels |= _drug_channels(known, name)
    return frozenset(channels)


def _measure_channels(measure: str) -> set[str]:
    quantity = QUANTITIES.get(measure)
    return set(quantity.reads) if quantity else {f"signal:{measure}"}


def _drug_channels(known: Catalogue, drug_or_class: str) -> set[str]:
    return {f"{kind}:{name}" for name in names_of(known, drug_or_class) for kind in ("infusion", "dose")}


def find_faults(pack: Pack, catalogue: Catalogue | None = None) -> Iterator[str]:
    """What is wrong in a pack that its schema cannot see: names, units and kinds that do not fit together."""
    known = catalogue or catalogues.load()
    stages = {stage.id for stage in pack.stages}
    yield from _structure(pack)
    for path, root in pack.roots():
        for node in root.walk():
            for measure in node.measures():
                yield from _measure_faults(pack, path, node, measure, known)
            for duration in node.durations():
                found = pack.parameters.get(duration)
                if found is None:
                    yield f"{path}: unknown parameter '{duration}'"
                elif not found.is_duration:
                    yield f"{path}: parameter '{duration}' must be a duration"
            for concept in node.concepts():
                yield from _lookup(path, lambda concept=concept: known.concept(concept))
            for drug in node.drug_classes():
                yield from _lookup(path, lambda drug=drug: names_of(known, drug))
            match node:
                case Use() if node.name not in pack.conditions:
                    yield f"{path}: unknown condition '{node.name}'"
                case Check() if node.name not in {check.id for check in pack.checks}:
                    yield f"{path}: unknown check '{node.name}'"
                case Reached() if node.name not in stages:
                    yield f"{path}: unknown stage '{node.name}'"
                case Elapsed() if node.since not in stages | {"recognition", "episode"}:
                    yield f"{path}: unknown anchor '{node.since}'"
                case Decide():
                    yield from _predicate_faults(pack, path, node.name)
                case _:
                    pass


def _measure_faults(pack: Pack, path: str, node: Any, measure: str, known: Catalogue) -> Iterator[str]:
    quantity = QUANTITIES.get(measure)
    if quantity is not None:
        unit = quantity.unit
        yield from (f"{path}: {measure} needs parameter '{p}'" for p in quantity.parameters if p not in pack.parameters)
        if isinstance(node, Sustained) and quantity.steps is None:
            yield f"{path}: {measure} is not a stepwise quantity"
    elif measure == "age":
        unit = "a"
    else:
        try:
            unit = known.signal(measure).unit
        except UnknownCodeError as error:
            yield f"{path}: {error}"
            return
        if known.signal(measure).name != measure:
            yield f"{path}: name the signal '{known.signal(measure).name}', not its code {measure!r}"
        if isinstance(node, Sustained):
            yield f"{path}: {measure} is not a stepwise quantity"
    for name in node.numbers():
        found = pack.parameters.get(name)
        if found is None:
            yield f"{path}: unknown parameter '{name}'"
        elif found.is_duration:
            yield f"{path}: parameter '{name}' is a duration, {measure} needs a number in {unit}"
        elif found.unit != unit:
            yield f"{path}: parameter '{name}' is in {found.unit}, {measure} is in {unit}"


def _predicate_faults(pack: Pack, path: str, name: str) -> Iterator[str]:
    predicate = PREDICATES.get(name)
    if predicate is None:
        yield f"{path}: unknown predicate '{name}'"
        return
    yield from (f"{path}: {name} needs parameter '{p}'" for p in predicate.parameters if p not in pack.parameters)


def _structure(pack: Pack) -> Iterator[str]:
    cited = [(f"parameters.{name}", found.source) for name, found in pack.parameters.items()]
    cited += [(f"checks.{check.id}", check.source) for check in pack.checks]
    for stage in pack.stages:
        cited += [(f"stages.{stage.id}", source.source) for source in stage.sources]
        known = {check.id for check in pack.checks if check.kind == "hard"}
        yield from (f"stages.{stage.id}.hard: no hard check '{h.check}'" for h in stage.hard if h.check not in known)
    for therapy in pack.therapies:
        cited += [
            (f"therapies.{therapy.id}.{reason.id}", reason.source) for reason in therapy.absolute + therapy.relative
        ]
        cited += [(f"therapies.{therapy.id}.evidence", evidence.source) for evidence in therapy.evidence]
        named = {check.id for check in pack.checks}
        yield from (f"therapies.{therapy.id}.hold_while: no check '{c}'" for c in therapy.hold_while if c not in named)
        reasons = {reason.id for reason in therapy.absolute + therapy.relative}
        yield from (f"therapies.{therapy.id}.must_know: no reason '{r}'" for r in therapy.must_know if r not in reasons)
        if therapy.stage not in {stage.id for stage in pack.stages}:
            yield f"therapies.{therapy.id}.stage: unknown stage '{therapy.stage}'"
        if therapy.priority[-1].when is not None:
            yield f"therapies.{therapy.id}.priority: the last rule must have no condition"
    yield from (f"{path}: unknown source '{source}'" for path, source in cited if source not in pack.sources)
    for name in ("decline_holds", "snooze"):
        if name not in pack.parameters or not pack.parameters[name].is_duration:
            yield f"parameters.{name}: missing, or not a duration"
    for state in (State.CONFIRMED, State.SUSPECTED, State.PSEUDO, State.INDETERMINATE):
        if state not in pack.priorities:
            yield f"priorities: {state} is missing"
    for role in ("base", "refractory"):
        if sum(stage.role == role for stage in pack.stages) != 1:
            yield f"stages: exactly one stage must have role '{role}'"
    for what, names in (
        ("stages", [stage.id for stage in pack.stages]),
        ("checks", [check.id for check in pack.checks]),
        ("therapies", [therapy.id for therapy in pack.therapies]),
    ):
        yield from (f"{what}: '{name}' is there twice" for name in sorted({n for n in names if names.count(n) > 1}))


def _lookup(path: str, find: Any) -> Iterator[str]:
    try:
        find()
    except UnknownCodeError as error:
        yield f"{path}: {error}"


def _place(error: Any) -> str:
    return ".".join(str(step) for step in error["loc"]) or "pack"
