"""Named predicates: checks of adequate treatment that need more than one comparison, in Python with their sources."""

from typing import Final

from rules.predicates.antimicrobials import ANTIMICROBIALS
from rules.predicates.ards import ARDS
from rules.predicates.arrest import ARREST
from rules.predicates.base import Predicate
from rules.predicates.circulation import CIRCULATION
from rules.predicates.epilepsy import EPILEPSY
from rules.predicates.ketogenic import KETOGENIC
from rules.predicates.sepsis import SEPSIS
from rules.registry import by_name

PREDICATES: Final[dict[str, Predicate]] = by_name(
    (*CIRCULATION, *SEPSIS, *ANTIMICROBIALS, *ARDS, *ARREST, *EPILEPSY, *KETOGENIC)
)

__all__ = ["PREDICATES", "Predicate"]
