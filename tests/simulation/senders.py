"""Senders: courses of patients of every pathway, and what happens to their messages before they arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field, TypeAdapter

from rules.events import Event, encode
from tests.simulation.world import START, Fault, World

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])

POISON_VALUE: Final = 6.66
"""A lactate on which judging fails, once it is on the timeline."""

POISON_NAME: Final = "poison"
"""How the id of an event begins that cannot be taken in."""

DEVICES: Final = "devices"
CHART: Final = "chart"


class Message(NamedTuple):
    """What a sender sends: when it arrives at the earliest (seconds), its bytes, and the event that it is, if any."""

    due: float
    raw: bytes
    event: Event | None


@dataclass
class Sender:
    """Sends what is due until it is told that it has been taken in; who is not answered sends again."""

    name: str
    messages: list[Message]
    done: int = 0
    """How many messages have been answered; they are sent in this order."""

    def due(self, seconds: float, most: int) -> list[Message]:
        """The next messages that have not been answered."""
        waiting = self.messages[self.done : self.done + most]
        return [message for message in waiting if message.due <= seconds]


@dataclass
class _Course:
    """A patient's events while they are made: facts of one kind of sender are numbered from 1, so ids clash."""

    patient: str
    begin: float
    numbers: dict[str, count[int]]
    events: list[Event] = field(default_factory=list)

    def add(self, kind: str, minutes: float, *, lag: float = 0.0, name: str = "", **fields: Any) -> Event:
        """An event that became true so many minutes after the beginning, and known ``lag`` minutes later."""
        source = DEVICES if kind == "observations" else CHART
        at = _at(self.begin + minutes * 60)
        event = _EVENT.validate_python(
            {
                "id": f"{name}{next(self.numbers[source])}",
                "source": source,
                "schema_version": 1,
                "subject": self.patient,
                "effective_at": at,
                "received_at": at + timedelta(seconds=round(lag * 60)),
                "kind": kind,
                **fields,
            }
        )
        self.events.append(event)
        return event

    def read(self, minutes: float, *, lag: float = 0.0, **values: tuple[float, str]) -> None:
        readings = [{"code": code, "value": value, "unit": unit} for code, (value, unit) in values.items()]
        self.add("observations", minutes, lag=lag, readings=readings)


def _arrest(course: _Course, chance: Random) -> None:
    course.add("encounter", 0, event="admission", age_years=chance.choice((45, 71)), weight_kg=80)
    course.add("resuscitation", 3, action="collapse", witnessed=True, rhythm="vf")
    course.add("resuscitation", 4, action="cpr_start")
    for number in range(chance.randint(3, 5)):
        course.add("resuscitation", 6 + 2 * number, action="shock", energy_joules=200)
        course.add("dose", 7 + 3 * number, lag=chance.choice((0, 0, 2)), drug="epinephrine", dose=1, unit="mg")
    course.add("dose", 13, drug="amiodarone", dose=300, unit="mg")
    if chance.random() < 0.5:
        course.add("resuscitation", chance.randint(20, 40), action="rosc")


def _shock(course: _Course, chance: Random) -> None:
    infected = [{"code": "suspected_infection", "presence": "present"}]
    course.add("encounter", 0, event="admission", age_years=66, weight_kg=80, conditions=infected)
    course.add("fluid", 4, fluid="crystalloid", volume=chance.choice((1000, 2400)), unit="mL")
    course.add("dose", 5, drug="piperacillin_tazobactam", dose=4500, unit="mg")
    course.read(3, lag=chance.choice((0, 12)), lactate=(5.0, "mmol/L"))
    for minutes in (6, 30, 60):
        rate = chance.choice((0.3, 0.6, 0.6))
        course.add("infusion", minutes, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min")
    for minutes in range(8, 70, 10):
        course.read(minutes, map_noninvasive=(chance.choice((55, 58, 70)), "mm[Hg]"))
    course.read(45, lag=chance.choice((0, 15)), lactate=(chance.choice((4.4, 1.6)), "mmol/L"))


def _seizure(course: _Course, chance: Random) -> None:
    course.add("encounter", 0, event="admission", age_years=45, weight_kg=70)
    course.add("seizure", 2, action="start", semiology="tonic_clonic")
    course.read(3, glucose=(110, "mg/dL"))
    course.add("dose", 7, drug="lorazepam", dose=chance.choice((2, 4)), unit="mg")
    course.add("dose", 18, lag=chance.choice((0, 3)), drug="levetiracetam", dose=4200, unit="mg")
    for minutes in (12, 28, 45):
        course.add("seizure", minutes, action="ongoing", semiology="tonic_clonic")
    course.add("infusion", 50, drug="midazolam", action="start", rate=0.2, unit="mg/kg/h")
    if chance.random() < 0.5:
        course.add("seizure", 60, action="stop", semiology="tonic_clonic")


_OPACITIES: Final = [{"code": "bilateral_opacities", "presence": "present"}]


def _lungs(course: _Course, chance: Random) -> None:
    course.add("encounter", 0, event="admission", age_years=50, weight_kg=80, height_cm=178, sex="male")
    course.add("assessment", 5, examination="chest_imaging", findings=_OPACITIES)
    course.add("procedure", 2, code="intubated", action="start")
    for minutes in range(10, 70, 15):
        course.read(
            minutes,
            lag=chance.choice((0, 4)),
            pao2=(chance.choice((52, 60, 75)), "mm[Hg]"),
            paco2=(55, "mm[Hg]"),
            ph=(7.22, "[pH]"),
            fio2=(chance.choice((0.9, 1.0)), "1"),
            peep=(12, "cm[H2O]"),
        )
        settings: dict[str, Any] = {"tidal_volume": (430, "mL"), "respiratory_rate": (30, "/min")}
        course.read(minutes + 1, plateau_pressure=(31, "cm[H2O]"), **settings)


_COURSES: Final[tuple[Callable[[_Course, Random], None], ...]] = (_arrest, _shock, _seizure, _lungs)


def patients(world: World, most: int) -> Iterator[list[Event]]:
    """The events of some patients, as they would be sent if nothing went wrong."""
    numbers = {DEVICES: count(1), CHART: count(1)}
    for number in range(1, most + 1):
        course = _Course(f"patient-{number}", 60.0 * world.chance.randint(0, 15), numbers)
        world.chance.choice(_COURSES)(course, world.chance)
        _corrected(course, world)
        if world.chance.random() < 0.15:
            minutes = world.chance.randint(10, 40)
            if world.chance.random() < 0.5:
                course.read(minutes, lactate=(POISON_VALUE, "mmol/L"))
            else:
                course.add("fluid", minutes, name=POISON_NAME, fluid="crystalloid", volume=500, unit="mL")
        yield course.events


def senders(world: World, most: int, *, punctual: bool = False) -> list[Sender]:
    """All senders with what they send, in the order in which it arrives if nobody is down.

    Those that are ``punctual`` have right clocks, and nothing of theirs is late.
    """
    messages: dict[str, list[Message]] = {DEVICES: [], CHART: []}
    for events in patients(world, most):
        for event in events:
            messages[event.source] += _on_the_way(event, world, punctual=punctual)
    ids = [{message.event.id for message in sent if message.event is not None} for sent in messages.values()]
    if set.intersection(*ids):
        world.inject(Fault.CLASHING)
    for sent in messages.values():
        sent.sort(key=lambda message: message.due)
    return [Sender(name, sent) for name, sent in messages.items()]


def _corrected(course: _Course, world: World) -> None:
    chance = world.chance
    for event in chance.sample(course.events, 2):
        if event.kind not in ("observations", "fluid", "dose") or chance.random() < 0.4:
            continue
        world.inject(Fault.CORRECTED)
        later = timedelta(minutes=chance.choice((1, 4, 20)))
        changed: dict[str, Any] = {"status": "entered-in-error"}
        if event.kind == "fluid":
            changed = {"status": "corrected", "volume": 500}
        made = {
            **event.model_dump(),
            **changed,
            "id": f"c{next(course.numbers[event.source])}",
            "corrects": event.id,
            "received_at": event.received_at + later,
        }
        course.events.append(_EVENT.validate_python(made))


def _on_the_way(event: Event, world: World, *, punctual: bool) -> Iterator[Message]:
    """What becomes of an event between its sender and us."""
    chance, due = world.chance, (event.received_at - START).total_seconds() + 0.5
    fate = chance.random()
    if fate < 0.03:
        world.inject(Fault.LOST)
        return
    if fate < 0.10 and punctual:
        pass
    elif fate < 0.07:
        world.inject(Fault.LATE)
        due += chance.choice((4, 20, 90, 400))
    elif fate < 0.10:
        world.inject(Fault.SKEWED)
        ahead = timedelta(seconds=chance.choice((20, 55, 120, 3600)))
        event = event.model_copy(update={"received_at": event.received_at + ahead})
    elif fate < 0.13:
        world.inject(Fault.UNREADABLE)
        yield Message(due, _spoilt(encode(event), chance), None)
        return
    elif fate < 0.17:
        world.inject(Fault.DOUBLED)
        yield Message(due + chance.choice((0, 3, 0 if punctual else 200)), encode(event).encode(), event)
    yield Message(due, encode(event).encode(), event)


def _spoilt(line: str, chance: Random) -> bytes:
    """Bytes that are no event; none of them hold an end of a line."""
    kind = chance.randrange(4)
    if kind == 0:
        return line[: chance.randint(1, len(line) - 1)].encode()
    if kind == 1:
        return json.dumps({**json.loads(line), "kind": "unheard-of"}).encode()
    if kind == 2:
        return json.dumps({**json.loads(line), "source": "rescue-monitor"}).encode()
    return bytes(chance.choice(range(0x80, 0x100)) for _ in range(9))


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=round(seconds))
