"""The beds of the demo, by pathway: what happens to each stands in a table."""

from __future__ import annotations

from typing import Final

from monitor.demo.beds.ards import ARDS
from monitor.demo.beds.cardiac_arrest import CARDIAC_ARREST
from monitor.demo.beds.septic_shock import SEPTIC_SHOCK
from monitor.demo.beds.status_epilepticus import STATUS_EPILEPTICUS
from monitor.demo.bedside import Bed

BEDS: Final[tuple[Bed, ...]] = (*SEPTIC_SHOCK, *ARDS, *STATUS_EPILEPTICUS, *CARDIAC_ARREST)
