"""Random but realistic septic courses, for tests that promise something for every course."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Annotated, Any, Final
from uuid import NAMESPACE_URL, uuid5

from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from rules.engine import PatientEngine
from rules.events import Event, encode
from rules.outputs import AlertChange, Change, StatusChange, encode_change
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings

PATIENT: Final = "patient-1"
START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
SILENCE: Final = 4 * HOUR
"""How long a course is followed when nothing is heard any more."""

SITE: Final = SiteSettings(norepinephrine_salt="base")
MINUTE_SITE: Final = SiteSettings(norepinephrine_salt="base", lateness=MINUTE)

_SCALE: Final = float(os.environ.get("PROPERTY_SCALE", "1"))


def scaled(examples: int) -> int:
    """How many examples a property is tried on; ``PROPERTY_SCALE=30`` looks harder, for example before a release."""
    return max(1, round(examples * _SCALE))


_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])

_SUBJECTS: Final = (
    ("hydrocortisone", "SEP-1"),
    ("vasopressin", "SEP-2"),
    ("va_ecmo", "SEP-3"),
    ("refractory", "SEP-3"),
    ("fix_first", "SEP-1"),
    ("fix_first", "SEP-3"),
    ("obtain_data", "SEP-1"),
    ("obtain_data", "SEP-3"),
)


@cache
def packs() -> tuple[Pack, ...]:
    """The bundled packs, read once."""
    return load_packs()


def septic() -> Pack:
    """The pack of septic shock, wherever it stands among the bundled ones."""
    return next(pack for pack in packs() if pack.id == "septic-shock")


def moment(minutes: float) -> datetime:
    """The time so many minutes after the start, to the millisecond."""
    return START + timedelta(milliseconds=round(minutes * 60_000))


def alert_id(subject: str, stage: str, episode: int = 1, pathway: str = "septic-shock") -> str:
    """The id that the alert on a subject has in an episode."""
    return str(uuid5(NAMESPACE_URL, f"rescue-monitor:alert:{PATIENT}|{pathway}|{episode}|{stage}|{subject}"))


def make(kind: str, minutes: float, *, lag: float = 0, **fields: Any) -> Event:
    """One event, true ``minutes`` after the start and received ``lag`` minutes later."""
    envelope = {
        "schema_version": 1,
        "source": "ward",
        "subject": PATIENT,
        "effective_at": moment(minutes),
        "received_at": moment(minutes + lag),
    }
    return _EVENT.validate_python({"id": f"{kind}-{minutes:.5f}", **envelope, "kind": kind, **fields})


def readings(**values: tuple[float, str]) -> list[dict[str, Any]]:
    """Readings by signal: ``lactate=(3.1, "mmol/L")``."""
    return [{"code": code, "value": value, "unit": unit} for code, (value, unit) in values.items()]


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order in which they were received."""
    return sorted(events, key=lambda event: (event.received_at, event.id))


def as_bytes(changes: Iterable[Change]) -> bytes:
    """What a run said, as it goes over the wire."""
    return "\n".join(map(encode_change, changes)).encode()


def statuses(changes: Iterable[Change]) -> list[StatusChange]:
    return [change for change in changes if isinstance(change, StatusChange)]


def alerts(changes: Iterable[Change]) -> list[AlertChange]:
    return [change for change in changes if isinstance(change, AlertChange)]


def finish(events: Sequence[Event], settings: SiteSettings = SITE) -> datetime:
    """Some hours later, when most of what the events opened has ended by itself."""
    return max(event.received_at for event in events) + settings.lateness + SILENCE


def play(events: Sequence[Event], settings: SiteSettings = SITE, until: datetime | None = None) -> list[Change]:
    """All that an engine says when the events are delivered in the given order and time then passes."""
    engine = PatientEngine(PATIENT, packs(), settings)
    changes: list[Change] = []
    for event in events:
        changes += engine.observe(event)
    return changes + engine.advance(finish(events, settings) if until is None else until)


@dataclass
class Course:
    """A patient's events while they are put together; ids follow the order of making."""

    events: list[Event] = field(default_factory=list)

    def add(self, kind: str, minutes: float, *, lag: float = 0, **fields: Any) -> Event:
        event = make(kind, minutes, lag=lag, id=f"{kind}-{len(self.events)}", **fields)
        self.events.append(event)
        return event

    def observe(self, minutes: float, *, lag: float = 0, **values: tuple[float, str]) -> Event:
        return self.add("observations", minutes, lag=lag, readings=readings(**values))


class Log(list[Event]):
    """A course that prints itself briefly: one line per event, dense pressures left out."""

    def __repr__(self) -> str:
        lines = [_line(event) for event in self if "map_invasive" not in (text := encode(event)) or "corrects" in text]
        return "\n".join([f"{len(self)} events", *lines])


def _line(event: Event) -> str:
    envelope = {"schema_version", "source", "subject", "effective_at", "received_at", "kind"}
    body = event.model_dump(exclude=envelope, exclude_defaults=True)
    at, lag = (event.effective_at - START) / MINUTE, (event.received_at - event.effective_at) / MINUTE
    return f"  {at:.3f}{f' + {lag:.3f}' if lag else ''}: {body}"


def minutes(low: int, high: int) -> st.SearchStrategy[float]:
    """Instants in minutes: often whole minutes, where windows open and close, otherwise to the millisecond."""
    whole = st.integers(low, high).map(float)
    return whole | st.integers(low * 60_000, high * 60_000).map(lambda instant: instant / 60_000)


@st.composite
def courses(draw: st.DrawFn, *, hours: int = 3, actions: bool = True, corrections: bool = True) -> Log:
    """A septic patient for some hours, in the order in which the events were received."""
    course, end = Course(), hours * 60
    failing = draw(st.sampled_from([False, True, True, True]))
    _admission(draw, course)
    if failing:
        _failing_treatment(draw, course)
    _pressures(draw, course, 80 if failing else 0, end)
    _infusions(draw, course, 80 if failing else 0, end)
    _laboratory(draw, course, end)
    _treatments(draw, course, end)
    _examinations(draw, course, end)
    _noise(draw, course, end)
    if corrections:
        _corrections(draw, course)
    if actions:
        _actions(draw, course, end)
    return Log(in_order(course.events))


def _admission(draw: st.DrawFn, course: Course) -> None:
    known = {
        "age_years": draw(st.sampled_from([None, 45, 62, 64.9, 65, 78])),
        "sex": draw(st.sampled_from([None, "male", "female"])),
        "weight_kg": draw(st.sampled_from([None, 55, 80, 80, 80, 130])),
        "height_cm": draw(st.sampled_from([None, 165, 178])),
        "goals_of_care": draw(st.sampled_from([None, "full", "full", "dnr"])),
    }
    given: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    infected = draw(st.sampled_from([["present"], ["present"], ["present"], []]))
    conditions = [{"code": "suspected_infection", "presence": presence} for presence in infected]
    course.add("encounter", 0, event="admission", conditions=conditions, **given)
    for _ in range(draw(st.integers(0, 1))):
        goals = draw(st.sampled_from(["no_escalation", "comfort", "full", "unknown"]))
        course.add("encounter", draw(minutes(30, 170)), goals_of_care=goals)


def _failing_treatment(draw: st.DrawFn, course: Course) -> None:
    """What refractory shock looks like, so that not every course has to come upon it by chance."""
    level, dose = draw(st.sampled_from([55, 59, 63])), draw(st.sampled_from([0.3, 0.45, 0.55, 0.6, 0.8]))
    course.add("fluid", 8, fluid="crystalloid", volume=draw(st.sampled_from([1200, 2400, 2400])), unit="mL")
    course.add("dose", 9, drug="piperacillin_tazobactam", dose=4500, unit="mg")
    course.observe(5, lag=draw(st.sampled_from([0, 30])), lactate=(5.0, "mmol/L"))
    course.observe(
        66, lag=draw(st.sampled_from([0, 2, 20])), lactate=(draw(st.sampled_from([1.8, 4.4, 5.6])), "mmol/L")
    )
    for at in (10, 40, 70):
        course.add("infusion", at, drug="norepinephrine", action="rate", rate=dose, unit="ug/kg/min")
    for minute in range(80):
        course.observe(minute + 0.3, lag=0.01, map_invasive=(level + minute % 3, "mm[Hg]"))
    if draw(st.sampled_from([True, True, False])):
        lvef = readings(lvef=(draw(st.sampled_from([18, 30, 55])), "%"))
        course.add("assessment", 50, examination="echo", readings=lvef)


def _pressures(draw: st.DrawFn, course: Course, begin: int, end: int) -> None:
    at = float(begin + draw(st.integers(0, 20)))
    for _ in range(draw(st.integers(0, 3))):
        every = draw(st.sampled_from([60, 60, 60, 30, 1]))
        length = draw(st.integers(1, 2)) if every == 1 else draw(st.integers(8, 50))
        level = draw(st.sampled_from([48, 58, 61, 64, 66, 75]))
        offset = draw(st.sampled_from([0, 0, 1, 17.25]))
        lag = draw(st.sampled_from([0, 0.001, 0.03]))
        for second in range(0, length * 60, every):
            moment_ = at + (second + offset) / 60
            if moment_ < end:
                value = level + second // 60 * 7 % 5 - 2
                course.observe(moment_, lag=lag, map_invasive=(value, "mm[Hg]"))
        at += length + draw(st.sampled_from([0, 0, 5, 25, 70]))
    if draw(st.booleans()):
        course.observe(draw(minutes(10, end)), map_noninvasive=(draw(st.integers(45, 85)), "mm[Hg]"))


_UNITS: Final = {"vasopressin": "U/min"}
_RATES: Final[dict[str, list[float]]] = {
    "norepinephrine": [0.05, 0.1, 0.25, 0.3, 0.5, 0.55, 0.6, 0.9, 1.2],
    "vasopressin": [0.01, 0.03],
    "epinephrine": [0.1, 0.3],
    "phenylephrine": [1, 3],
    "dobutamine": [5, 10],
}


def _infusions(draw: st.DrawFn, course: Course, begin: int, end: int) -> None:
    _pump(draw, course, "norepinephrine", begin + draw(minutes(0, 30)), end)
    for drug in draw(st.lists(st.sampled_from(sorted(set(_RATES) - {"norepinephrine"})), max_size=2, unique=True)):
        _pump(draw, course, drug, draw(minutes(20, end)), end)


_PUMPS: Final[list[dict[str, str]]] = [{}, {"pump": "a"}, {"pump": "b"}, {"line": "second"}]


def _pump(draw: st.DrawFn, course: Course, drug: str, at: float, end: int) -> None:
    lag = draw(st.sampled_from([0, 0, 0.05, 20]))
    rated = {"drug": drug, "unit": _UNITS.get(drug, "ug/kg/min")}
    several = draw(st.integers(0, 3)) == 0
    course.add("infusion", at, lag=lag, action="start", rate=draw(st.sampled_from(_RATES[drug])), **rated)
    for _ in range(draw(st.integers(1, 6))):
        at += draw(st.sampled_from([1, 1.5, 2, 2.5, 15, 30, 59, 60, 62, 75]))
        if at > end:
            return
        action = draw(
            st.sampled_from(["rate", "rate", "rate", "rate", "pause", "resume", "bag_change", "alarm", "stop"])
        )
        who: dict[str, str] = draw(st.sampled_from(_PUMPS)) if several else {}
        if action == "rate":
            rate = draw(st.sampled_from([0, *_RATES[drug]]))
            course.add("infusion", at, lag=lag, action="rate", rate=rate, **who, **rated)
        elif action == "alarm":
            alarm = draw(st.sampled_from(["occlusion", "air_in_line"]))
            course.add("infusion", at, lag=lag, drug=drug, action="alarm", alarm=alarm, **who)
        else:
            course.add("infusion", at, lag=lag, drug=drug, action=action, **who)


def _laboratory(draw: st.DrawFn, course: Course, end: int) -> None:
    at = draw(minutes(0, 20))
    for _ in range(draw(st.integers(0, 3))):
        if at < end:
            value = draw(st.sampled_from([1.2, 2.0, 2.1, 3.4, 5.6]))
            course.observe(at, lag=draw(st.sampled_from([0, 2, 35, 120])), lactate=(value, "mmol/L"))
        at += draw(st.sampled_from([20, 60, 61, 90]))
    if draw(st.booleans()):
        course.observe(draw(minutes(0, end)), capillary_refill=(draw(st.sampled_from([2, 4])), "s"))
    if draw(st.booleans()):
        course.observe(draw(minutes(0, end)), lag=30, haemoglobin=(draw(st.sampled_from([8, 10, 12])), "g/dL"))
        course.observe(draw(minutes(0, end)), lag=30, haemoglobin=(9, "g/dL"))


def _treatments(draw: st.DrawFn, course: Course, end: int) -> None:
    for _ in range(draw(st.integers(0, 3))):
        at = draw(minutes(0, 60))
        started: dict[str, Any] = {"started_at": moment(at - 30)} if draw(st.booleans()) else {}
        course.add(
            "fluid", at, fluid="crystalloid", volume=draw(st.sampled_from([500, 800, 2400])), unit="mL", **started
        )
    if draw(st.booleans()):
        course.add("procedure", draw(minutes(0, 60)), lag=5, code="culture_taken", action="done")
    given = [("ceftriaxone", 2000), ("hydrocortisone", 50), ("hydrocortisone", 50), ("hydroxocobalamin", 5000)]
    for drug, dose in draw(st.lists(st.sampled_from(given), max_size=3)):
        course.add("dose", draw(minutes(0, end)), lag=10, drug=drug, dose=dose, unit="mg")
    if draw(st.booleans()):
        resistant = {"drug": "ceftriaxone", "result": draw(st.sampled_from(["R", "S"]))}
        course.add(
            "culture",
            draw(minutes(0, 60)),
            lag=draw(st.sampled_from([5, 90])),
            specimen_type="blood",
            organism="Escherichia coli",
            organism_group="bacterial",
            susceptibilities=[resistant],
        )
    if draw(st.integers(0, 4)) == 0:
        course.add("seizure", draw(minutes(0, end)), action="start", semiology="tonic_clonic")


def _examinations(draw: st.DrawFn, course: Course, end: int) -> None:
    if draw(st.booleans()):
        found = draw(st.sampled_from(["absent", "absent", "present", "unknown"]))
        course.add(
            "assessment",
            draw(minutes(0, end)),
            lag=draw(st.sampled_from([0, 15])),
            examination="echo",
            findings=[{"code": "tamponade", "presence": found}],
            readings=readings(lvef=(draw(st.sampled_from([15, 30, 55])), "%")),
        )
    if draw(st.booleans()):
        responsive = {"code": "fluid_responsive", "presence": draw(st.sampled_from(["absent", "present"]))}
        course.add("assessment", draw(minutes(0, end)), examination="fluid_responsiveness", findings=[responsive])


_UNUSABLE: Final[list[dict[str, Any]]] = [
    {"code": "map_invasive", "value": 400, "unit": "mm[Hg]"},
    {"code": "map_invasive", "value": 12, "unit": "kPa{odd}"},
    {"code": "lactate", "value": 45, "unit": "mmol/L"},
    {"code": "lactate", "value": 3, "unit": "furlong"},
    {"code": "lactate", "value": 3.3, "unit": "mmol/L", "quality": "invalid"},
    {"code": "no_such_signal", "value": 1, "unit": "1"},
]


def _noise(draw: st.DrawFn, course: Course, end: int) -> None:
    for unusable in draw(st.lists(st.sampled_from(_UNUSABLE), max_size=2)):
        beside = readings(map_invasive=(70, "mm[Hg]")) if draw(st.booleans()) else []
        course.add("observations", draw(minutes(0, end)), readings=[*beside, unusable])
    if draw(st.booleans()):
        course.add("infusion", draw(minutes(0, end)), drug="no_such_drug", action="stop")
    if draw(st.integers(0, 4)) == 0:
        ahead = make("observations", end, lag=-5, id="from-the-future", readings=readings(lactate=(9, "mmol/L")))
        course.events.append(ahead)


def _corrections(draw: st.DrawFn, course: Course) -> None:
    targets = [event for event in course.events if event.kind in ("observations", "infusion", "fluid", "dose")]
    for target in draw(st.lists(st.sampled_from(targets), max_size=2, unique_by=lambda event: event.id)):
        delay = timedelta(minutes=draw(st.sampled_from([-1, 0.5, 20, 90])))
        changed: dict[str, Any] = {
            "id": f"correction-{target.id}",
            "corrects": target.id,
            "received_at": max(target.received_at + delay, target.effective_at),
        }
        if target.kind == "observations" and draw(st.booleans()):
            lower = [{**reading, "value": reading["value"] * 0.8} for reading in target.model_dump()["readings"]]
            changed |= {"status": "corrected", "readings": lower}
        else:
            changed |= {"status": "entered-in-error"}
        course.events.append(_EVENT.validate_python({**target.model_dump(), **changed}))


def _actions(draw: st.DrawFn, course: Course, end: int) -> None:
    for subject, stage in draw(st.lists(st.sampled_from(_SUBJECTS), max_size=3)):
        action = draw(st.sampled_from(["acknowledge", "accept", "decline", "snooze"]))
        course.add(
            "action",
            draw(minutes(20, end)),
            lag=draw(st.sampled_from([0, 0, 1])),
            alert_id=alert_id(subject, stage),
            action=action,
            actor="dr-1",
            role="registrar",
            reason="other plan" if action == "decline" else None,
        )


@st.composite
def stays(draw: st.DrawFn) -> Log:
    """A patient over four days, charted now and then: what is kept and what is forgotten matters here."""
    course, end = Course(), 96 * 60
    hourly = st.integers(0, 96).map(lambda hour: hour * 60.0) | minutes(0, end)
    course.add("encounter", 0, event="admission", weight_kg=80, conditions=[{"code": "suspected_infection"}])
    course.add("fluid", 5, fluid="crystalloid", volume=2400, unit="mL")
    for at in draw(st.lists(hourly, min_size=2, max_size=10, unique=True)):
        course.observe(
            at, lag=draw(st.sampled_from([0, 30])), lactate=(draw(st.sampled_from([1.5, 3.0, 5.0])), "mmol/L")
        )
    for drug in ("norepinephrine", "vasopressin", "meropenem"):
        unit = {"meropenem": "g/h"}.get(drug) or _UNITS.get(drug, "ug/kg/min")
        for at in draw(st.lists(hourly, max_size=8, unique=True)):
            action = draw(st.sampled_from(["rate", "rate", "pause", "resume", "bag_change", "stop"]))
            rate = {"rate": draw(st.sampled_from([0.03, 0.3, 0.6])), "unit": unit} if action == "rate" else {}
            course.add("infusion", at, lag=draw(st.sampled_from([0, 0, 45])), drug=drug, action=action, **rate)
    for at in draw(st.lists(hourly, max_size=6, unique=True)):
        course.add("dose", at, drug=draw(st.sampled_from(["ceftriaxone", "hydrocortisone"])), dose=50, unit="mg")
    for at in draw(st.lists(hourly, max_size=3, unique=True)):
        for minute in range(20):
            course.observe(at + minute, map_invasive=(draw(st.sampled_from([52, 70])), "mm[Hg]"))
    for subject, stage in draw(st.lists(st.sampled_from(_SUBJECTS), max_size=2)):
        action = draw(st.sampled_from(["acknowledge", "snooze"]))
        answer: dict[str, Any] = {
            "alert_id": alert_id(subject, stage),
            "action": action,
            "actor": "dr-1",
            "role": "registrar",
        }
        course.add("action", draw(hourly), **answer)
    if draw(st.booleans()):
        _corrections(draw, course)
    return Log(in_order(course.events))


def delivered_late(events: Sequence[Event], bound: timedelta, seed: int) -> list[Event]:
    """The events as a network may deliver them: none after one that was received ``bound`` or more later."""
    chance, limit = Random(seed), bound // timedelta(milliseconds=1)
    delays = {event.id: timedelta(milliseconds=chance.randrange(limit)) for event in events}
    return sorted(events, key=lambda event: (event.received_at + delays[event.id], delays[event.id]))


MINI_PACK: Final = """
format: 1
id: mini
version: 2026.1.0
title: A small pack for tests
guideline: none
authors: [test]
review_by: "2027-01"
population: adults
sources: {paper: {text: a paper}, local: {text: local setting}}
parameters:
  decline_holds: {title: d, value: PT12H, source: local, strength: D, kind: engine}
  snooze: {title: s, value: PT60M, source: local, strength: D, kind: engine}
  pause_tolerance: {title: p, value: PT5M, source: local, strength: D, kind: engine}
  none: {title: no time, value: PT0S, source: local, strength: D, kind: engine}
  minutes_2: {title: two minutes, value: PT2M, source: local, strength: D, kind: engine}
  minutes_10: {title: ten minutes, value: PT10M, source: local, strength: D, kind: engine}
  hour: {title: an hour, value: PT1H, source: local, strength: D, kind: engine}
  hours_4: {title: four hours, value: PT4H, source: local, strength: D, kind: engine}
  map_window: {title: w, value: PT5M, source: local, strength: D, kind: engine}
  map_minutes: {title: m, value: 3, unit: "1", source: local, strength: D, kind: engine}
  fluid_look_back: {title: f, value: PT6H, source: local, strength: D, kind: engine}
  map_target:
    title: t
    by_age: [{from_years: 0, value: 65}, {from_years: 65, value: 60}]
    unit: "mm[Hg]"
    source: paper
    strength: K
  lactate_high: {title: l, value: 2.0, unit: mmol/L, source: paper, strength: V6b}
  fall: {title: f, value: 2.0, unit: g/dL, source: paper, strength: K}
  dose: {title: d, value: 0.5, unit: ug/kg/min, source: paper, strength: V6s}
conditions:
  high: {compare: {measure: lactate, gt: lactate_high}}
recognition: {use: high}
onset: {use: high}
relapse: {use: high}
stages:
  - id: T-0
    title: state
    role: base
    when: {use: high}
    sources: [{text: t, source: paper, strength: K}]
  - id: T-1
    title: failure
    role: refractory
    when: {use: high}
    hard: [{check: gap}]
    sources: [{text: t, source: paper, strength: K}]
checks:
  - {id: gap, title: g, kind: hard, fix: f, when: {present: {concept: echo}}, source: local, strength: D}
  - {id: hint, title: h, kind: soft, fix: f, when: {check: gap}, source: local, strength: D}
therapies:
  - id: rescue
    title: r
    stage: T-1
    when: {reached: T-1}
    running: {running: {drug: vasopressin}}
    absolute: [{id: allergy, title: a, when: {present: {concept: allergy_vasopressin}}, source: paper, strength: K}]
    must_know: [allergy]
    hold_while: [gap]
    priority: [{result: reversible, onset: prompt}]
    suggestion: Consider it.
    evidence: [{text: e, source: paper, strength: K}]
    monitoring: m
    decline_reasons: [other plan]
resolution: {stopped: {drug: vasopressor, for: hours_4}}
priorities:
  CONFIRMED: {result: death, onset: delayed}
  SUSPECTED: {result: reversible, onset: delayed}
  PSEUDO: {result: reversible, onset: prompt}
  INDETERMINATE: {result: reversible, onset: delayed}
display: [lactate]
"""
"""A pack with one of everything, to be spoilt or asked one condition at a time."""
