"""What decides lies in the snapshot, or is derived from it: no attribute of an engine is forgotten."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from rules.engine import PatientEngine
from tests.rules.strange import Ward, strange_course
from tests.rules.strategies import MINUTE, PATIENT, SITE, as_bytes, make, moment, packs, readings, scaled

CACHES: Final = {
    "_going_on": "a short way for further samples of a minute; without it they go the long way, to the same end",
    "_minute": "the minute that _going_on is about",
    "_memo": "built again from the facts",
    "versions": "only tells _memo whether it is old",
    "_changes": "only tells _memo from when on it is old",
    "_reads": "taken down anew by each judgement",
    "_watching": "tells traces what has changed; those of a restored engine begin with nothing",
    "trace": "answers that stand; without one everything is asked again, and comes out the same",
    "_cache": "medians of minutes that have not settled, built again from their samples",
}
"""What is not compared, and why it cannot decide anything."""

HEAPS: Final = ("pending",)
"""Heaps: the same things may lie in another order."""


def attributes(found: object) -> Iterator[str]:
    """The names of everything that an object holds."""
    for kind in type(found).__mro__:
        yield from getattr(kind, "__slots__", ())
    yield from getattr(found, "__dict__", ())


def differences(one: Any, other: Any, path: str = "engine") -> Iterator[str]:
    """Where two states differ, attribute by attribute, however deep."""
    parts = list(inside(one)), list(inside(other))
    alike = type(one) is type(other) and [name for name, _ in parts[0]] == [name for name, _ in parts[1]]
    if not alike or (not parts[0] and one is not other and one != other):
        yield f"{path}: {one!r} and {other!r}"
        return
    for (name, mine), (_, yours) in zip(*parts, strict=True):
        if mine is not yours:
            yield from differences(mine, yours, f"{path}{name}")


def inside(found: Any) -> Iterator[tuple[str, Any]]:
    """What an object is made of, by name and in a fixed order; nothing of what is compared as a whole."""
    match found:
        case dict():
            yield from ((f"[{key!r}]", found[key]) for key in sorted(found, key=str))
        case array():
            yield "", found.tobytes()
        case list() | tuple():
            yield from ((f"[{index}]", part) for index, part in enumerate(found))
        case BaseModel() | Enum():
            return
        case _ if type(found).__module__.startswith("rules."):
            for name in sorted({*attributes(found)} - CACHES.keys()):
                part = getattr(found, name)
                yield f".{name}", sorted(part, key=lambda item: item[:2]) if name in HEAPS else part


def same_after_restore(engine: PatientEngine) -> list[str]:
    return [*differences(engine, PatientEngine.restore(engine.snapshot(), packs(), SITE))]


many = settings(max_examples=scaled(15), deadline=None, derandomize=True)
seeds = st.lists(st.integers(0, 2**32), min_size=1, max_size=60)


@many
@given(seeds)
def test_everything_an_engine_holds_is_there_again_after_each_event(seeds: list[int]) -> None:
    ward = Ward()
    for raw in strange_course(seeds):
        ward.hear(raw)
        assert same_after_restore(ward.engine) == []


@many
@given(seeds)
def test_an_engine_restored_after_each_event_says_the_same_at_the_same_time(seeds: list[int]) -> None:
    whole, again = Ward(), Ward()
    for raw in strange_course(seeds):
        whole.hear(raw)
        again.hear(raw)
        again.restore()
    whole.end()
    again.end()
    assert as_bytes(again.said) == as_bytes(whole.said)
    assert again.engine.snapshot() == whole.engine.snapshot()


@many
@given(seeds)
def test_however_often_time_is_advanced_strange_courses_say_the_same(seeds: list[int]) -> None:
    whole, often = Ward(), Ward()
    for raw in strange_course(seeds):
        whole.hear(raw)
        if (event := often.hear(raw)) is not None:
            often.said += often.engine.advance(event.received_at)
        while (due := often.engine.due) is not None and event is not None and due <= event.received_at:
            often.said += often.engine.advance(due)
    whole.end()
    often.end()
    assert as_bytes(often.said) == as_bytes(whole.said)


def test_a_verdict_is_not_judged_anew_for_what_it_was_not_read_from() -> None:
    """Of two engines only one was restored; a sample nobody reads yet wakes neither before its minute is over."""
    wards = Ward(), Ward()
    for ward in wards:
        ward.said += ward.engine.observe(make("seizure", 0, lag=90, action="stop", semiology="electrographic"))
    wards[1].restore()
    for ward in wards:
        ward.said += ward.engine.observe(make("observations", 110, lag=1, readings=readings(etco2=(31, "mm[Hg]"))))
        ward.end()
    assert as_bytes(wards[0].said) == as_bytes(wards[1].said)


@pytest.mark.parametrize("forgotten", ["read", "read_until", "due"])
def test_the_comparison_notices_what_is_forgotten(forgotten: str) -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.observe(make("encounter", 0, weight_kg=80))
    engine.observe(make("observations", 1, readings=readings(map_invasive=(60, "mm[Hg]"), lactate=(4, "mmol/L"))))
    engine.advance(make("encounter", 5).received_at + MINUTE)
    again = PatientEngine.restore(engine.snapshot(), packs(), SITE)
    assert [*differences(engine, again)] == []
    setattr(again.tracks[1], forgotten, {"channel": 1})
    assert [line for line in differences(engine, again) if f"tracks[1].{forgotten}" in line]


def test_who_is_restored_before_a_full_minute_without_flow_says_so_just_after_it_too() -> None:
    """Nothing but the instant is left: no answer from before it knows when it ends."""
    events = [make("resuscitation", 5, lag=2, action="collapse", witnessed=True, rhythm="vf")]
    events += [make("resuscitation", minute, action="shock", energy_joules=200) for minute in (8, 10, 12, 14)]
    events += [make("dose", 15, drug="epinephrine", dose=1, unit="mg")]
    whole, restored = PatientEngine(PATIENT, packs(), SITE), PatientEngine(PATIENT, packs(), SITE)
    for event in events:
        restored = PatientEngine.restore(restored.snapshot(), packs(), SITE)
        assert as_bytes(whole.observe(event)) == as_bytes(restored.observe(event))
    assert as_bytes(whole.advance(moment(20))) == as_bytes(restored.advance(moment(20)))
