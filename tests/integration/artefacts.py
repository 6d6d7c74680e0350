"""Charted values that their neighbours contradict: what somebody at the bedside would take for an artefact.

Looked for in recorded charts after the fact, since only then is the value after each known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rules.events import Event, Infusion, InfusionAction, Observations

NEAR: Final = timedelta(hours=6)
"""How far a neighbour may be away."""

SHORT: Final = timedelta(minutes=15)
"""How long a rate may last that is no treatment but a bag change or a slip of the hand."""

_AGREE: Final = 0.2
_OFF: Final = 0.5
_NARROW: Final = {"weight": 0.1, "temperature": 0.05, "core_temperature": 0.05, "ph": 0.02, "sodium": 0.1}
"""Deviations, as a part of the value, of what hardly changes within hours."""


class Contradicted(NamedTuple):
    """One value with the values before and after it, which agree with each other; ``event`` is the key of its event."""

    patient: str
    at: datetime
    event: str
    name: str
    before: float
    value: float
    after: float


def contradicted(events: Sequence[Event]) -> list[Contradicted]:
    """The values of one patient that the ones before and after contradict: single readings, and brief rates."""
    return sorted([*_readings(events), *_rates(events)], key=lambda found: (found.at, found.name))


def without(events: Sequence[Event], values: Sequence[Contradicted]) -> list[Event]:
    """The events as they would be had those values not been charted."""
    names = defaultdict(set)
    for value in values:
        names[value.event].add(value.name)
    kept: list[Event] = []
    for event in events:
        left_out = names.get(event.key)
        if left_out is None:
            kept.append(event)
        elif isinstance(event, Observations):
            readings = tuple(reading for reading in event.readings if reading.code not in left_out)
            if readings:
                kept.append(event.model_copy(update={"readings": readings}))
    return kept


def _readings(events: Sequence[Event]) -> Iterator[Contradicted]:
    series: defaultdict[tuple[str, str | None], list[tuple[Event, float]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.effective_at):
        if isinstance(event, Observations):
            for reading in event.readings:
                if reading.value is not None:
                    series[reading.code, reading.unit].append((event, reading.value))
    for (code, _), found in series.items():
        for (earlier, before), (event, value), (later, after) in zip(found, found[1:], found[2:], strict=False):
            near = event.effective_at - earlier.effective_at <= NEAR and later.effective_at - event.effective_at <= NEAR
            if near and _stands_out(before, value, after, _NARROW.get(code, _OFF)):
                yield Contradicted(event.subject, event.effective_at, event.key, code, before, value, after)


def _rates(events: Sequence[Event]) -> Iterator[Contradicted]:
    series: defaultdict[str, list[tuple[Infusion, float]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.effective_at):
        if isinstance(event, Infusion):
            series[event.drug].append((event, event.rate or 0.0))
    for drug, found in series.items():
        for (_, before), (event, value), (later, after) in zip(found, found[1:], found[2:], strict=False):
            brief = later.effective_at - event.effective_at <= SHORT and event.action == InfusionAction.RATE
            if brief and _stands_out(before, value, after, _OFF):
                yield Contradicted(event.subject, event.effective_at, event.key, drug, before, value, after)


def _stands_out(before: float, value: float, after: float, off: float) -> bool:
    level = max(abs(before), abs(after))
    apart = min(abs(value - before), abs(value - after))
    return abs(before - after) <= min(_AGREE, off) * level and apart > off * level
