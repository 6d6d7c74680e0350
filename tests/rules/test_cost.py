"""The work for one event does not grow with the events before it, nor with empty time: work is counted."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules import anaesthesia, arrest, delivery, eeg, loading, steps
from rules.bouts import Bouts
from rules.brief import LONGEST, NAMED, brief
from rules.catalogue import load
from rules.engine import PatientEngine
from rules.events import MalformedEventError, decode
from rules.facts import Given
from rules.outputs import Change, StatusChange
from rules.pathway import Fold, Pathway
from rules.portions import Portions
from rules.quantities import body
from rules.settings import SiteSettings
from rules.shocks import Shocks
from rules.timeline import Fact, Timeline
from rules.view import View
from tests.rules.strategies import packs

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3_600.0


def told(at: float, content: dict[str, Any], number: int, received: float | None = None) -> str:
    moments = [(BEGIN + timedelta(seconds=second)).isoformat() for second in (at, at if received is None else received)]
    head = {"schema_version": 1, "id": str(number), "source": "pump", "subject": "bed"}
    return json.dumps({**head, "effective_at": moments[0], "received_at": moments[1], **content})


def rate(number: int) -> dict[str, Any]:
    doses = {"drug": "norepinephrine", "action": "rate", "unit": "ug/kg/min", "salt": "base"}
    return {"kind": "infusion", **doses, "rate": round(0.495 + number * 7 % 11 / 1000, 4)}


def shock(number: int) -> dict[str, Any]:
    return {"kind": "resuscitation", "action": "shock", "energy_joules": 120 + number % 50}


def weighing(number: int) -> dict[str, Any]:
    return {"kind": "encounter", "event": "update", "weight_kg": 60 + number % 20}


def dosing(drug: str, unit: str) -> Callable[[int], dict[str, Any]]:
    """Doses in shock, without which nobody asks for them."""
    dose = {"kind": "dose", "drug": drug, "unit": unit, "route": "iv"}
    lactate = {"kind": "observations", "readings": [{"code": "lactate", "value": 5, "unit": "mmol/L"}]}

    def content(number: int) -> dict[str, Any]:
        shocked = {0: rate(0), 1: lactate}
        return shocked.get(number % 25, {**dose, "dose": 1 + number % 3})

    return content


def running(number: int) -> dict[str, Any]:
    return {"kind": "infusion", "drug": "hydroxocobalamin", "action": "rate", "rate": 1 + number % 3, "unit": "g/h"}


def seizing(number: int) -> dict[str, Any]:
    return {"kind": "seizure", "action": ("start", "stop")[number % 2], "semiology": "tonic_clonic"}


def minutes_of_seizure(number: int) -> dict[str, Any]:
    reading = {"code": "eeg_seizure_minutes", "value": number % 3, "unit": "min"}
    return {"kind": "observations", "readings": [reading]}


def anaesthetised(number: int) -> dict[str, Any]:
    if not number:
        return seizing(number)
    rate = (4.5, 1.5)[number // 5 % 2] + number % 7 / 10
    return {"kind": "infusion", "drug": "propofol", "action": "rate", "rate": rate, "unit": "mg/kg/h"}


def loaded(number: int) -> dict[str, Any]:
    if not number:
        return seizing(number)
    drug = ("levetiracetam", "lorazepam")[number % 2]
    return {"kind": "dose", "drug": drug, "dose": (500, 2)[number % 2], "unit": "mg", "route": "iv"}


def engine_after(content: Callable[[int], dict[str, Any]], size: int) -> PatientEngine:
    """An engine to which an hour has brought so many events."""
    engine = PatientEngine("bed", packs(), SiteSettings())
    patient = {"age_years": 58, "weight_kg": 70, "conditions": [{"code": "suspected_infection"}]}
    engine.observe(decode(told(-60.0, {"kind": "encounter", "event": "admission", **patient}, -1)))
    for number in range(size):
        engine.observe(decode(told(number * HOUR / size, content(number), number)))
    return engine


def counted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[int]:
    calls: list[int] = []
    do = getattr(place, name)

    def count(*given: Any) -> Any:
        calls.append(1)
        return do(*given)

    monkeypatch.setattr(place, name, count)
    return calls


@pytest.mark.parametrize(
    ("content", "place", "name"),
    [
        (rate, delivery._Stream, "take"),
        (rate, steps, "compare"),
        (rate, delivery, "_running"),
        (shock, arrest, "_after"),
        (shock, Shocks, "__init__"),
        (weighing, body, "_shifted"),
        (dosing("hydroxocobalamin", "g"), Portions, "add"),
        (dosing("hydroxocobalamin", "g"), Portions, "sum"),
        (running, Portions, "add"),
        (running, Portions, "sum"),
        (seizing, Bouts, "_take"),
        (minutes_of_seizure, Bouts, "_take"),
        (minutes_of_seizure, eeg, "_added"),
        (anaesthetised, anaesthesia, "_nearest"),
        (anaesthetised, anaesthesia, "_deep"),
        (loaded, loading, "_course"),
    ],
)
def test_four_times_the_events_are_four_times_the_work(
    monkeypatch: pytest.MonkeyPatch, content: Callable[[int], dict[str, Any]], place: Any, name: str
) -> None:
    calls = counted(monkeypatch, place, name)
    works = []
    for size in (50, 200):
        calls.clear()
        engine_after(content, size)
        works.append(len(calls))
    few, many = works
    assert few >= 40, "it is what is counted; the last may still be held back"
    assert many <= 5 * few


def test_doses_of_a_steroid_are_not_summed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, View, "amount")
    pathway, works = Pathway(packs()[0], SiteSettings(), load()), []
    for size in (50, 200):
        calls.clear()
        timeline = Timeline()
        for number in range(size):
            dose = Given(1.0 + number % 3, 0, "iv", "given", None, True)
            timeline.insert("dose:hydrocortisone", Fact(number, number, f"{number:03}", dose), number)
            pathway.view(timeline, Fold(1, open=True), number).value("hydrocortisone_equivalent_per_day")
        works.append(len(calls))
    assert works[1] <= 5 * works[0]


@pytest.mark.parametrize("content", [rate, shock])
def test_time_in_which_nothing_is_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, content: Callable[[int], dict[str, Any]]
) -> None:
    judged = counted(monkeypatch, PatientEngine, "_judged")
    works = []
    for days in (30, 36_500):
        engine = engine_after(content, 30)
        judged.clear()
        engine.advance(BEGIN + timedelta(days=days))
        works.append(len(judged))
    assert works[0] == works[1] > 0


def causes(changes: list[Change]) -> list[str]:
    return [change.cause for change in changes if isinstance(change, StatusChange) and change.cause]


def test_a_cause_is_short_however_much_came_late() -> None:
    engine = engine_after(rate, 4)
    seizing = {"kind": "seizure", "action": "ongoing", "semiology": "tonic_clonic"}
    for number in range(300):
        engine.observe(decode(told(600.0 + number, seizing, 1000 + number, HOUR)))
    found = causes(engine.advance(BEGIN + timedelta(hours=2)))
    assert any(f"and {300 - NAMED} more" in cause for cause in found)
    assert max(map(len, found)) < (NAMED + 1) * LONGEST


def test_what_is_wrong_with_a_message_is_said_in_short_however_long_it_is() -> None:
    wrong = {"kind": "nothing" * 100_000, **{f"unknown{number}": number for number in range(10_000)}}
    for content in (wrong, wrong | {"kind": "encounter", "event": "no" * 100_000}):
        with pytest.raises(MalformedEventError) as refused:
            decode(told(0.0, content, 1))
        assert len(str(refused.value)) < (NAMED + 1) * (LONGEST + 10)


def test_a_few_are_all_named() -> None:
    few = [f"reason {number}" for number in range(NAMED)]
    assert brief(few) == tuple(few)
    assert brief([*few, "x", "y"]) == (*few, "and 2 more")
    assert brief(["z" * (LONGEST + 1)]) == ("z" * LONGEST + "...",)
