"""Whether the work for one event grows with the events of the hour: courses of one patient, four times as long each.

``python -m tests.bench growth --all`` tries every kind of event that a rule reads, and lists those that grow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from rules import catalogue as catalogues
from rules.engine import PatientEngine
from rules.events import Event, decode
from rules.pack import Pack
from rules.packs import channels_read, load_packs
from rules.settings import SiteSettings
from tests.bench.kinds import Content, kinds
from tests.bench.table import Figure
from tests.bench.throughput import seconds

SIZES: Final = (625, 2_500, 10_000)
FEW_AND_MANY: Final = (150, 600)
"""The sizes at which every kind of event is tried: enough to see what grows, and over in a quarter of an hour."""
MUCH: Final = 1.8
"""How many times as much an event may cost among four times as many, and still pass for noise."""
_HOUR: Final = 3_600.0
_BEGIN: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

_ADMISSION: Final = {"kind": "encounter", "event": "admission", "age_years": 58, "weight_kg": 70}

COURSES: Final[Mapping[str, Content]] = {
    "rates of one pump": lambda number: {
        "kind": "infusion",
        "drug": "norepinephrine",
        "action": "rate",
        "rate": round(0.3 + number * 7 % 11 / 1000, 4),
        "unit": "ug/kg/min",
        "salt": "base",
    },
    "shocks": lambda _: {"kind": "resuscitation", "action": "shock", "energy_joules": 200},
    "lactates": lambda number: {
        "kind": "observations",
        "readings": [{"code": "lactate", "value": 2 + number % 7 / 10, "unit": "mmol/L"}],
    },
    "doses of adrenaline": lambda _: {"kind": "dose", "drug": "epinephrine", "dose": 1, "unit": "mg"},
    "seizures": lambda number: {
        "kind": "seizure",
        "action": ("start", "ongoing", "stop")[number % 3],
        "semiology": "tonic_clonic",
    },
    "doses of lorazepam": lambda _: {"kind": "dose", "drug": "lorazepam", "dose": 2, "unit": "mg", "route": "iv"},
    "rates of propofol": lambda number: {
        "kind": "infusion",
        "drug": "propofol",
        "action": "rate",
        "rate": 1.5 + number * 7 % 31 / 10,
        "unit": "mg/kg/h",
    },
    "seizure minutes of the EEG": lambda number: {
        "kind": "observations",
        "readings": [{"code": "eeg_seizure_minutes", "value": number % 3, "unit": "min"}],
    },
}


def _patient() -> list[dict[str, Any]]:
    """What makes a patient in whom nearly every rule has something to judge: septic shock, ARDS and seizures."""
    conditions = ("suspected_infection", "bilateral_opacities", "ards_risk_factor")
    known = {"age_years": 45, "sex": "male", "weight_kg": 70, "height_cm": 175, "goals_of_care": "full"}
    values = {"map_invasive": (55, "mm[Hg]"), "fio2": (0.8, "1"), "peep": (12, "cm[H2O]"), "lactate": (5, "mmol/L")}
    readings = [{"code": code, "value": value, "unit": unit} for code, (value, unit) in values.items()]
    shock = {"drug": "norepinephrine", "action": "start", "rate": 0.6, "unit": "ug/kg/min", "salt": "base"}
    seizing = {"kind": "seizure", "semiology": "tonic_clonic"}
    return [
        {"kind": "encounter", "event": "admission", **known, "conditions": [{"code": code} for code in conditions]},
        {"kind": "procedure", "code": "intubated", "action": "start"},
        {"kind": "procedure", "code": "ceeg", "action": "start"},
        {"kind": "fluid", "fluid": "crystalloid", "volume": 2400, "unit": "mL"},
        {"kind": "dose", "drug": "meropenem", "dose": 1000, "unit": "mg"},
        {"kind": "infusion", **shock},
        {"kind": "observations", "readings": [reading | {"method": "charted"} for reading in readings]},
        {**seizing, "action": "start"},
        {"kind": "dose", "drug": "lorazepam", "dose": 4, "unit": "mg"},
        {"kind": "dose", "drug": "levetiracetam", "dose": 4200, "unit": "mg"},
        {"kind": "infusion", "drug": "midazolam", "action": "start", "rate": 0.3, "unit": "mg/kg/h"},
        {**seizing, "action": "ongoing"},
    ]


def growing() -> list[Figure]:
    """Every kind of event of which one costs much more among many, twice in a row; the costliest growth first."""
    catalogue = catalogues.load()
    read = frozenset().union(*(channels_read(pack, catalogue) for pack in _packs()))
    found: list[tuple[float, Figure]] = []
    for name, content in kinds(catalogue, read):
        for _ in range(2):
            few, many = (_cost(content, size, _patient()) for size in FEW_AND_MANY)
            if many < MUCH * few:
                break
        else:
            reached = f"{few * 1e6:,.0f} us, then {many * 1e6:,.0f} us"
            found.append((many / few, Figure(f"one event of {FEW_AND_MANY} an hour: {name}", "flat", reached)))
    return [figure for _, figure in sorted(found, key=lambda each: -each[0])]


def figures() -> list[Figure]:
    """Microseconds of the processor for an event, where so many came in an hour."""
    found = []
    for name, content in COURSES.items():
        costs = [_cost(content, size) for size in SIZES]
        figures_ = ", ".join(f"{size:,}: {cost * 1e6:,.0f} us" for size, cost in zip(SIZES, costs, strict=True))
        found.append(Figure(f"one event of an hour with so many {name}", "flat", figures_))
    return found


def _cost(content: Content, size: int, before: Sequence[dict[str, Any]] = (_ADMISSION,)) -> float:
    engine = PatientEngine("bed-1", _packs(), SiteSettings())
    for number, known in enumerate(before, start=-len(before)):
        engine.observe(_event(number * 60.0, known, number))
    events = [_event(number * _HOUR / size, content(number), number) for number in range(size)]

    def judge() -> None:
        for event in events:
            engine.observe(event)

    return seconds(judge) / size


def _event(at: float, content: dict[str, Any], number: int) -> Event:
    moment = (_BEGIN + timedelta(seconds=at)).isoformat(timespec="milliseconds")
    head = {"schema_version": 1, "id": str(number), "source": "bench", "subject": "bed-1"}
    return decode(json.dumps({**head, "effective_at": moment, "received_at": moment, **content}))


@cache
def _packs() -> tuple[Pack, ...]:
    return load_packs()
