"""The bundled demo: the log is what its builder writes, and each bed tells the story that it is there for."""

import re
from collections.abc import Sequence
from datetime import datetime

import pytest

from monitor.demo.build import BEDS, DAY, LOG, build
from rules.events import Event, encode
from rules.outputs import Advice, AlertChange, AlertChangeKind, Change, Priority, Rejection, State, StatusChange
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.replay import replay
from streams.summary import Tally
from streams.ward import Ward

TAKEN_AWAY = {AlertChangeKind.WITHDRAWN, AlertChangeKind.RESOLVED, AlertChangeKind.SUPPRESSED}


@pytest.fixture(scope="module")
def log() -> list[Event]:
    return build()


@pytest.fixture(scope="module")
def changes(log: list[Event]) -> list[Change]:
    return list(replay(log, Ward(load_packs(), SiteSettings()), Tally()))


def clock(text: str) -> datetime:
    hours, minutes = map(int, text.split(":"))
    return DAY.replace(hour=hours, minute=minutes, second=59)


def status(changes: Sequence[Change], bed: str, at: str, pathway: str = "septic-shock") -> StatusChange:
    statuses = (c for c in changes if isinstance(c, StatusChange) and c.pathway == pathway)
    return [c for c in statuses if c.patient == bed and c.decided_at <= clock(at)][-1]


def advice(
    changes: Sequence[Change], bed: str, at: str, therapy: str, pathway: str = "septic-shock"
) -> tuple[Advice, tuple[str, ...]] | None:
    found = {t.therapy: (t.advice, t.reasons) for t in status(changes, bed, at, pathway).therapies}
    return found.get(therapy)


def alerts(changes: Sequence[Change], bed: str, subject: str) -> list[AlertChange]:
    return [c for c in changes if isinstance(c, AlertChange) and (c.patient, c.subject) == (bed, subject)]


def still_open(changes: Sequence[Change], bed: str, at: str) -> set[str]:
    last = {
        c.subject: c.change
        for c in changes
        if isinstance(c, AlertChange) and c.patient == bed and c.decided_at <= clock(at)
    }
    return {subject for subject, change in last.items() if change not in TAKEN_AWAY}


def test_the_log_is_what_the_builder_writes(log: list[Event]) -> None:
    assert LOG.read_text(encoding="utf-8").splitlines() == [encode(event) for event in log], (
        "write it anew: python -m monitor.demo.build"
    )


def test_the_log_is_in_the_order_of_arrival_and_each_message_has_its_own_name(log: list[Event]) -> None:
    assert log == sorted(log, key=lambda event: (event.received_at, event.id))
    assert len({event.id for event in log}) == len(log)
    assert {event.subject for event in log} == {bed.name for bed in BEDS}
    assert all(event.effective_at <= event.received_at for event in log)


def test_only_the_artefacts_are_refused(changes: list[Change]) -> None:
    refused = [change for change in changes if isinstance(change, Rejection)]
    assert {(change.patient, change.reason) for change in refused} == {("bed-6", "implausible")}


def test_bed_1_is_refractory_in_spite_of_adequate_treatment(changes: list[Change]) -> None:
    assert status(changes, "bed-1", "08:00").verdict == "INDETERMINATE(fluid_in_progress)"
    assert advice(changes, "bed-1", "08:20", "hydrocortisone") == (Advice.ELIGIBLE, ())
    assert advice(changes, "bed-1", "08:33", "vasopressin") == (Advice.ELIGIBLE, ())
    assert AlertChangeKind.ACCEPTED in {change.change for change in alerts(changes, "bed-1", "vasopressin")}
    assert advice(changes, "bed-1", "08:47", "vasopressin") == (Advice.SUPPRESSED, ("running",))
    assert status(changes, "bed-1", "10:05").verdict == "SUSPECTED(echo not documented)"
    assert status(changes, "bed-1", "10:18").state is State.CONFIRMED
    assert advice(changes, "bed-1", "10:18", "va_ecmo") == (Advice.PSEUDO, ("no_inotrope_trial",))
    raised = [change.priority for change in alerts(changes, "bed-1", "hydrocortisone")]
    assert raised[:2] == [Priority.LOW, Priority.MEDIUM]
    assert advice(changes, "bed-1", "10:47", "hydrocortisone") == (Advice.SUPPRESSED, ("running",))
    assert advice(changes, "bed-1", "11:24", "va_ecmo") == (Advice.ELIGIBLE, ())
    assert still_open(changes, "bed-1", "11:35") == {"refractory", "va_ecmo"}


def test_bed_2_has_a_pump_to_be_fixed_first(changes: list[Change]) -> None:
    assert status(changes, "bed-2", "09:06").state is State.ACTIVE
    assert status(changes, "bed-2", "09:07").verdict == "PSEUDO(infusion_interrupted)"
    assert still_open(changes, "bed-2", "09:07") == {"fix_first"}
    assert status(changes, "bed-2", "11:35").state is State.ACTIVE
    assert still_open(changes, "bed-2", "11:35") == set()
    assert not alerts(changes, "bed-2", "refractory")


def test_bed_3_has_its_alert_taken_back_by_a_late_lactate(changes: list[Change]) -> None:
    assert status(changes, "bed-3", "08:55").state is State.CONFIRMED
    assert still_open(changes, "bed-3", "10:09") == {"refractory"}
    amended = status(changes, "bed-3", "10:10")
    assert amended.state is State.ACTIVE
    assert [(part.was, part.now) for part in amended.amends] == [(State.CONFIRMED, State.ACTIVE)]
    last = alerts(changes, "bed-3", "refractory")[-1]
    assert last.change is AlertChangeKind.WITHDRAWN
    assert "lactate 1.6" in (last.cause or "")
    assert still_open(changes, "bed-3", "11:35") == set()


def test_bed_4_cannot_be_judged_until_somebody_measures_lactate(changes: list[Change]) -> None:
    verdict = status(changes, "bed-4", "10:15")
    assert verdict.state is State.INDETERMINATE
    assert any(reason.startswith("lactate (last ") for reason in verdict.reasons)
    assert still_open(changes, "bed-4", "10:15") == {"obtain_data"}
    assert status(changes, "bed-4", "10:37").state is State.ACTIVE
    assert still_open(changes, "bed-4", "10:37") == set()


def test_bed_5_has_everything_withdrawn_when_the_goals_of_care_change(changes: list[Change]) -> None:
    assert advice(changes, "bed-5", "07:55", "vasopressin") == (Advice.CAUTION, ("limb_ischaemia",))
    assert still_open(changes, "bed-5", "09:40") == {"vasopressin", "hydrocortisone"}
    assert status(changes, "bed-5", "09:41").verdict == "SUPPRESSED(goals)"
    assert still_open(changes, "bed-5", "09:41") == set()
    assert {alerts(changes, "bed-5", subject)[-1].cause for subject in ("vasopressin", "hydrocortisone")} == {"goals"}
    assert still_open(changes, "bed-5", "11:35") == set()


def test_bed_6_is_silent(changes: list[Change]) -> None:
    said = [change for change in changes if change.patient == "bed-6" and not isinstance(change, Rejection)]
    assert not [change for change in said if isinstance(change, AlertChange)]
    assert {change.state for change in said if isinstance(change, StatusChange)} <= {State.NOT_APPLICABLE}


def test_bed_7_needs_ecmo_to_be_discussed_when_six_hours_are_full(changes: list[Change]) -> None:
    suspected = status(changes, "bed-7", "07:00", "ards")
    assert (suspected.stage, suspected.verdict) == ("ARD-3", "SUSPECTED(needs more than 6 h of P/F below 80 mmHg)")
    card = alerts(changes, "bed-7", "refractory")[0].card
    assert any("more than 6 h needed: a sample after 2026-03-14 10:15" in finding.text for finding in card.findings)
    assert status(changes, "bed-7", "10:23", "ards").state is State.SUSPECTED
    assert advice(changes, "bed-7", "10:23", "vv_ecmo", "ards") is None
    assert status(changes, "bed-7", "10:24", "ards").state is State.CONFIRMED
    assert advice(changes, "bed-7", "10:24", "vv_ecmo", "ards") == (Advice.ELIGIBLE, ())
    assert [change.change for change in alerts(changes, "bed-7", "vv_ecmo")] == [
        AlertChangeKind.RAISED,
        AlertChangeKind.ACCEPTED,
    ]
    assert not alerts(changes, "bed-7", "fix_first")


def test_bed_7_is_asked_once_about_the_steroid_that_shock_and_ards_both_want(changes: list[Change]) -> None:
    assert advice(changes, "bed-7", "07:00", "hydrocortisone") == (Advice.ELIGIBLE, ())
    assert advice(changes, "bed-7", "07:00", "ards_corticosteroid", "ards") == (Advice.SUPPRESSED, ("merged",))
    assert "also stands for: corticosteroid for ARDS." in alerts(changes, "bed-7", "hydrocortisone")[0].card.suggestion
    assert advice(changes, "bed-7", "07:54", "ards_corticosteroid", "ards") == (Advice.SUPPRESSED, ("running",))
    assert still_open(changes, "bed-7", "11:35") == {"refractory", "vv_ecmo"}


def test_bed_8_is_underdosed_first_and_refractory_only_after_full_doses(changes: list[Change]) -> None:
    def verdict(at: str) -> str:
        return status(changes, "bed-8", at, "status-epilepticus").verdict

    assert verdict("07:56") == "ACTIVE"
    assert status(changes, "bed-8", "07:57", "status-epilepticus").stage == "SE-0"
    assert verdict("08:20") == "PSEUDO(bzd_underdosed, asm_underdosed)"
    escalate = alerts(changes, "bed-8", "escalate_now")[0]
    assert (escalate.decided_at.strftime("%H:%M"), escalate.priority) == ("08:22", Priority.HIGH)
    assert "Dose gap: 3000 mg levetiracetam." in escalate.card.suggestion
    assert not [c for c in alerts(changes, "bed-8", "refractory") if c.decided_at <= clock("08:46")]
    assert verdict("08:46") == "ACTIVE"
    confirmed = status(changes, "bed-8", "08:47", "status-epilepticus")
    assert (confirmed.stage, confirmed.state) == ("SE-2", State.CONFIRMED)
    assert advice(changes, "bed-8", "08:47", "anaesthetic", "status-epilepticus") == (Advice.ELIGIBLE, ())
    assert advice(changes, "bed-8", "08:54", "anaesthetic", "status-epilepticus") == (Advice.SUPPRESSED, ("running",))
    assert still_open(changes, "bed-8", "11:35") == {"refractory"}


def test_bed_9_is_a_candidate_for_ecpr_until_circulation_returns(changes: list[Change]) -> None:
    assert alerts(changes, "bed-9", "pre_alert")[0].priority is Priority.INFORMATION
    assert status(changes, "bed-9", "10:57", "cardiac-arrest").state is State.ACTIVE
    assert status(changes, "bed-9", "10:58", "cardiac-arrest").state is State.CONFIRMED
    raised = alerts(changes, "bed-9", "ecpr")[0]
    assert raised.priority is Priority.HIGH
    window = (raised.card.window or "").replace("2026-03-14 ", "")
    assert "in hospital (40 min): decide by 11:10, 11 min left; last decision 11:30 (closes 11:50)" in window
    assert status(changes, "bed-9", "11:06", "cardiac-arrest").verdict == "SUPPRESSED(rosc)"
    assert status(changes, "bed-9", "11:26", "cardiac-arrest").verdict == "RESOLVED(sustained return of circulation)"
    assert still_open(changes, "bed-9", "11:35") == set()


def test_bed_9_is_not_asked_about_a_steroid_during_resuscitation(changes: list[Change]) -> None:
    assert advice(changes, "bed-9", "10:49", "hydrocortisone") == (Advice.ELIGIBLE, ())
    assert status(changes, "bed-9", "10:50").verdict == "SUPPRESSED(arrest)"
    assert [(c.change, c.cause) for c in alerts(changes, "bed-9", "hydrocortisone")] == [
        (AlertChangeKind.RAISED, None),
        (AlertChangeKind.SUPPRESSED, "arrest"),
        (AlertChangeKind.SUPPRESSED, "running"),
    ]


def test_bed_10_gets_no_ecmo_but_the_treatment_that_was_missing(changes: list[Change]) -> None:
    assert advice(changes, "bed-10", "07:00", "prone_position", "ards") == (Advice.ELIGIBLE, ())
    fix = status(changes, "bed-10", "08:44", "ards")
    assert (fix.stage, fix.verdict) == ("ARD-2", "PSEUDO(vt_not_protective, prone_not_attempted)")
    (volume,) = [line for line in alerts(changes, "bed-10", "fix_first")[0].card.fix_first if "mL/kg" in line]
    assert "480 mL, 9.5 mL/kg" in volume
    (turned,) = [line for line in alerts(changes, "bed-10", "fix_first")[0].card.fix_first if "no prone" in line]
    assert turned.startswith("no prone session tried (PaO2/FiO2 of an arterial sample 91.2 mmHg")
    assert "absent" not in turned
    assert status(changes, "bed-10", "10:59", "ards").state is State.ACTIVE
    assert still_open(changes, "bed-10", "11:35") == set()
    subjects = {c.subject for c in changes if isinstance(c, AlertChange) and c.patient == "bed-10"}
    assert not subjects & {"refractory", "ecmo_call", "vv_ecmo"}


def test_every_state_reaches_its_refractory_stage(changes: list[Change]) -> None:
    confirmed = {c.pathway for c in changes if isinstance(c, StatusChange) and c.state is State.CONFIRMED}
    assert confirmed == {pack.id for pack in load_packs()}


def test_nothing_else_interrupts(changes: list[Change]) -> None:
    interruptions = [(c.patient, c.subject) for c in changes if isinstance(c, AlertChange) and c.interrupts]
    assert sorted(interruptions) == [
        ("bed-1", "hydrocortisone"),
        ("bed-1", "refractory"),
        ("bed-1", "va_ecmo"),
        ("bed-1", "vasopressin"),
        ("bed-10", "fix_first"),
        ("bed-10", "prone_position"),
        ("bed-2", "fix_first"),
        ("bed-3", "refractory"),
        ("bed-5", "vasopressin"),
        ("bed-7", "refractory"),
        ("bed-7", "vv_ecmo"),
        ("bed-8", "anaesthetic"),
        ("bed-8", "escalate_now"),
        ("bed-8", "fix_first"),
        ("bed-8", "fix_first"),
        ("bed-8", "refractory"),
        ("bed-8", "second_line"),
        ("bed-9", "ecpr"),
        ("bed-9", "refractory"),
    ]


def test_no_card_names_what_a_reader_cannot_look_up(changes: list[Change]) -> None:
    cards = [change.card for change in changes if isinstance(change, AlertChange)]
    for text in (card.model_dump_json() for card in cards):
        assert not re.search(r"clinical\.md|\[V\d|\[K\]|\[D\]|mm\[Hg\]|\bug/", text)
    titles = {finding.title for card in cards for finding in card.findings}
    assert None not in titles
    assert not {title for title in titles if title and ("_" in title or re.match(r"(SEP|ARD|SE|CA)-", title))}


def test_an_alert_that_ends_keeps_the_headline_it_had(changes: list[Change]) -> None:
    headlines = {(c.patient, c.subject, c.change): c.card.headline for c in changes if isinstance(c, AlertChange)}
    assert headlines["bed-3", "refractory", AlertChangeKind.WITHDRAWN] == "Refractory septic shock: criteria met"
    interrupted = "Fix this first: norepinephrine delivery interrupted"
    assert headlines["bed-2", "fix_first", AlertChangeKind.RESOLVED] == interrupted
    assert headlines["bed-7", "vv_ecmo", AlertChangeKind.ACCEPTED] == "Discuss VV-ECMO with the ECMO centre"
    assert headlines["bed-8", "fix_first", AlertChangeKind.RESOLVED] == (
        "Fix this first: benzodiazepine dose below guideline; second-line dose below guideline"
    )


def test_nobody_is_asked_for_what_is_only_waited_for(changes: list[Change]) -> None:
    assert not alerts(changes, "bed-1", "obtain_data")


def test_why_a_therapy_is_not_suggested_is_said_in_words(changes: list[Change]) -> None:
    blocked = alerts(changes, "bed-3", "refractory")[0].card.suggestion
    assert "VA-ECMO is not suggested: preserved heart function (distributive shock): " in blocked
    held = [change.card.suggestion for change in alerts(changes, "bed-1", "refractory")]
    assert "VA-ECMO is held back: no inotrope tried. Consider an inotrope" in held[1]
    assert "VA-ECMO" not in held[-1]


def test_a_pause_is_shown_with_the_rate_before_it(changes: list[Change]) -> None:
    findings = alerts(changes, "bed-2", "fix_first")[0].card.findings
    assert [finding.text for finding in findings if finding.title == "norepinephrine"] == ["paused", "0.5 µg/kg/min"]


def test_a_finding_that_did_not_decide_is_left_out(changes: list[Change]) -> None:
    card = alerts(changes, "bed-3", "refractory")[0].card
    assert "sofa" not in {finding.measure for finding in card.findings}
    assert len([finding for finding in card.findings if "norepinephrine" in (finding.title or "")]) == 3
