"""The body of one patient: what is true of circulation, lungs and metabolism, moved along by its course and treatment.

The course drives it (``vasoplegia`` in mmHg, ``hypoperfusion`` and ``shunt`` as parts of one, ``paco2`` in mmHg,
``temperature`` in degrees Celsius); everything else follows: pressure from vasoplegia and the vasopressor that is
really delivered, heart rate from fever and low pressure, lactate from perfusion, oxygen from shunt and inspired oxygen,
end-tidal carbon dioxide from circulation or compressions. The coefficients are made up so that courses look like
patients (strength D); only the equivalents of vasopressors are published numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from streams.simulator.course import Body as Message
from streams.simulator.course import Course, moment
from streams.simulator.oxygen import arterial_tension, saturation
from streams.simulator.person import Person
from streams.simulator.series import Levels, Line, Wander, approach

DRIVERS: Final = {
    "vasoplegia": 0.0,
    "hypoperfusion": 0.0,
    "shunt": 0.05,
    "paco2": 39.0,
    "temperature": 36.9,
    "gcs": 15.0,
}
"""What drives a body, with the value where a course says nothing."""

SETTINGS: Final = {
    "fio2": 0.21,
    "peep": 0.0,
    "tidal_volume": 0.0,
    "rate": 0.0,
    "flow": 0.0,
    "eeg": 0.0,
    "suppression": 0.0,
    "ketosis": 0.0,
}
"""What is set at the bedside: oxygen, ventilation (tidal volume in mL per kg of predicted weight), EEG, burst
suppression in %, ketogenic diet."""

NORMAL: Final = {
    "sodium": 139.0,
    "potassium": 4.1,
    "glucose": 7.2,
    "ionised_calcium": 1.16,
    "creatinine": 0.9,
    "bilirubin": 0.7,
    "platelets": 215.0,
    "lipase": 38.0,
    "triglycerides": 1.6,
}
"""Other measured values where a course has no row for them, in the units of the catalogue."""

EQUIVALENT: Final = {"norepinephrine": 1.0, "epinephrine": 1.0, "vasopressin": 2.5}
"""Norepinephrine equivalents (Kotani 2023, secondary source only): per ug/kg/min, vasopressin per U/min."""

SEDATIVES: Final = ("midazolam", "propofol")

_STEP: Final = 60_000
"""The longest step in which the body is moved along, in milliseconds."""
_STRIDE: Final = 300_000
"""The same before the log starts, where nobody looks."""
_STILL: Final = 5_000
"""For how long the body is taken to stand still, in milliseconds."""
_DAY: Final = 86_400_000
_AFTERNOON: Final = 16 * 3_600_000
"""When pressure and heart rate are highest."""
_SLOW: Final = {"pressure": (2.2, 1500.0), "heart_rate": (2.5, 1200.0), "respiratory_rate": (0.9, 900.0)}
"""Slow drift about the course: standard deviation, and memory in seconds."""


class Body:
    """One patient's body; it only moves forward in time (milliseconds from the start of the log).

    ``shift`` is when the course has its zero, ``clock`` the time of day at which the log starts.
    """

    def __init__(self, person: Person, course: Course, shift: int, clock: int, chance: Random) -> None:
        self.person = person
        self.ventilated = course.ventilated
        self.now = min([moment(course.admitted), *(moment(fact.at) for fact in course.facts)]) + shift
        self.delivered: dict[str, float] = {}
        self.seizing = self.convulsing = False
        self.circulation = True
        self.compressions = False
        self.attached = True
        drivers = {name: course.drivers.get(name, (("0:00", value),)) for name, value in DRIVERS.items()}
        self._drivers = {name: Line(rows, shift) for name, rows in {**drivers, **course.drivers}.items()}
        settings = {name: course.settings.get(name, (("0:00", value),)) for name, value in SETTINGS.items()}
        self.settings = {name: Levels(rows, shift) for name, rows in settings.items()}
        self._slow = {name: Wander(chance, spread, memory) for name, (spread, memory) in _SLOW.items()}
        self._phase = clock - _AFTERNOON
        self._effect = 0.0
        self._arousal = 0.0
        self.lactate = 1.1 + 6.0 * self.driver("hypoperfusion")
        self.ketones = 0.2
        self.pressure = self.pulse_pressure = self.heart_rate = self.respiratory_rate = 0.0
        self.oxygen_tension = self.saturation = self.temperature = self.end_tidal = 0.0
        self._move(0)

    def driver(self, name: str) -> float:
        """The value of a driver now."""
        return self._drivers[name].at(self.now)

    def setting(self, name: str) -> float:
        """What is set now."""
        return self.settings[name].at(self.now)

    def happen(self, message: Message) -> None:
        """Let something happen to the body: a seizure, or a step of an arrest."""
        action = message.get("action")
        if message["kind"] == "seizure":
            self.seizing = action != "stop"
            self.convulsing = self.seizing and message["semiology"] != "electrographic"
        elif message["kind"] == "resuscitation":
            if action in ("collapse", "found", "rearrest"):
                self.circulation = False
            elif action in ("rosc", "ecmo_flow"):
                self.circulation, self.compressions = True, False
            elif action in ("cpr_start", "cpr_stop"):
                self.compressions = action == "cpr_start"
            elif action == "stopped":
                self.compressions = self.attached = False

    def advance(self, to: int) -> None:
        """Move on to an instant."""
        while to - self.now >= _STILL:
            passed = min(to - self.now, _STEP if self.now >= 0 else _STRIDE)
            self.now += passed
            self._move(passed)

    def sample(self, name: str) -> float:
        """What a perfect instrument would measure now, in the unit of the catalogue."""
        if name in _MEASURED:
            return _MEASURED[name](self)
        return self.driver(name) if name in self._drivers else NORMAL[name]

    def _move(self, passed: int) -> None:
        minutes = passed / 60_000
        dose = sum(factor * self.delivered.get(drug, 0.0) for drug, factor in EQUIVALENT.items())
        self._effect = approach(self._effect, 22.0 * math.log1p(dose / 0.08), minutes, 2.5)
        self._arousal = approach(self._arousal, float(self.convulsing), minutes, 1.0)
        self.temperature = self.driver("temperature")
        self._circulate(passed)
        self._breathe(passed)
        need = 6.0 * self.driver("hypoperfusion") + 0.08 * max(0.0, 58.0 - self.pressure) + 5.0 * self._arousal
        need += 0.0 if self.circulation else 9.0
        self.lactate = approach(self.lactate, min(1.1 + need, 16.0), minutes, 45.0)
        self.ketones = approach(self.ketones, 3.2 if self.setting("ketosis") else 0.2, minutes, 900.0)

    def _circulate(self, passed: int) -> None:
        person, slow = self.person, self._slow
        drift = slow["pressure"].step(passed)
        beats = slow["heart_rate"].step(passed)
        if not self.circulation:
            self.pressure = 34.0 if self.compressions else 6.0
            self.pulse_pressure = 38.0 if self.compressions else 2.0
            self.heart_rate = 0.0
            return
        sedated = any(self.delivered.get(drug) for drug in SEDATIVES)
        lost = self.driver("vasoplegia")
        day = math.cos(2 * math.pi * (self.now + self._phase) / _DAY)
        self.pressure = max(
            person.pressure - lost + self._effect + 20 * self._arousal - 4 * sedated + 3 * day + drift, 22.0
        )
        fever = max(0.0, self.temperature - 37.0)
        low = max(0.0, person.pressure - self.pressure)
        self.heart_rate = person.heart_rate + 9 * fever + 0.25 * lost + 0.5 * low + 42 * self._arousal + 2 * day + beats
        self.pulse_pressure = max(person.pulse_pressure - 0.2 * lost, 24.0)

    def _breathe(self, passed: int) -> None:
        person, carbon_dioxide = self.person, self.driver("paco2")
        drift = self._slow["respiratory_rate"].step(passed)
        shunt = round(min(self.driver("shunt") + 0.08 * self._arousal, 0.7), 3)
        self.oxygen_tension = arterial_tension(shunt, self.setting("fio2"), round(carbon_dioxide, 1))
        self.saturation = 100 * saturation(self.oxygen_tension)
        fever = max(0.0, self.temperature - 37.0)
        own = person.respiratory_rate + 2.5 * fever + 20 * max(0.0, shunt - 0.08) + 6 * self.driver("hypoperfusion")
        self.respiratory_rate = self.setting("rate") if self.ventilated else own + 8 * self._arousal + drift
        flow = 0.0 if not self.compressions else 20.0
        self.end_tidal = carbon_dioxide - 4 - 6 * self.driver("hypoperfusion") if self.circulation else flow


def _bicarbonate(body: Body) -> float:
    return 25.0 - 1.1 * (body.lactate - 1.1) - 0.9 * (body.ketones - 0.2)


def _acidity(body: Body) -> float:
    """The pH by Henderson and Hasselbalch."""
    return 6.1 + math.log10(_bicarbonate(body) / (0.0307 * body.driver("paco2")))


def _urine(body: Body) -> float:
    """Millilitres in an hour."""
    return max(5.0, body.person.weight * (1.0 - 0.85 * body.driver("hypoperfusion")))


_MEASURED: Final[Mapping[str, Callable[[Body], float]]] = {
    "capillary_refill": lambda body: 1.8 + 3.0 * body.driver("hypoperfusion"),
    "lactate": lambda body: body.lactate,
    "pao2": lambda body: body.oxygen_tension,
    "ph": _acidity,
    "bicarbonate": _bicarbonate,
    "temperature": lambda body: body.temperature,
    "urine_output": _urine,
    "haemoglobin": lambda body: body.person.haemoglobin,
    "beta_hydroxybutyrate": lambda body: body.ketones,
    "fio2": lambda body: body.setting("fio2"),
}
