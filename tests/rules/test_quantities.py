"""Formulas against examples worked out by hand (clinical dossier 0.4, 1a, 1c)."""

from math import inf, nan
from typing import Any

import pytest

from rules import catalogue
from rules.facts import Coded, Flow, Given, Move, Sample, Volume
from rules.instants import HOUR, MINUTE, TICK
from rules.minutes import MinuteSeries
from rules.pathway import Fold, Pathway
from rules.quantities import QUANTITIES
from rules.quantities.vasoactive import GORADIA_2021, KOTANI_2023
from rules.settings import SiteSettings
from rules.timeline import Fact, Timeline
from rules.values import Value
from rules.view import View
from tests.rules.strategies import septic

NOON = 1_772_366_400_000


def pathway(**settings: Any) -> Pathway:
    return Pathway(septic(), SiteSettings.model_validate(settings), catalogue.load())


BASE_SALT = pathway(norepinephrine_salt="base")
NO_SALT = pathway()


class Patient:
    """A timeline around noon, and its quantities then."""

    def __init__(self, site: Pathway = BASE_SALT) -> None:
        self.site = site
        self.timeline = Timeline()
        self.anchors: dict[str, int] = {}

    def fact(self, channel: str, value: Any, minutes: float = -5) -> None:
        at = NOON + round(minutes * MINUTE)
        facts = sum(map(len, self.timeline.channels.values()))
        self.timeline.insert(channel, Fact(at, at, f"e{facts}", value), NOON)

    def signals(self, minutes: float = -5, **values: float) -> "Patient":
        for name, value in values.items():
            self.fact(f"signal:{name}", Sample(value), minutes)
        return self

    def pump(self, drug: str, rate: float, minutes: float = -5, power: int = 0, salt: str | None = None) -> "Patient":
        self.fact(f"infusion:{drug}", Flow("rate", "main", rate, power, salt), minutes)
        return self

    def stated(self, **concepts: str) -> "Patient":
        for concept, value in concepts.items():
            self.fact(f"state:{concept}", Coded(value))
        return self

    def pressure(self, level: float, minutes: int = 20) -> "Patient":
        series = self.timeline.dense["signal:map_invasive"] = MinuteSeries()
        for minute in range(minutes):
            series.insert(NOON - (minute + 1) * MINUTE, level, NOON)
        return self

    def view(self, minutes: float = 0) -> View:
        marks = tuple(sorted(self.anchors.items()))
        return self.site.view(self.timeline, Fold(1, open=True, anchors=marks), NOON + round(minutes * MINUTE))

    def value(self, name: str, minutes: float = 0) -> Value:
        return self.view(minutes).value(name)

    def exactly(self, name: str, minutes: float = 0) -> float:
        value = self.value(name, minutes)
        assert value.known, value
        return value.low


def test_a_quantity_is_shown_on_a_signal_that_it_reads_in_the_same_unit() -> None:
    shown = {quantity.name: quantity for quantity in QUANTITIES.values() if quantity.shown_on is not None}
    assert shown
    for quantity in shown.values():
        assert f"signal:{quantity.shown_on}" in quantity.reads
        assert quantity.unit == catalogue.load().signal(str(quantity.shown_on)).unit


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.name)
def test_every_quantity_has_a_unit_a_source_and_says_what_it_reads(quantity: Any) -> None:
    assert quantity.title
    assert quantity.source
    assert quantity.unit
    assert all(channel in ("fluid", "resuscitation", "seizure", "stay") or ":" in channel for channel in quantity.reads)


class TestNorepinephrineEquivalents:
    # clinical dossier 1a, row by row: drug, rate in its canonical unit, Kotani 2023, Goradia 2021.
    @pytest.mark.parametrize(
        ("drug", "rate", "kotani", "goradia"),
        [
            ("norepinephrine", 0.5, 0.5, 0.5),
            ("epinephrine", 0.3, 0.3, 0.3),
            ("dopamine", 10, 0.1, 0.1),
            ("phenylephrine", 2, 0.12, 0.2),
            ("vasopressin", 0.03, 0.075, 0.075),
            ("angiotensin_ii", 20, 0.05, 0.2),
            ("terlipressin", 0.02, 0.2, 0),
            ("metaraminol", 2, 0.25, 0.25),
            ("methylene_blue", 0.5, 0.1, 0),
            ("midodrine", 0.5, 0.2, 0),
            ("dobutamine", 10, 0, 0),
            ("milrinone", 0.5, 0, 0),
            ("levosimendan", 0.1, 0, 0),
        ],
    )
    def test_each_drug_counts_as_in_the_table(self, drug: str, rate: float, kotani: float, goradia: float) -> None:
        patient = Patient().pump(drug, rate)
        assert patient.exactly("nee_kotani") == pytest.approx(kotani)
        assert patient.exactly("nee_goradia") == pytest.approx(goradia)

    def test_hydroxocobalamin_counts_by_the_gram_for_a_day(self) -> None:
        patient = Patient().pump("norepinephrine", 0.4)
        patient.fact("dose:hydroxocobalamin", Given(5.0, 0, "iv", "given", None, True), -30)
        assert patient.exactly("nee_kotani") == pytest.approx(0.5)
        assert patient.exactly("nee_goradia") == pytest.approx(0.4)
        later = Patient()
        later.fact("dose:hydroxocobalamin", Given(5.0, 0, "iv", "given", None, True), -24 * 60)
        later.fact("dose:hydroxocobalamin", Given(5.0, 0, "iv", "ordered", None, True), -30)
        assert later.exactly("nee_kotani") == 0
        assert later.exactly("nee_kotani", -1) == pytest.approx(0.1)

    def test_an_infusion_of_hydroxocobalamin_counts_by_what_it_delivered(self) -> None:
        patient = Patient().pump("hydroxocobalamin", 20, -40).pump("hydroxocobalamin", 0, -25)
        assert patient.exactly("nee_kotani", -30) == 0
        assert patient.exactly("nee_kotani") == pytest.approx(0.1)

    def test_vignette_1_adds_vasopressin_to_norepinephrine(self) -> None:
        patient = Patient().pump("norepinephrine", 0.45).pump("vasopressin", 0.03)
        assert patient.exactly("nee_kotani") == pytest.approx(0.525)
        assert patient.exactly("norepinephrine_dose") == pytest.approx(0.45)

    def test_vignette_5_the_cardiac_phenotype(self) -> None:
        patient = Patient().pump("norepinephrine", 0.5).pump("epinephrine", 0.3).pump("dobutamine", 10)
        patient.pump("vasopressin", 0.03)
        assert patient.exactly("nee_kotani") == pytest.approx(0.875)
        assert patient.exactly("inotrope_score") == pytest.approx(90)

    def test_the_formulas_differ_only_for_phenylephrine_and_angiotensin(self) -> None:
        differing = {drug for drug in GORADIA_2021 if KOTANI_2023[drug] != GORADIA_2021[drug]}
        assert differing == {"phenylephrine", "angiotensin_ii"}
        assert GORADIA_2021["phenylephrine"] / KOTANI_2023["phenylephrine"] == pytest.approx(1.7, abs=0.04)
        assert GORADIA_2021["angiotensin_ii"] / KOTANI_2023["angiotensin_ii"] == pytest.approx(4)

    def test_an_unknown_salt_leaves_half_to_all_of_the_rate(self) -> None:
        value = Patient(NO_SALT).pump("norepinephrine", 0.9).value("nee_kotani")
        assert (value.low, value.high) == (0.45, 0.9)
        assert value.missing == ("norepinephrine_salt",)

    def test_the_salt_of_the_message_goes_before_that_of_the_site(self) -> None:
        assert Patient().pump("norepinephrine", 0.9, salt="tartrate").exactly("norepinephrine_dose") == 0.45
        assert Patient(NO_SALT).pump("norepinephrine", 0.9, salt="base").exactly("norepinephrine_dose") == 0.9

    def test_a_rate_without_a_weight_in_it_needs_the_weight(self) -> None:
        patient = Patient().pump("norepinephrine", 40, power=-1)
        value = patient.value("nee_kotani")
        assert (value.low, value.high, value.missing) == (0, inf, ("weight",))
        assert patient.signals(weight=80).exactly("nee_kotani") == pytest.approx(0.5)

    def test_by_site_setting_the_requirement_is_norepinephrine_alone(self) -> None:
        alone = Patient(pathway(norepinephrine_salt="base", rss_basis="ne_only"))
        for patient, expected in ((alone, 0.45), (Patient(), 0.525)):
            patient.pump("norepinephrine", 0.45).pump("vasopressin", 0.03)
            assert patient.exactly("requirement_kotani") == pytest.approx(expected)

    def test_the_vasoactive_inotropic_score_takes_vasopressin_by_weight(self) -> None:
        patient = Patient().pump("norepinephrine", 0.2).pump("milrinone", 0.5).pump("dobutamine", 5)
        assert patient.exactly("vasoactive_inotropic_score") == pytest.approx(20 + 5 + 5)
        patient.pump("vasopressin", 0.032)
        assert patient.value("vasoactive_inotropic_score").high == inf
        assert patient.signals(weight=80).exactly("vasoactive_inotropic_score") == pytest.approx(34)


class TestPressure:
    def test_the_pressure_is_the_median_of_fifteen_minutes(self) -> None:
        assert Patient().pressure(62).exactly("mean_arterial_pressure") == 62

    @pytest.mark.parametrize(("minutes", "known"), [(9, False), (10, True)])
    def test_ten_valid_minutes_are_needed(self, minutes: int, known: bool) -> None:
        assert Patient().pressure(62, minutes).value("mean_arterial_pressure").known is known

    def test_an_old_pressure_is_unknown(self) -> None:
        assert not Patient().pressure(62).value("mean_arterial_pressure", 6).known

    def test_one_odd_minute_does_not_move_it(self) -> None:
        patient = Patient().pressure(62)
        series = patient.timeline.dense["signal:map_invasive"]
        series.remove(NOON - 3 * MINUTE, NOON)
        series.insert(NOON - 3 * MINUTE, 200, NOON)
        assert patient.exactly("mean_arterial_pressure") == 62


class TestBody:
    @pytest.mark.parametrize(
        ("sex", "height", "weight"), [("female", 165, 56.966), ("male", 178, 73.296), ("male", 152.4, 50)]
    )
    def test_predicted_body_weight(self, sex: str, height: float, weight: float) -> None:
        patient = Patient().signals(height=height).stated(sex=sex)
        assert patient.exactly("predicted_body_weight") == pytest.approx(weight)

    @pytest.mark.parametrize(("sex", "missing"), [("unknown", ("sex",)), ("present", ("sex",))])
    def test_an_unknown_sex_is_missing(self, sex: str, missing: tuple[str, ...]) -> None:
        assert Patient().signals(height=170).stated(sex=sex).value("predicted_body_weight").missing == missing
        assert Patient().value("predicted_body_weight").missing == ("height", "sex")

    @pytest.mark.parametrize(
        ("weight", "height", "expected"),
        [
            (80, 178, 80),  # body mass index 25.2
            (97.2, 180, 97.2),  # exactly 30.0
            (130, 178, 73.296),  # 41: the ideal weight
        ],
    )
    def test_fluid_is_judged_by_ideal_weight_above_a_body_mass_index_of_30(
        self, weight: float, height: float, expected: float
    ) -> None:
        patient = Patient().signals(weight=weight, height=height).stated(sex="male")
        assert patient.exactly("fluid_weight") == pytest.approx(expected)

    def test_without_height_or_sex_the_actual_weight_is_used_and_without_weight_none(self) -> None:
        assert Patient().signals(weight=130).exactly("fluid_weight") == 130
        assert Patient().signals(weight=130, height=170).exactly("fluid_weight") == 130
        assert not Patient().signals(height=170).stated(sex="male").value("fluid_weight").known


class TestFluid:
    def given(self, *volumes: tuple[float, float, float | None, str], weight: float | None = 80) -> Patient:
        patient = Patient()
        patient.anchors["recognition"] = NOON
        if weight is not None:
            patient.signals(weight=weight)
        for minutes, millilitres, started, fluid in volumes:
            begin = None if started is None else NOON + round(started * MINUTE)
            patient.fact("fluid", Volume(millilitres, fluid, begin), minutes)
        return patient

    def test_crystalloid_counts_from_a_day_before_recognition(self) -> None:
        patient = self.given(
            (-1441, 500, None, "crystalloid"), (-1439, 800, None, "crystalloid"), (-5, 1600, None, "crystalloid")
        )
        assert patient.exactly("crystalloid_per_kilogram") == 30

    def test_later_fluid_does_not_count(self) -> None:
        patient = self.given((-5, 800, None, "crystalloid"), (30, 800, None, "crystalloid"))
        assert patient.exactly("crystalloid_per_kilogram") == 10
        assert patient.exactly("crystalloid_per_kilogram", 30) == 20

    def test_what_was_given_before_the_admission_is_unknown_unless_recorded(self) -> None:
        patient = self.given((-5, 800, None, "crystalloid"))
        patient.fact("stay", Move("admission"), -60)
        value = patient.value("crystalloid_per_kilogram")
        assert (value.low, value.high, value.missing) == (10, inf, ("fluid_before_admission",))
        patient.fact("fluid", Volume(400, "crystalloid", None), -90)
        assert patient.exactly("crystalloid_per_kilogram") == 15

    @pytest.mark.parametrize("colloid", ["albumin", "other_colloid"])
    def test_what_colloid_adds_is_in_doubt_and_said(self, colloid: str) -> None:
        patient = self.given(
            (-9, 2000, None, "crystalloid"), (-5, 800, None, colloid), (-4, 320, None, "blood_product")
        )
        value = patient.value("crystalloid_per_kilogram")
        assert (value.low, value.high, value.missing) == (25, 39, ("colloid", "blood"))
        assert value.findings[0].text == "25-39 mL/kg, beside 800 mL colloid and 320 mL blood"

    def test_an_infusion_that_began_earlier_counts_with_its_share(self) -> None:
        patient = self.given((-1410, 1200, -1470, "crystalloid"))
        assert patient.exactly("crystalloid_per_kilogram") == pytest.approx(600 / 80)

    def test_no_record_is_unknown_and_a_record_of_nothing_is_nothing(self) -> None:
        value = self.given().value("crystalloid_per_kilogram")
        assert (value.low, value.known, value.missing) == (0, False, ("fluid_record",))
        assert self.given((-5, 0, None, "crystalloid"), weight=None).exactly("crystalloid_per_kilogram") == 0

    def test_a_volume_that_cannot_be_used_leaves_a_least_amount(self) -> None:
        patient = self.given((-9, 800, None, "crystalloid"))
        patient.fact("fluid", Volume(None, "crystalloid", None))
        value = patient.value("crystalloid_per_kilogram")
        assert (value.low, value.high, value.missing) == (10, inf, ("fluid_volume",))

    def test_without_weight_it_is_unknown(self) -> None:
        assert self.given((-5, 500, None, "crystalloid"), weight=None).value("crystalloid_per_kilogram").missing == (
            "weight",
        )


class TestWeight:
    def weighed(self, *weights: tuple[float, float]) -> Patient:
        patient = Patient()
        for days, weight in weights:
            patient.signals(days * 1440, weight=weight)
        return patient

    def test_a_weight_that_jumps_is_either_until_a_later_one_settles_it(self) -> None:
        value = self.weighed((-1, 80), (-0.9, 185)).value("weight")
        assert (value.low, value.high, value.missing) == (80, 185, ("weight (80 or 185 kg)",))
        assert self.weighed((-1, 80), (-0.9, 185), (-0.5, 82)).exactly("weight") == 82
        assert self.weighed((-1, 80), (-0.9, 185), (-0.5, 184)).exactly("weight") == 184
        assert not self.weighed((-1, 80), (-0.9, 185), (-0.5, 120)).value("weight").known

    def test_gain_by_fluid_is_no_jump(self) -> None:
        assert self.weighed((-2, 80), (-1, 92)).exactly("weight") == 92

    def test_a_dose_per_kilogram_is_between_those_of_both_weights(self) -> None:
        patient = self.weighed((-1, 80), (-0.9, 160)).pump("norepinephrine", 48, power=-1)
        assert patient.value("norepinephrine_dose")[:3] == (0.3, 0.6, ("weight (80 or 160 kg)",))
        assert patient.pump("norepinephrine", 0.4, -4).exactly("norepinephrine_dose") == 0.4

    def test_a_weight_lasts_a_week_and_three_days_after_much_fluid(self) -> None:
        assert self.weighed((-7, 80)).value("weight").known
        assert not self.weighed((-7.01, 80)).value("weight").known
        for millilitres, days, known in ((2400, 3.01, False), (2399, 3.01, True), (2400, 3, True)):
            patient = self.weighed((-days, 80))
            patient.fact("fluid", Volume(millilitres, "crystalloid", None), -1440)
            assert patient.value("weight").known is known

    def test_fluid_before_the_weighing_does_not_age_it(self) -> None:
        patient = self.weighed((-4, 80))
        patient.fact("fluid", Volume(9000, "crystalloid", None), -5 * 1440)
        assert patient.exactly("weight") == 80

    def test_heights_that_disagree_leave_a_range(self) -> None:
        patient = Patient().signals(-60, height=178).signals(-30, height=150).stated(sex="male")
        value = patient.value("predicted_body_weight")
        assert value[:2] == pytest.approx((47.816, 73.296))
        assert value.missing == ("height (150 or 178 cm)",)
        assert patient.signals(-10, height=177).value("predicted_body_weight").known

    def test_before_recognition_it_is_unknown(self) -> None:
        assert Patient().signals(weight=80).value("crystalloid_per_kilogram").missing == ("recognition",)


class TestOxygenation:
    def test_the_inspired_fraction_is_the_one_in_force_at_the_sample(self) -> None:
        patient = Patient().signals(-40, fio2=0.9).signals(-30, pao2=70).signals(-10, fio2=0.5)
        assert patient.exactly("pf_ratio") == pytest.approx(77.78, abs=0.01)

    def test_a_fraction_set_only_after_the_sample_does_not_count(self) -> None:
        assert Patient().signals(-30, pao2=70).signals(-10, fio2=0.5).value("pf_ratio").missing == ("fio2",)

    def test_a_fraction_older_than_an_hour_at_the_sample_is_unknown(self) -> None:
        assert Patient().signals(-90, fio2=0.9).signals(-30, pao2=70).exactly("pf_ratio") == pytest.approx(
            77.78, abs=0.01
        )
        assert not Patient().signals(-91, fio2=0.9).signals(-30, pao2=70).value("pf_ratio").known

    def test_venous_gases_are_not_used(self) -> None:
        patient = Patient().signals(-40, fio2=0.5).signals(-30, pao2=80)
        patient.fact("signal:pao2", Sample(40.0, None, "venous"), -10)
        assert patient.exactly("pf_ratio") == 160

    def test_a_gas_is_too_old_after_six_hours(self) -> None:
        patient = Patient().signals(-40, fio2=0.5).signals(-30, pao2=80)
        assert patient.value("pf_ratio", 330).known
        assert not patient.value("pf_ratio", 330 + TICK / MINUTE).known


HEALTHY = {
    "pao2": 450.0,
    "fio2": 0.9,
    "platelets": 200.0,
    "bilirubin": 0.5,
    "gcs": 15.0,
    "creatinine": 0.8,
    "urine_output_24h": 1500.0,
}


def sofa(**changes: float) -> Patient:
    patient = Patient().pressure(80).stated(intubated="present")
    values = {**HEALTHY, **changes}
    patient.signals(-6, fio2=values.pop("fio2"))
    return patient.signals(**values)


class TestSofa:
    def test_a_healthy_patient_scores_nothing(self) -> None:
        assert sofa().exactly("sofa_rise") == 0

    @pytest.mark.parametrize(
        ("signal", "value", "points"),
        [
            *(
                ("platelets", value, points)
                for value, points in [(150, 0), (149, 1), (100, 1), (99, 2), (50, 2), (49, 3), (20, 3), (19, 4)]
            ),
            *(
                ("bilirubin", value, points)
                for value, points in [(1.1, 0), (1.2, 1), (1.9, 1), (2.0, 2), (5.9, 2), (6.0, 3), (12.1, 4)]
            ),
            *(
                ("creatinine", value, points)
                for value, points in [(1.1, 0), (1.2, 1), (2.0, 2), (3.5, 3), (4.9, 3), (5.1, 4)]
            ),
            *(
                ("gcs", value, points)
                for value, points in [(15, 0), (14, 1), (13, 1), (12, 2), (10, 2), (9, 3), (6, 3), (5, 4)]
            ),
            *(
                ("pao2", value, points)
                for value, points in [(360, 0), (359, 1), (270, 1), (269, 2), (180, 2), (179, 3), (90, 3), (89, 4)]
            ),
        ],
    )
    def test_the_bands_of_each_organ(self, signal: str, value: float, points: int) -> None:
        assert sofa(**{signal: value}).exactly("sofa_rise") == points

    @pytest.mark.parametrize(
        ("drug", "rate", "points"),
        [
            ("norepinephrine", 0.1, 3),
            ("norepinephrine", 0.11, 4),
            ("epinephrine", 0.05, 3),
            ("epinephrine", 0.2, 4),
            ("dopamine", 5, 2),
            ("dopamine", 6, 3),
            ("dopamine", 16, 4),
            ("dobutamine", 2, 2),
            ("norepinephrine", 0.0, 0),
        ],
    )
    def test_the_bands_of_vasopressors(self, drug: str, rate: float, points: int) -> None:
        assert sofa().pump(drug, rate).exactly("sofa_rise") == points

    def test_a_low_pressure_scores_one(self) -> None:
        assert sofa().pressure(69).exactly("sofa_rise") == 1
        assert sofa().pressure(70).exactly("sofa_rise") == 0

    def test_without_ventilation_the_lung_scores_two_at_most(self) -> None:
        assert sofa(pao2=60).stated(intubated="absent").exactly("sofa_rise") == 2

    def test_what_is_missing_may_be_anything_from_nothing_to_the_worst(self) -> None:
        value = Patient().value("sofa_rise")
        assert value.low == 0
        assert value.high >= 21
        assert len(value.missing) == 6
        patient = sofa()
        patient.timeline.retract(patient.timeline.channels["signal:gcs"][0].event, NOON)
        assert (patient.value("sofa_rise").low, patient.value("sofa_rise").high) == (0, 4)
        assert patient.value("sofa_rise").missing == ("SOFA nervous system",)

    @pytest.mark.parametrize(
        ("drug", "worst"), [("norepinephrine", 4), ("epinephrine", 4), ("dopamine", 4), ("dobutamine", 2)]
    )
    def test_an_infusion_that_nobody_confirmed_is_not_taken_for_stopped(self, drug: str, worst: int) -> None:
        value = sofa().pump(drug, 0.5, -91).value("sofa_rise")
        assert value.low == 0
        assert value.high >= worst

    def test_a_dose_without_the_weight_leaves_every_band_open_that_it_may_reach(self) -> None:
        value = sofa().pump("dopamine", 400, power=-1).value("sofa_rise")
        assert (value.low, value.high) == (2, 4)

    def test_an_unconfirmed_vasopressor_beside_an_inotrope_is_not_taken_for_stopped(self) -> None:
        value = sofa().pump("norepinephrine", 0.3, -91).pump("dobutamine", 5).value("sofa_rise")
        assert (value.low, value.high) == (2, 4)

    @pytest.mark.parametrize(("volume", "points"), [(500, 0), (499, 3), (200, 3), (199, 4)])
    def test_little_urine_in_a_day_counts_although_creatinine_is_normal(self, volume: float, points: int) -> None:
        assert sofa(urine_output_24h=volume).exactly("sofa_rise") == points

    @staticmethod
    def passing(every: int, volume: float, since: int = 30 * 60) -> Patient:
        """A patient whose urine is charted at an interval, both in minutes, since so many minutes before noon."""
        patient = sofa()
        del patient.timeline.channels["signal:urine_output_24h"]
        for minutes in range(-since, 1, every):
            patient.signals(minutes, urine_output=volume)
        return patient

    def test_hourly_urine_adds_up_to_a_day(self) -> None:
        assert self.passing(60, 40).exactly("sofa_rise") == 0
        assert self.passing(60, 15).exactly("sofa_rise") == 3
        assert self.passing(60, 5).exactly("sofa_rise") == 4

    def test_urine_charted_for_a_part_of_the_day_is_a_lower_bound(self) -> None:
        value = self.passing(60, 15, since=6 * 60).value("sofa_rise")
        assert (value.low, value.high) == (0, 4)
        assert value.missing == ("SOFA kidney",)
        assert self.passing(60, 100, since=6 * 60).exactly("sofa_rise") == 0

    def test_a_day_is_looked_at_again_when_its_charting_has_become_complete(self) -> None:
        patient = self.passing(60, 15, since=17 * 60)
        del patient.timeline.dense["signal:map_invasive"]
        view = patient.view()
        view.value("sofa_rise")
        assert view.next_change == NOON + HOUR

    def test_a_gap_in_charting_leaves_the_day_open(self) -> None:
        value = self.passing(7 * 60, 100).value("sofa_rise")
        assert (value.low, value.high) == (0, 3)

    def test_an_organ_that_failed_long_before_may_not_have_risen(self) -> None:
        value = sofa(creatinine=6).stated(chronic_dialysis="present").value("sofa_rise")
        assert (value.low, value.high) == (0, 4)
        assert sofa(creatinine=6).stated(chronic_dialysis="present").exactly("sofa_score") == 4

    def test_ventilation_through_a_mask_lifts_the_cap_of_the_lung(self) -> None:
        patient = sofa(pao2=60).stated(intubated="absent", noninvasive_ventilation="present")
        assert patient.exactly("sofa_rise") == 4

    def test_a_charted_score_goes_before_its_components(self) -> None:
        assert sofa(creatinine=6).signals(sofa=11).exactly("sofa_score") == 11

    def test_pressure_measured_after_no_tube_was_found_does_not_cap_the_lung(self) -> None:
        patient = sofa(pao2=60).stated(intubated="absent").signals(minutes=-2, peep=8)
        assert (patient.value("sofa_rise").low, patient.value("sofa_rise").high) == (2, 4)
        before = sofa(pao2=60).signals(minutes=-20, peep=8).stated(intubated="absent")
        assert before.exactly("sofa_rise") == 2

    def test_ventilation_stated_as_unknown_does_not_cap_the_lung(self) -> None:
        assert sofa(pao2=60).stated(intubated="unknown").value("sofa_rise").high == 4


class TestSteroids:
    def given(self, *doses: tuple[str, float, float], power: int = 0) -> Patient:
        patient = Patient()
        for drug, minutes, amount in doses:
            patient.fact(f"dose:{drug}", Given(amount, power, "iv", "given", None, True), minutes)
        return patient

    @pytest.mark.parametrize(
        ("drug", "amount", "hydrocortisone"),
        [
            ("hydrocortisone", 50, 50),
            ("prednisolone", 5, 20),
            ("prednisone", 5, 20),
            ("methylprednisolone", 4, 20),
            ("dexamethasone", 0.75, 20),
        ],
    )
    def test_the_equivalence_table(self, drug: str, amount: float, hydrocortisone: float) -> None:
        known = catalogue.load().drug(drug).hydrocortisone_equivalent_mg
        assert known is not None
        assert known * amount == pytest.approx(hydrocortisone)

    def test_four_doses_a_day_are_two_hundred_milligrams(self) -> None:
        patient = self.given(*(("hydrocortisone", -60 - 360 * number, 50) for number in range(4)))
        assert patient.exactly("hydrocortisone_equivalent_per_day") == 200

    def test_a_first_dose_is_taken_for_six_hourly_until_the_next_is_late(self) -> None:
        patient = self.given(("hydrocortisone", -60, 50))
        assert patient.exactly("hydrocortisone_equivalent_per_day") == 200
        assert patient.exactly("hydrocortisone_equivalent_per_day", 6.5 * 60 - 1) == 200
        assert patient.exactly("hydrocortisone_equivalent_per_day", 6.5 * 60) == 50
        assert patient.exactly("hydrocortisone_equivalent_per_day", 24 * 60) == 0

    def test_an_infusion_counts_by_the_day(self) -> None:
        assert Patient().pump("hydrocortisone", 8.3).exactly("hydrocortisone_equivalent_per_day") == pytest.approx(
            200, abs=2
        )

    def test_an_infusion_that_nobody_confirmed_is_unknown(self) -> None:
        assert not Patient().pump("hydrocortisone", 8.3, -91).value("hydrocortisone_equivalent_per_day").known

    def test_a_dose_per_kilogram_needs_the_weight(self) -> None:
        patient = self.given(("hydrocortisone", -60, 0.625), power=1)
        assert not patient.value("hydrocortisone_equivalent_per_day").known
        assert patient.signals(weight=80).exactly("hydrocortisone_equivalent_per_day") == 200

    def test_ordered_doses_do_not_count(self) -> None:
        patient = Patient()
        patient.fact("dose:hydrocortisone", Given(50.0, 0, "iv", "ordered", None, True))
        assert patient.exactly("hydrocortisone_equivalent_per_day") == 0

    def test_two_steroids_add_up(self) -> None:
        patient = self.given(*(("hydrocortisone", -60 - 360 * number, 50) for number in range(4)))
        patient.pump("methylprednisolone", 1)
        assert patient.value("hydrocortisone_equivalent_per_day").low >= 300


class TestChartedPressure:
    def charted(self, minutes: float, level: float = 58) -> Patient:
        patient = Patient()
        patient.fact("signal:map_invasive", Sample(level, "charted"), minutes)
        return patient

    def test_it_decides_for_its_interval(self) -> None:
        assert self.charted(-75).exactly("mean_arterial_pressure") == 58
        assert not self.charted(-75.1).value("mean_arterial_pressure").known

    def test_a_line_that_sends_enough_minutes_goes_before_it(self) -> None:
        assert self.charted(-5).pressure(70).exactly("mean_arterial_pressure") == 70

    def test_minutes_that_are_too_few_do_not_bring_back_an_older_one(self) -> None:
        assert not self.charted(-30).pressure(70, minutes=4).value("mean_arterial_pressure").known

    def test_one_value_is_no_five_minutes(self) -> None:
        assert not self.charted(-1, 40).value("mean_arterial_pressure_highest").known

    @pytest.mark.parametrize(
        ("others", "low", "high"),
        [
            ((), 58, inf),
            (((-19.9, 60),), 58, inf),
            (((-20, 60),), 58, 60),
            (((-80, 60),), 58, 60),
            (((-80.1, 60),), 58, inf),
            (((-30, 57), (-10, 71)), 58, 71),
            (((-30, 57), (-90, 71)), 58, 58),
            (((-30, nan), (-70, 57)), 58, 58),
            (((-20, 50),), 58, 58),
        ],
    )
    def test_it_lasts_from_the_first_to_the_last_of_several(
        self, others: tuple[tuple[float, float], ...], low: float, high: float
    ) -> None:
        """The last was charted 5 min ago, and each stands for 75 min."""
        patient = self.charted(-5)
        for minutes, level in others:
            patient.fact("signal:map_invasive", Sample(level, "charted"), minutes)
        found = patient.value("mean_arterial_pressure_lasting")
        assert (found.low, found.high) == (low, high)
        assert (found.missing == ("repeat mean_arterial_pressure",)) is (low < high)

    def test_a_line_that_sends_lasts_by_its_minutes(self) -> None:
        assert self.charted(-5).pressure(70).exactly("mean_arterial_pressure_lasting") == 70
        assert not Patient().pressure(70, minutes=4).value("mean_arterial_pressure_lasting").known
