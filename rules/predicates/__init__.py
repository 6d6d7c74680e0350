"""Named predicates: checks of adequate treatment that need more than one comparison, in Python with their sources."""

from typing import Final

from rules.predicates.ards import ARDS
from rules.predicates.arrest import ARREST
from rules.predicates.base import Predicate
from rules.predicates.sepsis import SEPSIS

PREDICATES: Final[dict[str, Predicate]] = {predicate.name: predicate for predicate in (*SEPSIS, *ARDS, *ARREST)}

__all__ = ["PREDICATES", "Predicate"]
