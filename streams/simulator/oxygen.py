"""Oxygen in blood: from shunt and inspired oxygen to arterial tension, and from tension to saturation.

The alveolar gas equation and the shunt equation at sea level, with the dissociation curve of Severinghaus. All tensions
are in mmHg. The constants are textbook physiology for a simulator (strength D); no rule rests on them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_DRY_AIR: Final = 760.0 - 47.0
_QUOTIENT: Final = 0.8
_PER_GRAM: Final = 1.34
_DISSOLVED: Final = 0.0031
_HAEMOGLOBIN: Final = 12.0
"""In g/dL; the same for everybody, so that a table of shunts means the same oxygen tensions in every patient."""
_TAKEN_UP: Final = 4.5
"""What the tissues take from each dL of blood, in mL of oxygen."""
_HALVINGS: Final = 24


def saturation(tension: float) -> float:
    """The part of haemoglobin that is saturated, 0 to 1."""
    cube = tension * (tension * tension + 150.0)
    return cube / (cube + 23400.0)


def _content(tension: float) -> float:
    return _PER_GRAM * _HAEMOGLOBIN * saturation(tension) + _DISSOLVED * tension


@lru_cache(maxsize=4096)
def arterial_tension(shunt: float, fraction: float, carbon_dioxide: float) -> float:
    """Arterial oxygen tension for a part of the blood that passes the lung without meeting air.

    Args:
        shunt: that part, 0 to below 1.
        fraction: inspired oxygen, 0.21 to 1.
        carbon_dioxide: arterial carbon dioxide tension.
    """
    alveolar = max(fraction * _DRY_AIR - carbon_dioxide / _QUOTIENT, 20.0)
    wanted = _content(alveolar) - shunt / (1 - shunt) * _TAKEN_UP
    low, high = 15.0, alveolar
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _content(middle) < wanted:
            low = middle
        else:
            high = middle
    return low
