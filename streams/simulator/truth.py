"""The ground truth beside a simulated log: what was true at each bed, from when, until when, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile

from streams.simulator.artefacts import Spell
from streams.simulator.course import Course, State
from streams.simulator.person import Person


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something true from one time to another; ``ends`` is None where it goes on.

    ``stage`` is the stage of the pathway that a monitor ought to reach; ``refractory`` ought to be confirmed, and
    ``apparent`` ought not to be.
    """

    state: State
    stage: str | None
    begins: datetime
    ends: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Artefact:
    """A spell in which a bed's monitor showed what was not so, or nothing."""

    kind: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class BedTruth:
    """What is true of one bed; ``refractory_from`` is None for those whose treatment does not fail."""

    patient: str
    course: str
    title: str
    pathway: str | None
    age_years: int
    sex: str
    weight_kg: float
    height_cm: float
    refractory_from: datetime | None
    states: tuple[Stretch, ...]
    artefacts: tuple[Artefact, ...]


def truth_of(
    patient: str, person: Person, course: Course, when: Callable[[str], datetime], artefacts: tuple[Artefact, ...]
) -> BedTruth:
    """The truth of one bed; ``when`` turns a time of the course into a time of the log."""
    states = tuple(
        Stretch(row.state, row.stage, when(row.begins), None if row.ends is None else when(row.ends), row.why)
        for row in course.truth
    )
    return BedTruth(
        patient,
        course.name,
        course.title,
        course.pathway,
        person.age,
        person.sex,
        person.weight,
        person.height,
        min((stretch.begins for stretch in states if stretch.state == "refractory"), default=None),
        states,
        artefacts,
    )


def within(spells: Iterator[Spell], length: int, when: Callable[[int], datetime]) -> tuple[Artefact, ...]:
    """The artefacts that begin within a length of milliseconds."""
    begun = takewhile(lambda spell: spell.begin < length, spells)
    return tuple(Artefact(spell.kind.name, when(spell.begin), when(spell.end)) for spell in begun)


def encode_truth(truth: BedTruth) -> str:
    """One line of JSON; equal truths give equal bytes."""
    return json.dumps(asdict(truth), separators=(",", ":"), default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{value!r} has no JSON form")
