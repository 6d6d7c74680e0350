"""What may happen to any course on its way: corrections, repetitions, late news, answers, a stay that ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final

from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from rules.catalogue import load
from rules.events import Event
from rules.pathway import NOTICES
from tests.courses.patients import rarely
from tests.rules.strategies import SECOND, START, Course, Log, alert_id, in_order, minutes, packs

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
_LIVE: Final = frozenset(signal.name for signal in load().signals if signal.live)
_DELAYS: Final = (-1.0, 0.5, 3.0, 20.0, 90.0)
"""How many minutes after an event it is corrected; before it where messages overtake each other."""


def disturbed(draw: st.DrawFn, course: Course, *, corrections: bool, actions: bool) -> Log:
    """The events of a course in the order in which they were received, after what may happen to any."""
    course.events = _late(draw, course.events)
    end = max((event.effective_at - START) / timedelta(minutes=1) for event in course.events)
    if rarely(draw):
        _discharge(draw, course, int(end))
    if corrections:
        _corrections(draw, course)
    if actions:
        _answers(draw, course, int(end))
    return Log(in_order(course.events))


def _late(draw: st.DrawFn, events: Sequence[Event]) -> list[Event]:
    """Some of what is charted by people comes later than it should."""
    charted = [index for index, event in enumerate(events) if event.kind not in ("observations", "encounter")]
    late = draw(st.lists(st.sampled_from(charted), max_size=2, unique=True)) if charted else []
    moved = list(events)
    for index in late:
        delay = timedelta(minutes=draw(st.sampled_from([2, 20, 90, 200])))
        moved[index] = moved[index].model_copy(update={"received_at": moved[index].received_at + delay})
    return moved


def _discharge(draw: st.DrawFn, course: Course, end: int) -> None:
    """The stay ends, and in some courses another one begins."""
    at = draw(minutes(end // 2, end + 60))
    course.add("encounter", at, lag=draw(st.sampled_from([0, 0, 30])), event="discharge")
    if draw(st.booleans()):
        course.add("encounter", at + draw(st.sampled_from([5, 45])), event="admission")


def _corrections(draw: st.DrawFn, course: Course) -> None:
    targets = [event for event in course.events if event.kind != "action"]
    for target in draw(st.lists(st.sampled_from(targets), max_size=3, unique_by=lambda event: event.id)):
        correction = _correction(draw, target, f"correction-{target.id}")
        course.events.append(correction)
        if rarely(draw):
            course.events.append(_correction(draw, correction, f"second-{target.id}"))


def _correction(draw: st.DrawFn, target: Event, name: str) -> Event:
    received = target.received_at + timedelta(minutes=draw(st.sampled_from(_DELAYS)))
    changed: dict[str, Any] = {"id": name, "corrects": target.id, "received_at": max(received, target.effective_at)}
    if target.kind == "observations" and draw(st.booleans()):
        other = [{**reading, "value": reading["value"] * 0.8} for reading in target.model_dump()["readings"]]
        changed |= {"status": "corrected", "readings": other}
    elif target.kind in ("dose", "procedure", "seizure", "fluid") and draw(st.booleans()):
        earlier = target.effective_at - timedelta(minutes=draw(st.sampled_from([0, 5, 25])))
        changed |= {"status": "corrected", "effective_at": earlier}
        if target.model_dump().get("started_at") is not None:
            changed["started_at"] = earlier - timedelta(minutes=5)
    else:
        changed |= {"status": "entered-in-error"}
    return _EVENT.validate_python({**target.model_dump(), **changed})


@cache
def _alerts() -> tuple[str, ...]:
    """The ids of all alerts that the first two episodes of any pathway may raise."""
    found = []
    for pack in packs():
        stages = [stage.id for stage in pack.stages if stage.role != "marker"]
        named = [(therapy.id, therapy.stage) for therapy in pack.therapies]
        named += [(notice, stage) for notice in NOTICES for stage in stages]
        found += [alert_id(subject, stage, 1, pack.id) for subject, stage in named]
    return tuple(found)


def _answers(draw: st.DrawFn, course: Course, end: int) -> None:
    for alert in draw(st.lists(st.sampled_from(_alerts()), max_size=6, unique=True)):
        action = draw(st.sampled_from(["acknowledge", "accept", "decline", "snooze"]))
        course.add(
            "action",
            draw(minutes(end // 4, end + 30)),
            lag=draw(st.sampled_from([0, 0, 1])),
            alert_id=alert,
            action=action,
            actor="dr-1",
            role="registrar",
            reason="not applicable" if action == "decline" else None,
        )


@st.composite
def with_repetitions(draw: st.DrawFn, course: st.SearchStrategy[Log]) -> list[Event]:
    """A course of which some events are received again: as they were, or stamped anew."""
    events = draw(course)
    chosen = draw(st.lists(st.sampled_from(events), max_size=3))
    again = [
        event.model_copy(
            update={"received_at": event.received_at + timedelta(minutes=draw(st.sampled_from([0, 7, 61])))}
        )
        for event in chosen
    ]
    return in_order([*events, *again])


def on_the_second(events: Sequence[Event]) -> list[Event]:
    """The events at whole seconds, none received before it happened unless it was.

    What changes *after* an instant is judged a second later; between two whole seconds the engine owes no answer.
    """
    moved = []
    for event in events:
        updated = {
            name: _rounded(value, up=name == "received_at")
            for name in ("effective_at", "received_at", "started_at", "last_seen_at")
            if isinstance(value := getattr(event, name, None), datetime)
        }
        moved.append(event.model_copy(update=updated))
    return in_order(moved)


def without_live(events: Sequence[Event]) -> list[Event]:
    """The events without readings of the signals of which the minute that goes on counts."""
    kept: list[Event] = []
    for event in events:
        if event.kind == "observations":
            left = tuple(reading for reading in event.readings if reading.code not in _LIVE)
            if not left:
                continue
            kept.append(event.model_copy(update={"readings": left}))
        else:
            kept.append(event)
    return kept


def punctual(events: Sequence[Event], bound: timedelta) -> list[Event]:
    """The events, none received longer after it happened than a bound; those that say so are left out."""
    return [event for event in events if event.received_at - event.happened_at <= bound]


def _rounded(moment: datetime, *, up: bool) -> datetime:
    rest = (moment - START) % SECOND
    return moment if not rest else moment - rest + (SECOND if up else timedelta(0))
