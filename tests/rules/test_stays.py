"""Stays: who is here, which discharge ends what, and which facts are of a former stay."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import pytest

from rules import catalogue
from rules.engine import PatientEngine
from rules.facts import Coded, Flow, Move, Sample, SeizureEvent
from rules.instants import DAY, HOUR, MINUTE
from rules.packs import load_packs
from rules.stays import BEFORE, CHANNEL, TRANSFER, Care, StayRecord, care, contacts, follow, in_hospital
from rules.testing import load_scenario
from rules.timeline import Fact, Timeline

CATALOGUE = catalogue.load()
Said = tuple[float, Literal["admission", "transfer", "discharge"], str | None]
"""Hours, the move, and the unit if it was named."""


def moves(*said: Said) -> list[Fact]:
    return [
        Fact(round(at * HOUR), 0, f"chart {index}", Move(event, unit)) for index, (at, event, unit) in enumerate(said)
    ]


def after(*said: Said) -> Care:
    return follow(moves(*said))[-1]


def timeline(*said: Said, **channels: tuple[float, Any]) -> Timeline:
    found = Timeline()
    for fact in moves(*said):
        found.insert(CHANNEL, fact, 0)
    for index, (channel, (at, value)) in enumerate(channels.items()):
        found.insert(channel.replace("__", ":"), Fact(round(at * HOUR), 0, f"other {index}", value), 0)
    return found


class TestDischarge:
    def test_of_the_unit_where_the_patient_is_ends_the_stay(self) -> None:
        assert after((0, "admission", "ICU"), (5, "discharge", "ICU")).left == 5 * HOUR

    def test_of_the_unit_before_ends_nothing_however_late(self) -> None:
        assert after((0, "admission", "ED"), (2, "admission", "ICU"), (9, "discharge", "ED")).here

    def test_of_another_unit_that_nobody_told_of_ends_nothing(self) -> None:
        assert after((2, "admission", "ICU"), (9, "discharge", "ED")).here

    def test_at_the_instant_of_the_next_admission_comes_first_in_any_order(self) -> None:
        said: list[Said] = [(0, "admission", None), (3, "discharge", None), (3, "admission", None)]
        for order in permutations(said):
            assert after(*order).here

    @pytest.mark.parametrize(("hours", "here"), [(1.9, True), (2, False)])
    def test_without_a_name_time_decides(self, hours: float, *, here: bool) -> None:
        assert after((0, "admission", "ED"), (5, "admission", "ICU"), (5 + hours, "discharge", None)).here is here

    def test_without_a_name_ends_the_only_stay_at_once(self) -> None:
        assert not after((0, "admission", "ICU"), (0.5, "discharge", None)).here

    def test_of_a_transferred_patient(self) -> None:
        moved: tuple[Said, ...] = ((0, "admission", "ED"), (1, "transfer", "ICU"), (2, "discharge", "ED"))
        assert after(*moved).here
        assert not after(*moved, (9, "discharge", "ICU")).here

    def test_twice_counts_from_the_later_one(self) -> None:
        assert after((0, "admission", "ICU"), (5, "discharge", None), (6, "discharge", None)).left == 6 * HOUR


class TestFormerStay:
    @pytest.mark.parametrize(("gap", "former"), [(TRANSFER, None), (TRANSFER + 1, 5 * HOUR)])
    def test_ends_with_an_absence_and_not_on_the_way(self, gap: int, former: int | None) -> None:
        assert after((0, "admission", "A"), (5, "discharge", "A"), (5 + gap / HOUR, "admission", "B")).former == former

    @pytest.mark.parametrize(
        ("unit", "days", "former"),
        [
            ("ICU", 5, 5 * DAY - BEFORE),
            (None, 5, 5 * DAY - BEFORE),
            ("ICU", 1, None),
            ("Ward", 5, None),
        ],
    )
    def test_is_missed_where_somebody_is_admitted_again_to_the_same_unit(
        self, unit: str | None, days: float, former: int | None
    ) -> None:
        assert after((0, "admission", "ICU"), (days * 24, "admission", unit)).former == former

    def test_is_over_once_the_patient_has_been_away_for_long(self) -> None:
        told = timeline((0, "admission", None), (5, "discharge", None))
        soon, later = care(told, 6 * HOUR, ()), care(told, 8 * HOUR, ())
        assert (soon[0].here, soon[0].former) == (False, None)
        assert soon[1] is not None
        assert soon[1] > 5 * HOUR + TRANSFER
        assert (later[0].here, later[0].former, later[1]) == (False, 5 * HOUR, None)


class TestCare:
    LEFT: tuple[Said, ...] = ((0, "admission", None), (5, "discharge", None))

    @pytest.mark.parametrize(
        ("channel", "value", "hours", "here"),
        [
            ("seizure", SeizureEvent("start", "tonic_clonic"), 5.1, True),
            ("seizure", SeizureEvent("stop", "tonic_clonic"), 5.1, False),
            ("infusion__norepinephrine", Flow("rate", "line", 0.2), 6.9, False),
            ("infusion__norepinephrine", Flow("rate", "line", 0.2), 7.1, True),
            ("infusion__norepinephrine", Flow("rate", "line", 0.0), 7.1, False),
            ("infusion__norepinephrine", Flow("stop", "line"), 7.1, False),
            ("dose__meropenem", None, 7.1, False),
        ],
    )
    def test_somebody_who_is_treated_is_here(self, channel: str, value: Any, hours: float, *, here: bool) -> None:
        told = timeline(*self.LEFT, **{channel: (hours, value)})
        cared = contacts(frozenset({channel.replace("__", ":"), "signal:lactate"}))
        assert care(told, 8 * HOUR, cared)[0].here is here
        assert not care(told, 5 * HOUR + MINUTE, cared)[0].here

    def test_of_nobody_moved_everything_is_of_this_stay(self) -> None:
        assert care(timeline(), HOUR, ())[0] == Care(at=care(timeline(), HOUR, ())[0].at)

    def test_before_the_first_admission_the_patient_is_here(self) -> None:
        assert care(timeline((5, "admission", None)), HOUR, ())[0].here

    @pytest.mark.parametrize(("began", "inside"), [(-1, False), (1, True), (6, None), (8, False), (24 * 9, False)])
    def test_what_began_in_hospital(self, began: float, *, inside: bool | None) -> None:
        assert in_hospital(timeline(*self.LEFT), round(began * HOUR), 24 * 10 * HOUR) is inside


class TestRecord:
    UNTIL = 10 * HOUR

    def record(self, channel: str, *at: float) -> StayRecord:
        whole = Timeline()
        for hours in at:
            whole.insert(channel, Fact(round(hours * HOUR), 0, f"e {hours}", Coded("present")), 0)
        return StayRecord(whole, self.UNTIL, CATALOGUE)

    @pytest.mark.parametrize(
        "channel",
        [
            *(f"state:{name}" for name in ("goals_of_care", "suspected_infection", "ecmo_va", "prone", "intubated")),
            *("infusion:norepinephrine", "culture", "seizure", "resuscitation", "answer:ards"),
        ],
    )
    def test_what_was_said_in_a_former_stay_is_not_of_this_one(self, channel: str) -> None:
        record = self.record(channel, 9, 10, 11)
        assert [fact.at for fact in record.facts(channel)] == [11 * HOUR]
        assert [fact.at for fact in record.upto(channel, 12 * HOUR)] == [11 * HOUR]
        assert self.record(channel, 9, 10).latest(channel, 12 * HOUR) is None
        former = record.former(channel)
        assert former is not None
        assert former.at == 10 * HOUR

    @pytest.mark.parametrize(
        "channel", ["state:chronic_steroid_use", "state:advanced_cancer", "state:sex", "state:allergy_hydrocortisone"]
    )
    def test_what_is_true_of_the_patient_is(self, channel: str) -> None:
        record = self.record(channel, 9)
        assert record.latest(channel, 12 * HOUR) is not None
        assert record.former(channel) is None

    def test_samples_and_doses_age_by_themselves(self) -> None:
        whole = Timeline()
        whole.insert("signal:height", Fact(HOUR, 0, "a", Sample(170.0)), 0)
        record = StayRecord(whole, self.UNTIL, CATALOGUE)
        assert record.latest("signal:height", 12 * HOUR) is not None

    def test_what_is_derived_is_derived_anew(self) -> None:
        record = self.record("infusion:norepinephrine", 9)
        channels = ("infusion:norepinephrine",)
        assert record.whole.memo("count", channels, lambda: len(record.whole.facts(channels[0]))) == 1
        assert record.memo("count", channels, lambda: len(record.facts(channels[0]))) == 0


def test_every_fact_of_the_patient_is_marked_in_the_catalogue() -> None:
    """Allergies and chronic illness do not end with a stay; goals, infections and support do."""
    of = {concept.name: concept.of for concept in CATALOGUE.concepts}
    groups = {concept.name: concept.group for concept in CATALOGUE.concepts}
    assert {of[name] for name, group in groups.items() if group == "allergy"} == {"patient"}
    assert {of[name] for name, group in groups.items() if group in ("support", "airway", "procedure")} == {"stay"}
    assert of["goals_of_care"] == of["suspected_infection"] == "stay"


COURSES = sorted((Path(__file__).parents[1] / "scenarios").glob("*/stay-*.scenario.yaml"))


@pytest.mark.parametrize("path", COURSES, ids=lambda path: path.name.partition(".")[0])
def test_stays_are_derived_anew_from_a_snapshot(path: Path) -> None:
    """An engine that is stored and restored at each event says the same, to the byte."""
    scenario = load_scenario(path)
    packs = load_packs()
    events = scenario.wire_events()
    whole = PatientEngine(events[0].subject, packs, scenario.settings)
    parts = PatientEngine(events[0].subject, packs, scenario.settings)
    for index, event in enumerate(events):
        if index % 8 == 0:
            parts = PatientEngine.restore(parts.snapshot(), packs, scenario.settings)
        assert [change.model_dump_json() for change in parts.observe(event)] == [
            change.model_dump_json() for change in whole.observe(event)
        ]
    end = events[-1].received_at + timedelta(days=1)
    assert [c.model_dump_json() for c in parts.advance(end)] == [c.model_dump_json() for c in whole.advance(end)]
    assert parts.snapshot() == whole.snapshot()
