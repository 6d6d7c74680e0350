"""What the tables of the courses are written in: times, drivers of the body, pumps, facts, samples, and what is true.

Times are ``H:MM`` or ``H:MM:SS`` from the zero of the course, negative for what came before it. Doses and rates
of drugs lie in the ranges that the rule packs cite; every other number in the tables is made up so that a course looks
like a patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE

Body = Mapping[str, Any]
"""The fields of a message after its envelope; a value may be a :class:`PerKilogram`."""
Rows = Sequence[tuple[str, float]]
"""A time, and what holds from then on; values of a driver lie on straight lines between the rows."""
State = Literal["present", "apparent", "refractory", "over"]


def moment(text: str) -> int:
    """The milliseconds that a time of the tables means.

    Raises:
        ValueError: if it is not such a time.
    """
    hours, minutes, *seconds = text.removeprefix("-").split(":")
    total = int(hours) * HOUR + int(minutes) * MINUTE + 1000 * sum(map(int, seconds))
    return -total if text.startswith("-") else total


@dataclass(frozen=True, slots=True)
class PerKilogram:
    """An amount for each kilogram of body weight, up to a cap; ``share`` is the part of it that is given."""

    amount: float
    cap: float | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Pump:
    """One infusion: its rates, and what else happens to the pump, each with its time.

    A word is ``pause``, ``resume`` or ``stop``, or one of the alarms of the wire format, which stops nothing by itself.
    """

    drug: str
    unit: str
    steps: Sequence[tuple[str, float | str]]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happens once. It is written down within ``late`` minutes, or never if it was not ``seen``."""

    at: str
    body: Body
    source: str = "chart"
    late: float = 2.0
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """Something measured again and again: a panel of :data:`streams.simulator.laboratory.PANELS`, and how often.

    ``loose`` is the part of the interval by which each time is off.
    """

    panel: str
    begin: str
    every: str
    loose: float = 0.1


@dataclass(frozen=True, slots=True)
class TrueState:
    """What is true of the patient from one time to another, whatever a monitor says of it.

    ``present``: the condition is there and being treated; ``apparent``: it looks refractory and is not; ``refractory``:
    treatment has failed by the definition; ``over``: the condition has ended. ``stage`` is what a monitor ought to
    reach, ``why`` the reason in words.
    """

    state: State
    begins: str
    why: str
    stage: str | None = None
    ends: str | None = None


@dataclass(frozen=True, kw_only=True)
class Course:
    """One kind of patient: who it can be, what happens in the body, what is done, and what is true of it.

    An ``acute`` course always has its zero after the start of the log: a resuscitation is not told afterwards.
    """

    name: str
    title: str
    pathway: str | None = None
    acute: bool = False
    ages: tuple[int, int] = (30, 85)
    sex: Literal["male", "female"] | None = None
    admitted: str = "-8:00"
    has: str = ""
    has_not: str = ""
    goals: str = "full"
    arterial_line: bool = True
    ventilated: bool = False
    drivers: Mapping[str, Rows] = field(default_factory=dict)
    settings: Mapping[str, Rows] = field(default_factory=dict)
    pumps: Sequence[Pump] = ()
    facts: Sequence[Fact] = ()
    samples: Sequence[Sampling] = ()
    truth: Sequence[TrueState] = ()


ROUTINE: Final = (
    Sampling("observations", "-2:00", "1:00"),
    Sampling("neurology", "-2:00", "2:00"),
    Sampling("gas", "-1:30", "4:00"),
    Sampling("chemistry", "-3:00", "6:00"),
)
"""What is measured in every patient."""


def coded(present: str = "", absent: str = "") -> list[Body]:
    """Coded findings from lists of codes."""
    pairs = (("present", present), ("absent", absent))
    return [{"code": code, "presence": presence} for presence, codes in pairs for code in codes.split()]


def update(at: str, has: str = "", has_not: str = "", **fields: str) -> Fact:
    """A change to what is known of the patient."""
    return Fact(at, {"kind": "encounter", "event": "update", "conditions": coded(has, has_not), **fields})


def dose(at: str, drug: str, amount: float | PerKilogram, unit: str = "mg", *, since: str | None = None) -> Fact:
    """A dose that ends at a time, with its beginning where it took a while."""
    started = {} if since is None else {"started_at": since}
    return Fact(at, {"kind": "dose", "drug": drug, "dose": amount, "unit": unit, **started}, late=1.0)


def given(at: str, drug: str) -> Fact:
    """A dose of which the chart does not say how much it was."""
    return dose(at, drug, 1.0, "{dose}")


def crystalloid(at: str, volume: PerKilogram, since: str) -> Fact:
    """Crystalloid, given evenly since a time; in mL."""
    return Fact(at, {"kind": "fluid", "fluid": "crystalloid", "volume": volume, "unit": "mL", "started_at": since})


def done(at: str, code: str) -> Fact:
    """A procedure."""
    return Fact(at, {"kind": "procedure", "code": code, "action": "done"})


def begun(at: str, code: str) -> Fact:
    """The beginning of a procedure or support that lasts."""
    return Fact(at, {"kind": "procedure", "code": code, "action": "start"})


def ended(at: str, code: str) -> Fact:
    """The end of a procedure or support that lasts."""
    return Fact(at, {"kind": "procedure", "code": code, "action": "stop"})


def echo(at: str, lvef: float) -> Fact:
    """An echocardiogram that finds no other cause of shock."""
    absent = coded(
        "", "tamponade acute_rv_failure hypovolaemia pulmonary_embolism lvot_obstruction tension_pneumothorax"
    )
    readings = [{"code": "lvef", "value": lvef, "unit": "%"}]
    return Fact(at, {"kind": "assessment", "examination": "echo", "findings": absent, "readings": readings}, late=8.0)


def found(at: str, examination: str, present: str = "", absent: str = "") -> Fact:
    """The result of an examination."""
    return Fact(at, {"kind": "assessment", "examination": examination, "findings": coded(present, absent)})


def seizure(begin: str, end: str | None, semiology: str = "tonic_clonic", *, last: str = "30:00") -> list[Fact]:
    """A seizure, confirmed every eight minutes until it stops, or until ``last`` where it does not."""
    until = moment(last if end is None else end)
    times = [(moment(begin), "start")]
    times += [(at, "ongoing") for at in range(moment(begin) + 8 * MINUTE, until, 8 * MINUTE)]
    times += [] if end is None else [(until, "stop")]
    return [
        Fact(spell(at), {"kind": "seizure", "action": action, "semiology": semiology}, late=0.5) for at, action in times
    ]


def arrest(at: str, action: str, *, seen: bool = True, **fields: Any) -> Fact:
    """Something on the clock of a resuscitation."""
    source = "defibrillator" if action in ("rhythm", "shock") else "chart"
    return Fact(at, {"kind": "resuscitation", "action": action, **fields}, source, 0.05, seen)


def spell(instant: int) -> str:
    """A time of the tables for milliseconds; the opposite of :func:`moment`."""
    seconds = abs(instant) // 1000
    return f"{'-' if instant < 0 else ''}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
