"""The engine against the truth of simulated wards: silent over quiet patients, right about those who fail.

Artefacts, drop-outs, late, stray and corrected results, syringe changes and a cuff that is wrong now and then are in.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

import pytest

from rules.outputs import AlertChange, Change, Rejection, State, StatusChange
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.simulator import GROUPS, BedTruth, Simulation, Stretch
from streams.ward import Ward

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

HALF_A_WINDOW = 7 * MINUTE
"""An artefact longer than half the window of arterial pressure moves its median."""

TOLERANCE = {
    "septic-shock": 35 * MINUTE,  # a syringe change holds a confirmation back for a quarter of an hour
    "ards": 50 * MINUTE,  # known with the next blood gas, an hour apart
    "status-epilepticus": MINUTE,
    "cardiac-arrest": MINUTE,
}
"""How long after the true moment a monitor may take to confirm."""

HOURS = {"septic-shock": 6.5, "ards": 8.5, "status-epilepticus": 3, "cardiac-arrest": 2.5}
"""How long the courses of a group are watched."""

OVER = {"status-resolved": 2 * MINUTE, "arrest-rosc": MINUTE, "arrest-refractory-vf": MINUTE}
"""Courses whose end a monitor ought to see, and how soon."""


@cache
def packs() -> tuple[Pack, ...]:
    return load_packs()


def watch(simulation: Simulation) -> dict[str, list[Change]]:
    """What the engine says, by patient."""
    ward = Ward(packs(), SiteSettings())
    said: dict[str, list[Change]] = {truth.patient: [] for truth in simulation.truth()}
    for event in simulation.events():
        for change in ward.feed(event):
            said[change.patient].append(change)
    for change in ward.finish(simulation.start + simulation.length):
        said[change.patient].append(change)
    assert ward.late == 0
    return said


def interruptions(changes: Iterable[Change]) -> list[AlertChange]:
    return [change for change in changes if isinstance(change, AlertChange) and change.interrupts]


def statuses(changes: Iterable[Change], pathway: str | None, state: State) -> list[StatusChange]:
    return [
        change
        for change in changes
        if isinstance(change, StatusChange) and change.pathway == pathway and change.state == state
    ]


def caused_by_transducer(alert: AlertChange, truth: BedTruth) -> bool:
    """Whether pressure was measured too low for so long that its median cannot be right."""
    spells = [spell for spell in truth.artefacts if spell.kind == "transducer_too_high"]
    near = [spell for spell in spells if spell.begins <= alert.decided_at <= spell.ends + 15 * MINUTE]
    return alert.subject == "vasopressin" and any(spell.ends - spell.begins > HALF_A_WINDOW for spell in near)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quiet_patients_interrupt_nobody(seed: int) -> None:
    simulation = Simulation(beds=len(GROUPS["quiet"]), seed=seed, length=12 * HOUR, mix={"quiet": 1})
    said = watch(simulation)
    for truth in simulation.truth():
        alerts = interruptions(said[truth.patient])
        assert [alert.subject for alert in alerts if not caused_by_transducer(alert, truth)] == []
        assert statuses(said[truth.patient], truth.pathway, State.CONFIRMED) == []
    assert sum(len(truth.artefacts) for truth in simulation.truth()) > 30


def test_dense_vitals_do_not_make_quiet_patients_louder() -> None:
    every = timedelta(seconds=5)
    simulation = Simulation(beds=7, seed=4, length=1.5 * HOUR, every=every, mix={"quiet": 1})
    assert not [alert for changes in watch(simulation).values() for alert in interruptions(changes)]


def test_a_transducer_that_hangs_too_high_for_long_is_taken_for_low_pressure() -> None:
    """A known limit: no number tells it from a real fall. The suggestion goes when the transducer is right again."""
    simulation = Simulation(beds=1, seed=84, length=6 * HOUR, mix={"quiet-shock-steady": 1})
    (truth,) = simulation.truth()
    (changes,) = watch(simulation).values()
    (alert,) = interruptions(changes)
    assert caused_by_transducer(alert, truth)
    later = [change for change in changes if isinstance(change, AlertChange) and change.id == alert.id]
    assert later[-1].change in ("withdrawn", "resolved")
    assert later[-1].decided_at - alert.decided_at < 20 * MINUTE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "seed"),
    [*((group, 1) for group in HOURS), ("septic-shock", 2), ("septic-shock", 3), ("cardiac-arrest", 2)],
)
def test_the_verdicts_agree_with_the_truth(group: str, seed: int) -> None:
    simulation = Simulation(beds=len(GROUPS[group]), seed=seed, length=HOURS[group] * HOUR, mix={group: 1})
    said = watch(simulation)
    assert {truth.course for truth in simulation.truth()} == set(GROUPS[group])
    for truth in simulation.truth():
        changes = said[truth.patient]
        _agrees_on_failure(truth, changes, simulation.start)
        assert {alert.pathway for alert in interruptions(changes)} <= {group}
        assert {change.reason for change in changes if isinstance(change, Rejection)} <= {"implausible"}
        if truth.course in OVER:
            (over,) = (stretch.begins for stretch in truth.states if stretch.state == "over")
            assert abs(statuses(changes, group, State.RESOLVED)[0].decided_at - over) <= OVER[truth.course]


def _agrees_on_failure(truth: BedTruth, changes: list[Change], start: datetime) -> None:
    """Confirmed within the tolerance after it is true and never before; what is only apparent is to be fixed first."""
    confirmed = statuses(changes, truth.pathway, State.CONFIRMED)
    failing = [stretch for stretch in truth.states if stretch.state == "refractory"]
    for stretch in failing:
        first = min(change.decided_at for change in confirmed if change.stage == stretch.stage)
        due = max(stretch.begins, start)
        assert due - MINUTE <= first <= due + TOLERANCE[str(truth.pathway)], truth.course
    if not failing:
        assert confirmed == [], truth.course
    elif confirmed:
        assert confirmed[0].decided_at >= min(stretch.begins for stretch in failing) - MINUTE, truth.course
    for stretch in truth.states:
        if stretch.state == "apparent":
            assert _to_be_fixed(stretch, statuses(changes, truth.pathway, State.PSEUDO)), truth.course


def _to_be_fixed(stretch: Stretch, verdicts: list[StatusChange]) -> bool:
    assert stretch.ends is not None
    return any(
        verdict.stage == stretch.stage and stretch.begins - MINUTE <= verdict.decided_at <= stretch.ends
        for verdict in verdicts
    )
