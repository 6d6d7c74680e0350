"""The beds of the demo, by pathway: what happens to each stands in a table."""

from __future__ import annotations

from typing import Final

from monitor.demo.beds.septic_shock import SEPTIC_SHOCK
from monitor.demo.bedside import Bed

BEDS: Final[tuple[Bed, ...]] = (*SEPTIC_SHOCK,)
