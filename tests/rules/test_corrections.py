"""What was taken back counts no longer, in whatever order the corrections come, and from when it was true."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rules.events import Event
from rules.outputs import State, StatusChange
from tests.rules.strategies import SITE, in_order, make, moment, play, readings, statuses


def last(events: Sequence[Event], pathway: str, minutes: float) -> StatusChange:
    """What is said of a pathway so many minutes after the start."""
    said = statuses(play(in_order(events), until=moment(minutes) + SITE.lateness))
    return [status for status in said if status.pathway == pathway][-1]


@pytest.mark.parametrize("second_at", [10, 30])
def test_a_correction_that_is_taken_back_leaves_the_first_value_taken_back(second_at: float) -> None:
    """Also where the word about the correction overtakes it."""

    def lactate(name: str, value: float, received: float, **correction: str) -> Event:
        found = readings(lactate=(value, "mmol/L"))
        return make("observations", 5, lag=received - 5, id=name, readings=found, **correction)

    events = [
        make("encounter", 0, weight_kg=80, age_years=50, conditions=[{"code": "suspected_infection"}]),
        lactate("wrong patient", 5.0, 6),
        lactate("right value", 1.0, 20, status="corrected", corrects="wrong patient"),
        lactate("no value", 1.0, second_at, status="entered-in-error", corrects="right value"),
    ]
    status = last(events, "septic-shock", 60)
    assert (status.state, "lactate" in status.reasons) == (State.INDETERMINATE, True)


def test_a_sample_of_the_minute_that_goes_on_is_gone_at_once_when_it_is_taken_back() -> None:
    """In an arrest each sample of a live signal counts as it comes, and so does the word that it was wrong."""
    wrong = make("observations", 7, id="wrong", readings=readings(etco2=(8, "mm[Hg]")))
    events = [
        make("encounter", 0, age_years=50),
        make("resuscitation", 5, action="collapse", rhythm="vf"),
        make("resuscitation", 6, action="cpr_start"),
        wrong,
    ]
    assert "etco2_low" in last(events, "cardiac-arrest", 7.25).soft
    taken_back = make(
        "observations",
        7,
        lag=0.5,
        id="taken back",
        status="entered-in-error",
        corrects="wrong",
        readings=readings(etco2=(8, "mm[Hg]")),
    )
    assert "etco2_low" not in last([*events, taken_back], "cardiac-arrest", 7.75).soft


def test_a_late_fact_is_judged_with_each_sample_of_the_minute_that_goes_on() -> None:
    """A rhythm is told two minutes late, at the instant of a sample that speaks against it: both count at once."""
    events = [
        make("observations", 22, readings=readings(etco2=(40, "mm[Hg]"), heart_rate=(90, "/min"))),
        make("resuscitation", 20, lag=2, action="rhythm", rhythm="vf"),
    ]
    status = last(events, "cardiac-arrest", 22.25)
    assert (status.state, status.reasons) == (State.PSEUDO, ("sensor_artefact",))


def test_a_late_fact_leaves_it_at_which_sample_something_changed() -> None:
    """EtCO2 confirmed the airway from its first sample on, whatever is told afterwards of the time before."""
    events = [
        make("encounter", 0, age_years=50),
        make("resuscitation", 5, action="collapse", rhythm="vf"),
        make("resuscitation", 6, action="cpr_start"),
        make("observations", 24.5, readings=readings(etco2=(14, "mm[Hg]"))),
    ]
    assert "airway_unconfirmed" not in last(events, "cardiac-arrest", 24.75).soft
    late = make("observations", 20, lag=4.75, readings=readings(potassium=(5, "mmol/L")))
    assert "airway_unconfirmed" not in last([*events, late], "cardiac-arrest", 24.75).soft
