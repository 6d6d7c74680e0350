"""Who lies in a bed: made up from the seed, within what the course asks for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from streams.simulator.course import Course, PerKilogram

_HEIGHT: Final = {"male": (177.0, 7.0), "female": (164.0, 6.5)}


@dataclass(frozen=True, slots=True)
class Person:
    """Age in years, height in cm, weight in kg; resting mean and pulse pressure in mmHg and heart rate per minute."""

    age: int
    sex: str
    height: float
    weight: float
    pressure: float
    pulse_pressure: float
    heart_rate: float
    respiratory_rate: float
    haemoglobin: float

    @property
    def predicted_weight(self) -> float:
        """Predicted body weight in kg, by which tidal volumes are set: 50 or 45.5 + 0.91 x (height - 152.4)."""
        return (50.0 if self.sex == "male" else 45.5) + 0.91 * (self.height - 152.4)

    def resolve(self, value: Any) -> Any:
        """An amount per kilogram as this person's amount, to the whole unit; every other value as it is."""
        if not isinstance(value, PerKilogram):
            return value
        amount = value.amount * self.weight
        return max(1.0, float(round(value.share * (amount if value.cap is None else min(amount, value.cap)))))


def make_person(course: Course, chance: Random) -> Person:
    """Draw a person for a course."""
    sex: str = course.sex or chance.choice(("female", "male"))
    mean, spread = _HEIGHT[sex]
    height = round(min(max(chance.gauss(mean, spread), 150.0), 198.0))
    mass_index = min(max(chance.gauss(26.0, 3.0), 19.5), 33.0)
    return Person(
        age=chance.randint(*course.ages),
        sex=sex,
        height=height,
        weight=round(mass_index * (height / 100) ** 2),
        pressure=chance.uniform(80.0, 87.0),
        pulse_pressure=chance.uniform(45.0, 60.0),
        heart_rate=chance.uniform(68.0, 84.0),
        respiratory_rate=chance.uniform(13.0, 17.0),
        haemoglobin=chance.uniform(10.5, 13.5),
    )
