"""The mapping tables of ``items.yaml``, typed and checked."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

Route = Literal["iv", "im", "io", "enteral", "rectal", "buccal", "nasal", "inhaled", "subcutaneous"]
FluidKind = Literal["crystalloid", "albumin", "other_colloid", "blood_product"]
Group = Literal["bacterial", "fungal", "viral", "anaerobic", "mycobacterial"]
Part = Literal["gcs_eye", "gcs_verbal", "gcs_motor", "sum", "subtract"]
Semiology = Literal["tonic_clonic", "focal_impaired", "absence", "myoclonic", "unspecified"]
ItemId = Annotated[str, BeforeValidator(str)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Entry):
    """A numeric item.

    ``code`` is what is sent; ``signal`` names the quantity where the code is a LOINC code, so that two items of one
    quantity are recognised. ``part``: the item is only part of a value (a component of the GCS, one of several urine
    volumes). ``fraction``: a number up to 1 is a fraction whatever the unit says. ``doubtful``: texts that make the
    value questionable.
    """

    label: str
    code: str
    unit: str
    signal: str | None = None
    method: Literal["charted", "laboratory", "point-of-care"] | None = None
    part: Part | None = None
    fraction: bool = False
    blood_gas: bool = False
    doubtful: tuple[str, ...] = ()

    @property
    def quantity(self) -> str:
        """What the item measures, whatever code it is sent under."""
        return self.signal or self.code


class Said(_Entry):
    """The texts by which a state starts and stops; without ``stop``, any other text stops it."""

    start: tuple[str, ...]
    stop: tuple[str, ...] | None = None

    def action(self, text: str) -> Literal["start", "stop"] | None:
        """What a text says of the state, if anything."""
        if text in self.start:
            return "start"
        return "stop" if self.stop is None or text in self.stop else None


class Bound(_Entry):
    """A value of which a text only says that it lies below or above a number."""

    code: str
    unit: str
    texts: Mapping[str, tuple[Literal["<", "<=", ">=", ">"], float]]


class Text(_Entry):
    """A text item: goals of care, states by the texts that start and stop them, a bound, or what a seizure is like.

    ``seizures`` are parts of a text in capital letters with the kind of seizure that each means, the first that is
    found; None means that there was none.
    """

    label: str
    goals: Mapping[str, Literal["full", "no_escalation", "dnr", "comfort"]] = {}
    states: Mapping[str, Said] = {}
    bound: Bound | None = None
    seizures: tuple[tuple[str, Semiology | None], ...] = ()


class Drug(_Entry):
    """A drug of inputevents; ``units`` overrides what an amount unit means for it."""

    label: str
    drug: str
    salt: str | None = None
    units: Mapping[str, str] = {}
    always_dose: bool = False
    route: Route = "iv"


class Volume(_Entry):
    """A fluid of inputevents."""

    label: str
    fluid: FluidKind


class Procedure(_Entry):
    """A procedure: ``during`` which states hold, or one state that it starts or stops, or an act that is done.

    A ``collapse`` is the beginning of a cardiac arrest.
    """

    label: str
    during: tuple[str, ...] = ()
    start: str | None = None
    stop: str | None = None
    done: str | None = None
    collapse: bool = False

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if sum(map(bool, (self.during, self.start, self.stop, self.done, self.collapse))) != 1:
            msg = "a procedure needs exactly one of during, start, stop, done and collapse"
            raise ValueError(msg)
        return self


class Units(_Entry):
    """UCUM units by MIMIC's spelling; None stands for the item's own unit."""

    observations: Mapping[str, str | None]
    rates: Mapping[str, str]
    amounts: Mapping[str, str]
    volumes: Mapping[str, Literal["mL", "L"]]
    prescriptions: Mapping[str, str]


class LabSpecimen(_Entry):
    """The item that says where the blood of a specimen was drawn, and its texts."""

    item: ItemId
    texts: Mapping[str, Literal["arterial", "venous", "capillary"]]


class Cultures(_Entry):
    """How microbiologyevents are read."""

    tests: tuple[str, ...]
    not_tests: tuple[str, ...]
    specimens: Mapping[str, str]
    no_result: tuple[str, ...]
    not_organisms: tuple[str, ...]
    groups: tuple[tuple[Group, tuple[str, ...]], ...]
    drugs: Mapping[str, str]


class Prescriptions(_Entry):
    """How prescriptions are read: drugs by the beginning of their name in lower case."""

    routes: Mapping[str, Route]
    drugs: Mapping[str, str]


class Items(_Entry):
    """Everything in ``items.yaml``."""

    units: Units
    chart: Mapping[ItemId, Measured]
    chart_texts: Mapping[ItemId, Text]
    chart_copies_of_labs: frozenset[ItemId]
    outputs: Mapping[ItemId, Measured]
    lab_specimen: LabSpecimen
    labs: Mapping[ItemId, Measured]
    lab_texts: Mapping[ItemId, Text]
    drugs: Mapping[ItemId, Drug]
    fluids: Mapping[ItemId, Volume]
    procedures: Mapping[ItemId, Procedure]
    cultures: Cultures
    prescriptions: Prescriptions


@functools.cache
def load_items() -> Items:
    """The mapping tables of this package, read once."""
    text = resources.files(__package__).joinpath("items.yaml").read_text(encoding="utf-8")
    return Items.model_validate(yaml.safe_load(text))
