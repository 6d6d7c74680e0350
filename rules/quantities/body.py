"""Body size: predicted body weight, and the weight by which resuscitation fluid is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View

_INTERCEPT: Final = {"male": 50.0, "female": 45.5}
_OBESE: Final = 30.0


def _predicted_body_weight(view: View) -> Value:
    height, (sex, _) = view.value("height"), view.coded("sex")
    missing = [*(["height"] if not height.known else []), *(["sex"] if sex not in _INTERCEPT else [])]
    if missing or sex not in _INTERCEPT:
        return unknown(*missing)
    weight = _INTERCEPT[sex] + 0.91 * (height.low - 152.4)
    return exact(weight, Finding("predicted_body_weight", f"{number(round(weight, 1))} kg"))


def _fluid_weight(view: View) -> Value:
    weight = view.value("weight")
    height = view.value("height")
    if not weight.known or not height.known:
        return weight
    if weight.low / (height.low / 100) ** 2 <= _OBESE:
        return weight
    ideal = view.value("predicted_body_weight")
    return ideal if ideal.known and ideal.low < weight.low else weight


def _body_mass_index(view: View) -> Value:
    height, weight = view.value("height"), view.value("weight")
    missing = [*(["height"] if not height.known else []), *(["weight"] if not weight.known else [])]
    if missing:
        return unknown(*missing)
    index = weight.low / (height.low / 100) ** 2
    return exact(index, Finding("body_mass_index", f"{number(round(index, 1))} kg/m2"))


BODY: Final = (
    Quantity(
        "body_mass_index",
        "body mass index",
        "kg/m2",
        "weight over height squared",
        ("signal:height", "signal:weight"),
        _body_mass_index,
    ),
    Quantity(
        "predicted_body_weight",
        "predicted body weight",
        "kg",
        "ARDSNet formula (secondary source only)",
        ("signal:height", "state:sex"),
        _predicted_body_weight,
    ),
    Quantity(
        "fluid_weight",
        "body weight for resuscitation fluid: actual, or ideal above a body mass index of 30",
        "kg",
        "Surviving Sepsis Campaign 2026 (secondary source only)",
        ("signal:weight", "signal:height", "state:sex"),
        _fluid_weight,
    ),
)
