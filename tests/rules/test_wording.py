"""Words for people: what is missing, units, tags, and the wording a pack brings along."""

import pytest

from rules import catalogue
from rules.pack import Pack
from rules.packs import PackError, parse_pack
from rules.packs.faults import find_faults
from rules.pathway import Fold, Pathway
from rules.settings import SiteSettings
from rules.timeline import Timeline
from rules.wording import Words, name_identifiers, plain, strength, titles
from tests.rules.strategies import septic


@pytest.fixture(scope="module")
def pack() -> Pack:
    return septic()


@pytest.fixture(scope="module")
def words(pack: Pack) -> Words:
    pathway = Pathway(pack, SiteSettings(), catalogue.load())
    return Words(pathway.pack, pathway.view(Timeline(), Fold(), 0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("66 mm[Hg]", "66 mmHg"),
        ("10 cm[H2O]", "10 cmH2O"),
        ("0.5 ug/kg/min", "0.5 µg/kg/min"),
        ("50 ug per day", "50 µg per day"),
        ("34.5 Cel", "34.5 °C"),
        ("7.12 [pH]", "7.12"),
        ("15 {score}", "15"),
        ("62 a", "62 years"),
        ("a drug through a line", "a drug through a line"),
    ],
)
def test_units_are_those_of_people(text: str, said: str) -> None:
    assert plain(text) == said


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("V12", "source read"),
        ("V5s", "secondary source only"),
        ("K?", "not checked against a source"),
        ("D", "local setting"),
    ],
)
def test_an_evidence_tag_is_said_in_words(tag: str, said: str) -> None:
    assert strength(tag) == said


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("lactate", "lactate"),
        ("lactate (last 2026-03-14 06:00)", "lactate (last 2026-03-14 06:00)"),
        ("capillary_refill (last 06:00)", "capillary refill time (last 06:00)"),
        ("repeat haemoglobin", "a second haemoglobin"),
        ("norepinephrine_salt", "salt in which norepinephrine is given (base or tartrate)"),
        ("norepinephrine_rate", "rate of norepinephrine"),
        ("weight: NEE 0.3-0.6", "body weight (norepinephrine equivalents 0.3-0.6)"),
        ("NEE", "norepinephrine equivalents"),
        ("SOFA liver", "SOFA liver"),
        ("gcs", "Glasgow coma scale, total"),
        ("susceptibility of Candida albicans", "susceptibility of Candida albicans"),
        ("fluid_in_progress", "initial fluid in progress (unknown of 30 mL/kg)"),
        ("SEP-1", "septic shock"),
        ("va_ecmo", "VA-ECMO"),
    ],
)
def test_what_is_missing_is_said_in_words(words: Words, item: str, said: str) -> None:
    assert words.item(item) == said


def test_every_drug_signal_and_concept_has_a_title_for_sentences() -> None:
    known = catalogue.load()
    said = titles(known)
    assert {entry.name for entry in (*known.drugs, *known.signals, *known.concepts)} <= set(said)
    assert (said["ph"], said["ecmo_va"], said["crp"]) == ("arterial pH", "veno-arterial ECMO", "C-reactive protein")
    assert name_identifiers("plr_response of e_1", known).endswith("mini-bolus of e_1")
    assert name_identifiers("pao2 66 of 10:20", known) == "arterial oxygen tension 66 of 10:20"


def test_what_a_verdict_waits_for_is_known_to_the_pack(pack: Pack) -> None:
    assert pack.waiting == {"fluid_in_progress", "infection_by_order"}
    assert pack.waiting <= set(pack.words)


def test_wording_may_only_ask_for_what_there_is(pack: Pack) -> None:
    wrong = pack.model_copy(
        update={"words": {"fluid_in_progress": "fluid ({nonsense} of {fluid_target}, lactate {lactate})"}}
    )
    assert [fault for fault in find_faults(wrong, catalogue.load()) if fault.startswith("words.")] == [
        next(fault for fault in find_faults(wrong, catalogue.load()) if "'nonsense'" in fault)
    ]


def test_wording_is_text() -> None:
    with pytest.raises(PackError, match=r"words\.x"):
        parse_pack("p.yaml", "words: {x: 1}")
