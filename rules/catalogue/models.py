"""Typed, frozen entries of the catalogues: what a signal, a drug and a concept are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rules.catalogue.errors import UnknownCodeError
from rules.notation import Route

__all__ = [
    "AcceptedUnit",
    "AgeContext",
    "AgeLimit",
    "Code",
    "Concept",
    "ConceptGroup",
    "ConceptKind",
    "Drug",
    "DrugClass",
    "LoincCode",
    "Organism",
    "OrganismGroup",
    "Signal",
    "SignalGroup",
    "check_digit_holds",
]

AgeContext = Literal["arrest", "fluid_shift", "ketogenic_diet"]
"""A situation in which an older value stops being usable sooner (or later) than usual."""

SignalGroup = Literal[
    "haemodynamic", "laboratory", "blood_gas", "neurological", "patient", "respiratory", "resuscitation", "score"
]

ConceptKind = Literal["tri_state", "coded", "event"]

OrganismGroup = Literal["bacterial", "fungal", "viral", "anaerobic", "mycobacterial"]

ConceptGroup = Literal[
    "airway",
    "allergy",
    "antiseizure_care",
    "arterial_line",
    "comorbidity",
    "condition",
    "echo",
    "fluids",
    "goals",
    "infection",
    "infusion",
    "metabolic",
    "neurology",
    "obstetric",
    "oxygenation",
    "patient_history",
    "procedure",
    "resuscitation",
    "sensor",
    "support",
    "toxicity",
]

DrugClass = Literal[
    "aminoglycoside",
    "anaerobe_active",
    "anaesthetic",
    "antiarrhythmic",
    "antibacterial",
    "anticoagulant",
    "antidote",
    "antifungal",
    "antimicrobial",
    "antimycobacterial",
    "antiseizure",
    "antiviral",
    "azole",
    "barbiturate",
    "benzodiazepine",
    "beta2_agonist",
    "beta_lactam",
    "biguanide",
    "carbapenem",
    "carbohydrate",
    "carbonic_anhydrase_inhibitor",
    "catecholamine",
    "cephalosporin",
    "corticosteroid",
    "echinocandin",
    "electrolyte",
    "enzyme_inducer",
    "fluoroquinolone",
    "glycopeptide",
    "immunomodulator",
    "inhaled_vasodilator",
    "inotrope",
    "insulin",
    "macrolide",
    "mineralocorticoid",
    "monobactam",
    "nmba",
    "oxazolidinone",
    "penicillin",
    "proconvulsant",
    "sedative",
    "sglt2_inhibitor",
    "tetracycline",
    "thrombolytic",
    "vasopressin_analogue",
    "vasopressor",
    "vitamin",
]


def check_digit_holds(loinc: str) -> bool:
    """Tell whether the LOINC code ``loinc`` (``"8867-4"``) carries the mod-10 check digit of its number."""
    number, _, digit = loinc.partition("-")
    total = 0
    for position, character in enumerate(reversed(number)):
        value = int(character) * (2 if position % 2 == 0 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(digit)


def _iso_duration(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith("P"):
        raise ValueError(f"{value!r} is not an ISO 8601 duration such as PT2M")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration must be longer than zero")
    return value


def _open_ended(value: Any) -> Any:
    """Read ``null`` in ``[low, high]`` as "no limit on this side"."""
    match value:
        case [low, high]:
            return (-math.inf if low is None else low, math.inf if high is None else high)
        case _:
            return value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
Tag = Annotated[str, Field(pattern=r"^(V\d+[a-d]?s?|K\??|D)$")]
Unit = Annotated[str, Field(min_length=1, max_length=64)]
Duration = Annotated[timedelta, BeforeValidator(_iso_duration), AfterValidator(_positive)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)


class _Tagged(_Entry):
    """Something with an evidence tag of the clinical dossier section 0.1; ``K?`` always asks to be verified."""

    tag: Tag
    verify: bool = False
    note: str | None = None

    @model_validator(mode="after")
    def _doubt_is_marked(self) -> Self:
        if self.tag.endswith("?") and not self.verify:
            raise ValueError(f"tag {self.tag} needs verify: true")
        return self


class Code(_Tagged):
    """A code of another system (RxNorm, SNOMED CT, IEEE 11073, LOINC) with its own evidence tag."""

    code: str = Field(pattern=r"^\d+(-\d)?$")


class LoincCode(_Tagged):
    """A LOINC code of a signal, with what the code says beyond the signal's name.

    ``method`` is how the value was obtained (``set``, ``measured``, ``point-of-care`` ...), ``specimen`` what it was
    measured in. A code whose check digit fails must be marked ``verify: true``.
    """

    code: str = Field(pattern=r"^\d{1,7}-\d$")
    method: Annotated[str, Field(pattern=r"^[a-z-]+$")] | None = None
    specimen: Annotated[str, Field(pattern=r"^[a-z-]+$")] | None = None

    @model_validator(mode="after")
    def _check_digit(self) -> Self:
        if not self.verify and not check_digit_holds(self.code):
            raise ValueError(f"LOINC {self.code} fails its check digit and is not marked verify: true")
        return self


class AcceptedUnit(_Entry):
    """A unit accepted beside the canonical one.

    Without a factor the conversion is the dimensional one (``%`` to ``1``). With ``multiply_by`` or ``divide_by`` it is
    ``canonical = value * multiply_by`` or ``canonical = value / divide_by`` (a molar mass, a valence).
    """

    unit: Unit
    multiply_by: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    divide_by: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tag: Tag
    note: str | None = None

    @model_validator(mode="after")
    def _one_factor(self) -> Self:
        if self.multiply_by is not None and self.divide_by is not None:
            raise ValueError(f"unit {self.unit}: give multiply_by or divide_by, not both")
        return self

    @property
    def factor(self) -> float | None:
        """What to multiply a value by, or None when the conversion follows from the units alone."""
        if self.divide_by is not None:
            return 1.0 / self.divide_by
        return self.multiply_by


class AgeLimit(_Entry):
    """How old a value may be in one situation."""

    when: AgeContext
    age: Duration


class _Named(_Entry):
    """An entry that is looked up by name. Equality is by content; the hash is the name's, so lookups stay cheap."""

    name: Name
    title: str = Field(min_length=1)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name))


class Signal(_Named, _Tagged):
    """A numeric observation: its codes, canonical UCUM unit, plausible range and how long a value stays usable.

    ``tag`` is the evidence of the plausible range; codes and unit factors carry their own; all ages are ``[D]``. A
    dense signal is read as medians of whole minutes; of a ``live`` one, the minute still going on counts as well.
    While there is a usable value of the signal that it is ``superseded_by``, nobody misses this one.
    """

    group: SignalGroup
    loinc: tuple[LoincCode, ...] = ()
    ieee: tuple[Code, ...] = ()
    unit: Unit
    accepts: tuple[AcceptedUnit, ...] = ()
    plausible: Annotated[tuple[float, float], BeforeValidator(_open_ended)]
    max_age: Duration | None
    max_age_charted: Duration | None = None
    max_age_when: tuple[AgeLimit, ...] = ()
    dense: bool
    live: bool = False
    superseded_by: Name | None = None

    __hash__ = _Named.__hash__

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.live and not self.dense:
            raise ValueError("live: only a dense signal can be")
        if self.dense and self.max_age is None:
            raise ValueError("max_age: minutes of a dense signal are not kept for ever")
        low, high = self.plausible
        if not low < high:
            raise ValueError(f"plausible: {low} is not below {high}")
        units = [self.unit, *(accepted.unit for accepted in self.accepts)]
        if len(units) != len(set(units)):
            raise ValueError("accepts: a unit is listed twice")
        contexts = [limit.when for limit in self.max_age_when]
        if len(contexts) != len(set(contexts)):
            raise ValueError("max_age_when: a situation is listed twice")
        return self

    def is_plausible(self, value: float) -> bool:
        """Tell whether ``value`` (canonical unit) lies in the plausible range, limits included. NaN does not."""
        low, high = self.plausible
        return low <= value <= high and math.isfinite(value)

    def age_limit(self, *, charted: bool = False, when: AgeContext | None = None) -> timedelta | None:
        """How old a value may be, or None without limit. A situation's own limit goes before the charted one."""
        for limit in self.max_age_when:
            if limit.when == when:
                return limit.age
        if charted and self.max_age_charted is not None:
            return self.max_age_charted
        return self.max_age

    def code(self, loinc: str) -> LoincCode:
        """The entry of one of this signal's LOINC codes, for its method and specimen. Raises `UnknownCodeError`."""
        for entry in self.loinc:
            if entry.code == loinc:
                return entry
        raise UnknownCodeError(f"LOINC code of {self.name}", loinc, [entry.code for entry in self.loinc])


class Drug(_Named, _Tagged):
    """A drug: its codes, classes and the canonical units of its rate and dose.

    ``tag`` is the evidence of the ATC codes. ``salts`` holds, for each salt in which a dose may be stated, the factor
    to base (``base = stated * factor``). ``max_plausible_rate`` is in ``rate_unit``; a rate above it is kept and
    flagged, not rejected. By one of ``local_routes`` it acts where it is put and treats nothing else: such a dose is
    none of the drug.
    """

    aliases: tuple[Name, ...] = ()
    atc: tuple[Annotated[str, Field(pattern=r"^[A-Z]\d{2}[A-Z]{2}\d{2}$")], ...] = ()
    rxnorm: tuple[Code, ...] = ()
    classes: tuple[DrugClass, ...] = ()
    rate_unit: Unit | None = None
    dose_unit: Unit | None = None
    salts: Mapping[Name, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    salts_tag: Tag | None = None
    max_plausible_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    hydrocortisone_20_mg_equals: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    local_routes: tuple[Route, ...] = ()

    __hash__ = _Named.__hash__

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for field in ("aliases", "atc", "classes"):
            values = getattr(self, field)
            if len(values) != len(set(values)):
                raise ValueError(f"{field}: a value is listed twice")
        if bool(self.salts) != (self.salts_tag is not None):
            raise ValueError("salts and salts_tag belong together")
        if self.max_plausible_rate is not None and self.rate_unit is None:
            raise ValueError("max_plausible_rate needs a rate_unit")
        if self.hydrocortisone_20_mg_equals is not None and self.dose_unit != "mg":
            raise ValueError("hydrocortisone_20_mg_equals needs dose_unit mg")
        return self

    @property
    def hydrocortisone_equivalent_mg(self) -> float | None:
        """Milligrams of hydrocortisone that 1 mg of this drug equals, or None for a drug that is not in the table."""
        return None if self.hydrocortisone_20_mg_equals is None else 20.0 / self.hydrocortisone_20_mg_equals

    def salt_factor(self, salt: str) -> float:
        """What to multiply a dose stated as ``salt`` by to get base. Raises `UnknownCodeError`; assumes no salt."""
        if salt not in self.salts:
            raise UnknownCodeError(f"salt of {self.name}", salt, self.salts)
        return self.salts[salt]


class Concept(_Named, _Tagged):
    """A coded fact that conditions read.

    ``tri_state`` facts are present, absent or unknown; ``coded`` facts have one of their own ``values``, unknown among
    them; an ``event`` is an examination or procedure that was done at a moment. ``tag`` is the evidence of the
    concept's use in the dossier; the codes carry their own. A fact ``of`` a stay ends with it, one of the patient
    does not. Whoever says that a concept is absent says so of its ``kinds`` too.
    """

    group: ConceptGroup
    of: Literal["stay", "patient"] = "stay"
    kinds: tuple[Name, ...] = ()
    kind: ConceptKind = "tri_state"
    values: tuple[Name, ...] = ()
    snomed: Code | None = None
    loinc: Code | None = None

    __hash__ = _Named.__hash__

    @model_validator(mode="before")
    @classmethod
    def _values_of_the_kind(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "values" not in raw:
            return {**raw, "values": _VALUES.get(raw.get("kind", "tri_state"), ())}
        return raw

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind != "coded" and self.values != _VALUES[self.kind]:
            raise ValueError(f"a concept of kind {self.kind} has no values of its own")
        if self.kind == "coded" and ("unknown" not in self.values or len(self.values) != len(set(self.values))):
            raise ValueError("values must be distinct and contain unknown")
        if self.snomed is not None and not re.fullmatch(r"\d{6,18}", self.snomed.code):
            raise ValueError(f"snomed: {self.snomed.code} is not a SNOMED CT identifier")
        return self


class Organism(_Named, _Tagged):
    """An organism, or a group of them, as reports name it: its kind, and what is expected not to act on it.

    ``match`` are words of a report's organism that mean it; ``resists`` names drugs or classes of them. A possible
    ``contaminant`` that was found once is not known to be the cause.
    """

    match: Annotated[tuple[Annotated[str, Field(min_length=3, pattern=r"^[^A-Z]+$")], ...], Field(min_length=1)]
    group: OrganismGroup
    resists: tuple[Name, ...] = ()
    contaminant: bool = False

    __hash__ = _Named.__hash__

    def means(self, reported: str) -> bool:
        """Whether an organism as reported is this one: one of its words begins a word of the report."""
        text = f" {reported.lower()}"
        return any(re.search(rf"(?<![a-z]){re.escape(word)}", text) is not None for word in self.match)


_VALUES: Mapping[str, tuple[str, ...]] = {"tri_state": ("present", "absent", "unknown"), "event": ("done",)}
