"""Explanations: why, why not, and what is missing."""

import pytest

from rules.engine import PatientEngine
from rules.explanation import Explanation
from rules.logic import MET, UNKNOWN
from tests.rules.strategies import PATIENT, SITE, make, moment, packs, readings

PACK = packs()[0]


def explained(*, weight: float | None = 80, until: float = 75, rate: float = 0.6) -> Explanation:
    engine = PatientEngine(PATIENT, packs(), SITE)
    known = {} if weight is None else {"weight_kg": weight}
    for event in (
        make("encounter", 0, age_years=62, conditions=[{"code": "suspected_infection"}], **known),
        make("fluid", 1, fluid="crystalloid", volume=2400, unit="mL"),
        make("observations", 2, readings=readings(lactate=(5, "mmol/L"))),
        make("infusion", 5, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min"),
        make("infusion", 40, drug="norepinephrine", action="rate", rate=rate, unit="ug/kg/min"),
        make("observations", 65, readings=readings(lactate=(5, "mmol/L"))),
    ):
        engine.observe(event)
    engine.advance(moment(until))
    return engine.explain("septic-shock")


def test_before_any_data_there_is_nothing_to_explain() -> None:
    explanation = PatientEngine(PATIENT, packs(), SITE).explain("septic-shock")
    assert (explanation.verdict, explanation.sections, explanation.alerts) == ("NOT_APPLICABLE", (), ())
    assert len(list(explanation.lines())) == 1


def test_an_unknown_pathway_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="elsewhere"):
        PatientEngine(PATIENT, packs(), SITE).explain("elsewhere")


def test_every_stage_check_therapy_and_contraindication_is_there() -> None:
    titles = [title for title, _ in explained().sections]
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
    assert explanation.stage == "SEP-3"
    assert explanation.at == "2026-03-01 09:14:55"
    assert any(alert.startswith("refractory: SUSPECTED") for alert in explanation.alerts)
    first = next(explanation.lines())
    assert PATIENT in first
    assert "SUSPECTED(echo not documented), stage SEP-3" in first


def test_met_conditions_are_marked_with_their_evidence() -> None:
    lines = list(explained().lines())
    assert any(line.startswith("✓ stage SEP-3") for line in lines)
    assert any("lactate" in line and "5 mmol/L" in line and "2026-03-01 09:05" in line for line in lines)
    assert any(line.startswith("! hydrocortisone: ") for line in lines)


def test_unmet_and_unknown_conditions_are_named_apart() -> None:
    explanation = explained(weight=None, rate=0.2)
    unmet = explanation.unmet()
    assert any("lasting" in leaf or "0.5 for 1 h" in leaf for leaf in unmet)
    assert any(leaf.endswith("(unknown)") for leaf in unmet)
    assert any(leaf.endswith("(not met)") for leaf in unmet)
    assert len(unmet) == len(set(unmet))
    assert any("missing: weight" in line for line in explanation.lines())


def test_sections_carry_the_whole_tree_without_stopping_early() -> None:
    sections = dict(explained(rate=0.2).sections)
    stage = next(evaluation for title, evaluation in sections.items() if title.startswith("stage SEP-3"))
    assert len(stage.parts) > 1
    assert {part.truth for part in stage.parts} > {MET}


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
    unknown = [evaluation for _, evaluation in engine.explain("septic-shock").sections if evaluation.truth is UNKNOWN]
    assert unknown
    assert engine.snapshot() == before
