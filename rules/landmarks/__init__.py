"""Landmarks: moments from which windows are counted, found in the record rather than remembered by a pathway."""

from typing import Final

from rules.landmarks.ards import ARDS
from rules.landmarks.arrest import ARREST
from rules.landmarks.base import Landmark, Mark
from rules.landmarks.ventilation import VENTILATION

LANDMARKS: Final[dict[str, Landmark]] = {landmark.name: landmark for landmark in (*VENTILATION, *ARDS, *ARREST)}

__all__ = ["LANDMARKS", "Landmark", "Mark"]
