"""Every kind of event that a rule reads, each as a course of its own: what may come thousands of times in an hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any, Final, get_args

from rules.catalogue import Catalogue, Concept, Drug, Signal
from rules.events import Resuscitation, Seizure

Content = Callable[[int], dict[str, Any]]
"""What the event of a number says."""

_FLIPPING: Final = ("present", "absent")


def kinds(catalogue: Catalogue, read: frozenset[str]) -> Iterator[tuple[str, Content]]:
    """Each kind by what it is called.

    Args:
        catalogue: the signals, drugs and concepts.
        read: the channels that a rule reads; what is in none of them is not kept and costs nothing.
    """
    for signal in catalogue.signals:
        if f"signal:{signal.name}" in read:
            yield f"{signal.name} by device", _readings(signal, "device")
            yield f"{signal.name} charted", _readings(signal, "charted")
    for concept in catalogue.concepts:
        if f"state:{concept.name}" in read:
            yield f"{concept.name} to and fro", _states(concept)
    for drug in catalogue.drugs:
        if f"dose:{drug.name}" in read:
            yield f"doses of {drug.name}", _given(drug)
        if f"infusion:{drug.name}" in read:
            yield f"rates of {drug.name}", _rates(drug)
            yield f"starts and stops of {drug.name}", _starts(drug)
            yield f"new pumps of {drug.name}", _each_its_own(_rates(drug), "pump")
            yield f"new lines of {drug.name}", _each_its_own(_rates(drug), "line")
    yield from _seizures()
    yield from _of_an_arrest()
    yield from _others()


def _readings(signal: Signal, method: str) -> Content:
    low, high = (bound if abs(bound) < inf else 100.0 for bound in signal.plausible)

    def content(number: int) -> dict[str, Any]:
        value = low + (high - low) * (1 + number % 7) / 8
        reading = {"code": signal.name, "value": value, "unit": signal.unit, "method": method}
        return {"kind": "observations", "readings": [reading]}

    return content


def _states(concept: Concept) -> Content:
    values = concept.values if concept.kind == "coded" else _FLIPPING

    def content(number: int) -> dict[str, Any]:
        value = values[number % len(values)]
        if concept.name in ("sex", "goals_of_care"):
            return {"kind": "encounter", "event": "update", concept.name: None if value == "unknown" else value}
        if concept.kind == "event":
            return {"kind": "procedure", "code": concept.name, "action": "done"}
        return {"kind": "encounter", "conditions": [{"code": concept.name, "presence": value}]}

    return content


def _given(drug: Drug) -> Content:
    return lambda number: {"kind": "dose", "drug": drug.name, "dose": 1 + number % 3, "unit": drug.dose_unit or "mg"}


def _rates(drug: Drug) -> Content:
    most = min(drug.max_plausible_rate or 1.0, 1.0)

    def content(number: int) -> dict[str, Any]:
        rate = round(most * (3 + number * 7 % 11) / 20, 6)
        return {"kind": "infusion", "drug": drug.name, "action": "rate", "rate": rate, "unit": drug.rate_unit or "mg/h"}

    return content


def _starts(drug: Drug) -> Content:
    stop = {"kind": "infusion", "drug": drug.name, "action": "stop"}
    return lambda number: stop if number % 2 else _rates(drug)(number) | {"action": "start"}


def _each_its_own(content: Content, field: str) -> Content:
    return lambda number: content(number) | {field: str(number)}


def _in_turn(field: str, values: Sequence[str], **others: str) -> Content:
    return lambda number: {**others, field: values[number % len(values)]}


def _seizures() -> Iterator[tuple[str, Content]]:
    for semiology in get_args(Seizure.model_fields["semiology"].annotation):
        for name, actions in (("going on", ("ongoing",)), ("that begin", ("start",)), ("over", ("start", "stop"))):
            content = _in_turn("action", actions, kind="seizure", semiology=semiology)
            yield f"{semiology} seizures {name}", content


def _of_an_arrest() -> Iterator[tuple[str, Content]]:
    for action in get_args(Resuscitation.model_fields["action"].annotation):
        yield f"resuscitation: {action}", _in_turn("action", (action,), kind="resuscitation")
    yield "compressions with pauses", _in_turn("action", ("cpr_start", "cpr_stop"), kind="resuscitation")
    yield "arrests", _in_turn("action", ("cpr_start", "rosc"), kind="resuscitation")
    rhythms = ("vf", "organised", "asystole")
    yield "rhythms", _in_turn("rhythm", rhythms, kind="resuscitation", action="rhythm")


def _others() -> Iterator[tuple[str, Content]]:
    for fluid in ("crystalloid", "albumin", "blood_product"):
        yield fluid, _volumes(fluid)
    yield "cultures", _cultures
    yield "weights", lambda number: {"kind": "encounter", "event": "update", "weight_kg": 70 + number % 5}
    for moves in (("admission",), ("transfer",), ("admission", "discharge")):
        yield f"encounters: {' and '.join(moves)}", _in_turn("event", moves, kind="encounter", unit_name="ICU")
    yield "transfers to and fro", _in_turn("unit_name", ("ICU", "theatre"), kind="encounter", event="transfer")
    yield "corrections", _corrections


def _volumes(fluid: str) -> Content:
    return lambda number: {"kind": "fluid", "fluid": fluid, "volume": 1 + number % 5, "unit": "mL"}


def _cultures(number: int) -> dict[str, Any]:
    tested = {"drug": "ceftriaxone", "result": "SR"[number % 2]}
    specimen = ("blood", "urine")[number % 2]
    found = {"specimen_type": specimen, "organism": "Escherichia coli", "susceptibilities": [tested]}
    return {"kind": "culture", **found}


def _corrections(number: int) -> dict[str, Any]:
    reading = {"code": "lactate", "value": 2 + number % 7 / 10, "unit": "mmol/L"}
    corrected = {"corrects": str(number - 1), "status": "corrected"} if number % 2 else {}
    return {"kind": "observations", "readings": [reading], **corrected}
