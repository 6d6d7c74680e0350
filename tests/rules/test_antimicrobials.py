"""What counts as a dose of an antimicrobial, and what the catalogue knows of organisms."""

from typing import Any

import pytest

from rules.antimicrobials import courses, covering, doses, newly_begun
from rules.catalogue import CatalogueError, build, load, parse
from rules.catalogue.models import Drug, Organism
from rules.facts import Flow, Given
from rules.instants import DAY, HOUR, MINUTE
from rules.packs import load_packs
from rules.pathway import Fold, Pathway
from rules.settings import SiteSettings
from rules.timeline import Fact, Timeline
from rules.view import View

PACK = next(pack for pack in load_packs() if pack.id == "septic-shock")
PATHWAY = Pathway(PACK, SiteSettings(), load())


def given(started: int | None = None, status: str = "given") -> Given:
    return Given(1000.0, 0, "iv", status, started, True)


def flow(action: str, rate: float | None = None, line: str = "main") -> Flow:
    return Flow(action, line, rate)


def view(at: int, *facts: tuple[str, int, Any]) -> View:
    """The patient at an instant; facts are channel, instant and value."""
    timeline = Timeline()
    for index, (channel, when, value) in enumerate(facts):
        timeline.insert(channel, Fact(when, when, f"e{index}", value), at)
    return PATHWAY.view(timeline, Fold(1, open=True), at)


def begun(at: int, *facts: tuple[str, int, Any]) -> list[int]:
    return [dose.at for dose in doses(view(at, *facts))]


class TestDoses:
    def test_a_rate_that_confirms_an_infusion_begins_no_dose(self) -> None:
        channel = "infusion:meropenem"
        facts = [(channel, 0, flow("start", 300.0)), *((channel, hour * HOUR, flow("rate", 300.0)) for hour in (1, 2))]
        assert begun(3 * HOUR, *facts, (channel, 3 * HOUR, flow("stop"))) == [0]

    def test_each_start_begins_a_dose_though_nobody_charted_the_end_of_the_one_before(self) -> None:
        channel = "infusion:meropenem"
        assert begun(9 * HOUR, (channel, 0, flow("start", 300.0)), (channel, 8 * HOUR, flow("start", 300.0))) == [
            0,
            8 * HOUR,
        ]

    def test_a_pause_does_not_begin_another_but_a_rate_after_a_stop_or_zero_does(self) -> None:
        channel = "infusion:meropenem"
        paused = [
            (channel, 0, flow("start", 300.0)),
            (channel, HOUR, flow("pause")),
            (channel, 2 * HOUR, flow("resume")),
        ]
        assert begun(3 * HOUR, *paused) == [0]
        zero = [
            (channel, 0, flow("rate", 300.0)),
            (channel, HOUR, flow("rate", 0.0)),
            (channel, 8 * HOUR, flow("rate", 300.0)),
        ]
        assert begun(9 * HOUR, *zero) == [0, 8 * HOUR]

    def test_a_dose_begins_when_it_was_started_and_only_if_it_was_given(self) -> None:
        facts = [("dose:vancomycin", 2 * HOUR, given(HOUR)), ("dose:vancomycin", 3 * HOUR, given(status="ordered"))]
        assert begun(4 * HOUR, *facts) == [HOUR]

    def test_what_pump_and_chart_both_say_is_one_dose(self) -> None:
        facts = [("infusion:cefepime", 0, flow("start", 2000.0, "pump")), ("dose:cefepime", 20 * MINUTE, given())]
        assert begun(HOUR, *facts) == [0]

    def test_what_comes_later_is_not_known_yet(self) -> None:
        facts = [("dose:cefepime", 0, given()), ("dose:cefepime", 8 * HOUR, given())]
        assert begun(HOUR, *facts) == [0]
        assert courses(view(9 * HOUR, *facts))["cefepime"].gaps() == [8 * HOUR]


def test_a_drug_covers_for_a_while_after_it_was_last_seen_to_be_given() -> None:
    facts = [("dose:cefepime", 0, given()), ("infusion:meropenem", HOUR, flow("start", 300.0))]
    assert covering(view(DAY, *facts), DAY) == {"cefepime", "meropenem"}
    assert covering(view(DAY + MINUTE, *facts), DAY) == {"meropenem"}


def test_a_drug_is_new_where_no_dose_came_before() -> None:
    facts = [("dose:cefepime", hour * HOUR, given()) for hour in (0, 8, 16)]
    facts.append(("dose:meropenem", 12 * HOUR, given()))
    assert newly_begun(view(16 * HOUR, *facts), 8 * HOUR, DAY) == ["meropenem"]


class TestOrganisms:
    @pytest.mark.parametrize(
        ("reported", "name"),
        [
            ("Escherichia coli (ESBL)", "gram_negative"),
            ("E. coli", "gram_negative"),
            ("Haemophilus influenzae", "gram_negative"),
            ("Influenza A virus", "influenza_virus"),
            ("STAPHYLOCOCCUS EPIDERMIDIS", "coagulase_negative_staphylococcus"),
            ("Staph aureus coag +", "gram_positive"),
            ("MRSA", "methicillin_resistant_staphylococcus"),
            ("Candida krusei", "fluconazole_resistant_candida"),
            ("something new", None),
        ],
    )
    def test_a_report_is_read_by_its_words(self, reported: str, name: str | None) -> None:
        found = load().organism(reported)
        assert (found.name if found else None) == name

    def test_a_word_within_another_word_is_none(self) -> None:
        assert load().organism("paracandidate") is None

    def test_every_organism_is_marked_as_from_knowledge(self) -> None:
        assert all(organism.tag == "K?" and organism.verify for organism in load().organisms)

    def test_an_organism_that_names_no_drug_is_refused(self) -> None:
        organism = Organism(name="odd", title="Odd", match=("odd",), group="bacterial", resists=("nothing",), tag="K")
        with pytest.raises(CatalogueError, match="odd: no drug or class of drugs is called nothing"):
            build((), (), (), (organism,))

    def test_drugs_and_classes_may_be_named(self) -> None:
        text = "drugs:\n  - {name: newcillin, title: Newcillin, classes: [antimicrobial, penicillin], tag: K}\n"
        drugs = parse("drugs.yaml", text, Drug)
        named = ("penicillin", "newcillin")
        organism = Organism(name="odd", title="Odd", match=("odd",), group="bacterial", resists=named, tag="K")
        assert build((), drugs, (), (organism,)).organism("Odd bacillus") == organism
