"""Reads the catalogue files and builds the lookup tables, refusing anything that is ambiguous."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from rules.catalogue.errors import CatalogueError, UnknownCodeError
from rules.catalogue.models import Concept, Drug, Organism, Signal
from rules.yamltext import LOADER

__all__ = ["Catalogue", "build", "load", "parse"]

_Entry = TypeVar("_Entry", Signal, Drug, Concept, Organism)


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Every signal, drug and concept, each found by its name, an alias or any of its codes, and every organism."""

    signals: tuple[Signal, ...]
    drugs: tuple[Drug, ...]
    concepts: tuple[Concept, ...]
    organisms: tuple[Organism, ...]
    _signals: Mapping[str, Signal]
    _drugs: Mapping[str, Drug]
    _concepts: Mapping[str, Concept]

    def signal(self, code_or_name: str) -> Signal:
        """The signal with this name, LOINC code or IEEE 11073 code. Raises `UnknownCodeError`."""
        return _find("signal", code_or_name, self._signals)

    def drug(self, atc_rxnorm_or_name: str) -> Drug:
        """The drug with this name, alias, ATC or RxNorm code. Raises `UnknownCodeError`."""
        return _find("drug", atc_rxnorm_or_name, self._drugs)

    def concept(self, name: str) -> Concept:
        """The concept with this name, SNOMED CT or LOINC code. Raises `UnknownCodeError`."""
        return _find("concept", name, self._concepts)

    def organism(self, reported: str) -> Organism | None:
        """The first organism that a report's words mean, or None where none is known."""
        return next((organism for organism in self.organisms if organism.means(reported)), None)

    def drugs_of_class(self, drug_class: str) -> tuple[Drug, ...]:
        """All drugs of a class, in file order. Raises `UnknownCodeError` for a class that no drug has."""
        found = tuple(drug for drug in self.drugs if drug_class in drug.classes)
        if not found:
            raise UnknownCodeError("drug class", drug_class, {name for drug in self.drugs for name in drug.classes})
        return found


@functools.cache
def load() -> Catalogue:
    """The catalogue bundled with this package, read once. Raises `CatalogueError` naming file and entry."""
    here = resources.files(__package__)
    texts = {name: here.joinpath(f"{name}.yaml").read_text(encoding="utf-8") for name in _MODELS}
    return build(
        parse("signals.yaml", texts["signals"], Signal),
        parse("drugs.yaml", texts["drugs"], Drug),
        parse("concepts.yaml", texts["concepts"], Concept),
        parse("organisms.yaml", texts["organisms"], Organism),
    )


def parse(file: str, text: str, model: type[_Entry]) -> tuple[_Entry, ...]:
    """Read the entries of one catalogue file. ``file`` is only used in messages and for the top-level key."""
    key = file.removesuffix(".yaml")
    try:
        document = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise CatalogueError(f"{file}: not YAML: {error}") from error
    if not isinstance(document, dict) or set(document) != {key} or not isinstance(document[key], list):
        raise CatalogueError(f"{file}: expected one list under the key {key!r}")
    return tuple(_entry(file, position, raw, model) for position, raw in enumerate(document[key]))


def build(
    signals: Iterable[Signal],
    drugs: Iterable[Drug],
    concepts: Iterable[Concept],
    organisms: Iterable[Organism] = (),
) -> Catalogue:
    """Join entries into a catalogue.

    Raises:
        CatalogueError: when two entries claim the same name or code, or an organism names a drug that is not there.
    """
    signals, drugs, concepts, organisms = tuple(signals), tuple(drugs), tuple(concepts), tuple(organisms)
    known = {name for drug in drugs for name in (drug.name, *drug.classes)}
    for organism in organisms:
        for name in organism.resists:
            if name not in known:
                raise CatalogueError(f"organisms.yaml: {organism.name}: no drug or class of drugs is called {name}")
    _index("organisms.yaml", ((entry, [entry.name]) for entry in organisms))
    named = {concept.name for concept in concepts}
    for concept in concepts:
        if not named.issuperset(concept.kinds):
            raise CatalogueError(f"concepts.yaml: {concept.name}: kinds names a concept that is not there")
    return Catalogue(
        signals,
        drugs,
        concepts,
        organisms,
        _index("signals.yaml", ((entry, _signal_keys(entry)) for entry in signals)),
        _index("drugs.yaml", ((entry, _drug_keys(entry)) for entry in drugs)),
        _index("concepts.yaml", ((entry, _concept_keys(entry)) for entry in concepts)),
    )


_MODELS = ("signals", "drugs", "concepts", "organisms")


def _entry(file: str, position: int, raw: Any, model: type[_Entry]) -> _Entry:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        name = raw.get("name", "no name") if isinstance(raw, dict) else repr(raw)
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'entry'}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        )
        raise CatalogueError(f"{file}: entry {position + 1} ({name}): {problems}") from error


def _signal_keys(entry: Signal) -> list[str]:
    return [entry.name, *(code.code for code in entry.loinc), *(code.code for code in entry.ieee)]


def _drug_keys(entry: Drug) -> list[str]:
    return [entry.name, *entry.aliases, *entry.atc, *(code.code for code in entry.rxnorm)]


def _concept_keys(entry: Concept) -> list[str]:
    return [entry.name, *(code.code for code in (entry.snomed, entry.loinc) if code is not None)]


def _index(file: str, entries: Iterable[tuple[_Entry, list[str]]]) -> Mapping[str, _Entry]:
    index: dict[str, _Entry] = {}
    for entry, keys in entries:
        for key in keys:
            if key in index:
                raise CatalogueError(f"{file}: {entry.name}: {key} already belongs to {index[key].name}")
            index[key] = entry
    return MappingProxyType(index)


def _find(kind: str, code: str, index: Mapping[str, _Entry]) -> _Entry:
    try:
        return index[code]
    except KeyError:
        raise UnknownCodeError(kind, code, index) from None
