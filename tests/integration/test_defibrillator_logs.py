"""Real arrests as defibrillators recorded them, through the arrest pathway.

The data is not part of the project: it is found through ``ICU_MONITOR_DATA`` and these tests are skipped without it.
What must come out is worked out from the rows by plain arithmetic, not by the project's own reading of an arrest.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from rules.engine import PatientEngine
from rules.events import Encounter, Event, Resuscitation
from rules.outputs import Advice, Change, StatusChange
from rules.packs import load_packs
from rules.settings import SiteSettings

DATA = Path(os.environ.get("ICU_MONITOR_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
LOGS = DATA / "defib" / "cpr-events.csv"
START: Final = datetime(2026, 3, 1, tzinfo=UTC)
ACTIONS: Final = {
    "arrest": "collapse",
    "cpr_start": "cpr_start",
    "StartCPR": "cpr_start",
    "cpr_stop": "cpr_stop",
    "StopCPR": "cpr_stop",
    "shock": "shock",
    "Defib": "shock",
}
"""Charging and switching on are no events of the arrest; what ends it is left to each test."""
SUSTAINED: Final = 20 * 60.0

pytestmark = pytest.mark.skipif(
    not LOGS.is_file(), reason="no defibrillator logs: set ICU_MONITOR_DATA to their folder"
)


@cache
def recorded(case: str) -> tuple[tuple[float, str, str], ...]:
    with LOGS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["case"] == case]
    return tuple((float(row["t_s"]), row["event"], row["detail"]) for row in rows)


def times(case: str, action: str) -> list[float]:
    return [at for at, event, _ in recorded(case) if ACTIONS.get(event) == action]


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def envelope(name: str, at: float) -> dict[str, Any]:
    effective = moment(at)
    return {
        "schema_version": 1,
        "id": name,
        "source": "defibrillator",
        "subject": "patient-1",
        "effective_at": effective,
        "received_at": effective,
    }


def events(case: str, ending: str | None, **patient: Any) -> Iterator[Event]:
    """The log as wire events; the mark that may be circulation or the end of the attempt becomes ``ending``."""
    first = recorded(case)[0][0]
    yield Encounter.model_validate({**envelope("patient", first), "kind": "encounter", **patient})
    for index, (at, event, detail) in enumerate(recorded(case)):
        action = ending if event == "rosc_or_termination" else ACTIONS.get(event)
        if action is not None:
            body: dict[str, Any] = {"kind": "resuscitation", "action": action}
            if action == "shock":
                body["energy_joules"] = float(detail.replace("energy", "sel").split()[1])
            yield Resuscitation.model_validate({**envelope(f"row-{index}", at), **body})


@dataclass
class Heard:
    """What the arrest pathway said, by seconds of the log."""

    changes: list[Change] = field(default_factory=list)

    @property
    def statuses(self) -> list[StatusChange]:
        found = [change for change in self.changes if isinstance(change, StatusChange)]
        return [status for status in found if status.pathway == "cardiac-arrest"]

    def verdicts(self) -> list[tuple[float, str]]:
        """Each verdict with the second of its decision, without what repeats the one before."""
        said = [((status.decided_at - START).total_seconds(), status.verdict) for status in self.statuses]
        return [said[0], *(after for before, after in pairwise(said) if before[1] != after[1])]

    def first(self, verdict: str) -> float:
        return next(at for at, found in self.verdicts() if found == verdict)

    def advised(self, therapy: str) -> list[tuple[float, Advice, tuple[str, ...]]]:
        return [
            ((status.decided_at - START).total_seconds(), found.advice, found.reasons)
            for status in self.statuses
            for found in status.therapies
            if found.therapy == therapy
        ]


def hear(case: str, ending: str | None = None, **patient: Any) -> Heard:
    engine, heard = PatientEngine("patient-1", load_packs(), SiteSettings()), Heard()
    log = list(events(case, ending, **patient))
    for event in log:
        heard.changes += engine.observe(event)
    heard.changes += engine.advance(log[-1].received_at + timedelta(hours=1))
    return heard


def stated(**conditions: str) -> dict[str, Any]:
    return {"conditions": [{"code": code, "presence": presence} for code, presence in conditions.items()]}


def close(seconds: float) -> Any:
    return pytest.approx(seconds, abs=0.002)


def longest_pause(case: str) -> float:
    """The longest time from a stop of compressions to the next start."""
    starts = times(case, "cpr_start")
    return max(min(s for s in starts if s > stop) - stop for stop in times(case, "cpr_stop") if stop < starts[-1])


class TestLifepak:
    """A false start of four seconds, and an hour later five shocks during CPR."""

    def test_the_false_start_is_over_after_twenty_minutes_without_a_word_of_it(self) -> None:
        heard = hear("LP15")
        false_start, its_end = times("LP15", "cpr_start")[0], times("LP15", "cpr_stop")[0]
        assert its_end - false_start < 5
        begun = times("LP15", "cpr_start")[1]
        before = [entry for entry in heard.verdicts() if false_start <= entry[0] < begun]
        assert before == [
            (close(false_start), "ACTIVE"),
            (close(its_end + SUSTAINED), "RESOLVED(no compressions for 20 min)"),
        ]

    def test_it_is_refractory_when_the_third_shock_has_failed(self) -> None:
        """The third shock is followed by a pause and by compressions again: then it has failed, before the fourth."""
        heard = hear("LP15")
        third, fourth = times("LP15", "shock")[2:4]
        resumed = min(at for at in times("LP15", "cpr_start") if at > third)
        assert third < resumed < fourth
        assert heard.first("CONFIRMED") == close(resumed)

    def test_the_window_counts_from_the_second_start(self) -> None:
        heard, begun = hear("LP15"), times("LP15", "cpr_start")[1]
        windows = {t.window.closes_at for s in heard.statuses for t in s.therapies if t.window is not None}
        (closes,) = windows
        assert (closes - START).total_seconds() == close(begun + 3600)

    def test_nothing_is_suggested_of_what_nobody_has_said(self) -> None:
        """Age, witness and no-flow are not in the log: both say so. The rhythm is known, since it was shocked."""
        heard = hear("LP15")
        assert {advice for _, advice, _ in heard.advised("pre_alert")} == {Advice.INDETERMINATE, Advice.BLOCKED}
        (_, _, missing), *_ = heard.advised("ecpr")
        assert {"age", "witnessed_arrest", "no_flow"} <= set(missing)
        assert "initial_rhythm" not in missing

    def test_with_what_a_team_would_know_the_pre_alert_comes_after_eight_minutes(self) -> None:
        begun = times("LP15", "cpr_start")[1]
        engine, said = PatientEngine("patient-1", load_packs(), SiteSettings()), []
        known = {"age_years": 52.0}
        for event in events("LP15", None, **known):
            said += engine.observe(event)
            if event.received_at == moment(begun):
                body = {**envelope("seen", begun), "kind": "resuscitation", "action": "collapse", "witnessed": True}
                said += engine.observe(Resuscitation.model_validate(body))
        (at, *_), *_ = [found for found in Heard(said).advised("pre_alert") if found[1] is Advice.ELIGIBLE]
        assert at == close(begun + 8 * 60)
        assert at < times("LP15", "shock")[2]

    def test_the_arrest_ends_twenty_minutes_after_the_last_compression(self) -> None:
        assert hear("LP15").verdicts()[-1] == (
            close(times("LP15", "cpr_stop")[-1] + SUSTAINED),
            "RESOLVED(no compressions for 20 min)",
        )


class TestLongResuscitation:
    """Case 1: 71 minutes of compressions, one shock during them, two after circulation had returned.

    The log cannot tell return of circulation from the end of the attempt, but nobody shocks after the latter.
    """

    CASE = "CPRDAT_Case_1"

    def test_no_pause_is_long_enough_to_be_left_out(self) -> None:
        assert longest_pause(self.CASE) < 120

    @pytest.mark.parametrize(("place", "minutes"), [("present", 10), ("absent", 15)])
    def test_it_is_refractory_by_the_duration_of_resuscitation(self, place: str, minutes: int) -> None:
        heard = hear(self.CASE, "rosc", **stated(arrest_in_hospital=place))
        assert heard.first("CONFIRMED") == close(times(self.CASE, "cpr_start")[0] + minutes * 60)

    def test_where_it_happened_is_asked_in_between(self) -> None:
        heard, begun = hear(self.CASE, "rosc"), times(self.CASE, "cpr_start")[0]
        assert heard.first("INDETERMINATE(arrest_in_hospital)") == close(begun + 600)
        assert heard.first("CONFIRMED") == close(begun + 900)

    def test_the_window_closes_an_hour_after_the_arrest_less_the_lead(self) -> None:
        heard = hear(self.CASE, "rosc", **stated(arrest_in_hospital="present"))
        closed = next(
            at for at, advice, why in heard.advised("ecpr") if (advice, why) == ("BLOCKED", ("window_closed",))
        )
        assert closed == close(times(self.CASE, "collapse")[0] + 40 * 60 + 1)

    def test_circulation_is_kept_apart_and_lasts_although_shocks_follow(self) -> None:
        """Compressions went on for a fifth of a second after the mark; the shocks after it needed none."""
        heard, last = hear(self.CASE, "rosc"), times(self.CASE, "cpr_stop")[-1]
        mark = next(at for at, event, _ in recorded(self.CASE) if event == "rosc_or_termination")
        assert sum(at > mark for at in times(self.CASE, "shock")) == 2
        after = [entry for entry in heard.verdicts() if entry[0] > mark - 1]
        assert after == [
            (close(mark), "SUPPRESSED(rosc)"),
            (close(last + SUSTAINED), "RESOLVED(sustained return of circulation)"),
        ]

    def test_without_the_mark_the_late_shocks_say_that_it_goes_on(self) -> None:
        heard = hear(self.CASE, None)
        assert heard.verdicts()[-1] == (
            close(times(self.CASE, "shock")[-1] + SUSTAINED),
            "RESOLVED(no compressions for 20 min)",
        )


class TestShortResuscitation:
    """Case 2: a shock within half a minute, and less than five minutes of compressions."""

    CASE = "CPRDAT_Case_2"

    @pytest.mark.parametrize(
        ("ending", "after", "outcome"),
        [
            ("rosc", SUSTAINED, "RESOLVED(sustained return of circulation)"),
            ("stopped", 0.0, "RESOLVED(resuscitation stopped by the team)"),
        ],
    )
    def test_it_never_becomes_refractory(self, ending: str, after: float, outcome: str) -> None:
        heard = hear(self.CASE, ending, age_years=52.0)
        mark = next(at for at, event, _ in recorded(self.CASE) if event == "rosc_or_termination")
        said = [verdict for _, verdict in heard.verdicts()]
        assert not any(verdict.startswith(("CONFIRMED", "PSEUDO", "INDETERMINATE", "SUSPECTED")) for verdict in said)
        assert heard.advised("pre_alert") == heard.advised("ecpr") == []
        assert heard.verdicts()[-1] == (close(mark + after), outcome)

    def test_without_the_mark_it_is_over_twenty_minutes_after_the_last_compression(self) -> None:
        heard = hear(self.CASE, None)
        assert heard.verdicts()[-1][0] == close(times(self.CASE, "cpr_stop")[-1] + SUSTAINED)


def test_every_row_is_an_event_of_the_arrest_or_known_not_to_be() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for case in ("LP15", "CPRDAT_Case_1", "CPRDAT_Case_2"):
        found[case] |= {event for _, event, _ in recorded(case) if event not in ACTIONS}
    assert found == {
        "LP15": {"PowerOn", "ChargeComplete"},
        "CPRDAT_Case_1": {"rosc_or_termination"},
        "CPRDAT_Case_2": {"rosc_or_termination"},
    }
