"""Explanations: why, why not, and what is missing."""

from pathlib import Path

import pytest

from rules.engine import PatientEngine
from rules.explanation import Explanation
from rules.logic import MET, UNKNOWN
from rules.testing import SUFFIX, Run, load_scenario
from tests.rules.strategies import PATIENT, SITE, make, moment, packs, readings, septic

PACK = septic()


def explained(
    *, weight: float | None = 80, until: float = 75, rate: float = 0.6, fluid: bool = True, sodium: float = 140
) -> Explanation:
    engine = PatientEngine(PATIENT, packs(), SITE)
    known = {} if weight is None else {"weight_kg": weight}
    for event in (
        make("encounter", 0, age_years=62, conditions=[{"code": "suspected_infection"}], **known),
        make("fluid", 1, fluid="crystalloid", volume=2400 if fluid else 200, unit="mL"),
        make("observations", 2, readings=readings(lactate=(5, "mmol/L"))),
        make("observations", 3, readings=readings(sodium=(sodium, "mmol/L"))),
        make("infusion", 5, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min"),
        make("infusion", 40, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min"),
        make("observations", 65, readings=readings(lactate=(5, "mmol/L"))),
        *(
            make("infusion", minute, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min")
            for minute in range(80, round(until), 40)
        ),
    ):
        engine.observe(event)
    engine.advance(moment(until))
    return engine.explain("septic-shock")


def test_before_any_data_there_is_nothing_to_explain() -> None:
    explanation = PatientEngine(PATIENT, packs(), SITE).explain("septic-shock")
    assert (explanation.verdict, explanation.sections, explanation.alerts) == ("NOT_APPLICABLE", (), ())
    assert list(explanation.lines()) == [
        f"{PATIENT}, Septic shock (septic-shock): no data yet",
        "Verdict: NOT_APPLICABLE",
    ]


def test_an_unknown_pathway_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="elsewhere"):
        PatientEngine(PATIENT, packs(), SITE).explain("elsewhere")


def test_every_stage_check_therapy_and_contraindication_is_there() -> None:
    titles = [section.title for section in explained().sections]
    assert len(titles) == len(set(titles))
    for stage in PACK.stages:
        assert any(stage.id in title for title in titles)
    for check in PACK.checks:
        assert any(check.id in title for title in titles)
    for therapy in PACK.therapies:
        mine = [title for title in titles if therapy.id in title]
        assert all(any(reason.title in title for title in mine) for reason in therapy.absolute + therapy.relative)


def test_it_says_what_the_engine_said() -> None:
    explanation = explained()
    assert explanation.verdict == "SUSPECTED(echo not documented)"
    assert explanation.stage == "refractory septic shock (SEP-3)"
    assert explanation.at == "2026-03-01 09:14:55"
    assert any("refractory" in alert and "SUSPECTED" in alert for alert in explanation.alerts)
    assert list(explanation.lines())[:2] == [
        f"{PATIENT}, Septic shock (septic-shock) at 2026-03-01 09:14:55",
        "Verdict: SUSPECTED(echo not documented), stage: refractory septic shock (SEP-3)",
    ]


def test_met_conditions_are_marked_with_their_evidence_and_people_s_units() -> None:
    lines = list(explained().lines())
    assert "✓ refractory septic shock (SEP-3)" in lines
    assert any("lactate > 2 mmol/L: now 5 mmol/L, 2026-03-01 09:05" in line for line in lines)
    assert any("0.6 µg/kg/min" in line for line in lines)
    assert "  ! hydrocortisone (hydrocortisone): ELIGIBLE (open)" in lines


def test_the_nearest_verdict_comes_first_with_the_values_against_the_thresholds() -> None:
    first, *others = explained().nearest
    assert first.title == "refractory septic shock confirmed"
    assert [criterion.text for criterion in first.criteria] == [
        "echocardiography or POCUS done, recorded in the last 12 h (not recorded counts as absent)"
    ]
    assert [len(step.criteria) for step in others] == sorted(len(step.criteria) for step in others)
    extreme = next(step for step in others if "SEP-4" in step.title)
    assert [criterion.said() for criterion in extreme.criteria] == [
        "norepinephrine equivalents (Kotani 2023) > 1 µg/kg/min: now 0.6 µg/kg/min, 2026-03-01 08:05"
    ]


def test_before_an_episode_it_says_what_would_begin_one() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.observe(make("encounter", 0, age_years=62, conditions=[{"code": "suspected_infection"}]))
    engine.observe(make("observations", 1, readings=readings(lactate=(1, "mmol/L"))))
    engine.advance(moment(2))
    (step,) = engine.explain("septic-shock").nearest
    assert step.title == "an episode begins"
    assert len(step.criteria) == 1


def test_an_inadequate_treatment_is_named_with_what_to_do() -> None:
    explanation = explained(fluid=False, until=245)
    assert explanation.verdict.startswith("PSEUDO(")
    assert any(text.startswith("initial fluid not complete: Consider completing") for text in explanation.because)
    step = next(step for step in explanation.nearest if "SEP-3" in step.title)
    assert any("≥ 30 mL/kg" in criterion.text for criterion in step.criteria)


def test_a_therapy_has_what_speaks_for_it_against_it_and_what_is_not_known() -> None:
    therapies = {therapy.id: therapy for therapy in explained(sodium=120).therapies}
    hydrocortisone, vasopressin, ecmo = therapies["hydrocortisone"], therapies["vasopressin"], therapies["va_ecmo"]
    assert hydrocortisone.advice == "ELIGIBLE"
    assert any("vasopressor is running" in text for text in hydrocortisone.speaks_for)
    assert "cerebral malaria (relative)" in hydrocortisone.not_known
    assert vasopressin.speaks_against == ("low sodium (relative): sodium 120 mmol/L, 2026-03-01 08:03",)
    assert vasopressin.advice == "INDETERMINATE"
    assert [criterion.missing for criterion in vasopressin.wanting] == [("mean arterial pressure",)]
    assert ecmo.advice is None
    assert "the verdict is CONFIRMED" in [criterion.text for criterion in ecmo.wanting]


def test_every_condition_is_left_out_where_only_the_reasons_are_wanted() -> None:
    explanation = explained()
    assert "Every condition" not in list(explanation.lines(every=False))
    assert len(list(explanation.lines(every=False))) < len(list(explanation.lines())) / 2


def test_unmet_and_unknown_conditions_are_named_apart() -> None:
    explanation = explained(weight=None, rate=0.2)
    unmet = explanation.unmet()
    assert any("0.5 µg/kg/min for 1 h" in leaf for leaf in unmet)
    assert any(leaf.endswith("(unknown)") for leaf in unmet)
    assert any(leaf.endswith("(not met)") for leaf in unmet)
    assert len(unmet) == len(set(unmet))
    assert any("missing: body weight" in line for line in explanation.lines())


def test_sections_carry_the_whole_tree_without_stopping_early() -> None:
    stage = next(section for section in explained(rate=0.2).sections if "SEP-3" in section.title)
    parts = [criterion for criterion in stage.criteria if criterion.depth == 1]
    assert len(parts) > 1
    assert {part.truth for part in parts} > {MET}


def test_a_restored_engine_explains_in_the_same_words() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    for number in range(40):
        engine.observe(
            make("observations", number, readings=readings(map_invasive=(50, "mm[Hg]"), lactate=(5, "mmol/L")))
        )
        engine.observe(make("infusion", number + 0.5, drug="norepinephrine", action="rate", rate=0.6, unit="ug/kg/min"))
    engine.observe(make("encounter", 40, weight_kg=80, conditions=[{"code": "suspected_infection"}]))
    engine.advance(moment(50))
    again = PatientEngine.restore(engine.snapshot(), packs(), SITE)
    assert engine.explain("septic-shock").alerts
    assert list(again.explain("septic-shock").lines()) == list(engine.explain("septic-shock").lines())


def test_explaining_changes_nothing() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.observe(make("observations", 0, readings=readings(lactate=(5, "mmol/L"))))
    engine.advance(moment(1))
    before = engine.snapshot()
    unknown = [section for section in engine.explain("septic-shock").sections if section.truth is UNKNOWN]
    assert unknown
    assert engine.snapshot() == before


def test_a_window_that_has_closed_is_said_of_its_therapy() -> None:
    scenario = load_scenario(Path(__file__).parents[1] / f"scenarios/cardiac_arrest/window-closed-at-once{SUFFIX}")
    engine = Run(scenario, packs()).bed.engine
    (view,) = [found for found in engine.explain("cardiac-arrest").therapies if found.id == "ecpr"]
    assert view.window is not None
    assert view.window.startswith("ECMO flow after the collapse within 1 h: closed, last decision 2026-03-01 14:16")
    assert view.reasons == ("the time for ECMO flow after the collapse has passed",)
    assert [found.window for found in engine.explain("septic-shock").therapies] == [None, None, None]


def test_a_pathway_that_does_not_apply_is_explained_in_one_line() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.observe(make("encounter", 0, age_years=16))
    engine.advance(moment(1))
    found = engine.explain("septic-shock")
    assert found.idle
    assert found.line() == f"{PATIENT}, Septic shock (septic-shock) at {found.at}: not applicable: adults only"
    assert not explained().idle
