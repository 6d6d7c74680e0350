"""Builds ``ward.jsonl``, the log of the demo: six beds from 07:00 to 11:35, all made up, with no real patient behind.

What happens to each bed stands in the tables below, one block to a bed. After a change, write the log anew with
``python -m monitor.demo.build``. The same tables give the same bytes on every machine.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from rules.events import SCHEMA_VERSION, Event, decode
from streams.logfile import write_log

LOG: Final = Path(__file__).parent / "ward.jsonl"

DAY: Final = datetime(2026, 3, 14, tzinfo=UTC)
BEGIN: Final = "06:45"
"""The earliest pressures in the log."""
START: Final = "07:00"
"""When the ward is connected and the log begins; what was known by then arrives at this time, all at once."""
END: Final = "11:35"

CONFIRM_EVERY: Final = timedelta(minutes=15)
"""How often a pump repeats a rate that has not changed."""

MONITORED: Final = (
    ("map_invasive", "mm[Hg]", 2),
    ("heart_rate", "/min", 3),
    ("spo2", "%", 1),
    ("respiratory_rate", "/min", 2),
)
"""What the bedside monitor sends each minute: code, unit, and by how much it wanders about its course."""

UNITS: Final = {
    "bilirubin": "mg/dL",
    "capillary_refill": "s",
    "cardiac_index": "L/min/m2",
    "core_temperature": "Cel",
    "creatinine": "mg/dL",
    "fio2": "1",
    "gcs": "{score}",
    "glucose": "mmol/L",
    "haemoglobin": "g/dL",
    "ionised_calcium": "mmol/L",
    "lactate": "mmol/L",
    "lvef": "%",
    "map_noninvasive": "mm[Hg]",
    "pao2": "mm[Hg]",
    "ph": "[pH]",
    "platelets": "10*9/L",
    "sodium": "mmol/L",
    "urine_output": "mL",
    "dobutamine": "ug/kg/min",
    "norepinephrine": "ug/kg/min",
    "vasopressin": "U/min",
}

Body = dict[str, Any]
Fact = tuple[str, str, str, Body]
"""When it was true, when it reached us, who says so, and what."""
Pump = Sequence[tuple[str, float | str]]
"""The course of one infusion: a rate, or what else happened to the pump, each with its time."""


@dataclass(frozen=True)
class Bed:
    """One bed: what the monitor showed (straight lines between the rows), the pumps, and everything else."""

    name: str
    vitals: Sequence[tuple[str, float, float, float, float]]
    pumps: Mapping[str, Pump]
    facts: Sequence[Fact]
    artefacts: Mapping[str, float] | None = None
    """Arterial pressures that are not the patient's, by minute."""


def _reading(name: str, value: float, method: str) -> Body:
    return {"code": name, "value": value, "unit": UNITS[name], "method": method}


def _findings(present: str, absent: str) -> list[Body]:
    pairs: Iterable[tuple[str, str]] = (("present", present), ("absent", absent))
    return [{"code": code, "presence": presence} for presence, codes in pairs for code in codes.split()]


def _minutes(at: str) -> int:
    return int(at[:2]) * 60 + int(at[3:5])


def _moment(at: str) -> datetime:
    hours, minutes, *seconds = map(int, at.split(":"))
    return DAY + timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))


def _iso(at: str) -> str:
    return _moment(at).isoformat()


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


def update(has: str = "", **fields: str) -> Body:
    """A later change to what is known of the patient."""
    return {"kind": "encounter", "event": "update", "conditions": _findings(has, ""), **fields}


def crystalloid(volume: float, since: str) -> Body:
    """Crystalloid given since a time."""
    return {"kind": "fluid", "fluid": "crystalloid", "volume": volume, "unit": "mL", "started_at": _iso(since)}


def dose(drug: str, amount: float) -> Body:
    """A dose in milligrams, given."""
    return {"kind": "dose", "drug": drug, "dose": amount, "unit": "mg"}


def done(code: str) -> Body:
    """A procedure."""
    return {"kind": "procedure", "code": code, "action": "done"}


def echo(absent: str, **values: float) -> Body:
    """An echocardiogram: what it excluded, and what it measured."""
    readings = [_reading(name, value, "charted") for name, value in values.items()]
    return {"kind": "assessment", "examination": "echo", "findings": _findings("", absent), "readings": readings}


def accept(bed: str, stage: str, therapy: str) -> Body:
    """A clinician accepts a suggestion of the first episode."""
    name = f"rescue-monitor:alert:{bed}|septic-shock|1|{stage}|{therapy}"
    alert = str(uuid5(NAMESPACE_URL, name))
    return {"kind": "action", "alert_id": alert, "action": "accept", "actor": "resident-2", "role": "resident"}


OTHER_SHOCK: Final = "tamponade acute_rv_failure hypovolaemia pulmonary_embolism lvot_obstruction"
"""Other causes of shock, which an echocardiogram looks for."""

BEDS: Final = (
    # An obstructed, infected kidney. Shock goes on rising after fluid, antimicrobial, source control and vasopressin;
    # at first nobody has looked at the heart, then the echo shows that it is failing too.
    Bed(
        "bed-1",
        vitals=[
            ("06:45", 58, 122, 94, 28),
            ("07:00", 54, 124, 94, 29),
            ("07:40", 55, 122, 95, 28),
            ("08:15", 58, 118, 95, 27),
            ("09:00", 57, 120, 95, 27),
            ("10:15", 55, 126, 93, 30),
            ("10:45", 57, 128, 93, 30),
            ("11:35", 60, 124, 94, 28),
        ],
        pumps={
            "norepinephrine": [
                ("07:32", 0.08),
                ("07:45", 0.16),
                ("08:00", 0.22),
                ("08:18", 0.28),
                ("08:35", 0.36),
                ("08:50", 0.42),
                ("09:05", 0.46),
                ("09:40", 0.50),
                ("10:15", 0.54),
            ],
            "vasopressin": [("08:47", 0.03)],
            "dobutamine": [("10:24", 3.0), ("10:35", 5.0)],
        },
        facts=[
            (
                "07:00",
                "07:00",
                "chart",
                admit(
                    "female",
                    58,
                    70,
                    165,
                    has="suspected_infection source_needs_control",
                    has_not="limb_ischaemia mesenteric_ischaemia acute_coronary_syndrome active_gi_bleeding "
                    "uncontrolled_bleeding intracranial_haemorrhage irreversible_brain_injury terminal_illness "
                    "child_pugh_c_cirrhosis neutropenia chronic_dialysis",
                ),
            ),
            ("07:00", "07:00", "chart", chart(gcs=14)),
            ("07:06", "07:09", "lab", gas(lactate=4.6, ph=7.27, ionised_calcium=1.12)),
            ("06:50", START, "chart", done("transducer_levelled")),
            ("07:10", "08:02", "lab", lab(sodium=137, glucose=9.2, creatinine=2.1, platelets=96, haemoglobin=11.2)),
            ("07:15", "07:17", "chart", chart(core_temperature=39.1)),
            ("07:20", "07:21", "chart", done("culture_taken")),
            ("07:30", "07:30", "chart", crystalloid(700, "07:05")),
            ("07:35", "07:46", "chart", dose("meropenem", 1000)),
            ("07:55", "07:55", "chart", crystalloid(700, "07:30")),
            ("08:20", "08:20", "chart", crystalloid(700, "07:55")),
            ("08:40", "08:40", "chart", accept("bed-1", "SEP-2", "vasopressin")),
            ("09:00", "09:01", "chart", chart(capillary_refill=4, urine_output=20)),
            ("09:02", "09:05", "lab", gas(lactate=5.0, ph=7.24, ionised_calcium=1.10)),
            ("09:25", "09:31", "chart", done("source_control")),
            ("10:00", "10:01", "chart", chart(capillary_refill=5, urine_output=10)),
            ("10:00", "10:03", "lab", gas(lactate=5.7, ph=7.21, ionised_calcium=1.08)),
            ("10:00", "10:41", "lab", lab(sodium=138, glucose=11.4, platelets=71, haemoglobin=10.4)),
            (
                "10:10",
                "10:18",
                "chart",
                echo(f"{OTHER_SHOCK} severe_aortic_regurgitation aortic_dissection", lvef=24, cardiac_index=1.9),
            ),
            ("10:45", "10:47", "chart", dose("hydrocortisone", 50)),
            ("11:00", "11:01", "chart", chart(capillary_refill=5, core_temperature=38.4, urine_output=10)),
            ("11:05", "11:08", "lab", gas(lactate=5.9, ph=7.22, ionised_calcium=1.09)),
            ("11:10", "11:11", "chart", chart(cardiac_index=2.0)),
        ],
    ),
    # Pneumonia on a high dose that looks refractory, but the pump has stopped delivering.
    Bed(
        "bed-2",
        vitals=[
            ("06:45", 67, 104, 95, 22),
            ("09:04", 67, 106, 95, 22),
            ("09:07", 55, 116, 94, 24),
            ("09:11", 53, 124, 92, 26),
            ("09:14", 54, 124, 92, 26),
            ("09:18", 66, 112, 94, 24),
            ("09:22", 74, 106, 95, 22),
            ("09:40", 69, 102, 95, 22),
            ("11:35", 70, 96, 96, 20),
        ],
        pumps={
            "norepinephrine": [
                ("05:50", 0.10),
                ("06:20", 0.22),
                ("06:50", 0.34),
                ("07:50", 0.42),
                ("08:10", 0.50),
                ("09:05", "occlusion"),
                ("09:05", "pause"),
                ("09:13", "resume"),
                ("09:35", 0.42),
                ("10:00", 0.36),
                ("10:45", 0.30),
            ],
            "vasopressin": [("06:55", 0.03)],
        },
        facts=[
            ("05:20", START, "chart", admit("male", 61, 90, 180, has="suspected_infection")),
            ("05:30", START, "lab", gas(lactate=4.2, ph=7.28, ionised_calcium=1.14)),
            ("05:40", START, "chart", done("culture_taken")),
            ("05:50", START, "chart", dose("piperacillin_tazobactam", 4500)),
            ("06:10", START, "chart", dose("hydrocortisone", 50)),
            ("06:30", START, "chart", crystalloid(2800, "05:20")),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("08:00", "08:01", "chart", chart(core_temperature=38.2, urine_output=35)),
            ("08:30", "08:33", "lab", gas(lactate=3.1, ph=7.31, ionised_calcium=1.12)),
            ("08:35", "08:36", "chart", chart(capillary_refill=4)),
            ("09:45", "09:46", "chart", chart(capillary_refill=3)),
            ("10:50", "10:53", "lab", gas(lactate=2.3, ph=7.34, ionised_calcium=1.13)),
            ("10:55", "10:56", "chart", chart(capillary_refill=2, urine_output=50)),
        ],
    ),
    # Cholangitis that meets every criterion, until the laboratory reports a sample that had gone astray.
    Bed(
        "bed-3",
        vitals=[("06:45", 67, 100, 96, 20), ("09:00", 66, 102, 96, 20), ("11:35", 69, 94, 97, 18)],
        pumps={
            "norepinephrine": [
                ("05:00", 0.12),
                ("05:40", 0.20),
                ("07:38", 0.30),
                ("07:45", 0.40),
                ("07:55", 0.48),
                ("10:30", 0.42),
                ("11:10", 0.36),
            ],
            "vasopressin": [("06:40", 0.03)],
        },
        facts=[
            ("04:30", START, "chart", admit("female", 49, 62, 168, has="suspected_infection")),
            ("04:40", START, "chart", done("culture_taken")),
            ("05:00", START, "chart", dose("meropenem", 1000)),
            ("05:45", START, "chart", crystalloid(2000, "04:30")),
            ("06:10", START, "lab", gas(lactate=4.0, ph=7.30, ionised_calcium=1.15)),
            ("06:50", START, "chart", dose("hydrocortisone", 50)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("07:30", "07:42", "chart", echo(OTHER_SHOCK, lvef=60)),
            ("07:40", "10:10", "lab", lab(lactate=1.6)),
            ("08:30", "08:31", "chart", chart(capillary_refill=2, core_temperature=38.0)),
            ("08:40", "08:43", "lab", gas(lactate=2.4, ph=7.33, ionised_calcium=1.14)),
            ("09:25", "09:26", "chart", chart(capillary_refill=2, urine_output=40)),
            ("10:15", "10:16", "chart", chart(capillary_refill=2)),
            ("11:05", "11:06", "chart", chart(capillary_refill=2, urine_output=55)),
            ("11:10", "11:13", "lab", gas(lactate=1.5, ph=7.36, ionised_calcium=1.15)),
        ],
    ),
    # The dose climbs past the threshold while the last lactate grows old: nobody can say whether shock is refractory.
    Bed(
        "bed-4",
        vitals=[("06:45", 64, 92, 96, 19), ("10:00", 63, 94, 96, 19), ("11:35", 66, 90, 97, 18)],
        pumps={
            "norepinephrine": [
                ("05:40", 0.10),
                ("06:30", 0.22),
                ("07:40", 0.34),
                ("08:30", 0.46),
                ("09:15", 0.54),
                ("11:10", 0.46),
            ]
        },
        facts=[
            ("05:10", START, "chart", admit("male", 71, 78, 176, has="suspected_infection")),
            ("05:20", START, "chart", done("culture_taken")),
            ("05:35", START, "chart", dose("ceftriaxone", 2000)),
            ("06:00", START, "lab", gas(lactate=3.8, ph=7.32, ionised_calcium=1.13)),
            ("06:25", START, "chart", crystalloid(2400, "05:15")),
            ("06:30", START, "chart", dose("hydrocortisone", 50)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("08:00", "08:02", "chart", chart(capillary_refill=3, core_temperature=37.9, urine_output=45)),
            ("10:34", "10:37", "lab", gas(lactate=1.6, ph=7.37, ionised_calcium=1.14)),
            ("10:36", "10:37", "chart", chart(capillary_refill=2, urine_output=60)),
        ],
    ),
    # An old woman for whom the family and the team decide, after the suggestion, against further escalation.
    Bed(
        "bed-5",
        vitals=[("06:45", 57, 108, 93, 26), ("09:40", 56, 110, 92, 27), ("11:35", 56, 108, 92, 26)],
        pumps={"norepinephrine": [("06:20", 0.10), ("06:50", 0.18), ("07:40", 0.27)]},
        facts=[
            ("05:30", START, "chart", admit("female", 84, 52, 158, has="suspected_infection limb_ischaemia")),
            ("05:45", START, "chart", done("culture_taken")),
            ("05:50", START, "lab", gas(lactate=3.4, ph=7.30, ionised_calcium=1.10)),
            ("06:10", START, "chart", dose("ceftriaxone", 2000)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("06:50", START, "chart", crystalloid(1600, "05:40")),
            ("08:50", "08:53", "lab", gas(lactate=3.6, ph=7.29, ionised_calcium=1.09)),
            ("09:00", "09:02", "chart", chart(core_temperature=36.4, urine_output=10)),
            ("09:40", "09:41", "chart", update(goals_of_care="no_escalation")),
        ],
    ),
    # Pneumonia, doing well. The arterial line is flushed twice and comes apart once: pressures that are not the
    # patient's.
    Bed(
        "bed-6",
        vitals=[("06:45", 79, 84, 97, 17), ("09:00", 77, 82, 97, 16), ("11:35", 80, 80, 97, 16)],
        pumps={},
        artefacts={"08:42": 300, "09:48": 31, "09:49": 4, "09:50": 2, "09:51": 3, "10:30": 300},
        facts=[
            ("06:30", START, "lab", lab(creatinine=0.8, bilirubin=0.6, platelets=212, sodium=140, haemoglobin=13.1)),
            ("06:10", START, "chart", admit("male", 47, 82, 181)),
            ("06:40", START, "chart", chart(fio2=0.21, gcs=15)),
            ("06:50", START, "lab", gas(lactate=1.2, ph=7.41, pao2=92)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("07:20", "07:20", "chart", update(has="suspected_infection")),
            ("07:25", "07:26", "chart", done("culture_taken")),
            ("07:40", "07:44", "chart", dose("ceftriaxone", 2000)),
            ("09:50", "09:52", "chart", chart(map_noninvasive=78)),
            ("10:10", "10:11", "chart", chart(fio2=0.21, gcs=15, core_temperature=37.6, urine_output=80)),
            ("10:15", "10:18", "lab", gas(lactate=1.1, ph=7.42, pao2=95)),
        ],
    ),
)


def build() -> list[Event]:
    """The log, in the order in which a ward's interface would have sent it."""
    events = [decode(json.dumps(message)) for bed in BEDS for message in _messages(bed)]
    return sorted(events, key=lambda event: (event.received_at, event.id))


def _messages(bed: Bed) -> Iterator[Body]:
    for kind, facts in (("monitor", _vitals(bed)), ("pump", _pumps(bed)), ("facts", bed.facts)):
        for number, (at, received, source, body) in enumerate(facts):
            yield {
                "schema_version": SCHEMA_VERSION,
                "id": f"{bed.name}-{kind}-{number:03d}",
                "source": source,
                "subject": bed.name,
                "effective_at": _iso(at),
                "received_at": _iso(received),
                **body,
            }


def _vitals(bed: Bed) -> Iterator[Fact]:
    for minute in range(_minutes(BEGIN), _minutes(END) + 1):
        at = f"{minute // 60:02d}:{minute % 60:02d}"
        values = _course(bed.vitals, minute)
        readings = []
        for (code, unit, reach), middle in zip(MONITORED, values, strict=True):
            value: float = round(middle) + _wander(f"{bed.name} {code} {at}", reach)
            if code == "map_invasive" and bed.artefacts is not None:
                value = bed.artefacts.get(at, value)
            readings.append({"code": code, "value": min(value, 100) if code == "spo2" else value, "unit": unit})
        yield at, START if at < START else f"{at}:01", "monitor", {"kind": "observations", "readings": readings}


def _course(rows: Sequence[tuple[str, float, float, float, float]], minute: int) -> Iterator[float]:
    """Each value of a table at a minute, on a straight line between its rows."""
    for (begin, *before), (end, *after) in pairwise(rows):
        if _minutes(begin) <= minute <= _minutes(end):
            share = (minute - _minutes(begin)) / (_minutes(end) - _minutes(begin))
            yield from (low + share * (high - low) for low, high in zip(before, after, strict=True))
            return


def _wander(name: str, reach: int) -> int:
    """A number from ``-reach`` to ``reach`` that looks random and is always the same for the same name."""
    return zlib.crc32(name.encode()) % (2 * reach + 1) - reach


def _pumps(bed: Bed) -> Iterator[Fact]:
    for drug, course in bed.pumps.items():
        running: Body = {}
        for index, (at, what) in enumerate(course):
            body: Body = {"kind": "infusion", "drug": drug}
            if isinstance(what, float):
                running = {"rate": what, "unit": UNITS[drug], **({"salt": "base"} if drug == "norepinephrine" else {})}
                yield _sent(at, {**body, "action": "rate" if index else "start", **running})
            elif what in ("pause", "resume"):
                yield _sent(at, {**body, "action": what})
            else:
                yield _sent(at, {**body, "action": "alarm", "alarm": what})
            if what != "pause":
                until = course[index + 1][0] if index + 1 < len(course) else END
                yield from (_sent(later, {**body, "action": "rate", **running}) for later in _repeats(at, until))


def _repeats(at: str, until: str) -> Iterator[str]:
    moment = _moment(at) + CONFIRM_EVERY
    while moment < _moment(until):
        yield f"{moment:%H:%M}"
        moment += CONFIRM_EVERY


def _sent(at: str, body: Body) -> Fact:
    """What a pump says reaches us two seconds later; what it said before the log begins, with the first messages."""
    return at, START if at < START else f"{at}:02", "pump", body


if __name__ == "__main__":
    write_log(build(), LOG)
