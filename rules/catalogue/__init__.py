"""The words the rules know: signals, drugs, concepts and organisms, with their codes, units and ranges.

The content lives in ``signals.yaml``, ``drugs.yaml``, ``concepts.yaml`` and ``organisms.yaml`` beside this file. It
comes from the clinical dossier (sections 1 to 4 and 6), the organisms from general knowledge; every entry carries its
evidence tag. `load` reads it once:

    catalogue = load()
    catalogue.signal("2518-9").name            # "lactate"
    catalogue.drug("C01CA03").rate_unit        # "ug/kg/min"
    catalogue.concept("goals_of_care").values
"""

from rules.catalogue.errors import CatalogueError, UnknownCodeError
from rules.catalogue.loader import Catalogue, build, load, parse
from rules.catalogue.models import (
    AcceptedUnit,
    AgeContext,
    AgeLimit,
    Code,
    Concept,
    ConceptGroup,
    ConceptKind,
    Drug,
    DrugClass,
    LoincCode,
    Organism,
    OrganismGroup,
    Signal,
    SignalGroup,
    check_digit_holds,
)

__all__ = [
    "AcceptedUnit",
    "AgeContext",
    "AgeLimit",
    "Catalogue",
    "CatalogueError",
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
    "UnknownCodeError",
    "build",
    "check_digit_holds",
    "load",
    "parse",
]
