"""What spoils a monitor's numbers now and then: spells of artefact, drawn from the seed and known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from streams.simulator.course import MINUTE

HEART_RATE, MEAN, SYSTOLIC, DIASTOLIC, SATURATION, RESPIRATION, VENOUS, END_TIDAL = range(8)
"""The places of a bundle's values."""

Values = list[float | None]
"""The values of a bundle; None is no reading."""

_LINE: Final = (MEAN, SYSTOLIC, DIASTOLIC)
_EVERY: Final = 75 * MINUTE
"""How long it is on average from one spell to the next."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of artefact: how often among all, how long in minutes, what it does, and whether the monitor notices.

    ``places`` are the values that it spoils, ``noticed`` the part of its spells whose values the monitor marks as
    questionable. In a ``silent`` one the monitor sends nothing; what it has ``kept`` comes at the end.
    """

    name: str
    weight: float
    minutes: tuple[float, float]
    places: Sequence[int] = ()
    spoil: Callable[[float, Random], float | None] | None = None
    noticed: float = 0.0
    silent: bool = False
    kept: bool = False


class Spell(NamedTuple):
    """One spell, in milliseconds from the start of the log."""

    begin: int
    end: int
    kind: Kind
    noticed: bool


def _gone(_: float, __: Random) -> None:
    return None


def _draw_up(value: float, chance: Random) -> float:
    """The catheter is closed or open to air: the trace is flat."""
    return min(value, chance.uniform(-4.0, 9.0))


KINDS: Final = (
    Kind("line_damped", 3, (10, 60)),
    Kind("transducer_on_floor", 1.5, (4, 20), _LINE, lambda value, _: value + 45.0),
    Kind("transducer_too_high", 1.0, (3, 10), _LINE, lambda value, _: value - 22.0),
    Kind("flush", 6, (0.1, 0.4), _LINE, lambda _, chance: chance.uniform(285.0, 310.0)),
    Kind("blood_drawn", 5, (0.7, 3), _LINE, _draw_up, 0.2),
    Kind("line_disconnected", 0.6, (2, 6), _LINE, _draw_up),
    Kind("ecg_lead_off", 2.5, (0.5, 10), (HEART_RATE,), _gone),
    Kind("ecg_noise", 2, (0.2, 3), (HEART_RATE,), lambda value, chance: value * chance.choice((0.5, 1.0, 2.0)), 0.5),
    Kind("probe_off", 4, (1, 15), (SATURATION,), _gone),
    Kind("poor_perfusion", 4, (1, 6), (SATURATION,), lambda value, chance: value - chance.uniform(8.0, 25.0), 0.5),
    Kind("cough", 3, (0.2, 1.5), (RESPIRATION, END_TIDAL), lambda value, chance: value * chance.uniform(0.5, 1.8)),
    Kind("cable_out", 0.8, (2, 45), silent=True),
    Kind("network_down", 1.2, (0.3, 4), silent=True, kept=True),
)
"""Every kind of artefact; how often and how long is made up (strength D)."""

_DAMPED: Final = KINDS[0]
_WEIGHTS: Final = [kind.weight for kind in KINDS]


def spells(chance: Random) -> Iterator[Spell]:
    """The spells of one bed from the start of the log on, without end; no two at the same time."""
    now = 0.0
    while True:
        now += chance.expovariate(1 / _EVERY)
        kind = chance.choices(KINDS, _WEIGHTS)[0]
        end = now + chance.uniform(*kind.minutes) * MINUTE
        yield Spell(round(now), round(end), kind, chance.random() < kind.noticed)
        now = end


def spoil(values: Values, spell: Spell, chance: Random) -> None:
    """Put the artefact of a spell into the values of one bundle."""
    if spell.kind is _DAMPED:
        _damp(values)
    elif spell.kind.spoil is not None:
        for place in spell.kind.places:
            value = values[place]
            if value is not None:
                values[place] = spell.kind.spoil(value, chance)


def _damp(values: Values) -> None:
    """A damped trace: the mean stays, systolic and diastolic move towards it."""
    mean, systolic, diastolic = values[MEAN], values[SYSTOLIC], values[DIASTOLIC]
    if mean is not None and systolic is not None and diastolic is not None:
        values[SYSTOLIC] = mean + 0.35 * (systolic - mean)
        values[DIASTOLIC] = mean - 0.35 * (mean - diastolic)
