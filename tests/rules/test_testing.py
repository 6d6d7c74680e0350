"""The harness for testing packs: the bedside, and what scenarios may expect."""

from pathlib import Path
from typing import Any

import pytest

from rules.outputs import State
from rules.settings import SettingsError, SiteSettings
from rules.testing import Bedside, NoAlertError, Run, Scenario, ScenarioError, load_scenario
from tests.rules.strategies import packs

COURSE: list[dict[str, Any]] = [
    {"at": "08:00", "encounter": {"conditions": {"suspected_infection": "present"}}},
    {"at": "08:00", "observe": {"lactate": "4.0 mmol/L"}},
    {"at": "08:30", "fluid": {"fluid": "crystalloid", "volume": 2400, "unit": "mL", "started_at": "08:00"}},
    {"at": "08:30", "dose": {"drug": "meropenem", "dose": 1000, "unit": "mg"}},
    {"at": "08:30", "infusion": {"drug": "norepinephrine", "action": "start", "rate": 0.3, "unit": "ug/kg/min"}},
    {"at": "08:30", "every": "PT1M", "until": "09:29", "observe": {"map_invasive": "58 mm[Hg]"}},
]
PATIENT: dict[str, Any] = {"age_years": 62, "sex": "male", "weight_kg": 80, "height_cm": 178, "goals_of_care": "full"}
SITE = SiteSettings(norepinephrine_salt="base")
DECLINE = {"subject": "vasopressin", "action": "decline", "actor": "a", "role": "physician", "reason": "other plan"}


def bedside() -> Bedside:
    bed = Bedside(packs(), SITE)
    bed.feed({"at": "08:00", "encounter": PATIENT}, *COURSE)
    return bed


def scenario(*expect: dict[str, Any], events: list[dict[str, Any]] | None = None, **fields: Any) -> Scenario:
    whole = {"title": "t", "source": "s", "pathway": "septic-shock", "settings": {"norepinephrine_salt": "base"}}
    body = {"patient": PATIENT, "events": [*COURSE, *(events or [])], "expect": expect}
    return Scenario.model_validate({**whole, **body, **fields})


def failures(*expect: dict[str, Any], **fields: Any) -> list[str]:
    return Run(scenario(*expect, **fields), packs()).failures()


class TestBedside:
    def test_events_go_in_and_statuses_and_alerts_come_out(self) -> None:
        bed = bedside()
        status = bed.status("septic-shock")
        assert status is not None
        assert (status.state, status.stage) == (State.ACTIVE, "SEP-2")
        assert bed.alerts()["vasopressin"].interrupts
        assert bed.alerts("another") == {}
        assert bed.status("another") is None

    def test_feeding_and_advancing_hand_out_what_was_said(self) -> None:
        bed = bedside()
        said = bed.feed({"at": "10:05", "encounter": {"goals_of_care": "comfort"}})
        assert said
        assert bed.changes[-len(said) :] == said
        assert bed.advance("10:10") == []
        assert bed.advance("d2 10:00")

    def test_an_answer_finds_its_alert_by_the_subject(self) -> None:
        bed = bedside()
        bed.feed({"at": "09:29", "action": DECLINE})
        assert bed.alerts()["vasopressin"].change == "declined"

    def test_an_answer_to_nothing_is_an_error(self) -> None:
        with pytest.raises(NoAlertError, match="01 10:05:00: there is no alert about va_ecmo"):
            bedside().feed({"at": "10:05", "action": {**DECLINE, "subject": "va_ecmo"}})

    def test_settings_that_do_not_fit_the_packs_are_refused(self) -> None:
        with pytest.raises(SettingsError, match="septic-shok"):
            Bedside(packs(), SiteSettings(overrides={"septic-shok": {"snooze": "PT5M"}}))


class TestExpectations:
    def test_an_interruption_at_a_time_or_between_times(self) -> None:
        raised = bedside().alerts()["vasopressin"].decided_at
        at = f"{raised:%H:%M:%S}"
        assert failures({"at": at, "interrupts": {"vasopressin": True}}) == []
        assert failures({"between": ["08:00", "10:00"], "interrupts": {"vasopressin": True, "fix_first": False}}) == []
        (missing,) = failures({"between": ["09:30", "10:00"], "interrupts": {"vasopressin": True}})
        assert "expected vasopressin to interrupt" in missing
        (surplus,) = failures({"at": at, "interrupts": {"vasopressin": False}})
        assert f"01 {at}: vasopressin must not interrupt" in surplus

    def test_the_text_of_a_card(self) -> None:
        card = {"subject": "vasopressin", "says": ["0.03 U/min"], "never_says": ["ECMO"]}
        assert failures({"at": "09:30", "card": card}) == []
        assert failures({"at": "09:30", "card": [card, {"subject": "hydrocortisone", "says": ["50 mg"]}]}) == []
        said = failures(
            {"at": "09:30", "card": {"subject": "vasopressin", "says": ["0.3 U/min"], "never_says": ["U/min"]}}
        )
        assert [line.partition(": ")[2] for line in said] == [
            "the card of vasopressin does not say '0.3 U/min'",
            "the card of vasopressin says 'U/min'",
        ]
        assert failures({"at": "09:30", "card": {"subject": "va_ecmo"}}) == [
            "at 01 09:30:00: expected a card about va_ecmo, there is none"
        ]

    def test_what_to_fix_first(self) -> None:
        stop = {
            "at": "09:00",
            "infusion": {"drug": "norepinephrine", "action": "rate", "rate": 0.6, "unit": "ug/kg/min"},
        }
        pause = {"at": "10:10", "infusion": {"drug": "norepinephrine", "action": "pause"}}
        events = [stop, {"at": "09:10", "observe": {"lactate": "4 mmol/L"}},
                  {"at": "08:00", "procedure": {"code": "transducer_levelled", "action": "done"}},
                  {**stop, "at": "09:50"}, pause]  # fmt: skip
        assert failures({"at": "10:15", "fix_first": ["infusion_interrupted"]}, events=events) == []
        (said,) = failures({"at": "09:30", "fix_first": ["infusion_interrupted"]}, events=events)
        assert "expected to fix first ['infusion_interrupted'], got []" in said

    def test_an_expectation_may_be_of_another_pathway(self) -> None:
        with pytest.raises(ScenarioError, match=r"expect\.0: unknown pathway 'heart-failure'"):
            failures({"at": "09:30", "pathway": "heart-failure", "verdict": "ACTIVE"})
        assert failures({"at": "09:30", "pathway": "ards", "verdict": "NOT_APPLICABLE"}) == []

    def test_an_answer_to_an_alert_that_is_not_there_is_a_failure(self) -> None:
        answer = {"at": "08:10", "action": DECLINE}
        (said,) = failures(events=[answer])
        assert said == "at 01 08:10:00: there is no alert about vasopressin to answer"

    def test_a_scenario_s_own_settings_go_before_those_it_is_run_with(self) -> None:
        other = SiteSettings(norepinephrine_salt="tartrate", rss_basis="both")
        assert Run(scenario(), packs(), other).bed.settings.norepinephrine_salt == "base"
        assert Run(scenario(), packs(), other).bed.settings.rss_basis == "both"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pathway": "septic-shok"}, "unknown pathway 'septic-shok'; did you mean septic-shock?"),
        ({"expect": [{"at": "09:00", "stage": "SEP-9"}]}, "expect.0: unknown stage 'SEP-9'"),
        ({"expect": [{"at": "09:00", "therapies": {"vasopresin": None}}]}, "unknown therapy 'vasopresin'"),
        ({"expect": [{"at": "09:00", "alerts": {"refractry": None}}]}, "did you mean refractory?"),
        ({"expect": [{"at": "09:00", "soft": ["nothing"]}]}, "unknown check 'nothing'"),
        ({"never": [{"therapy": "magic"}]}, "never.0: unknown therapy 'magic'"),
        ({"events": [{"at": "09:00", "action": {**DECLINE, "subject": "magic"}}]}, "events.6: unknown subject 'magic'"),
        ({"events": [{"at": "09:00", "dose": {"drug": "meropenem", "dosis": 3}}]}, "events.6: dose.dose: "),
        ({"events": [{"at": "09:00", "action": {**DECLINE, "alert_id": "x"}}]}, "not both"),
    ],
)
def test_what_could_never_fail_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        Run(scenario(**fields), packs()) if "expect" not in fields else Run(scenario(*fields["expect"]), packs())
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "not YAML"),
        ("title: t", "pathway: Field required"),
        ("{title: t, source: s, pathway: p, events: [{at: 25:00, observe: {}}]}", "is not a time"),
        ("{title: t, source: s, pathway: p, events: [{at: 08:00, every: PT0S, until: 09:00, observe: {}}]}", "longer"),
        ("{title: t, source: s, pathway: p, events: [{at: 08:00, lag: soon, observe: {}}]}", "ISO 8601"),
    ],
)
def test_a_file_that_is_no_scenario_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "wrong.scenario.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    assert str(file) in str(caught.value)
    assert reason in str(caught.value)
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(tmp_path / "absent.scenario.yaml")
