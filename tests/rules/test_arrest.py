"""The course of a cardiac arrest as recorded, its clocks, and what is judged the moment it is observed."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pytest

from rules import catalogue
from rules.arrest import SHOCKED, Arrest, follow
from rules.engine import PatientEngine
from rules.events import Event
from rules.facts import ArrestEvent, Coded, Given, Move
from rules.instants import MINUTE, SECOND
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.minutes import MinuteSeries
from rules.outputs import AlertChange, Rejection, StatusChange
from rules.packs import load_packs
from rules.packs.faults import find_faults
from rules.pathway import Fold, Pathway
from rules.predicates import PREDICATES
from rules.settings import SiteSettings
from rules.testing import PATIENT as SCENARIO_PATIENT
from rules.testing import load_scenario
from rules.timeline import Fact, Timeline
from rules.values import Value
from tests.rules.strategies import PATIENT, as_bytes, make, moment, readings

LASTING = 20 * MINUTE
PAUSE = 2 * MINUTE
PACK = next(pack for pack in load_packs() if pack.id == "cardiac-arrest")
PATHWAY = Pathway(PACK, SiteSettings(), catalogue.load())

Said = tuple[float, str] | tuple[float, str, dict[str, Any]]
"""Minutes, action, and whatever else the event says."""


def facts(*said: Said) -> list[Fact]:
    found = []
    for index, (minutes, action, *rest) in enumerate(said):
        more: dict[str, Any] = dict(rest[0]) if rest else {}
        at, source = round(minutes * MINUTE), more.pop("source", "chart")
        received = round(more.pop("received", minutes) * MINUTE)
        event = ArrestEvent(
            action,
            more.get("rhythm"),
            more.get("witnessed"),
            more.get("energy"),
            more.get("last_seen"),
            more.get("logged", False),
        )
        found.append(Fact(at, received, f"{source} {index}", event))
    return sorted(found, key=lambda fact: (fact.at, fact.received, fact.event))


def course(*said: Said) -> Arrest:
    arrest = follow(facts(*said), LASTING)[-1]
    assert arrest is not None
    return arrest


def shocked(*later: Said) -> Arrest:
    """Compressions from minute 2, a shock at minute 4, and what came after it."""
    return course((0, "collapse"), (2, "cpr_start"), (4, "shock"), *later)


@pytest.mark.parametrize(
    ("parameter", "fault"),
    [
        ("pause_counted", "conditions.long_cpr: cpr_clock needs parameter 'pause_counted'"),
        ("sustained_rosc", "therapies.ecpr.deadline: collapse needs parameter 'sustained_rosc'"),
    ],
)
def test_a_pack_must_have_the_numbers_that_its_landmarks_are_found_with(parameter: str, fault: str) -> None:
    parameters = {name: found for name, found in PACK.parameters.items() if name != parameter}
    assert fault in find_faults(PACK.model_copy(update={"parameters": parameters}), catalogue.load())


class TestFailedShocks:
    def test_a_shock_alone_has_not_failed(self) -> None:
        assert shocked().failed == 0

    def test_another_shock_shows_that_the_one_before_failed(self) -> None:
        arrest = shocked((6, "shock"))
        assert [shock.failed for shock in arrest.shocks or ()] == [6 * MINUTE, None]

    @pytest.mark.parametrize(
        ("rhythm", "failed"), [("vf", 1), ("vt", 1), ("pea", 1), ("asystole", 1), ("organised", 0)]
    )
    def test_a_rhythm_other_than_organised_does(self, rhythm: str, failed: int) -> None:
        assert shocked((6, "rhythm", {"rhythm": rhythm})).failed == failed

    def test_a_rhythm_at_the_same_minute_was_there_before_the_shock(self) -> None:
        assert shocked((4, "rhythm", {"rhythm": "vf"})).failed == 0

    def test_compressions_resumed_right_after_it_are_no_evidence(self) -> None:
        arrest = course((0, "cpr_start"), (3.9, "cpr_stop"), (4, "shock"), (4.1, "cpr_start"), (5, "cpr_start"))
        assert arrest.failed == 0

    def test_a_whole_cycle_after_it_is(self) -> None:
        arrest = course((0, "cpr_start"), (3.9, "cpr_stop"), (4, "shock"), (4.1, "cpr_start"), (6, "cpr_stop"))
        assert arrest.failed == 0
        again = course(
            (0, "cpr_start"), (3.9, "cpr_stop"), (4, "shock"), (4.1, "cpr_start"), (6, "cpr_stop"), (6.2, "cpr_start")
        )
        assert next(iter(again.shocks or ())).failed == round(6.2 * MINUTE)

    def test_compressions_that_were_on_paused_and_resumed_are(self) -> None:
        assert shocked((6, "cpr_stop")).failed == 0
        assert shocked((6, "cpr_stop"), (6.2, "cpr_start")).failed == 1

    def test_a_stop_charted_at_the_very_shock_is_the_one_before_it(self) -> None:
        assert shocked((4, "cpr_stop"), (4.2, "cpr_start")).failed == 0

    def test_circulation_after_it_means_that_it_worked_even_if_it_is_lost_again(self) -> None:
        arrest = shocked((5, "rosc"), (9, "rearrest"), (9.5, "cpr_start"), (10, "shock"), (12, "shock"))
        assert [shock.failed is not None for shock in arrest.shocks or ()] == [False, True, False]

    def test_failed_shocks_before_a_return_that_did_not_last_still_count(self) -> None:
        assert shocked((6, "shock"), (7, "rosc"), (10, "rearrest"), (11, "rhythm", {"rhythm": "vf"})).failed == 1

    def test_a_shock_while_there_is_circulation_is_none_of_the_arrest(self) -> None:
        arrest = shocked((5, "rosc"), (7, "shock"))
        assert arrest.shocked == 1
        assert not arrest.needs_compressions

    @pytest.mark.parametrize(("apart", "count"), [(0.98, 1), (1.0, 2)])
    def test_two_sources_record_one_shock_within_a_minute(self, apart: float, count: int) -> None:
        assert len(shocked((4 + apart, "shock", {"source": "defibrillator"})).shocks or ()) == count

    def test_one_source_records_stacked_shocks_as_several(self) -> None:
        assert shocked((4.3, "shock"), (4.6, "shock")).shocked == 3


class TestLowFlow:
    def low_flow(self, at: float, *said: Said) -> float | None:
        found = course(*said).low_flow(round(at * MINUTE), PAUSE)
        return None if found is None else found / MINUTE

    def test_it_runs_from_the_first_compressions(self) -> None:
        assert self.low_flow(5, (0, "collapse")) is None
        assert self.low_flow(10, (0, "collapse"), (2, "cpr_start")) == 8

    def test_pauses_to_check_are_part_of_it(self) -> None:
        assert self.low_flow(10, (0, "cpr_start"), (4, "cpr_stop"), (4.5, "cpr_start")) == 10

    def test_of_a_long_pause_two_minutes_count(self) -> None:
        assert self.low_flow(20, (0, "cpr_start"), (4, "cpr_stop"), (14, "cpr_start")) == 12
        assert self.low_flow(5, (0, "cpr_start"), (4, "cpr_stop")) == 5
        assert self.low_flow(9, (0, "cpr_start"), (4, "cpr_stop")) == 6

    def test_minutes_with_circulation_are_left_out(self) -> None:
        said: tuple[Said, ...] = ((0, "cpr_start"), (6, "rosc"), (16, "rearrest"), (16, "cpr_start"))
        assert self.low_flow(12, *said[:2]) == 6
        assert self.low_flow(20, *said) == 10

    def test_it_never_runs_backwards(self) -> None:
        said: tuple[Said, ...] = (
            (0, "cpr_start"),
            (4, "cpr_stop"),
            (9, "cpr_start"),
            (11, "rosc"),
            (15, "rhythm", {"rhythm": "vf"}),
            (16, "cpr_start"),
            (20, "ecmo_flow"),
        )
        courses = follow(facts(*said), LASTING)
        seen = []
        for second in range(22 * 60):
            known = [found for fact, found in zip(facts(*said), courses, strict=True) if fact.at <= second * SECOND]
            assert known[-1] is not None
            seen.append(known[-1].low_flow(second * SECOND, PAUSE) or 0)
        assert seen == sorted(seen)


class TestEnding:
    @pytest.mark.parametrize(
        ("said", "ended", "ending"),
        [
            ([(5, "rosc")], 25, "rosc"),
            ([(5, "cpr_stop")], 25, "quiet"),
            ([(5, "rosc"), (8, "cpr_stop")], 28, "rosc"),
            ([(5, "rosc"), (24.9, "cpr_start"), (26, "cpr_stop")], 46, "quiet"),
            ([(5, "cpr_stop"), (15, "shock")], 35, "quiet"),
            ([(5, "cpr_stop"), (15, "rhythm", {"rhythm": "pea"})], 35, "quiet"),
            ([(5, "cpr_stop"), (15, "rhythm", {"rhythm": "organised"})], 25, "quiet"),
            ([(5, "ecmo_flow")], 5, "ecmo"),
            ([(5, "stopped"), (7, "rhythm", {"rhythm": "asystole"}), (8, "cpr_stop")], 5, "stopped"),
        ],
    )
    def test_when_and_how_an_arrest_is_over(self, said: list[Said], ended: float, ending: str) -> None:
        arrest = course((0, "collapse"), (1, "cpr_start"), *said, (90, "cpr_stop"))
        assert (arrest.ended, arrest.ending) == (ended * MINUTE, ending)

    def test_compressions_that_nobody_stopped_do_not_end(self) -> None:
        assert course((0, "cpr_start"), (300, "cannulation")).ended is None

    def test_after_four_hours_without_a_word_nobody_knows_how_it_ended(self) -> None:
        (*_, before), (*_, after) = (
            follow(facts((0, "cpr_start"), (at, "rhythm", {"rhythm": "organised"})), LASTING) for at in (239, 240)
        )
        assert before is not None
        assert before.ended is None
        assert after is not None
        assert (after.ended, after.ending) == (240 * MINUTE, "lost")

    @pytest.mark.parametrize(("action", "ending"), [("stopped", "stopped"), ("ecmo_flow", "ecmo")])
    def test_how_it_ended_may_be_said_later(self, action: str, ending: str) -> None:
        assert course((0, "cpr_start"), (300, action)).ending == ending

    def test_circulation_seen_after_the_last_word_is_circulation_since_then(self) -> None:
        (_, second) = follow(facts((0, "cpr_start"), (25, "cpr_start")), LASTING, {0: 8 * MINUTE})
        assert second is not None
        assert (second.began, second.left_open) == (0, None)
        (_, later) = follow(facts((0, "cpr_start"), (28, "cpr_start")), LASTING, {0: 8 * MINUTE})
        assert later is not None
        assert later.began == 28 * MINUTE

    def test_compressions_after_twenty_minutes_are_another_arrest(self) -> None:
        assert course((0, "cpr_start"), (1, "cpr_stop"), (20.9, "cpr_start")).began == 0
        again = course((0, "cpr_start"), (1, "shock"), (1, "cpr_stop"), (21, "cpr_start"))
        assert (again.began, again.first_compressions, again.shocks) == (21 * MINUTE, 21 * MINUTE, None)

    @pytest.mark.parametrize("action", ["ecmo_flow", "stopped"])
    def test_after_that_a_rhythm_or_a_shock_begins_nothing(self, action: str) -> None:
        arrest = course((0, "cpr_start"), (5, action), (9, "rhythm", {"rhythm": "vf"}), (10, "shock"))
        assert arrest.ended == 5 * MINUTE
        assert course((0, "cpr_start"), (5, action), (9, "cpr_start")).began == 9 * MINUTE

    @pytest.mark.parametrize("rhythm", ["vf", "pea", "asystole"])
    def test_a_pulseless_rhythm_loses_circulation_again(self, rhythm: str) -> None:
        assert course((0, "cpr_start"), (5, "rosc"), (9, "rhythm", {"rhythm": rhythm})).needs_compressions

    @pytest.mark.parametrize("rhythm", ["vt", "organised"])
    def test_a_rhythm_that_may_have_a_pulse_does_not(self, rhythm: str) -> None:
        assert not course((0, "cpr_start"), (5, "rosc"), (9, "rhythm", {"rhythm": rhythm})).needs_compressions

    def test_what_is_charted_in_the_minute_of_return_came_before_it(self) -> None:
        same_minute: list[Said] = [(5, "rosc"), (5, "rhythm", {"rhythm": "vf"}), (5, "cpr_start"), (5, "cpr_stop")]
        for order in permutations(same_minute):
            assert not course((0, "cpr_start"), *order).needs_compressions

    @pytest.mark.parametrize("action", ["cpr_stop", "rosc", "cannulation", "ecmo_flow", "stopped"])
    def test_what_can_only_go_on_or_end_begins_nothing(self, action: str) -> None:
        assert follow(facts((0, action)), LASTING) == [None]

    def test_an_organised_rhythm_begins_nothing(self) -> None:
        assert (
            follow(facts((0, "rhythm", {"rhythm": "organised"}), (1, "rhythm", {"rhythm": "vt"})), LASTING)
            == [None] * 2
        )


class TestWhatIsTold:
    def test_the_first_rhythm_is_the_initial_one_if_charted_by_the_first_shock(self) -> None:
        assert course((0, "cpr_start"), (2, "rhythm", {"rhythm": "pea"}), (4, "shock")).initial_rhythm == "pea"
        assert course((0, "cpr_start"), (2, "shock", {"rhythm": "vf"})).initial_rhythm == "vf"
        assert course((0, "cpr_start"), (2, "shock"), (4, "rhythm", {"rhythm": "asystole"})).initial_rhythm == SHOCKED

    def test_the_log_of_a_device_names_rhythms_itself(self) -> None:
        assert course((0, "cpr_start"), (2, "shock", {"logged": True})).initial_rhythm is None

    @pytest.mark.parametrize(("later", "alone"), [("cpr_start", False), ("collapse", False), ("shock", False)])
    def test_a_rhythm_stands_alone_until_somebody_does_something(self, later: str, *, alone: bool) -> None:
        assert course((0, "rhythm", {"rhythm": "vf"})).alone
        found = course((0, "rhythm", {"rhythm": "vf"}), (2, later))
        assert (found.began, found.alone, found.initial_rhythm) == (0, alone, "vf")
        assert course((0, "rhythm", {"rhythm": "vf"}), (11, later)).alone is alone

    def test_a_rhythm_long_before_compressions_was_none_of_the_arrest(self) -> None:
        found = course((0, "rhythm", {"rhythm": "asystole"}), (11, "cpr_start"))
        assert (found.began, found.initial_rhythm) == (11 * MINUTE, None)

    def test_after_circulation_a_rhythm_stands_alone_again_in_the_same_arrest(self) -> None:
        found = course((0, "cpr_start"), (5, "rosc"), (9, "rhythm", {"rhythm": "vf"}), (21, "cpr_start"))
        assert (found.began, found.alone) == (0, False)
        assert course((0, "cpr_start"), (5, "rosc"), (9, "rhythm", {"rhythm": "vf"})).alone

    def test_of_two_reports_of_the_witness_the_later_one_counts(self) -> None:
        early, late = {"witnessed": True, "received": 1}, {"witnessed": False, "received": 30}
        assert course((0, "collapse", early), (0, "collapse", late)).witnessed is False
        assert course((0, "collapse", late), (1, "cpr_start", early)).witnessed is False

    def test_a_second_collapse_after_circulation_does_not_move_the_first(self) -> None:
        arrest = course((0, "collapse"), (1, "cpr_start"), (5, "rosc"), (9, "collapse"))
        assert arrest.needs_compressions
        assert arrest.collapse == 0


class Patient:
    """A timeline with an arrest, looked at some minutes after its beginning."""

    def __init__(self, *said: Said) -> None:
        self.timeline = Timeline()
        for fact in facts(*said):
            self.timeline.insert("resuscitation", fact, fact.at)

    def fact(self, channel: str, value: Any, minutes: float) -> Patient:
        at = round(minutes * MINUTE)
        self.timeline.insert(channel, Fact(at, at, f"chart {channel} {minutes}", value), at)
        return self

    def dense(self, signal: str, *values: float) -> Patient:
        """One value in each minute from the first on."""
        series = self.timeline.dense[f"signal:{signal}"] = MinuteSeries()
        for minute, value in enumerate(values):
            series.insert(minute * MINUTE, value, minute * MINUTE)
        return self

    def value(self, name: str, minutes: float) -> Value:
        return PATHWAY.view(self.timeline, Fold(), round(minutes * MINUTE)).value(name)

    def holds(self, predicate: str, minutes: float) -> Truth:
        return PREDICATES[predicate].decide(PATHWAY.view(self.timeline, Fold(), round(minutes * MINUTE))).truth

    def next_change(self, predicate: str, minutes: float) -> float | None:
        view = PATHWAY.view(self.timeline, Fold(), round(minutes * MINUTE))
        PREDICATES[predicate].decide(view)
        return None if view.next_change is None else view.next_change / MINUTE


class TestNoFlow:
    def bounds(self, minutes: float, *said: Said) -> tuple[float, float]:
        value = Patient(*said).value("no_flow", minutes)
        return value.low, value.high

    def test_of_a_witnessed_collapse_it_is_known(self) -> None:
        assert self.bounds(9, (0, "collapse", {"witnessed": True}), (4, "cpr_start")) == (4, 4)

    def test_of_somebody_found_it_lies_between_found_and_last_seen(self) -> None:
        found: Said = (20, "found", {"last_seen": 0})
        assert self.bounds(30, found, (22, "cpr_start")) == (2, 22)
        assert self.bounds(30, (20, "found"), (22, "cpr_start")) == (2, float("inf"))
        assert self.bounds(30, (20, "collapse", {"witnessed": False}), (22, "cpr_start")) == (2, float("inf"))

    def test_before_the_first_compressions_it_is_still_growing(self) -> None:
        assert self.bounds(3, (0, "collapse")) == (3, float("inf"))

    def test_without_a_beginning_it_is_unknown(self) -> None:
        assert self.bounds(3, (0, "cpr_start")) == (float("-inf"), float("inf"))


class TestInCardiacArrest:
    SAID: tuple[Said, ...] = ((1, "collapse"), (2, "cpr_start"), (9, "rosc"), (15, "rearrest"), (16, "ecmo_flow"))

    @pytest.mark.parametrize(
        ("minutes", "truth"),
        [(0.9, NOT_MET), (1, MET), (8.9, MET), (9, NOT_MET), (15, MET), (16, NOT_MET), (99, NOT_MET)],
    )
    def test_from_collapse_until_circulation_and_again(self, minutes: float, truth: Truth) -> None:
        assert Patient(*self.SAID).holds("in_cardiac_arrest", minutes) is truth

    def test_without_a_word_for_two_hours_nobody_knows(self) -> None:
        patient = Patient((0, "cpr_start"))
        assert patient.holds("in_cardiac_arrest", 119.9) is MET
        assert patient.holds("in_cardiac_arrest", 120) is UNKNOWN
        assert patient.next_change("in_cardiac_arrest", 10) == 120

    def test_it_knows_when_it_ends_by_itself(self) -> None:
        assert Patient((0, "cpr_start"), (4, "cpr_stop")).next_change("in_cardiac_arrest", 5) == 24


class TestPlaceAndWitness:
    @pytest.mark.parametrize(
        ("channel", "value", "minutes", "truth"),
        [
            ("state:arrest_in_hospital", Coded("present"), 6, MET),
            ("state:arrest_in_hospital", Coded("absent"), 6, NOT_MET),
            ("state:arrest_in_hospital", Coded("present"), 4, UNKNOWN),
            ("stay", Move("admission"), 4, MET),
            ("stay", Move("admission"), 6, NOT_MET),
            ("stay", Move("transfer"), 4, MET),
            ("stay", Move("transfer"), 6, UNKNOWN),
            ("stay", Move("discharge"), 4, UNKNOWN),
            ("stay", Move("discharge"), -120, NOT_MET),
        ],
    )
    def test_in_hospital_is_said_of_this_arrest_or_admitted_before_it(
        self, channel: str, value: Coded | Move, minutes: float, truth: Truth
    ) -> None:
        patient = Patient((5, "collapse")).fact(channel, value, minutes)
        assert patient.holds("arrest_in_hospital", 9) is truth

    def test_somebody_found_was_not_seen_unless_said_otherwise(self) -> None:
        assert Patient((5, "found")).holds("arrest_witnessed", 9) is NOT_MET
        assert Patient((5, "found", {"witnessed": True})).holds("arrest_witnessed", 9) is MET
        assert Patient((5, "cpr_start")).holds("arrest_witnessed", 9) is UNKNOWN
        stated = Patient((5, "cpr_start")).fact("state:witnessed_arrest", Coded("present"), 6)
        assert stated.holds("arrest_witnessed", 9) is MET
        earlier = Patient((5, "cpr_start")).fact("state:witnessed_arrest", Coded("present"), 4)
        assert earlier.holds("arrest_witnessed", 9) is UNKNOWN


class TestDrugs:
    def dose(self, status: str) -> Given:
        return Given(1.0, 0, "iv", status, None, completed=True)

    def test_a_drug_that_nobody_charted_is_not_known_to_be_missing(self) -> None:
        assert Patient((0, "cpr_start")).holds("drug_not_given", 30) is NOT_MET

    @pytest.mark.parametrize(
        ("status", "minutes", "truth"),
        [("held", 3, MET), ("refused", 3, MET), ("ordered", 8, NOT_MET), ("ordered", 8.1, MET), ("given", 30, NOT_MET)],
    )
    def test_one_known_not_to_be_given_is(self, status: str, minutes: float, truth: Truth) -> None:
        patient = Patient((0, "cpr_start")).fact("dose:epinephrine", self.dose(status), 3)
        assert patient.holds("drug_not_given", minutes) is truth

    def test_given_after_all_it_is_not(self) -> None:
        patient = Patient((0, "cpr_start")).fact("dose:amiodarone", self.dose("held"), 3)
        assert patient.holds("drug_not_given", 4) is MET
        assert patient.fact("dose:amiodarone", self.dose("given"), 5).holds("drug_not_given", 6) is NOT_MET

    def test_adrenaline_is_due_again_after_five_minutes(self) -> None:
        patient = Patient((0, "cpr_start")).fact("dose:epinephrine", self.dose("given"), 3)
        assert patient.holds("adrenaline_overdue", 8) is NOT_MET
        assert patient.holds("adrenaline_overdue", 8.1) is MET

    @pytest.mark.parametrize(("rhythm", "truth"), [("pea", MET), ("asystole", MET), ("vf", NOT_MET)])
    def test_the_first_one_is_due_early_only_where_no_shock_helps(self, rhythm: str, truth: Truth) -> None:
        patient = Patient((0, "cpr_start", {"rhythm": rhythm}))
        assert patient.holds("adrenaline_overdue", 5) is NOT_MET
        assert patient.holds("adrenaline_overdue", 5.1) is truth


class TestSignsOfCirculation:
    @pytest.mark.parametrize(("values", "rise"), [((12, 12, 23), 11), ((12, 23, 23), 11), ((12, 23, 23, 23), 0)])
    def test_a_rise_of_etco2_is_seen_for_two_minutes(self, values: tuple[float, ...], rise: float) -> None:
        value = Patient((0, "cpr_start")).dense("etco2", *values).value("etco2_rise", len(values) - 1)
        assert (value.low, value.high) == (rise, rise)

    def test_without_values_before_it_is_unknown(self) -> None:
        assert not Patient((0, "cpr_start")).dense("etco2", 12).value("etco2_rise", 0).known

    def test_it_is_looked_at_again_when_the_lowest_minute_leaves_the_window(self) -> None:
        patient = Patient((0, "cpr_start")).dense("etco2", 12, 40)
        view = PATHWAY.view(patient.timeline, Fold(), 2 * MINUTE)
        assert view.value("etco2_rise").low == 28
        assert view.next_change == 3 * MINUTE
        assert patient.value("etco2_rise", 3).low == 0

    def test_pressure_of_a_part_of_a_minute_is_looked_at_again_when_the_next_minute_is_over(self) -> None:
        patient = Patient((0, "cpr_start"), (10.5, "cpr_stop")).dense("systolic_invasive", *[70] * 10)
        patient.timeline.dense["signal:systolic_invasive"].insert(round(10.6 * MINUTE), 90, round(10.6 * MINUTE))
        view = PATHWAY.view(patient.timeline, Fold(), round(11.5 * MINUTE))
        assert view.value("own_systolic").low == 90
        assert view.next_change == 12 * MINUTE
        assert not patient.value("own_systolic", 12).known

    def test_pulse_pressure_takes_both_pressures(self) -> None:
        patient = Patient((0, "cpr_start")).dense("systolic_invasive", 70)
        assert patient.value("arterial_pulse_pressure", 0.5).missing == ("diastolic_invasive",)
        assert patient.dense("diastolic_invasive", 45).value("arterial_pulse_pressure", 0.5).low == 25


SCENARIOS = Path(__file__).parents[1] / "scenarios" / "cardiac_arrest"
COURSES = [
    *sorted(SCENARIOS.glob("ca-v*")),
    *sorted(SCENARIOS.glob("rosc-*")),
    *(SCENARIOS / f"{name}.scenario.yaml" for name in ("false-start", "check-rosc-unrecognised", "soft-drugs-missing")),
]


@pytest.mark.parametrize("path", COURSES, ids=lambda path: path.name.partition(".")[0])
class TestCourses:
    """What is promised of every pathway, on arrests."""

    def events(self, path: Path) -> list[Event]:
        return load_scenario(path).wire_events()

    def test_a_sleeping_engine_is_never_wrong(self, path: Path) -> None:
        """Every 7 seconds, judging afresh gives the verdict that stands."""
        engine = PatientEngine(SCENARIO_PATIENT, load_packs(), SiteSettings(lateness=timedelta(0)))
        track = next(found for found in engine.tracks if found.pathway.pack.id == PACK.id)
        events = self.events(path)
        at = events[0].received_at
        for event, following in pairwise([*events, None]):
            assert event is not None
            engine.observe(event)
            end = events[-1].received_at + timedelta(minutes=30) if following is None else following.received_at
            at = max(at, event.received_at)
            while at < end:
                engine.advance(at)
                entry = track.present
                if entry is not None and track.dirty is None and engine.reached is not None:
                    fresh = track.pathway.step(engine.timeline, entry.fold, engine.reached)
                    assert (fresh.fold, fresh.verdict) == (entry.fold, entry.verdict), engine.reached
                at += timedelta(seconds=7)

    def test_a_restored_snapshot_continues_byte_for_byte(self, path: Path) -> None:
        events, packs = self.events(path), load_packs()
        whole = PatientEngine(SCENARIO_PATIENT, packs, SiteSettings())
        pieces = PatientEngine(SCENARIO_PATIENT, packs, SiteSettings())
        for event in events:
            pieces = PatientEngine.restore(pieces.snapshot(), packs, SiteSettings())
            assert as_bytes(pieces.observe(event)) == as_bytes(whole.observe(event))
        until = events[-1].received_at + timedelta(hours=1)
        assert as_bytes(pieces.advance(until)) == as_bytes(whole.advance(until))


class TestObserved:
    """With the usual lateness of 5 s: an event of the arrest is answered at once."""

    def events(self) -> list[Any]:
        return [
            make("encounter", 0, age_years=52, goals_of_care="full"),
            make("resuscitation", 0, action="collapse", witnessed=True, rhythm="vf"),
            make("resuscitation", 2, action="cpr_start"),
            *(make("resuscitation", minute, action="shock") for minute in (4, 6, 8)),
            *(make("observations", 9 + step / 6, readings=readings(etco2=(22, "mm[Hg]"))) for step in range(6)),
        ]

    def test_the_alert_comes_from_observing_the_event_itself(self) -> None:
        engine = PatientEngine(PATIENT, load_packs(), SiteSettings())
        assert engine.settings.lateness == timedelta(seconds=5)
        for event in self.events():
            engine.observe(event)
        changes = engine.observe(make("resuscitation", 10, action="rhythm", rhythm="vf"))
        alerts = {change.subject: change for change in changes if isinstance(change, AlertChange)}
        assert {"ecpr", "refractory"} <= set(alerts)
        assert alerts["ecpr"].decided_at == moment(10)
        assert alerts["ecpr"].interrupts

    def test_a_live_signal_is_answered_with_its_own_time(self) -> None:
        engine = PatientEngine(PATIENT, load_packs(), SiteSettings())
        for event in self.events():
            engine.observe(event)
        engine.observe(make("resuscitation", 10, action="rhythm", rhythm="vf"))
        low = make("observations", 10.5, readings=readings(etco2=(8, "mm[Hg]")))
        said = [*engine.observe(low), *engine.advance(moment(10.5) + timedelta(seconds=5))]
        (status,) = [found for found in said if isinstance(found, StatusChange) and found.pathway == "cardiac-arrest"]
        assert status.decided_at == moment(10.5)
        assert next(t for t in status.therapies if t.therapy == "ecpr").reasons == ("etco2_low",)

    def test_nothing_can_be_snoozed(self) -> None:
        engine = PatientEngine(PATIENT, load_packs(), SiteSettings())
        for event in self.events():
            engine.observe(event)
        said = engine.observe(make("resuscitation", 10, action="rhythm", rhythm="vf"))
        alert = next(change for change in said if isinstance(change, AlertChange))
        assert "snooze" not in alert.card.answers
        answered = engine.observe(make("action", 11, alert_id=alert.id, action="snooze", actor="a", role="nurse"))
        (refused,) = [change for change in answered if isinstance(change, Rejection)]
        assert refused.reason == "not_possible"

    def test_a_clock_that_stands_still_wakes_nobody(self) -> None:
        engine = PatientEngine(PATIENT, load_packs(), SiteSettings())
        for minutes, action in ((0, "collapse"), (1, "cpr_start"), (6.9999, "cpr_stop")):
            engine.observe(make("resuscitation", minutes, action=action))
        wakings = 0
        while (due := engine.due) is not None and wakings < 50:
            engine.advance(due)
            wakings += 1
        assert wakings < 20
