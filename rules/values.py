"""Numbers that may be known only within bounds.

A quantity whose inputs are partly unknown is an interval: a norepinephrine dose with an unknown salt lies between half
the displayed rate and the displayed rate; an organ score with a missing component lies between the sum of the known
components and that sum plus the worst of the missing one. A comparison is decided when the whole interval decides it.
"""

from __future__ import annotations

from math import inf
from typing import Literal, NamedTuple

from rules.logic import MET, NOT_MET, UNKNOWN, Finding, Truth

Operator = Literal["gt", "gte", "lt", "lte"]

SYMBOLS: dict[Operator, str] = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}


class Value(NamedTuple):
    """A number between ``low`` and ``high`` (equal when known), why it is not exact, and its evidence."""

    low: float
    high: float
    missing: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the number is exact."""
        return self.low == self.high

    def text(self, unit: str) -> str:
        """The value for people, e.g. ``0.45-0.9 ug/kg/min``."""
        if self.low == -inf and self.high < inf:
            return f"at most {number(self.high)} {unit}".rstrip()
        if self.high == inf:
            return "unknown" if self.low in (-inf, 0.0) else f"at least {number(self.low)} {unit}".rstrip()
        shown = number(self.low) if self.known else f"{number(self.low)}-{number(self.high)}"
        return f"{shown} {'' if unit == '1' else unit}".rstrip()


def unknown(*missing: str, low: float = -inf) -> Value:
    """A value about which nothing is known but, at most, a lower bound."""
    return Value(low, inf, missing)


def exact(number_: float, *findings: Finding) -> Value:
    """A known value."""
    return Value(number_, number_, (), findings)


def compare(value: Value, operator: Operator, threshold: float) -> Truth:
    """Whether every number the value may be, or none, stands in the relation to the threshold."""
    low, high = value.low, value.high
    if operator == "gt":
        return MET if low > threshold else NOT_MET if high <= threshold else UNKNOWN
    if operator == "gte":
        return MET if low >= threshold else NOT_MET if high < threshold else UNKNOWN
    if operator == "lt":
        return MET if high < threshold else NOT_MET if low >= threshold else UNKNOWN
    return MET if high <= threshold else NOT_MET if low > threshold else UNKNOWN


def number(amount: float) -> str:
    """A number for people: at most four significant decimals, no trailing zeros."""
    text = f"{amount:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
