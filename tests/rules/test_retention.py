"""How long something is kept follows from the rules: from their windows, with the values of the site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import catalogue
from rules.engine import JUDGED, PatientEngine, prepare
from rules.events import Event
from rules.instants import DAY, HOUR, MINUTE
from rules.lookback import MEMORY
from rules.outputs import Change
from rules.pack import Pack
from rules.packs import PackError, check_overrides, load_packs, parse_pack, with_overrides
from rules.packs.reads import MOST, MOST_DENSE, longest, reads
from rules.settings import SettingsError, SiteSettings
from rules.testing import SUFFIX, load_scenario
from rules.testing.run import Run
from rules.timeline import Timeline
from rules.track import REACH
from tests.rules.strange import Ward, strange_course
from tests.rules.strategies import (
    MINI_PACK,
    PATIENT,
    SITE,
    make,
    moment,
    packs,
    scaled,
    septic,
)
from tests.rules.strategies import readings as measured

CATALOGUE: Final = catalogue.load()
SCENARIOS: Final = sorted(Path(__file__).parents[1].joinpath("scenarios").rglob(f"*{SUFFIX}"))


def mini(onset: str, **durations: str) -> str:
    """The small pack with another onset, and with other durations."""
    text = MINI_PACK.replace("onset: {use: high}", f"onset: {onset}")
    for name, value in durations.items():
        text = re.sub(rf"({name}: {{title: [^,]+, value: )\w+", rf"\g<1>{value}", text)
    return text


def length(onset: str, channel: str, **durations: str) -> int:
    """How far back the small pack looks on a channel with such an onset."""
    found = reads(parse_pack("mini.yaml", mini(onset, **durations)), CATALOGUE)
    return found[channel].length.milliseconds


def override(**values: str) -> SiteSettings:
    return SiteSettings(norepinephrine_salt="base", overrides={"septic-shock": dict(values)})


class TestLength:
    @pytest.mark.parametrize(
        ("onset", "channel", "expected"),
        [
            ("{fell: {measure: haemoglobin, by: fall, within: hours_4}}", "signal:haemoglobin", 4 * HOUR),
            ("{given: {drug: propofol, within: hours_4}}", "dose:propofol", 4 * HOUR),
            ("{stopped: {drug: vasopressor, for: hour}}", "infusion:vasopressin", 4 * HOUR),
            (
                "{running: {drug: propofol, for: hours_4, max_gap: hour, ignore_pauses: minutes_10}}",
                "infusion:propofol",
                5 * HOUR + 10 * MINUTE,
            ),
            (
                "{sustained: {measure: nee_kotani, gt: dose, for: hours_4, max_gap: hour, ignore_pauses: none}}",
                "infusion:norepinephrine",
                5 * HOUR,
            ),
            (
                "{stayed: {measure: mean_arterial_pressure, lt: map_target, for: hours_4, max_gap: hour}}",
                "signal:map_invasive",
                5 * HOUR + 5 * MINUTE + 75 * MINUTE,
            ),
            ("{present: {concept: abscess, max_age: hours_4}}", "state:abscess", 0),
        ],
    )
    def test_it_is_what_the_windows_of_a_condition_add_up_to(self, onset: str, channel: str, expected: int) -> None:
        age = 24 * HOUR if channel == "signal:haemoglobin" else 0
        assert length(onset, channel) == expected + age

    def test_what_is_judged_of_the_past_looks_back_from_there(self) -> None:
        onset = "{{lasted: {{sampled: [{}], where: {}, at_least: hours_4, max_gap: hour}}}}"
        inner = "{fell: {measure: haemoglobin, by: fall, within: hours_4}}"
        near = length(inner, "signal:haemoglobin")
        assert length(onset.format("lactate", inner), "signal:haemoglobin") >= near + 6 * HOUR
        named = mini(onset.format("lactate", "{use: fallen}")).replace(
            "conditions:\n", f"conditions:\n  fallen: {inner}\n"
        )
        found = reads(parse_pack("mini.yaml", named), CATALOGUE)["signal:haemoglobin"]
        assert found.length.milliseconds == length(onset.format("lactate", inner), "signal:haemoglobin")

    def test_what_counts_from_the_beginning_of_an_episode_is_kept_besides(self) -> None:
        found = reads(septic(), CATALOGUE)
        assert found["fluid"].length.milliseconds >= MEMORY + septic().parameters["fluid_look_back"].milliseconds

    def test_a_local_value_moves_it_in_a_condition_and_in_a_predicate(self) -> None:
        local = with_overrides(septic(), override(haemoglobin_window="P5D", pause_limit="P5D"))
        before, after = reads(septic(), CATALOGUE), reads(local, CATALOGUE)
        for channel, added in (("signal:haemoglobin", 5 * DAY - 6 * HOUR), ("infusion:norepinephrine", 2 * DAY)):
            assert after[channel].length.milliseconds >= before[channel].length.milliseconds + added

    def test_an_answer_is_kept_for_as_long_as_it_holds(self) -> None:
        local = with_overrides(septic(), override(decline_holds="P20D"))
        assert reads(local, CATALOGUE)["answer:septic-shock"].length.milliseconds == 20 * DAY

    def test_of_two_packs_the_longest_counts_and_the_past_is_judged_again_besides(self) -> None:
        onset = "{fell: {measure: haemoglobin, by: fall, within: hours_4}}"
        far, near = (parse_pack("mini.yaml", mini(onset, hours_4=value)) for value in ("P9D", "PT4H"))
        both = prepare([far, near.model_copy(update={"id": "other"})], SITE).kept["signal:haemoglobin"]
        assert both == longest([reads(far, CATALOGUE)])["signal:haemoglobin"] + JUDGED


class TestTooLong:
    def test_a_window_that_cannot_be_kept_is_a_fault_of_the_pack(self) -> None:
        onset = "{fell: {measure: haemoglobin, by: fall, within: hours_4}}"
        fault = rf"mini.yaml: onset: looks back 41 d on signal:haemoglobin by hours_4; no more than {MOST // DAY} d"
        with pytest.raises(PackError, match=fault):
            parse_pack("mini.yaml", mini(onset, hours_4="P40D"))

    def test_the_minutes_of_a_dense_signal_are_kept_for_days_or_refused(self) -> None:
        onset = "{stayed: {measure: mean_arterial_pressure, lt: map_target, for: hours_4, max_gap: minutes_2}}"
        assert 5 * DAY < length(onset, "signal:map_invasive", hours_4="P5D") < MOST_DENSE
        with pytest.raises(PackError, match=r"onset: looks back 8 d .* on signal:map_invasive by hours_4.* 7 d can"):
            parse_pack("mini.yaml", mini(onset, hours_4="P8D"))

    def test_a_local_value_that_cannot_be_kept_is_a_fault_of_the_settings(self) -> None:
        local = override(haemoglobin_window="P45D")
        fault = r"overrides.septic-shock.haemoglobin_window: \S+ then looks back 46 d on signal:haemoglobin"
        for attempt in (
            lambda: check_overrides(packs(), local),
            lambda: with_overrides(septic(), local),
            lambda: PatientEngine(PATIENT, packs(), local),
        ):
            with pytest.raises(SettingsError, match=fault):
                attempt()


def test_a_fall_within_five_days_is_found_where_the_site_looks_back_five_days() -> None:
    onset = "{fell: {measure: haemoglobin, by: fall, within: hours_4}}"
    pack = parse_pack("mini.yaml", mini(onset))
    for window, found in (("PT4H", False), ("P5D", True)):
        site = SiteSettings(overrides={"mini": {"hours_4": window}})
        engine = PatientEngine(PATIENT, [pack], site)
        for day, grams in enumerate((11, 10.5, 10, 9.5, 8.9)):
            event = make("observations", day * 24 * 60, readings=measured(haemoglobin=(grams, "g/dL")))
            engine.observe(event)
        engine.advance(moment(4 * 24 * 60 + 1))
        present = engine.tracks[0].present
        assert present is not None
        assert present.fold.open is found, window


class _Whole(PatientEngine):
    """An engine that forgets nothing."""

    def __init__(self, patient: str, packs: Sequence[Pack], settings: SiteSettings) -> None:
        super().__init__(patient, packs, settings)
        self.timeline = Timeline()


class _Tight(PatientEngine):
    """An engine that forgets at once whatever no rule reads; only for late facts it has something to spare."""

    spare = 0

    def __init__(self, patient: str, packs: Sequence[Pack], settings: SiteSettings) -> None:
        super().__init__(patient, packs, settings)
        read = longest(track.pathway.reads for track in self.tracks)
        self.timeline = Timeline({channel: back + self.spare for channel, back in read.items()}, self.spare)

    def observe(self, event: Event) -> list[Change]:
        changes = super().observe(event)
        if self.reached is not None:
            self.timeline.prune(self.reached)
        return changes


def decided(changes: Sequence[Change]) -> list[Any]:
    """What was decided, and when; since when a value has been there is only shown."""
    return [change.model_dump(exclude={"card"}) for change in changes]


@pytest.mark.parametrize("path", SCENARIOS[:: max(1, round(60 / scaled(1)))], ids=lambda path: path.stem)
def test_what_no_rule_reads_is_not_missed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_scenario(path)
    events = scenario.wire_events()
    late = any((event.received_at - event.effective_at).total_seconds() > 60 for event in events)
    monkeypatch.setattr(_Tight, "spare", REACH if late else 0)
    said = []
    for kind in (_Whole, _Tight):
        monkeypatch.setattr("rules.testing.bedside.PatientEngine", kind)
        said.append(decided(Run(scenario).changes))
    assert said[1] == said[0]


@settings(max_examples=scaled(10), deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=60))
def test_forgetting_changes_nothing_that_is_decided_even_of_strange_courses(seeds: list[int]) -> None:
    whole, usual = Ward(), Ward()
    whole.engine = _Whole(PATIENT, load_packs(), SITE)
    for raw in strange_course(seeds):
        whole.hear(raw)
        usual.hear(raw)
    whole.end()
    usual.end()
    assert decided(usual.said) == decided(whole.said)
