"""Made-up wards as lines of a log: vitals at every bed, septic shock under treatment at some; always the same bytes."""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When the vitals begin; treatment has been going on for longer."""

BEFORE: Final = timedelta(hours=2)
"""For how long shock has been treated by then: long enough for it to have become refractory."""

READINGS: Final = 8
"""Readings in one bundle of vitals."""

_MAP: Final = "76214-6"
_VITALS: Final = (
    ("8867-4", "/min", 80.0, 5.0),
    (_MAP, "mm[Hg]", 75.0, 3.0),
    ("76215-3", "mm[Hg]", 110.0, 6.0),
    ("76213-8", "mm[Hg]", 60.0, 4.0),
    ("59408-5", "%", 96.0, 1.0),
    ("9279-1", "/min", 16.0, 2.0),
    ("60985-9", "mm[Hg]", 8.0, 1.0),
    ("19889-5", "mm[Hg]", 38.0, 2.0),
)
_LOW: Final = 17.0
"""By how much arterial pressure is lower in shock."""

Row = tuple[datetime, int, dict[str, Any]]


def ward(beds: int, length: timedelta, every: timedelta, *, shocked: int | None = None) -> Iterator[str]:
    """The lines of a ward's log in the order of arrival.

    Args:
        beds: how many patients there are.
        length: for how long vitals are sent.
        every: the time between two bundles of vitals of one patient.
        shocked: how many of the patients are in septic shock under treatment; None for a quarter.
    """
    ill = beds // 4 if shocked is None else shocked
    streams: list[Iterator[Row]] = [_vitals(bed, length, every, low=bed < ill) for bed in range(beds)]
    streams += [_admission(bed) for bed in range(beds)]
    streams += [_shock(bed, length) for bed in range(ill)]
    for count, (at, bed, body) in enumerate(heapq.merge(*streams, key=lambda row: row[:2])):
        stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        envelope = {"schema_version": 1, "id": f"{count}", "source": "bench", "subject": f"bed-{bed}"}
        yield json.dumps({**envelope, "effective_at": stamp, "received_at": stamp, **body}, separators=(",", ":"))


def _vitals(bed: int, length: timedelta, every: timedelta, *, low: bool) -> Iterator[Row]:
    chance = random.Random(bed)
    # Monitors are not in step: each bed has its own fraction of a second.
    at = START + timedelta(milliseconds=(bed * 37) % 1000)
    for _ in range(length // every):
        readings = [
            _reading(code, round(chance.gauss(mean - _LOW if low and code == _MAP else mean, spread), 1), unit)
            for code, unit, mean, spread in _VITALS
        ]
        yield at, bed, {"kind": "observations", "readings": readings}
        at += every


def _admission(bed: int) -> Iterator[Row]:
    person = {"age_years": 40 + bed % 45, "sex": ("female", "male")[bed % 2], "weight_kg": 60 + bed % 40}
    yield START - BEFORE, bed, {"kind": "encounter", "event": "admission", "height_cm": 165 + bed % 20, **person}


def _shock(bed: int, length: timedelta) -> Iterator[Row]:
    """A course of septic shock; how much vasopressor, whether vasopressin and an echo, depends on the bed."""
    begin = START - BEFORE
    suspected = [{"code": "suspected_infection", "presence": "present"}]
    yield begin, bed, {"kind": "encounter", "conditions": suspected, "goals_of_care": "full"}
    yield begin, bed, {"kind": "procedure", "code": "culture_taken", "action": "done"}
    dose = 0.3 + 0.1 * (bed % 5)
    for minute in range(1, (BEFORE + length) // timedelta(minutes=1)):
        for body in _treatment(minute, bed, dose):
            yield begin + timedelta(minutes=minute), bed, body


def _treatment(minute: int, bed: int, dose: float) -> Iterator[dict[str, Any]]:
    """What is given and measured in one minute of shock."""
    if minute % 30 == 1:
        change = 0.05 * ((minute // 30 + bed) % 3 - 1)
        yield _infusion("norepinephrine", "start" if minute == 1 else "rate", dose + change, "ug/kg/min")
    if bed % 3 == 0 and minute > 60 and minute % 30 == 2:
        yield _infusion("vasopressin", "start" if minute == 62 else "rate", 0.03, "U/min")
    if minute % 60 == 5:
        yield _observed(lactate=(4.2 - 0.2 * (minute // 60 % 6), "mmol/L"))
    if minute % 240 == 10:
        yield _observed(ph=(7.29, "[pH]"), pao2=(82.0, "mm[Hg]"), fio2=(50.0, "%"))
    if minute % 480 == 15:
        yield _observed(creatinine=(1.8, "mg/dL"), platelets=(140.0, "10*3/uL"), bilirubin=(1.1, "mg/dL"))
    if minute in (20, 50, 80):
        yield {"kind": "fluid", "fluid": "crystalloid", "volume": 1000, "unit": "mL"}
    if minute % 480 == 25:
        yield {"kind": "dose", "drug": "meropenem", "dose": 1000, "unit": "mg"}
    if minute == 40 and bed % 2 == 0:
        yield {"kind": "assessment", "examination": "echo", "readings": [_reading("lvef", 55, "%")]}


def _infusion(drug: str, action: str, rate: float, unit: str) -> dict[str, Any]:
    body = {"kind": "infusion", "drug": drug, "action": action, "rate": round(rate, 3), "unit": unit}
    return body | {"salt": "base"} if drug == "norepinephrine" else body


def _observed(**values: tuple[float, str]) -> dict[str, Any]:
    return {"kind": "observations", "readings": [_reading(code, *value) for code, value in values.items()]}


def _reading(code: str, value: float, unit: str) -> dict[str, Any]:
    return {"code": code, "value": round(value, 3), "unit": unit}
