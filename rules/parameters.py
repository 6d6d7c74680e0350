"""Parameters of a rule pack: every number with its unit, its source and how far to trust it."""

from __future__ import annotations

from math import inf
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rules.instants import parse_duration

Strength = Annotated[str, Field(pattern=r"^(V\d+[a-z]*|K|K\?|D)$")]
"""Evidence tag: V.. verified source, K from knowledge, D design parameter shown as a local setting."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgeBand(_Frozen):
    """The value of a parameter from an age on."""

    from_years: Annotated[float, Field(ge=0)]
    value: float


class Parameter(_Frozen):
    """One number of a pack.

    ``value`` is a number in ``unit``, or an ISO 8601 duration (then there is no unit); ``by_age`` replaces it where the
    number depends on age. ``source`` names an entry of the pack's ``sources``; ``strength`` is the evidence tag.
    """

    title: str
    value: float | str | None = None
    by_age: tuple[AgeBand, ...] = ()
    unit: str | None = None
    source: str
    strength: Strength
    kind: Literal["clinical", "engine"] = "clinical"
    overridden: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Parameter:
        if (self.value is None) == (not self.by_age):
            msg = "give either 'value' or 'by_age'"
            raise ValueError(msg)
        if isinstance(self.value, str):
            if self.unit is not None and not self.value.startswith("P"):
                msg = f"{self.value!r} is text, and a number in {self.unit} is written without quotes"
                raise ValueError(msg)
            parse_duration(self.value)
            if self.unit is not None:
                msg = "a duration has no unit"
                raise ValueError(msg)
        elif self.unit is None:
            msg = "a number needs its UCUM 'unit'"
            raise ValueError(msg)
        if self.strength == "D" and self.kind == "clinical":
            msg = "strength D is a design parameter: it must have kind 'engine'"
            raise ValueError(msg)
        if self.by_age and self.by_age[0].from_years != 0:
            msg = "'by_age' must begin at from_years 0"
            raise ValueError(msg)
        if [band.from_years for band in self.by_age] != sorted({band.from_years for band in self.by_age}):
            msg = "'by_age' must go up in years"
            raise ValueError(msg)
        return self

    @property
    def is_duration(self) -> bool:
        """Whether the parameter is a duration."""
        return isinstance(self.value, str)

    @property
    def milliseconds(self) -> int:
        """The duration."""
        return parse_duration(str(self.value))

    @property
    def number(self) -> float:
        """The number, in ``unit``."""
        return float(self.value or 0.0)

    def for_ages(self, least: float, most: float) -> tuple[float, ...]:
        """The numbers for the ages between two, in years."""
        bounds = [*(band.from_years for band in self.by_age[1:]), inf]
        bands = zip(self.by_age, bounds, strict=True)
        return tuple(band.value for band, end in bands if end > least and band.from_years <= most)
