"""ARDS: samples that lasted, oxygenation, ventilation and prone sessions; what its cards say."""

from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rules import catalogue
from rules.conditions import Condition, Node
from rules.conditions.lasting import Lasted
from rules.engine import PatientEngine
from rules.facts import Coded, Flow, Sample
from rules.instants import MINUTE, to_instant
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Truth
from rules.minutes import MinuteSeries
from rules.outputs import AlertChange, Card
from rules.packs import PackError, load_packs, parse_pack
from rules.pathway import Fold, Pathway
from rules.predicates import PREDICATES
from rules.predicates.ards import ARDS
from rules.settings import SiteSettings
from rules.testing import PATIENT, Run, load_scenario
from rules.timeline import Fact, Timeline
from rules.view import View
from tests.rules.strategies import MINI_PACK, scaled

CONDITION: TypeAdapter[Node] = TypeAdapter(Condition)
PACK = next(pack for pack in load_packs() if pack.id == "ards")
SITE = Pathway(PACK, SiteSettings(norepinephrine_salt="base"), catalogue.load())
SCENARIOS = Path(__file__).parents[1] / "scenarios/ards"
NOON = 1_772_366_400_000


class Patient:
    """A timeline around noon, in minutes before or after it."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.anchors: dict[str, int] = {}

    def fact(self, channel: str, value: Any, minutes: float) -> "Patient":
        at = NOON + round(minutes * MINUTE)
        number = sum(map(len, self.timeline.channels.values()))
        self.timeline.insert(channel, Fact(at, at, f"e{number}", value), NOON)
        return self

    def gas(self, minutes: float, pao2: float, *, specimen: str | None = None, **more: float) -> "Patient":
        for name, value in {"pao2": pao2, **more}.items():
            self.fact(f"signal:{name}", Sample(value, None, specimen), minutes)
        return self

    def signal(self, minutes: float, **values: float) -> "Patient":
        for name, value in values.items():
            self.fact(f"signal:{name}", Sample(value), minutes)
        return self

    def dense(self, begin: int, end: int, **values: float) -> "Patient":
        for name, value in values.items():
            series = self.timeline.dense.setdefault(f"signal:{name}", MinuteSeries())
            for minute in range(begin, end):
                at = NOON + minute * MINUTE
                series.insert(at, value, at)
        return self

    def stated(self, minutes: float, *, since: float | None = None, **concepts: str) -> "Patient":
        began = None if since is None else NOON + round(since * MINUTE)
        for concept, value in concepts.items():
            self.fact(f"state:{concept}", Coded(value, began), minutes)
        return self

    def anchor(self, **minutes: float) -> "Patient":
        self.anchors |= {name.replace("_", "-"): NOON + round(at * MINUTE) for name, at in minutes.items()}
        return self

    def view(self, minutes: float = 0) -> View:
        fold = Fold(1, open=True, anchors=tuple(sorted(self.anchors.items())))
        return SITE.view(self.timeline, fold, NOON + round(minutes * MINUTE), full=True)

    def asks(self, predicate: str, minutes: float = 0) -> Truth:
        return PREDICATES[predicate].decide(self.view(minutes)).truth


def lasted(**fields: Any) -> Node:
    raw = {"sampled": ["pf_steady"], "where": {"compare": {"measure": "pf_steady", "lt": "eolia_pf_80"}}}
    return CONDITION.validate_python({"lasted": {**raw, "max_gap": "gap_long", **fields}})


def course(*gases: tuple[float, float], fio2: float = 1.0) -> Patient:
    """Gases as minutes and P/F; FiO2 stands at 1 all the time."""
    patient = Patient()
    for charted in range(-900, 901, 30):
        patient.signal(charted, fio2=fio2)
    for minutes, pao2 in gases:
        patient.gas(minutes, pao2)
    return patient


class TestLasted:
    def test_one_limit_has_to_be_given(self) -> None:
        for fields in ({}, {"samples": 2, "longer_than": "eolia_80_for"}, {"samples": 1}):
            with pytest.raises(ValidationError):
                lasted(**fields)

    def test_a_dense_signal_has_no_single_samples(self) -> None:
        node = "{lasted: {sampled: [map_invasive], where: {use: high}, samples: 2, max_gap: hour}}"
        with pytest.raises(PackError, match="map_invasive has no single samples"):
            parse_pack("mini.yaml", MINI_PACK.replace("relapse:", f"hush: {{cause: c, when: {node}}}\nrelapse:"))

    def test_a_quantity_without_samples_is_refused(self) -> None:
        node = "{lasted: {sampled: [predicted_body_weight], where: {use: high}, samples: 2, max_gap: hour}}"
        with pytest.raises(PackError, match="predicted_body_weight has no single samples"):
            parse_pack("mini.yaml", MINI_PACK.replace("relapse:", f"hush: {{cause: c, when: {node}}}\nrelapse:"))
        with pytest.raises(TypeError, match="no samples"):
            Patient().view().sampled("predicted_body_weight")

    def test_it_reads_what_its_parts_read(self) -> None:
        node = lasted(samples=2, bridge={"compare": {"measure": "spo2", "lte": "spo2_ceiling"}})
        assert {measure for part in node.walk() for measure in part.measures()} == {"pf_steady", "spo2"}
        assert lasted(longer_than="eolia_80_for").durations() == ("eolia_80_for", "gap_long")

    def test_no_sample_at_all_is_unknown(self) -> None:
        answer = lasted(samples=2).evaluate(Patient().view())
        assert (answer.truth, answer.missing) == (UNKNOWN, ("pf_steady",))

    def test_of_one_sample_nothing_lasts(self) -> None:
        assert lasted(samples=2).evaluate(course((-60, 70)).view()).truth is NOT_MET

    @pytest.mark.parametrize(
        ("node", "span", "truth"),
        [
            (lasted(longer_than="eolia_80_for"), 360, NOT_MET),
            (lasted(longer_than="eolia_80_for"), 360.1, MET),
            (lasted(at_least="refractory_for"), 359.9, NOT_MET),
            (lasted(at_least="refractory_for"), 360, MET),
        ],
    )
    def test_more_than_and_at_least(self, node: Node, span: float, truth: Truth) -> None:
        assert node.evaluate(course((-span, 70), (-200, 70), (0, 70)).view()).truth is truth

    def test_the_countdown_is_told(self) -> None:
        answer = lasted(longer_than="eolia_80_for").evaluate(course((-180, 70), (0, 70)).view())
        assert answer.findings[-1].text == (
            "2 samples over 3 h from 2026-03-01 09:00; more than 6 h needed: a sample after 2026-03-01 15:00"
        )
        answer = lasted(at_least="refractory_for").evaluate(course((-180, 70), (0, 70)).view())
        assert answer.findings[-1].text.endswith("at least 6 h needed: a sample from 2026-03-01 15:00")
        assert answer.label == "pf_steady: samples over ≥ 6 h"

    def test_a_newest_sample_too_old_is_unknown(self) -> None:
        patient = course((-300, 70), (-120, 70), (0, 70))
        node = lasted(samples=2)
        assert node.evaluate(patient.view(240)).truth is MET
        assert node.evaluate(patient.view(240.1)).truth is UNKNOWN

    def test_a_sample_that_refutes_holds_as_long_as_it_may_be_used(self) -> None:
        patient = course((-300, 70), (0, 120))
        assert lasted(samples=2).evaluate(patient.view(360)).truth is NOT_MET
        assert lasted(samples=2).evaluate(patient.view(360.1)).truth is UNKNOWN

    def test_an_unknown_sample_makes_unknown_what_it_could_decide(self) -> None:
        patient = course((-180, 70), (0, 70))
        patient.signal(-190, fio2=0.6)
        answer = lasted(samples=2).evaluate(patient.view())
        assert (answer.truth, answer.missing) == (UNKNOWN, ("fio2_unsteady",))

    def test_it_says_when_it_could_change_by_itself(self) -> None:
        view = course((-300, 70), (-120, 70), (0, 70)).view(60)
        assert lasted(samples=2).evaluate(view).truth is MET
        assert view.next_change is not None
        assert NOON + 60 * MINUTE < view.next_change <= NOON + 240 * MINUTE + 1000

    def test_a_bridge_also_spans_the_time_since_the_newest_sample(self) -> None:
        bridge = {"compare": {"measure": "spo2", "lte": "spo2_ceiling"}}
        patient = course((-120, 70), (0, 70))
        patient.dense(120, 125, spo2=90)
        node = lasted(samples=2, bridge=bridge)
        assert node.evaluate(patient.view(300)).truth is MET
        assert node.evaluate(patient.view(361)).truth is UNKNOWN
        assert lasted(samples=2).evaluate(patient.view(300)).truth is UNKNOWN

    def test_several_measures_make_one_sample_only_at_one_instant(self) -> None:
        node = CONDITION.validate_python(
            {
                "lasted": {
                    "sampled": ["ph", "paco2"],
                    "where": {
                        "all": [
                            {"compare": {"measure": "ph", "lt": "eolia_ph"}},
                            {"compare": {"measure": "paco2", "gte": "eolia_paco2"}},
                        ]
                    },
                    "samples": 2,
                    "max_gap": "gap_long",
                }
            }
        )
        patient = Patient().signal(-120, ph=7.2, paco2=70).signal(-60, ph=7.2)
        answer = node.evaluate(patient.view())
        assert (answer.truth, answer.missing) == (UNKNOWN, ("paco2",))
        assert node.evaluate(patient.signal(-30, ph=7.3).view()).truth is NOT_MET
        assert node.evaluate(patient.signal(-20, ph=7.2, paco2=70).signal(-10, ph=7.2, paco2=70).view()).truth is MET


@settings(max_examples=scaled(100), deadline=None)
@given(
    st.lists(st.tuples(st.integers(-600, 0), st.sampled_from([70.0, 80.0, 95.0])), max_size=9, unique_by=lambda g: g[0])
)
def test_lasted_is_what_the_words_say(gases: list[tuple[int, float]]) -> None:
    """First to last qualifying sample, none between that is out of it, no gap too long."""
    found = lasted(longer_than="eolia_80_for").evaluate(course(*gases).view()).truth
    ordered = sorted(gases)
    if not ordered or ordered[-1][0] < -360:
        assert found is UNKNOWN
        return
    lengths = [0]
    for first in range(len(ordered)):
        run = ordered[first:]
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(run)]
        if all(pao2 < 80 for _, pao2 in run) and all(gap <= 240 for gap in gaps):
            lengths.append(run[-1][0] - run[0][0])
    stale = ordered[-1][0] < -240
    assert found is ((UNKNOWN if stale else MET) if max(lengths) > 360 else NOT_MET)


class TestOxygenation:
    def test_the_fraction_in_force_at_the_sample_counts(self) -> None:
        patient = Patient().signal(-70, fio2=0.8).gas(-40, 80).signal(-30, fio2=0.5)
        value = patient.view().value("pf_steady")
        assert (value.low, value.high) == (100.0, 100.0)

    @pytest.mark.parametrize(("before", "missing"), [(14.9, ("fio2_unsteady",)), (15, ())])
    def test_it_must_have_stood_for_a_quarter_of_an_hour(self, before: float, missing: tuple[str, ...]) -> None:
        patient = Patient().signal(-60, fio2=0.8).signal(-5 - before, fio2=0.5).gas(-5, 80)
        value = patient.view().value("pf_steady")
        assert value.missing == missing
        assert value.low == (100.0 if missing else 160.0)
        assert value.known is not bool(missing)

    def test_the_same_fraction_charted_again_is_no_change(self) -> None:
        patient = Patient().signal(-60, fio2=0.8).signal(-10, fio2=0.8).gas(-5, 80)
        assert patient.view().value("pf_steady").known

    def test_without_a_fraction_only_the_least_is_known(self) -> None:
        value = Patient().signal(-70, fio2=0.8).gas(-5, 80).view().value("pf_steady")
        assert (value.low, value.missing) == (80.0, ("fio2_at_sample",))

    def test_venous_samples_are_passed_over(self) -> None:
        patient = Patient().signal(-60, fio2=0.5).gas(-50, 80).gas(-5, 40, specimen="venous")
        assert patient.view().value("pf_steady").low == 160.0

    @pytest.mark.parametrize(("pao2", "spo2", "venous"), [(49.9, 92, True), (50, 92, False), (49.9, 91.9, False)])
    def test_a_low_tension_at_a_good_saturation_is_probably_venous(
        self, pao2: float, spo2: float, venous: bool
    ) -> None:
        patient = Patient().signal(-60, fio2=0.5).gas(-5, pao2).dense(-8, -4, spo2=spo2)
        assert patient.asks("probable_venous_sample") is (MET if venous else NOT_MET)
        assert patient.view().value("pf_steady").missing == (("pao2",) if venous else ())

    def test_the_ph_of_such_a_sample_does_not_count(self) -> None:
        patient = Patient().gas(-5, 40, specimen=None, ph=7.2, paco2=70).dense(-8, -4, spo2=98)
        assert patient.view().value("arterial_ph").missing == ("ph",)
        assert patient.view().value("arterial_paco2").missing == ("paco2",)

    def test_a_ph_becomes_too_old(self) -> None:
        patient = Patient().gas(-365, 80, ph=7.2)
        assert patient.view(-5).value("arterial_ph").low == 7.2
        assert patient.view().value("arterial_ph").missing == ("ph (last 2026-03-01 05:55)",)

    def test_altitude(self) -> None:
        patient = Patient().signal(-30, fio2=0.5, barometric_pressure=570).gas(-5, 100)
        assert patient.view().value("pf_berlin").low == 150.0
        assert patient.view().value("pf_steady").low == 200.0
        unsteady = patient.signal(-10, fio2=0.8).view().value("pf_berlin")
        assert (unsteady.low, unsteady.known) == (93.75, False)

    def test_a_high_saturation_says_nothing(self) -> None:
        patient = Patient().signal(-30, fio2=0.5).dense(-5, 0, spo2=98)
        assert patient.view().value("sf_ratio").missing == ("pao2",)
        assert Patient().dense(-5, 0, spo2=90).view().value("sf_ratio").missing == ("fio2",)


class TestVentilation:
    def test_body_mass_index(self) -> None:
        assert Patient().signal(-5, weight=100, height=200).view().value("body_mass_index").low == 25.0
        assert Patient().signal(-5, weight=100).view().value("body_mass_index").missing == ("height",)

    def test_the_plateau_of_a_patient_paralysed_then(self) -> None:
        flow = Flow("start", "main", 2.0, 0)
        patient = Patient().signal(-30, plateau_pressure=28).fact("infusion:cisatracurium", flow, -40)
        assert patient.view().value("valid_plateau").known
        late = Patient().signal(-30, plateau_pressure=28).fact("infusion:cisatracurium", flow, -20)
        assert late.view().value("valid_plateau").missing == ("passive_patient",)

    def test_passive_when_it_was_measured_counts(self) -> None:
        patient = Patient().stated(-60, passive_patient="present").signal(-30, plateau_pressure=28)
        assert patient.stated(-10, passive_patient="absent").view().value("valid_plateau").low == 28.0

    def test_driving_pressure(self) -> None:
        patient = Patient().signal(-30, plateau_pressure=28).dense(-35, -29, peep=10).dense(-28, 0, peep=14)
        assert patient.view().value("driving_pressure_now").low == 18.0
        assert patient.signal(-60, driving_pressure=13).view().value("driving_pressure_now").low == 18.0
        assert patient.signal(-30, driving_pressure=17).view().value("driving_pressure_now").low == 17.0
        assert Patient().signal(-30, plateau_pressure=28).view().value("driving_pressure_now").missing == ("peep",)

    def test_injurious_days_are_counted_from_intubation(self) -> None:
        patient = Patient().stated(-3 * 1440, intubated="present")
        for minutes, plateau, fio2 in ((-4000, 33, 0.95), (-3900, 33, 0.95), (-2000, 33, 0.9), (-100, 31, 0.91)):
            patient.signal(minutes - 5, fio2=fio2).signal(minutes, plateau_pressure=plateau)
        found = patient.view().value("injurious_days")
        assert (found.low, found.findings[0].text) == (2.0, "2 d of 3 d")

    def test_injurious_days_without_intubation(self) -> None:
        assert Patient().view().value("injurious_days").missing == ("intubated",)
        assert Patient().stated(-5, intubated="absent").view().value("injurious_days").known

    def test_after_two_weeks_the_beginning_is_forgotten(self) -> None:
        patient = Patient().stated(-5, since=-15 * 1440, intubated="present")
        found = patient.view().value("injurious_days")
        assert found.missing == ("earlier ventilator settings",)
        assert found.findings[0].text == "at least 0 d of 15 d"

    @pytest.mark.parametrize(("volume", "truth"), [(370, NOT_MET), (371, MET)])
    def test_tidal_volume(self, volume: float, truth: Truth) -> None:
        patient = Patient().signal(-900, height=165).stated(-900, sex="female").dense(-400, 0, tidal_volume=volume)
        assert patient.asks("vt_not_protective") is truth

    def test_of_a_signal_that_stopped_long_ago_nothing_is_known(self) -> None:
        patient = Patient().signal(-900, height=165).stated(-900, sex="female").dense(-900, -800, tidal_volume=340)
        assert patient.asks("vt_not_protective") is UNKNOWN

    def test_charted_every_hour_suffices(self) -> None:
        patient = Patient().signal(-900, height=165).stated(-900, sex="female")
        for minute in range(-420, 1, 60):
            patient.dense(minute, minute + 1, tidal_volume=340)
        assert patient.asks("vt_not_protective") is NOT_MET

    @settings(max_examples=scaled(40), deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from([None, 340, 500]), st.integers(4, 30)), min_size=2, max_size=3),
        st.integers(20, 900),
    )
    @example([(500, 20), (340, 6)], 900)
    @example([(340, 20), (500, 6)], 900)
    @example([(500, 6), (340, 20)], 400)
    def test_the_tidal_volume_is_looked_at_again_before_the_answer_can_turn(
        self, blocks: list[tuple[float | None, int]], intubated: int
    ) -> None:
        volumes = [volume for volume, quarters in blocks for _ in range(quarters)]
        patient = Patient().signal(-900, height=165).stated(-900, sex="female")
        patient.stated(-intubated, intubated="present")
        for place, volume in enumerate(reversed(volumes), 1):
            if volume is not None:
                patient.dense(-15 * place, -15 * place + 1, tidal_volume=volume)
        view = patient.view()
        truth = PREDICATES["vt_not_protective"].decide(view).truth
        again = 600 if view.next_change is None else (view.next_change - NOON) // MINUTE
        assert {patient.asks("vt_not_protective", minute) for minute in range(1, min(again, 600))} <= {truth}


def proned(*turns: tuple[float, str], intubated: float = -2000) -> Patient:
    patient = course((-700, 120), (-60, 120)).stated(intubated, intubated="present")
    for minutes, value in turns:
        patient.stated(minutes, prone=value)
    return patient


class TestProne:
    @pytest.mark.parametrize(("length", "truth"), [(720, MET), (719, NOT_MET)])
    def test_how_long(self, length: float, truth: Truth) -> None:
        assert proned((-800, "present"), (-800 + length, "absent")).asks("prone_attempted") is truth

    def test_a_session_that_goes_on_counts_once_it_is_long_enough(self) -> None:
        patient = proned((-700, "present"))
        assert patient.asks("prone_attempted", 19) is NOT_MET
        assert patient.asks("prone_attempted", 20) is MET

    def test_a_session_before_the_tube_does_not_count(self) -> None:
        turns = ((-800, "present"), (-70, "absent"))
        assert proned(*turns, intubated=-65).asks("prone_attempted") is NOT_MET
        assert proned(*turns, intubated=-65).anchor(episode=-900).asks("prone_attempted") is NOT_MET

    @pytest.mark.parametrize(("intubated", "truth"), [(-790, MET), (-789, NOT_MET)])
    def test_a_session_that_goes_on_through_intubation_counts_from_then(self, intubated: float, truth: Truth) -> None:
        patient = proned((-1000, "present"), (-70, "absent"), intubated=intubated)
        assert patient.anchor(episode=-1100).asks("prone_attempted") is truth

    def test_a_session_of_another_ventilation_counts_within_the_episode(self) -> None:
        def patient() -> Patient:
            found = proned((-800, "present"), (-75, "absent"), intubated=-900)
            return found.stated(-70, intubated="absent").stated(-64, intubated="present")

        assert patient().asks("prone_attempted") is NOT_MET
        assert patient().anchor(episode=-100).asks("prone_attempted") is MET

    def test_without_a_gas_since_nobody_knows_whether_it_failed(self) -> None:
        patient = Patient().stated(-2000, intubated="present").stated(-800, prone="present")
        assert patient.stated(-60, prone="absent").asks("prone_attempted") is UNKNOWN

    def test_a_good_gas_since_is_no_failure(self) -> None:
        patient = course((-600, 170)).stated(-2000, intubated="present").stated(-800, prone="present")
        assert patient.stated(-60, prone="absent").asks("prone_attempted") is NOT_MET

    def test_a_gas_within_an_hour_of_the_turn_does_not_judge_it(self) -> None:
        patient = course((-741, 120)).stated(-2000, intubated="present").stated(-800, prone="present")
        assert patient.stated(-60, prone="absent").asks("prone_attempted") is UNKNOWN

    def test_supine_for_four_hours(self) -> None:
        patient = proned((-800, "present"), (-60, "absent"))
        assert patient.asks("supine_recently", 179.9) is MET
        assert patient.asks("supine_recently", 180) is NOT_MET
        assert Patient().asks("supine_recently") is NOT_MET

    def test_recovery_without_a_known_peep_is_unknown(self) -> None:
        patient = course((0, 150), fio2=0.5).stated(-2000, intubated="present").stated(-900, prone="present")
        patient.stated(-240, prone="absent")
        assert patient.asks("oxygenation_restored") is UNKNOWN
        assert patient.asks("oxygenation_restored", 400) is UNKNOWN
        assert patient.dense(-5, 0, peep=10).asks("oxygenation_restored") is MET


class TestCourse:
    def test_onset_is_when_it_was_diagnosed_to_have_begun(self) -> None:
        patient = Patient().stated(-60, since=-2880, ards="present").anchor(ARD_0=-1000)
        assert patient.view().mark("ards_onset").at == NOON - 2880 * MINUTE

    def test_onset_is_when_the_definition_was_first_met_if_that_was_earlier(self) -> None:
        patient = Patient().stated(-60, ards="present").anchor(ARD_0=-1000)
        assert patient.view().mark("ards_onset").at == NOON - 1000 * MINUTE

    def test_a_diagnosis_taken_back_is_no_onset(self) -> None:
        patient = Patient().stated(-60, ards="present").stated(-30, ards="absent")
        assert patient.view().mark("ards_onset").missing == ("ards_onset",)

    def test_an_insult_with_its_time(self) -> None:
        week = 7 * 1440
        assert Patient().stated(-5, since=-week, ards_risk_factor="present").asks("insult_recent") is MET
        assert Patient().stated(-5, since=-week - 1, ards_risk_factor="present").asks("insult_recent") is NOT_MET
        early = Patient().stated(-5, since=-week - 1, ards_risk_factor="present").anchor(ARD_0=-60)
        assert early.asks("insult_recent") is MET

    def test_extubated_in_this_episode_only(self) -> None:
        patient = Patient().stated(-900, intubated="present").stated(-600, intubated="absent")
        assert patient.anchor(episode=-700).asks("extubated") is MET
        assert patient.anchor(episode=-500).asks("extubated") is NOT_MET
        assert patient.stated(-100, intubated="present").asks("extubated") is NOT_MET
        assert Patient().stated(-5, intubated="absent").asks("extubated") is NOT_MET
        assert patient.stated(-50, intubated="absent").stated(-40, intubated="absent").asks("extubated") is MET

    def test_two_statements_that_there_is_no_tube_are_no_extubation(self) -> None:
        patient = Patient().stated(-9, intubated="absent").stated(-5, intubated="absent").anchor(episode=-60)
        assert patient.asks("extubated") is NOT_MET

    def test_a_vasopressor_of_unknown_weight_may_be_rising(self) -> None:
        patient = Patient().fact("infusion:norepinephrine", Flow("start", "main", 5.0, -1, "base"), -30)
        assert patient.asks("vasopressor_rising") is UNKNOWN


SITUATIONS = {
    "nothing recorded": Patient(),
    "a tube that may be out": Patient().stated(-90, intubated="present").stated(-9, intubated="unknown"),
    "a prone session that may be over": Patient().stated(-90, prone="present").stated(-9, prone="unknown"),
    "a gas without FiO2": Patient().gas(-5, 44),
    "a gas on changed FiO2": Patient().signal(-60, fio2=0.5).signal(-10, fio2=0.9).gas(-5, 70),
    "a gas too old": Patient().signal(-400, fio2=0.5).gas(-390, 70),
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", [found.name for found in ARDS if not found.can_be_unknown])
def test_what_is_said_never_to_be_unknown_never_is(name: str, situation: str) -> None:
    assert SITUATIONS[situation].asks(name) is not UNKNOWN


class TestUnknown:
    """What missing data leave open is neither met nor not met."""

    def test_a_gas_without_fio2_may_have_been_on_changed_fio2(self) -> None:
        assert Patient().gas(-5, 70).asks("fio2_unsteady") is UNKNOWN
        assert Patient().signal(-60, fio2=0.5).gas(-5, 70).asks("fio2_unsteady") is NOT_MET
        assert Patient().asks("fio2_unsteady") is NOT_MET, "without a sample there is none on changed FiO2"

    def test_a_low_tension_without_a_saturation_may_be_venous(self) -> None:
        assert Patient().gas(-5, 49.9).asks("probable_venous_sample") is UNKNOWN
        assert Patient().gas(-5, 50).asks("probable_venous_sample") is NOT_MET

    def test_a_saturation_that_nothing_speaks_for(self) -> None:
        bare = Patient().dense(-5, 0, spo2=80)
        assert bare.asks("sensor_artefact") is UNKNOWN
        assert bare.dense(-5, 0, pleth_rate=80).asks("sensor_artefact") is UNKNOWN, "a pulse alone says nothing"
        assert bare.dense(-5, 0, heart_rate=85).asks("sensor_artefact") is NOT_MET
        assert Patient().dense(-5, 0, spo2=80, perfusion_index=0.4).asks("sensor_artefact") is NOT_MET
        assert Patient().dense(-5, 0, spo2=80).signal(-2, sao2=82).asks("sensor_artefact") is NOT_MET
        assert Patient().asks("sensor_artefact") is NOT_MET, "nothing is shown that could be an artefact"

    @pytest.mark.parametrize(
        ("started", "minutes", "truth"),
        [(-30, 0, MET), (-30, 31, UNKNOWN), (-1500, -1441, MET), (-1500, -1400, UNKNOWN)],
    )
    def test_an_inhaled_vasodilator_that_nobody_confirmed(self, started: float, minutes: float, truth: Truth) -> None:
        patient = Patient().fact("infusion:nitric_oxide", Flow("start", "main", 20.0, 0), started)
        assert patient.asks("inhaled_vasodilator_new", minutes) is truth

    def test_an_inhaled_vasodilator_that_has_run_for_a_day_is_not_new_in_the_hour_after_its_last_word(self) -> None:
        patient = Patient()
        for minutes in range(-1470, 1, 30):
            patient.fact("infusion:nitric_oxide", Flow("rate", "main", 20.0, 0), minutes)
        assert patient.asks("inhaled_vasodilator_new", 90) is NOT_MET
        assert patient.asks("inhaled_vasodilator_new", 125) is UNKNOWN


@cache
def cards(name: str, subject: str) -> tuple[Card, ...]:
    changes = Run(load_scenario(SCENARIOS / f"{name}.scenario.yaml"), load_packs()).changes
    found = (c for c in changes if isinstance(c, AlertChange) and c.pathway == "ards" and c.subject == subject)
    return tuple(change.card for change in found)


class TestCards:
    def test_the_countdown_has_the_time(self) -> None:
        (card, *_) = cards("ard-v1", "refractory")
        assert "needs more than 6 h of P/F below 80" in card.headline
        assert any("a sample after 2026-03-02 12:00" in finding.text for finding in card.findings)

    def test_the_exception_says_to_optimise_and_call(self) -> None:
        assert cards("exception-no-prone", "vv_ecmo")[0].headline == "Consider: optimise now and call the ECMO centre"
        assert cards("ard-v1", "vv_ecmo")[-1].headline == "Discuss VV-ECMO with the ECMO centre"

    def test_no_recruitment_is_suggested_and_this_is_said(self) -> None:
        assert any("none is ever suggested" in text for text in cards("ard-v1", "refractory")[-1].evidence)
        texts = [therapy.suggestion for therapy in PACK.therapies]
        texts += [therapy.title for therapy in PACK.therapies]
        assert not [text for text in texts if "recruit" in text.lower()]
        fixes = [check.fix for check in PACK.checks if "recruit" in check.fix]
        assert all("without recruitment" in fix for fix in fixes)

    def test_ventilation_that_is_not_optimised_says_to_discuss_early(self) -> None:
        text = " ".join(cards("ard-v3", "fix_first")[-1].fix_first)
        assert "discuss with the ECMO centre early" in text
        assert "ECMO" not in " ".join(cards("ard-v4", "fix_first")[-1].fix_first)
        assert "ECMO" not in cards("ard-v4", "fix_first")[-1].suggestion

    def test_the_third_criterion_is_named(self) -> None:
        assert "criterion 3" in cards("ard-v7", "vv_ecmo")[0].suggestion

    def test_injurious_days_are_printed(self) -> None:
        text = " ".join(cards("ard-v6", "vv_ecmo")[-1].contraindications)
        assert "8 d of 9" in text
        assert "no cut-off" in text

    def test_a_site_without_ecmo_is_told_to_transfer(self) -> None:
        assert "regional ECMO centre" in cards("ecmo-capability-none", "vv_ecmo")[-1].suggestion
        assert "not configured" in cards("ard-v1", "vv_ecmo")[-1].suggestion

    def test_few_failing_organs_are_told(self) -> None:
        assert "At most two failing organs" in cards("ecmo-two-organs-failing", "vv_ecmo")[-1].suggestion
        assert "failing organs" not in cards("ecmo-three-organs-failing", "vv_ecmo")[-1].suggestion

    def test_negative_trials_are_on_the_cards(self) -> None:
        assert "p = 0.09" in " ".join(cards("ard-v1", "vv_ecmo")[-1].evidence)
        assert "1.19 without oxygen" in " ".join(cards("ard-v8a", "covid_dexamethasone")[-1].evidence)
        assert "harmful" in " ".join(cards("ard-v8b", "ards_corticosteroid")[-1].evidence)

    def test_suggestions_only_suggest(self) -> None:
        for therapy in PACK.therapies:
            first = therapy.suggestion.split()[0]
            assert first in {"Consider", "Discuss", "For"}


@pytest.mark.parametrize("name", ["ard-v1", "bridge-good", "exception-no-prone", "sensor-in-ards", "recovery-relapse"])
def test_between_two_deadlines_nothing_changes(name: str) -> None:
    """Judging afresh at any time gives the verdict that stands: whatever time alone can change is noted."""
    scenario = load_scenario(SCENARIOS / f"{name}.scenario.yaml")
    events = scenario.wire_events()
    engine = PatientEngine(PATIENT, [PACK], scenario.settings.model_copy(update={"lateness": timedelta(0)}))
    track, now = engine.tracks[0], events[0].received_at
    end = events[-1].received_at + timedelta(hours=8)
    while now < end:
        while events and events[0].received_at <= now:
            engine.observe(events.pop(0))
        engine.advance(now)
        entry = track.present
        if entry is not None and track.dirty is None:
            fresh = track.pathway.step(engine.timeline, entry.fold, to_instant(now))
            assert (fresh.fold, fresh.verdict) == (entry.fold, entry.verdict), now
        now += timedelta(minutes=7, seconds=13)


def test_an_evaluation_says_the_same_with_and_without_its_evidence() -> None:
    patient = course((-300, 70), (-120, 70), (0, 70))
    node = lasted(longer_than="eolia_80_for")
    assert isinstance(node, Lasted)
    for minutes in range(0, 400, 20):
        brief = SITE.view(patient.timeline, Fold(1, open=True), NOON + minutes * MINUTE)
        answers: list[Evaluation] = [node.evaluate(brief), node.evaluate(patient.view(minutes))]
        assert answers[0].truth is answers[1].truth


class TestCharted:
    """Values entered by hand: how long they hold, and how they stand beside those that a device sends."""

    @staticmethod
    def charted(minutes: float, method: str = "charted", patient: Patient | None = None, **values: float) -> Patient:
        found = patient or Patient()
        for name, value in values.items():
            found.fact(f"signal:{name}", Sample(value, method), minutes)
        return found

    @pytest.mark.parametrize(
        ("signal", "minutes"),
        [("fio2", 240), ("peep", 240), ("tidal_volume", 240), ("respiratory_rate_set", 240), ("spo2", 75)],
    )
    def test_it_holds_for_its_interval_at_once_and_not_longer(self, signal: str, minutes: float) -> None:
        patient = Patient().fact(f"signal:{signal}", Sample(0.6 if signal == "fio2" else 60, "charted"), 0)
        assert [patient.view(at).value(signal).known for at in (0, minutes, minutes + 0.1)] == [True, True, False]

    def test_what_a_device_sent_holds_as_long_as_ever(self) -> None:
        patient = Patient().dense(-5, 0, peep=10).signal(-5, fio2=0.5)
        assert patient.view(55).value("peep").known
        assert not patient.view(61).value("peep").known
        assert not patient.view(61).value("fio2").known

    def test_a_device_that_goes_on_sending_is_not_interrupted_by_a_copy(self) -> None:
        patient = self.charted(-2.5, patient=Patient().dense(-30, 0, spo2=90), spo2=97)
        assert {patient.view(at).value("spo2").low for at in (-2.5, -2, -1, 0, 1)} == {90}

    def test_what_was_charted_stands_in_once_the_device_is_silent(self) -> None:
        patient = self.charted(10, patient=Patient().dense(-30, 0, spo2=90), spo2=97)
        assert patient.view(1).value("spo2").low == 90
        assert not patient.view(5).value("spo2").known
        assert patient.view(10).value("spo2").low == 97

    def test_an_older_charted_value_does_not_return_when_the_device_falls_silent(self) -> None:
        patient = self.charted(-20, patient=Patient().dense(-10, 0, spo2=90), spo2=97)
        assert patient.view(-15).value("spo2").low == 97
        assert not patient.view(5).value("spo2").known

    def test_one_that_cannot_be_read_hides_the_one_before(self) -> None:
        patient = self.charted(-60, peep=10)
        assert not self.charted(-5, patient=patient, peep=float("nan")).view().value("peep").known

    def test_each_minute_has_the_tidal_volume_that_was_charted_for_it(self) -> None:
        patient = Patient().signal(-900, height=165).stated(-900, sex="female", intubated="present")
        for minutes in (-400, -160):
            self.charted(minutes, patient=patient, tidal_volume=340)
        assert patient.asks("vt_not_protective") is NOT_MET
        assert self.charted(-100, patient=patient, tidal_volume=500).asks("vt_not_protective") is MET
        assert patient.asks("vt_not_protective", 600) is UNKNOWN

    def test_nobody_knows_how_good_the_signal_of_a_charted_saturation_was(self) -> None:
        assert self.charted(-5, spo2=80).asks("sensor_artefact") is UNKNOWN
        assert self.charted(-5, spo2=80).signal(-4, sao2=82).asks("sensor_artefact") is NOT_MET

    @given(st.lists(st.tuples(st.integers(-300, -1), st.booleans()), min_size=1, max_size=12), st.integers(0, 200))
    @settings(max_examples=60)
    def test_the_newest_value_decides_and_never_an_older_one(self, parts: list[tuple[int, bool]], at: int) -> None:
        patient = Patient()
        for minute, by_hand in sorted(set(parts)):
            if by_hand:
                self.charted(minute, patient=patient, peep=10 + minute / 100)
            else:
                patient.dense(minute, minute + 1, peep=10 + minute / 100)
        value = patient.view(at).value("peep")
        newest = max(parts)[0]
        if value.known:
            assert round((value.low - 10) * 100) >= newest - 2
        else:
            assert at - newest > 59


class TestReportedFraction:
    """FiO2 that came with a gas, though the ventilator's was changed just before."""

    @staticmethod
    def gas(*fractions: tuple[str | None, str | None, bool]) -> Patient:
        """PaO2 80 at noon after a change from 0.5 to 0.8; each fraction with method, specimen, and if in one event."""
        patient = Patient().signal(-60, fio2=0.5).signal(-10, fio2=0.8)
        patient.timeline.insert("signal:pao2", Fact(NOON, NOON, "gas", Sample(80.0, "laboratory", "arterial")), NOON)
        for method, specimen, together in fractions:
            event = "gas" if together else "other"
            patient.timeline.insert("signal:fio2", Fact(NOON, NOON, event, Sample(1.0, method, specimen)), NOON)
        return patient

    @pytest.mark.parametrize(
        "reported",
        [(None, None, True), ("charted", None, True), ("laboratory", None, False), (None, "arterial", False)],
    )
    def test_it_is_that_of_the_gas(self, reported: tuple[str | None, str | None, bool]) -> None:
        for measure in ("pf_steady", "pf_ratio"):
            value = self.gas(reported).view().value(measure)
            assert (value.known, value.low) == (True, 80)
        assert self.gas(reported).asks("fio2_unsteady") is NOT_MET

    def test_without_it_the_change_counts(self) -> None:
        assert self.gas().asks("fio2_unsteady") is MET

    def test_what_somebody_charts_at_the_same_minute_is_no_part_of_the_gas(self) -> None:
        assert self.gas(("charted", None, False)).asks("fio2_unsteady") is MET
