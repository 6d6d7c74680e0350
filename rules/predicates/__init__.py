"""Named predicates: checks of adequate treatment that need more than one comparison, in Python with their sources."""

from typing import Final

from rules.predicates.base import Predicate
from rules.predicates.epilepsy import EPILEPSY
from rules.predicates.ketogenic import KETOGENIC
from rules.predicates.sepsis import SEPSIS

PREDICATES: Final[dict[str, Predicate]] = {predicate.name: predicate for predicate in (*SEPSIS, *EPILEPSY, *KETOGENIC)}

__all__ = ["PREDICATES", "Predicate"]
