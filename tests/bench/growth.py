"""Whether the work for one event grows with the events of the hour: courses of one patient, four times as long each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from rules.engine import PatientEngine
from rules.events import Event, decode
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from tests.bench.table import Figure
from tests.bench.throughput import seconds

SIZES: Final = (625, 2_500, 10_000)
_HOUR: Final = 3_600.0
_BEGIN: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

COURSES: Final[Mapping[str, Callable[[int], dict[str, Any]]]] = {
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
}


def figures() -> list[Figure]:
    """Microseconds of the processor for an event, where so many came in an hour."""
    found = []
    for name, content in COURSES.items():
        costs = [_cost(content, size) for size in SIZES]
        figures_ = ", ".join(f"{size:,}: {cost * 1e6:,.0f} us" for size, cost in zip(SIZES, costs, strict=True))
        found.append(Figure(f"one event of an hour with so many {name}", "flat", figures_))
    return found


def _cost(content: Callable[[int], dict[str, Any]], size: int) -> float:
    events = list(_events(content, size))
    engine = PatientEngine("bed-1", _packs(), SiteSettings())

    def judge() -> None:
        for event in events:
            engine.observe(event)

    return seconds(judge) / size


def _events(content: Callable[[int], dict[str, Any]], size: int) -> Iterator[Event]:
    yield _event(-60.0, {"kind": "encounter", "event": "admission", "age_years": 58, "weight_kg": 70}, -1)
    for number in range(size):
        yield _event(number * _HOUR / size, content(number), number)


def _event(at: float, content: dict[str, Any], number: int) -> Event:
    moment = (_BEGIN + timedelta(seconds=at)).isoformat(timespec="milliseconds")
    head = {"schema_version": 1, "id": str(number), "source": "bench", "subject": "bed-1"}
    return decode(json.dumps({**head, "effective_at": moment, "received_at": moment, **content}))


@cache
def _packs() -> tuple[Pack, ...]:
    return load_packs()
