"""Landmarks: moments from which windows are counted, found in the record rather than remembered by a pathway."""

from typing import Final

from rules.landmarks.ards import ARDS
from rules.landmarks.arrest import ARREST
from rules.landmarks.base import Landmark, Mark
from rules.landmarks.epilepsy import EPILEPSY
from rules.landmarks.ventilation import VENTILATION
from rules.registry import by_name

LANDMARKS: Final[dict[str, Landmark]] = by_name((*VENTILATION, *ARDS, *ARREST, *EPILEPSY))

__all__ = ["LANDMARKS", "Landmark", "Mark"]
