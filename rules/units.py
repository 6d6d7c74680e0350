"""UCUM units: what to do with a value in some unit so that it is in the canonical unit of its signal or drug.

A conversion is looked up once for each pair of signal (or drug) and unit and is then plain arithmetic. A unit is
accepted when it is the canonical one, when the catalogue lists it, or when it is UCUM of the *same kind*: the same
dimensions above and below the fraction line, without cancelling. So ``kPa`` fits ``mm[Hg]``, but ``ug/kg/min`` does not
fit ``/min``, nor ``mg/kg`` the number 1, although their dimensions are formally equal. Equivalents, international units
and the like are counted apart, because nothing in the unit says how many of them make a mole or a milligram. Everything
else is refused with `UnitError`; no unit is guessed from the size of a number.

For drugs ``U``, ``[IU]``, ``[iU]`` and ``{U}`` mean the same, and any other annotation must be the canonical unit's
own: ``mg`` is refused where ``mg{PE}`` is meant, and so is ``ug{tartrate}/kg/min``, because a salt is stated beside a
rate and not inside its unit.

Parsing is done by ucumvert and computing by pint, which take about a second to load; each is loaded when a unit first
needs it.
"""

from __future__ import annotations

import functools
import importlib
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, ParamSpec, TypeVar

from rules.catalogue import Drug, Signal

__all__ = [
    "Conversion",
    "DoseConversion",
    "DrugConversion",
    "RateConversion",
    "UnitError",
    "conversion",
    "dose_conversion",
    "is_ucum",
    "rate_conversion",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_DECIMALS: Final = 9
_LONGEST_UNIT: Final = 64
# pint computes powers exactly, so an exponent of many digits in a hostile unit would take all memory.
_LONG_NUMBER: Final = re.compile(r"\d{4}")
_INTERNATIONAL_UNIT: Final = re.compile(r"\[[^\]]*\]|\{[^}]*\}|U")
_ANNOTATION: Final = re.compile(r"\{[^}]*\}")
_COUNTED_APART: Final = frozenset({"equivalents", "osmole"})
_BASE_UNITS: Final = {"mass": "milligram", "volume": "milliliter", "time": "minute", "substance": "millimole"}
_KINDS: Final[dict[tuple[tuple[str, int], ...], str]] = {
    (("[mass]", 1),): "mass",
    (("[length]", 3),): "volume",
    (("[time]", 1),): "time",
    (("[substance]", 1),): "substance",
}


class UnitError(ValueError):
    """A unit that does not fit its signal or drug.

    Attributes:
        subject: name of the signal or drug.
        unit: the unit that was given.
        accepted: the canonical unit and, for a signal, the others that the catalogue lists.
    """

    def __init__(self, subject: str, unit: str, accepted: tuple[str, ...], reason: str) -> None:
        self.subject = subject
        self.unit = unit
        self.accepted = accepted
        shown = repr(unit if len(unit) <= _LONGEST_UNIT else unit[:_LONGEST_UNIT] + "...")
        known = f"; accepted: {', '.join(accepted)}, and UCUM units of the same kind" if accepted else ""
        super().__init__(f"{subject}: unit {shown} {reason}{known}")


@dataclass(frozen=True, slots=True)
class Conversion:
    """``canonical = value * factor + offset``."""

    factor: float
    offset: float = 0.0

    def apply(self, value: float) -> float:
        """The canonical value, rounded so that the noise of binary arithmetic cannot cross a threshold."""
        if self.factor == 1.0 and self.offset == 0.0:
            return value
        return round(value * self.factor + self.offset, _DECIMALS)


@dataclass(frozen=True, slots=True)
class DrugConversion:
    """``canonical = amount * factor * weight_kg ** weight_power``, times the concentration if ``uses_concentration``.

    ``weight_power`` is -1 for ug/min where ug/kg/min is canonical, 1 for U/kg/min where U/min is, otherwise 0.
    """

    factor: float
    weight_power: Literal[-1, 0, 1] = 0
    uses_concentration: bool = False

    @property
    def per_weight(self) -> bool:
        """Whether the conversion needs the patient's weight."""
        return self.weight_power != 0

    def apply(self, amount: float, *, weight_kg: float | None = None, concentration: float | None = None) -> float:
        """The canonical rate or dose. Raises ValueError if a weight or concentration is needed but not given."""
        value = amount * self.factor
        if self.uses_concentration:
            if concentration is None:
                raise ValueError("a volume needs the concentration")
            value *= concentration
        if self.weight_power:
            if weight_kg is None or not weight_kg > 0:
                raise ValueError("the conversion needs the patient's weight")
            value = value * weight_kg if self.weight_power == 1 else value / weight_kg
        return round(value, _DECIMALS)


@dataclass(frozen=True, slots=True)
class RateConversion(DrugConversion):
    """Conversion of an infusion rate to the drug's ``rate_unit``."""


@dataclass(frozen=True, slots=True)
class DoseConversion(DrugConversion):
    """Conversion of a single dose to the drug's ``dose_unit``."""


def conversion(signal: Signal, unit: str) -> Conversion:
    """How to bring values of ``signal`` in the UCUM unit ``unit`` to its canonical unit. Raises `UnitError`."""
    return _conversion(signal, unit)


def rate_conversion(drug: Drug, unit: str, concentration_unit: str | None = None) -> RateConversion:
    """How to bring infusion rates of ``drug`` in ``unit`` to its ``rate_unit``.

    A volume rate (``mL/h``) needs the unit of the concentration (``mg/mL``), which is ignored for any other rate.

    Raises:
        UnitError: the unit is not UCUM, is not a rate, or is of another kind than the drug's.
    """
    factor, weight_power, uses_concentration = _drug_conversion(drug, "rate", unit, concentration_unit)
    return RateConversion(factor, weight_power, uses_concentration)


def dose_conversion(drug: Drug, unit: str, concentration_unit: str | None = None) -> DoseConversion:
    """How to bring single doses of ``drug`` in ``unit`` (also ``mg/kg``, ``mL``) to its ``dose_unit``.

    Raises:
        UnitError: the unit is not UCUM, is not a dose, or is of another kind than the drug's.
    """
    factor, weight_power, uses_concentration = _drug_conversion(drug, "dose", unit, concentration_unit)
    return DoseConversion(factor, weight_power, uses_concentration)


def is_ucum(unit: str) -> bool:
    """Tell whether ``unit`` is a valid case-sensitive UCUM expression."""
    try:
        _toolkit().parse(unit)
    except _NotUcumError:
        return False
    return True


class _NotUcumError(Exception):
    """The text is no UCUM unit, or none that can be computed with."""


def _guarded(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Report every failure as "not a unit": ucumvert and pint raise whatever comes up, such as IndexError on mph."""

    @functools.wraps(method)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            raise _NotUcumError from error

    return call


class _Toolkit:
    """ucumvert and pint, behind the few things that are asked of them. Both come without usable types."""

    def __init__(self) -> None:
        ucumvert: Any = importlib.import_module("ucumvert")
        self._parse: Any = ucumvert.parse_ucum
        self._parser: Any = ucumvert.get_ucum_parser()
        self._new_registry: Any = ucumvert.PintUcumRegistry

    @functools.cached_property
    def _registry(self) -> Any:
        """The units to compute with; parsing alone does not need them, and they take a second to build."""
        return self._new_registry()

    @_guarded
    def parse(self, unit: str) -> None:
        """Check the syntax only; some valid units, such as ``[pH]``, cannot be computed with."""
        if len(unit) > _LONGEST_UNIT or _LONG_NUMBER.search(unit):
            raise _NotUcumError
        self._parse(unit, self._parser)

    @_guarded
    def quantity(self, unit: str) -> Any:
        """One of ``unit`` as a pint quantity; an annotation alone counts as the number 1."""
        self.parse(unit)
        quantity = self._registry.from_ucum(unit)
        return quantity if hasattr(quantity, "unit_items") else self._registry.Quantity(1)

    @_guarded
    def convert(self, value: float, unit: Any, target: Any) -> float:
        """``value`` of one quantity's unit in the unit of another."""
        return float(self._registry.Quantity(value, unit.units).to(target.units).magnitude)

    @_guarded
    def atom(self, name: str) -> tuple[str, tuple[tuple[str, int], ...]]:
        """A unit's name without prefix, and its dimensions."""
        base = self._registry.parse_unit_name(name)[0][1]
        return base, tuple(sorted((key, int(power)) for key, power in self._registry.get_dimensionality(name).items()))

    @_guarded
    def scale(self, name: str, base: str) -> float:
        """How many of ``base`` one ``name`` is."""
        return float(self._registry.Quantity(1, name).to(base).magnitude)


@functools.cache
def _toolkit() -> _Toolkit:
    return _Toolkit()


@functools.lru_cache(maxsize=4096)
def _conversion(signal: Signal, unit: str) -> Conversion:
    if unit == signal.unit:
        return Conversion(1.0)
    listed = {accepted.unit: accepted.factor for accepted in signal.accepts}
    factor = listed.get(unit)
    if factor is not None:
        return Conversion(factor)
    accepted = (signal.unit, *listed)
    tools = _toolkit()
    try:
        given = tools.quantity(unit)
    except _NotUcumError:
        raise UnitError(signal.name, unit, accepted, "is not a UCUM unit") from None
    try:
        canonical = tools.quantity(signal.unit)
        if unit in listed or _fingerprint(given) == _fingerprint(canonical):
            return _linear(given, canonical)
    except _NotUcumError:
        pass  # the canonical unit is one that cannot be computed with, or the two do not convert
    raise UnitError(signal.name, unit, accepted, f"does not measure the same as {signal.unit}")


def _linear(given: Any, canonical: Any) -> Conversion:
    zero, one, hundred = (_toolkit().convert(value, given, canonical) for value in (0.0, 1.0, 100.0))
    # Between 0 and 100 where there is an offset: the difference of two near numbers would lose digits.
    slope = (hundred - zero) / 100.0 if zero else one
    if not math.isclose(one - zero, slope, rel_tol=1e-6):
        raise _NotUcumError  # a logarithmic unit
    factor = slope * float(given.magnitude) / float(canonical.magnitude)
    if not (math.isfinite(factor) and factor > 0):
        raise _NotUcumError
    return Conversion(_tidy(factor), _tidy(zero))


def _fingerprint(quantity: Any) -> tuple[frozenset[tuple[str, int]], ...]:
    """The dimensions above and below the fraction line, kept apart; numbers that count something keep their name."""
    sides: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for name, exponent in quantity.unit_items():
        side = sides[0 if exponent > 0 else 1]
        base, dimensions = _toolkit().atom(name)
        if base == "_10":
            continue
        if not dimensions or base in _COUNTED_APART:
            side[base] += abs(int(exponent))
        else:
            for dimension, power in dimensions:
                side[dimension] += power * abs(int(exponent))
    return tuple(frozenset((key, power) for key, power in side.items() if power) for side in sides)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A drug unit taken apart: an amount in mg, mL, mmol or international units, over weight, volume and time."""

    amount: str
    factor: float
    per_weight: bool
    per_volume: bool
    per_time: bool


@functools.lru_cache(maxsize=4096)
def _drug_conversion(
    drug: Drug, what: Literal["rate", "dose"], unit: str, concentration_unit: str | None
) -> tuple[float, Literal[-1, 0, 1], bool]:
    canonical = drug.rate_unit if what == "rate" else drug.dose_unit
    if canonical is None:
        raise UnitError(drug.name, unit, (), f"does not fit: this drug has no unit for a {what}")
    if unit == canonical:
        return 1.0, 0, False

    def refuse(reason: str) -> UnitError:
        return UnitError(drug.name, unit, (canonical,), reason)

    try:
        given = _parts(unit)
    except _NotUcumError:
        raise refuse(f"is not a UCUM unit of a {what}") from None
    annotations = _annotations(unit)
    uses_concentration = given.amount == "volume"
    if uses_concentration:
        if concentration_unit is None:
            raise refuse("is a volume and needs the unit of the concentration")
        given = _with_concentration(drug, given, concentration_unit)
        annotations |= _annotations(concentration_unit)
    if annotations != _annotations(canonical):
        stray = ", ".join(sorted(annotations ^ _annotations(canonical)))
        raise refuse(f"differs from {canonical} in the annotation {stray}")
    try:
        target = _parts(canonical)
    except _NotUcumError:
        raise refuse(f"is refused: {canonical} is the only unit of this drug's {what}") from None
    if given.per_volume or (given.amount, given.per_time) != (target.amount, target.per_time):
        raise refuse(f"does not measure the same as {canonical}")
    weight_power: Literal[-1, 0, 1] = 0
    if given.per_weight != target.per_weight:
        weight_power = 1 if given.per_weight else -1
    return _tidy(given.factor / target.factor), weight_power, uses_concentration


def _with_concentration(drug: Drug, volume: _Parts, concentration_unit: str) -> _Parts:
    try:
        per = _parts(concentration_unit)
    except _NotUcumError:
        per = None
    if per is None or not per.per_volume or per.per_weight or per.per_time or per.amount == "volume":
        raise UnitError(drug.name, concentration_unit, (), "is not a UCUM concentration such as mg/mL or U/mL")
    return _Parts(per.amount, volume.factor * per.factor, volume.per_weight, volume.per_volume, volume.per_time)


def _parts(unit: str) -> _Parts:
    """Take a drug unit apart; anything but one amount over kg, volume and time at most once is not a drug unit."""
    quantity = _toolkit().quantity(_international_units(unit))
    factor = float(quantity.magnitude)
    found: dict[str, str] = {}
    for name, exponent in quantity.unit_items():
        base, dimensions = _toolkit().atom(name)
        kind = base if base in _COUNTED_APART or base == "international_unit" else _KINDS.get(dimensions, "")
        place = _place(kind, name, exponent)
        if place is None or place in found:
            raise _NotUcumError
        found[place] = kind
        if place != "weight":
            scale = _toolkit().scale(name, _BASE_UNITS.get(kind, base))
            factor = factor * scale if place == "amount" else factor / scale
    if "amount" not in found or not (math.isfinite(factor) and factor > 0):
        raise _NotUcumError
    return _Parts(found["amount"], factor, "weight" in found, "volume" in found, "time" in found)


def _place(kind: str, name: str, exponent: float) -> str | None:
    if exponent == 1 and kind not in ("", "time"):
        return "amount"
    if exponent == -1 and kind in ("volume", "time"):
        return kind
    if exponent == -1 and name == "kilogram":
        return "weight"
    return None


def _international_units(unit: str) -> str:
    same = {"U", "[IU]", "[iU]", "{U}"}
    return _INTERNATIONAL_UNIT.sub(lambda found: "[IU]" if found[0] in same else found[0], unit)


def _annotations(unit: str) -> frozenset[str]:
    return frozenset(_ANNOTATION.findall(_international_units(unit)))


def _tidy(factor: float) -> float:
    """Remove the noise of binary arithmetic from a factor that is a simple fraction (1000.0000000000001, 1/60)."""
    if factor == 0:
        return 0.0
    inverse = abs(factor) < 1
    exact = Fraction(1 / factor if inverse else factor)
    simple = exact.limit_denominator(1000)
    if abs(simple - exact) > abs(exact) * Fraction(1, 10**12):
        return factor
    return float(1 / simple if inverse else simple)
