"""Named quantities: formulas in Python with their unit, source and what they read."""

from rules.quantities.arrest import ARREST
from rules.quantities.base import Quantity
from rules.quantities.blood_pressure import BLOOD_PRESSURE
from rules.quantities.body import BODY
from rules.quantities.epilepsy import EPILEPSY
from rules.quantities.fluids import FLUIDS
from rules.quantities.oxygenation import OXYGENATION
from rules.quantities.respiratory import RESPIRATORY
from rules.quantities.sofa import SOFA
from rules.quantities.steroids import STEROIDS
from rules.quantities.vasoactive import VASOACTIVE
from rules.registry import by_name

QUANTITIES: dict[str, Quantity] = by_name(
    (
        *VASOACTIVE,
        *BLOOD_PRESSURE,
        *FLUIDS,
        *STEROIDS,
        *BODY,
        *OXYGENATION,
        *RESPIRATORY,
        *SOFA,
        *ARREST,
        *EPILEPSY,
    )
)

__all__ = ["QUANTITIES", "Quantity"]
