import io
import re

import pytest
from rich.console import Console

from monitor.closing import PatientTable, print_summary
from monitor.render import Renderer, legend
from monitor.terminal import WIDTH, clean, open_console, show_time
from rules.outputs import (
    Advice,
    AlertChangeKind,
    Amendment,
    Change,
    Evidence,
    Priority,
    Rejection,
    State,
    TherapyStatus,
    TherapyWindow,
)
from streams.summary import Tally
from tests.streams.fake_engine import alert, at, card, status, vitals


def rendered(*changes: Change) -> str:
    file = io.StringIO()
    renderer = Renderer(open_console(file))
    for change in changes:
        renderer.show(change)
    return file.getvalue()


def closing(*changes: Change) -> str:
    file = io.StringIO()
    table, tally = PatientTable(), Tally()
    tally.count_event(vitals("p1", 0))
    tally.bad_lines = 2
    for change in changes:
        table.add(change)
        tally.count_change(change)
    console = open_console(file)
    table.print_on(console)
    print_summary(tally.summary(0.5, late_events=1), console)
    return file.getvalue()


def rejection(**fields: str) -> Rejection:
    return Rejection.model_validate(
        {
            "patient": "p1",
            "event": "e1",
            "place": "readings.0",
            "reason": "unknown_unit",
            "detail": "nobody knows 'furlong'",
            "decided_at": at(0),
            **fields,
        }
    )


def test_an_alert_shows_every_part_of_its_card() -> None:
    text = rendered(
        alert(
            effective_from=at(-60),
            cause="dose went up",
            card=card(
                findings=(
                    Evidence(measure="map", text="58 mmHg", at=at(-5), event="e1"),
                    Evidence(measure="lactate", text="4.1 mmol/L", at=at(-24 * 60), event="e2"),
                    Evidence(measure="nee_a", title="equivalents (A 2021)", text="0.3 µg/kg/min"),
                    Evidence(measure="nee_b", title="equivalents (B 2023)", text="0.3 µg/kg/min"),
                    Evidence(measure="lactate", text="5 mmol/L", at=at(-10), event="e3"),
                    Evidence(measure="weight", text="not known"),
                ),
                fix_first=("Restart the paused pump",),
                contraindications=("Digital ischaemia (relative)",),
                not_known=("cardiac output",),
                window="closes 2026-01-31 12:00",
                data_quality=("lactate is 24 h old", "weight is estimated"),
            ),
        )
    )
    for part in (
        "2026-01-31 (UTC)\n\n!!  MEDIUM  NEW ALERT  p1  09:00\n    test / T-1 / clock, true since 08:00\n",
        "Ten minutes have passed",
        "Because         dose went up",
        "Findings        map: 58 mmHg (08:55)",
        "lactate: 5 mmol/L (08:50), 4.1 mmol/L (2026-01-30 09:00)",
        "equivalents (A 2021, B 2023): 0.3 µg/kg/min",
        "weight: not known",
        "Fix first       Restart the paused pump",
        "Suggestion      Consider looking at the clock",
        "Evidence        Weak: one small trial; two larger trials showed no benefit",
        "Against it      Digital ischaemia (relative)",
        "Not known       cardiac output",
        "Window          closes 12:00",
        "Goals of care   goals of care not recorded",
        "Data quality    lactate is 24 h old; weight is estimated",
        "Rule            test 1.0 (0123456789abcdef), Clock guideline 2026",
    ):
        assert part in text


def test_a_suggestion_says_that_nothing_was_found_or_is_missing() -> None:
    text = rendered(alert())
    assert "Against it      no contraindication found in the data received" in text
    assert "Not known       nothing that the rule asks for" in text
    assert "Against it" not in rendered(alert(subject="fix_first"))


@pytest.mark.parametrize(
    ("priority", "mark"),
    [
        (Priority.HIGH, "!!! HIGH"),
        (Priority.MEDIUM, "!!  MEDIUM"),
        (Priority.LOW, "!   LOW"),
        (Priority.INFORMATION, "i   INFORMATION"),
    ],
)
def test_a_priority_is_a_mark_and_a_word(priority: Priority, mark: str) -> None:
    assert mark in rendered(alert(priority=priority))


def test_an_alert_that_could_interrupt_and_does_not_is_silent() -> None:
    assert "silent" in rendered(alert(interrupts=False))
    assert "silent: interruption waits, relief" in rendered(alert(interrupts=False, delayed="relief"))
    assert "silent" not in rendered(alert())
    assert "silent" not in rendered(alert(priority=Priority.LOW, interrupts=False))
    assert "silent" not in rendered(alert(change=AlertChangeKind.RESOLVED, interrupts=False))


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        (AlertChangeKind.AMENDED, "Do not act on what it said before"),
        (AlertChangeKind.WITHDRAWN, "Taken back. Do not act on what it said."),
        (AlertChangeKind.SUPPRESSED, "Not shown at the bedside"),
    ],
)
def test_what_must_not_be_missed_is_said_with_its_cause(kind: AlertChangeKind, meaning: str) -> None:
    text = rendered(alert(), alert(change=kind, cause="lactate corrected from 4.1 to 1.1"))
    assert kind.upper() in text
    assert meaning in text
    assert "Because         lactate corrected from 4.1 to 1.1" in text


def test_what_was_never_shown_is_one_line() -> None:
    text = rendered(
        alert(change=AlertChangeKind.SUPPRESSED, cause="running", interrupts=False),
        alert(id="a2", change=AlertChangeKind.SUPPRESSED, subject="fix_first", cause="goals"),
    )
    assert text.splitlines() == [
        "2026-01-31 (UTC)",
        "-   p1  09:00  test: clock not suggested: already running",
        "-   p1  09:00  test: fix_first notice kept back: goals of care",
    ]


def test_only_a_changed_alert_shows_its_whole_card() -> None:
    assert "Evidence" in rendered(alert(change=AlertChangeKind.AMENDED))
    assert "Evidence" not in rendered(alert(change=AlertChangeKind.WITHDRAWN))


def test_an_alert_taken_back_shows_what_speaks_against_it() -> None:
    parts = card(fix_first=("Restart the pump",), contraindications=("allergy (absolute)",))
    text = rendered(alert(change=AlertChangeKind.WITHDRAWN, cause="contraindicated: allergy", card=parts))
    assert "Against it      allergy (absolute)" in text
    assert "Restart the pump" not in text
    text = rendered(alert(change=AlertChangeKind.WITHDRAWN, cause="fix first: pump_paused", card=parts))
    assert "Fix first       Restart the pump" in text


def test_what_another_card_has_said_is_not_said_again() -> None:
    first = alert(card=card(data_quality=("weight is estimated",)))
    second = alert("p2", decided_at=at(5), card=card(data_quality=("weight is estimated", "lactate is old")))
    _, _, text = rendered(first, second).partition("p2  09:05")
    assert "Suggestion      Consider looking at the clock" in text
    assert "Evidence        " not in text
    assert "Data quality    lactate is old\n" in text
    assert "As before       evidence, data quality, rule: see p1 09:00 clock\n" in text
    again = alert("p2", decided_at=at(24 * 60), card=card(evidence=("Strong",)))
    assert "rule: see 2026-01-31 09:00 p1 clock" not in rendered(first, again)
    assert "Evidence        Strong" in rendered(first, again)


def test_contraindications_that_were_not_checked_stand_together() -> None:
    unknown = tuple(f"relative contraindication not checked: {what}" for what in ("asthma", "gout"))
    text = rendered(alert(card=card(not_known=(*unknown, "echo"))))
    assert "Not known       echo\n" in text
    assert "relative contraindications not checked: asthma; gout\n" in text


def test_what_nobody_sees_is_not_said_to_end() -> None:
    hidden = alert(change=AlertChangeKind.SUPPRESSED, cause="running", interrupts=False)
    ended = alert(change=AlertChangeKind.RESOLVED, cause="now ACTIVE", interrupts=False)
    assert "RESOLVED" not in rendered(hidden, ended)
    assert "RESOLVED" not in rendered(alert(), hidden, ended)
    assert "REOPENED" in rendered(alert(), hidden, alert(change=AlertChangeKind.REOPENED))
    assert "Because         no longer called for, now ACTIVE" in rendered(alert(), ended)
    assert "Because         now ACTIVE" in rendered(
        alert(subject="fix_first"), alert(subject="fix_first", change=AlertChangeKind.RESOLVED, cause="now ACTIVE")
    )


def test_what_the_status_says_is_kept_back_is_not_said_again() -> None:
    kept = TherapyStatus(therapy="clock", advice=Advice.SUPPRESSED, reasons=("running",))
    text = rendered(status(therapies=(kept,)), alert(change=AlertChangeKind.SUPPRESSED, cause="running"))
    assert text.splitlines()[1:] == ["-   p1  09:00  test: T-1 ACTIVE - clock SUPPRESSED(running)"]


def test_a_status_that_says_nothing_new_is_left_out() -> None:
    assert rendered(status(), status(decided_at=at(3))).count("T-1 ACTIVE") == 1


def test_the_time_left_is_said_of_what_is_suggested() -> None:
    window = TherapyWindow(closes_at=at(60), decide_by=at(40), state="open")
    open_, kept = (
        TherapyStatus(therapy="clock", advice=advice, window=window) for advice in (Advice.ELIGIBLE, Advice.SUPPRESSED)
    )
    assert "clock ELIGIBLE (decide by 09:40, 40 min left)\n" in rendered(status(therapies=(open_,)))
    assert "clock SUPPRESSED\n" in rendered(status(therapies=(kept,)))
    far = window.model_copy(update={"decide_by": at(13 * 24 * 60)})
    text = rendered(status(therapies=(open_.model_copy(update={"window": far}),)))
    assert "clock ELIGIBLE (decide by 2026-02-13 09:00, 13 d left)" in text
    extended = window.model_copy(update={"state": "extended", "reason": "cold"})
    text = rendered(status(therapies=(open_.model_copy(update={"window": extended}),)))
    assert "clock ELIGIBLE (no limit of time: cold)" in text


def test_a_reservation_whose_value_changed_is_not_gone() -> None:
    lines = ("volume too high (480 mL). Consider less.", "never turned. Consider it.")
    update = alert(change=AlertChangeKind.UPDATED, card=card(fix_first=("volume too high (310 mL). Consider less.",)))
    _, _, text = rendered(alert(card=card(fix_first=lines)), update).partition("UPDATED")
    assert "Fix first       volume too high (310 mL). Consider less.\n" in text
    assert [line.strip() for line in text.splitlines() if "no longer" in line] == ["no longer: never turned"]


def test_a_notice_does_not_suggest_again_what_it_says_to_fix() -> None:
    fix = card(fix_first=("pump stopped (09:05). Check it.",), suggestion="Check it.")
    assert "Suggestion" not in rendered(alert(subject="fix_first", card=fix))
    assert "Suggestion" in rendered(alert(card=fix))
    more = card(fix_first=fix.fix_first, suggestion="Check it. ECMO is held back.")
    assert "Suggestion      Check it. ECMO is held back." in rendered(alert(subject="fix_first", card=more))


def test_findings_say_each_thing_once() -> None:
    found = (
        Evidence(measure="pf", text="76 mmHg (PaO2 69)", at=at(-5)),
        Evidence(measure="pf", text="2 samples over 2 h", at=at(-5)),
        Evidence(measure="pf", text="2 samples over 2 h; 6 h needed", at=at(-5)),
        Evidence(measure="seizure", text="since 08:52", at=at(-8)),
        Evidence(measure="seizure", text="tonic, going on since 08:52", at=at(-2)),
        Evidence(measure="dose", text="drug x 2 of 4 mg", at=at(-3)),
        Evidence(measure="drug_x", text="drug x 2 of 4 mg", at=at(-3)),
    )
    assert (
        " ".join(rendered(alert(card=card(findings=found))).split())
        .partition(" Suggestion")[0]
        .endswith(
            "pf: 76 mmHg (PaO2 69, 08:55), 2 samples over 2 h; 6 h needed (08:55) "
            "seizure: tonic, going on since 08:52 (08:58) dose: drug x 2 of 4 mg (08:57)"
        )
    )


def test_a_rise_of_the_priority_is_said() -> None:
    text = rendered(alert(priority=Priority.LOW), alert(change=AlertChangeKind.UPDATED))
    assert "Priority        was LOW" in text


def test_the_date_is_said_once_a_day() -> None:
    text = rendered(status(), status(reasons=("lactate (last 2026-01-31 05:00)",)), status(decided_at=at(24 * 60)))
    assert text.splitlines() == [
        "2026-01-31 (UTC)",
        "-   p1  09:00  test: T-1 ACTIVE",
        "-   p1  09:00  test: T-1 ACTIVE(lactate (last 05:00))",
        "",
        "2026-02-01 (UTC)",
        "-   p1  09:00  test: T-1 ACTIVE since 2026-01-31 09:00",
    ]


def test_an_update_shows_what_is_new_and_what_no_longer_speaks_against_it() -> None:
    old = card(not_known=("echo", "cardiac output"), evidence=("Weak",))
    new = card(headline="Twenty minutes have passed", window="closes at 10:00", not_known=("echo",), evidence=())
    update = alert(change=AlertChangeKind.UPDATED, card=new)
    _, _, text = rendered(alert(card=old), update, update).partition("UPDATED")
    first, _, second = text.partition("UPDATED")
    assert "Twenty minutes have passed" in first
    assert [line.strip() for line in first.splitlines()[-5:]] == [
        "Only the parts that changed are shown.",
        "Not known       no longer: cardiac output",
        "Window          closes at 10:00",
        "",
        "!!  MEDIUM",
    ]
    assert "Window" not in second
    found = alert(change=AlertChangeKind.UPDATED, card=card(contraindications=("ischaemia",)))
    assert "no longer" not in rendered(alert(), found)


def test_text_keeps_to_its_columns() -> None:
    text = rendered(
        alert(
            stage="T" * 80,
            card=card(headline="word " * 60, evidence=("word " * 60, "w" * 300)),
        ),
        status(reasons=("word " * 60,), cause="w" * 300),
    )
    assert max(map(len, text.splitlines())) <= WIDTH


def test_text_from_messages_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J[red]x[/red]\x07\n\u202e:smile:"
    text = rendered(
        alert(evil, cause=evil, card=card(headline=evil, evidence=(evil,))),
        status(evil, pathway=evil, cause=evil),
        rejection(patient=evil, detail=evil),
    ) + closing(status(evil, pathway=evil), alert(evil, change=AlertChangeKind.SUPPRESSED, cause=evil))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]x[/red]" in text
    assert ":smile:" in text


def test_a_status_is_one_line() -> None:
    text = rendered(
        status(),
        status(
            state=State.PSEUDO,
            reasons=("paused",),
            therapies=(TherapyStatus(therapy="clock", advice=Advice.BLOCKED, reasons=("allergy",)),),
            effective_from=at(1),
            decided_at=at(3),
        ),
    )
    assert text.splitlines() == [
        "2026-01-31 (UTC)",
        "-   p1  09:00  test: T-1 ACTIVE",
        "-   p1  09:03  test: T-1 PSEUDO(paused) (was T-1 ACTIVE) since 09:01 - clock BLOCKED(allergy)",
    ]
    assert "(was" not in rendered(status(reasons=("one",)), status(reasons=("two",)))


def test_a_pathway_that_never_applied_is_not_mentioned() -> None:
    nothing = status(state=State.NOT_APPLICABLE, stage=None)
    assert rendered(nothing) == ""
    assert "NOT_APPLICABLE (was T-1 ACTIVE)" in rendered(status(), nothing)


def test_an_amended_status_says_what_was_wrong() -> None:
    amendment = Amendment(
        start=at(0), end=at(30), was=State.CONFIRMED, was_stage="T-2", now=State.ACTIVE, now_stage="T-1"
    )
    text = rendered(status(amends=(amendment,), cause="late result", decided_at=at(45)))
    words = " ".join(text.split())
    assert " ~ p1 09:45 test: " in words
    assert "AMENDED 09:00 to 09:30: was T-2 CONFIRMED, is now T-1 ACTIVE because late result" in words


def test_a_refusal_is_shown_once_for_each_patient_and_reason() -> None:
    text = rendered(
        rejection(), rejection(event="e2"), rejection(patient="p2"), rejection(reason="future", place="effective_at")
    )
    assert text.count("REFUSED") == 3
    assert "REFUSED unknown_unit: nobody knows 'furlong' (event e1, readings.0)" in " ".join(text.split())
    assert text.count("counted") == 1


def test_a_refused_value_is_named_in_words() -> None:
    text = rendered(rejection(reason="implausible", detail="map_invasive 300 mm[Hg] is outside 20 to 220"))
    assert "REFUSED implausible: mean arterial pressure, arterial line 300 mmHg is outside" in " ".join(text.split())


def test_a_terminal_gets_colours_and_others_do_not() -> None:
    file = io.StringIO()
    Renderer(Console(file=file, force_terminal=True, width=100, color_system="standard")).show(alert())
    assert "\x1b[" in file.getvalue()
    assert "\x1b[" not in rendered(alert())


def test_a_terminal_gets_no_filling_either(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    file = Terminal()
    renderer = Renderer(open_console(file))
    renderer.show(status())
    renderer.show(alert())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    assert plain != file.getvalue()
    assert not [line for line in plain.splitlines() if line.endswith(" ")]


def test_the_closing_table_says_how_far_each_patient_came_and_where_they_stand() -> None:
    text = closing(
        status(state=State.ACTIVE),
        status(state=State.CONFIRMED, stage="T-2"),
        alert(),
        alert(id="a2"),
        alert(id="a2", change=AlertChangeKind.WITHDRAWN),
        status(state=State.RESOLVED, stage=None),
        status("p2", state=State.NOT_APPLICABLE, stage=None),
    )
    row = next(line for line in text.splitlines() if line.startswith("p1 "))
    assert row.split() == ["p1", "test", "T-2", "CONFIRMED", "RESOLVED", "2", "1"]
    assert not [line for line in text.splitlines() if line.startswith("p2 ")]
    assert "No pathway applied to: p2\n" in text
    assert "No pathway ever applied" in closing()


def test_the_closing_table_names_only_some_of_many_quiet_patients() -> None:
    quiet = [status(f"q{number:02}", state=State.NOT_APPLICABLE, stage=None) for number in range(12)]
    assert ", q09 and 2 more\n" in closing(status(), *quiet, rejection(patient="q01"))


def test_the_closing_table_marks_what_was_taken_back() -> None:
    amendment = Amendment(
        start=at(0), end=at(30), was=State.CONFIRMED, was_stage="T-2", now=State.ACTIVE, now_stage="T-1"
    )
    confirmed = status(state=State.CONFIRMED, stage="T-2")
    taken_back = (confirmed, status(amends=(amendment,), decided_at=at(45)))
    assert "T-2 CONFIRMED (taken back)  T-1 ACTIVE" in closing(*taken_back)
    again = status(state=State.CONFIRMED, stage="T-2", effective_from=at(60), decided_at=at(60))
    assert "(taken back)" not in closing(*taken_back, again)
    later = Amendment(start=at(40), end=at(45), was=State.CONFIRMED, was_stage="T-2", now=State.ACTIVE, now_stage="T-1")
    assert "(taken back)" not in closing(confirmed, status(amends=(later,), decided_at=at(45)))


def test_the_closing_table_says_what_is_suppressed() -> None:
    assert "T-1 SUPPRESSED(goals)" in closing(status(suppressed="goals"))


def test_the_summary_states_its_figures() -> None:
    text = closing(
        status(),
        alert(),
        alert(id="a2", change=AlertChangeKind.SUPPRESSED, cause="already running", interrupts=False),
        alert(change=AlertChangeKind.AMENDED, interrupts=False),
        rejection(),
    )
    for line in (
        "Read 1 event with 1 reading of 1 patient in 0.5 s (2 readings/s)",
        "Not read: 2 bad lines",
        "Refused: 1 unknown_unit",
        "Late: 1 event came",
        "Alerts raised: 1 MEDIUM; 1 interruption in 0.0 bed-days",
        "Taken back: 0 amended statuses; 1 amended and 0 withdrawn alerts",
        "Suppressed: 1 already running",
    ):
        assert line in text


def test_the_rate_of_interruptions_is_told_once_there_is_time_to_tell_it_by() -> None:
    file, tally = io.StringIO(), Tally()
    tally.count_event(vitals("p1", 0))
    tally.count_event(vitals("p1", 48 * 60))
    tally.count_change(alert())
    print_summary(tally.summary(0.5), open_console(file))
    assert "1 interruption in 2.0 bed-days\nIn 20 bed-days: 10.0 MEDIUM; 10.0 interruptions\n" in file.getvalue()


def test_the_legend_fits_a_narrow_terminal() -> None:
    assert len(legend().plain) <= 80


def test_the_legend_names_every_priority() -> None:
    assert all(priority.lower() in legend().plain for priority in Priority)


def test_times_are_to_the_minute_unless_seconds_matter() -> None:
    assert show_time(at(0)) == "2026-01-31 09:00"
    assert show_time(at(0.5)) == "2026-01-31 09:00:30"
    assert show_time(at(0), beside=at(60)) == "09:00"


def test_lines_have_no_filling() -> None:
    assert not [line for line in (rendered(alert(), status()) + closing(status())).splitlines() if line.endswith(" ")]


def test_clean_keeps_ordinary_text() -> None:
    assert clean("MAP 58 mmHg, µg/kg/min, Größe") == "MAP 58 mmHg, µg/kg/min, Größe"
