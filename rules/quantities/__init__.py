"""Named quantities: formulas in Python with their unit, source and what they read."""

from rules.quantities.arrest import ARREST
from rules.quantities.base import Quantity
from rules.quantities.blood_pressure import BLOOD_PRESSURE
from rules.quantities.body import BODY
from rules.quantities.fluids import FLUIDS
from rules.quantities.oxygenation import OXYGENATION
from rules.quantities.respiratory import RESPIRATORY
from rules.quantities.sofa import SOFA
from rules.quantities.steroids import STEROIDS
from rules.quantities.vasoactive import VASOACTIVE

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        *VASOACTIVE,
        *BLOOD_PRESSURE,
        *FLUIDS,
        *STEROIDS,
        *BODY,
        *OXYGENATION,
        *RESPIRATORY,
        *SOFA,
        *ARREST,
    )
}

__all__ = ["QUANTITIES", "Quantity"]
