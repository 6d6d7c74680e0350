"""What the tables of the demo are written in: times of its day, beds, and a helper for each kind of message.

Times are ``HH:MM`` or ``HH:MM:SS`` on the day of the demo; ``-1d 22:00`` is the evening before.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

DAY: Final = datetime(2026, 3, 14, tzinfo=UTC)
BEGIN: Final = "06:45"
"""The earliest pressures in the log."""
START: Final = "07:00"
"""When the ward is connected and the log begins; what was known by then arrives at this time, all at once."""
END: Final = "11:35"

UNITS: Final = {
    "bilirubin": "mg/dL",
    "capillary_refill": "s",
    "cardiac_index": "L/min/m2",
    "cpr_depth": "cm",
    "cpr_fraction": "%",
    "cpr_rate": "/min",
    "core_temperature": "Cel",
    "creatinine": "mg/dL",
    "etco2": "mm[Hg]",
    "fio2": "1",
    "gcs": "{score}",
    "glucose": "mmol/L",
    "haemoglobin": "g/dL",
    "ionised_calcium": "mmol/L",
    "lactate": "mmol/L",
    "lvef": "%",
    "map_noninvasive": "mm[Hg]",
    "paco2": "mm[Hg]",
    "pao2": "mm[Hg]",
    "peep": "cm[H2O]",
    "ph": "[pH]",
    "plateau_pressure": "cm[H2O]",
    "platelets": "10*9/L",
    "potassium": "mmol/L",
    "respiratory_rate_set": "/min",
    "sodium": "mmol/L",
    "tidal_volume": "mL",
    "urine_output": "mL",
    "urine_output_24h": "mL",
    "dobutamine": "ug/kg/min",
    "midazolam": "mg/kg/h",
    "norepinephrine": "ug/kg/min",
    "vasopressin": "U/min",
}

Body = dict[str, Any]
Fact = tuple[str, str, str, Body]
"""When it was true, when it reached us, who says so, and what."""
Pump = Sequence[tuple[str, float | str]]
"""The course of one infusion: a rate, or what else happened to the pump, each with its time."""
Vitals = tuple[str, float | None, float | None, float | None, float | None]
"""A time, and what the monitor showed then: pressure, heart rate, saturation, respiratory rate; None is no reading."""


@dataclass(frozen=True)
class Bed:
    """One bed: what the monitor showed (straight lines between the rows), the pumps, and everything else."""

    name: str
    vitals: Sequence[Vitals]
    pumps: Mapping[str, Pump]
    facts: Sequence[Fact]
    artefacts: Mapping[str, float] | None = None
    """Arterial pressures that are not the patient's, by minute."""


def moment(at: str) -> datetime:
    """The instant that a time of the tables means."""
    days, _, clock = at.rpartition("d ")
    hours, minutes, *seconds = map(int, clock.split(":"))
    return DAY + timedelta(days=int(days or 0), hours=hours, minutes=minutes, seconds=sum(seconds))


def iso(at: str) -> str:
    """A time of the tables as messages carry it."""
    return moment(at).isoformat()


def repeated(begin: str, until: str, every: timedelta) -> Iterator[str]:
    """Times from ``begin`` on, before ``until``."""
    now = moment(begin)
    while now < moment(until):
        day = (now - DAY).days
        yield f"{f'{day}d ' if day else ''}{now:%H:%M}{f':{now.second:02d}' if now.second else ''}"
        now += every


def wander(name: str, reach: int) -> int:
    """A number from ``-reach`` to ``reach`` that looks random and is always the same for the same name."""
    return zlib.crc32(name.encode()) % (2 * reach + 1) - reach


def arrives(at: str, delay: timedelta = timedelta(0)) -> str:
    """When a message reaches us that is sent on by itself; what is older than the log comes with its first messages."""
    if moment(at) < moment(START):
        return START
    return f"{moment(at) + delay:%H:%M:%S}"


def _reading(name: str, value: float, method: str) -> Body:
    return {"code": name, "value": value, "unit": UNITS[name], "method": method}


def _findings(present: str, absent: str) -> list[Body]:
    pairs = (("present", present), ("absent", absent))
    return [{"code": code, "presence": presence} for presence, codes in pairs for code in codes.split()]


def chart(**values: float) -> Body:
    """Values that somebody measured and wrote down."""
    return {"kind": "observations", "readings": [_reading(name, value, "charted") for name, value in values.items()]}


def gas(**values: float) -> Body:
    """A blood gas from the analyser on the ward: minutes from sample to result."""
    return {"kind": "observations", "readings": [_reading(n, v, "point-of-care") for n, v in values.items()]}


def lab(**values: float) -> Body:
    """A panel from the central laboratory: about an hour from sample to result."""
    return {"kind": "observations", "readings": [_reading(n, v, "laboratory") for n, v in values.items()]}


def admit(sex: str, age: float, weight: float, height: float, has: str = "", has_not: str = "") -> Body:
    """An admission, full treatment wanted; ``has`` and ``has_not`` are codes of conditions."""
    person = {"sex": sex, "age_years": age, "weight_kg": weight, "height_cm": height, "goals_of_care": "full"}
    return {"kind": "encounter", "event": "admission", **person, "conditions": _findings(has, has_not)}


def update(has: str = "", has_not: str = "", **fields: str) -> Body:
    """A later change to what is known of the patient."""
    return {"kind": "encounter", "event": "update", "conditions": _findings(has, has_not), **fields}


def crystalloid(volume: float, since: str) -> Body:
    """Crystalloid given since a time."""
    return {"kind": "fluid", "fluid": "crystalloid", "volume": volume, "unit": "mL", "started_at": iso(since)}


def dose(drug: str, amount: float, since: str | None = None) -> Body:
    """A dose in milligrams, given, with its beginning where it took a while."""
    started = {} if since is None else {"started_at": iso(since)}
    return {"kind": "dose", "drug": drug, "dose": amount, "unit": "mg", **started}


def done(code: str) -> Body:
    """A procedure."""
    return {"kind": "procedure", "code": code, "action": "done"}


def begun(code: str) -> Body:
    """The beginning of a procedure that lasts."""
    return {"kind": "procedure", "code": code, "action": "start"}


def ended(code: str) -> Body:
    """The end of a procedure that lasts."""
    return {"kind": "procedure", "code": code, "action": "stop"}


def echo(absent: str, **values: float) -> Body:
    """An echocardiogram: what it excluded, and what it measured."""
    readings = [_reading(name, value, "charted") for name, value in values.items()]
    return {"kind": "assessment", "examination": "echo", "findings": _findings("", absent), "readings": readings}


def seizure(action: str, semiology: str = "tonic_clonic") -> Body:
    """A seizure begins, goes on or stops."""
    return {"kind": "seizure", "action": action, "semiology": semiology}


def arrest(action: str, **fields: Any) -> Body:
    """What happened in a resuscitation."""
    return {"kind": "resuscitation", "action": action, **fields}


def accept(bed: str, alert: str) -> Body:
    """A clinician accepts a suggestion of the first episode, named as ``pathway/stage/therapy``."""
    pathway, stage, therapy = alert.split("/")
    name = f"rescue-monitor:alert:{bed}|{pathway}|1|{stage}|{therapy}"
    identifier = str(uuid5(NAMESPACE_URL, name))
    return {"kind": "action", "alert_id": identifier, "action": "accept", "actor": "resident-2", "role": "resident"}


def ventilator(begin: str, until: str, **settings: float) -> Iterator[Fact]:
    """What a ventilator is set to, sent every half hour."""
    body = {"kind": "observations", "readings": [_reading(name, value, "device") for name, value in settings.items()]}
    for at in repeated(begin, until, timedelta(minutes=30)):
        yield at, arrives(at, timedelta(seconds=2)), "ventilator", body


def defibrillator(begin: str, until: str, **values: tuple[float, float]) -> Iterator[Fact]:
    """What a defibrillator measures during compressions, every half minute: a value, and its step of wandering."""
    for at in repeated(begin, until, timedelta(seconds=30)):
        readings = [
            _reading(name, round(middle + step * wander(f"{name} {at}", 2), 1), "device")
            for name, (middle, step) in values.items()
        ]
        yield at, at, "defibrillator", {"kind": "observations", "readings": readings}
