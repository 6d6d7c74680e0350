"""Whatever interrupts is heard or answered since it last came; what delays an interruption never swallows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.attention import NEVER_ASKED, Call, Damping
from rules.engine import PatientEngine
from rules.lifecycle import AlertState
from rules.outputs import AlertChange, AlertChangeKind, Attention, Change, Priority, Rejection
from rules.settings import SiteSettings
from rules.testing import SUFFIX, Bedside, load_scenario
from streams.embedded.entries import STATE_AFTER
from tests.courses.everybody import PATHWAYS, of
from tests.rules.strategies import SITE, alerts, finish, play, scaled

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SCENARIOS = Path(__file__).parents[1] / "scenarios"
ANSWERS = (AlertChangeKind.ACKNOWLEDGED, AlertChangeKind.ACCEPTED)
IN_DOUBT = ("cannot be confirmed now", "criteria not met now", "not known: ")
SHOWN = (AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.ACCEPTED)


class Stand:
    """An alert as whoever follows the changes sees it; since when it has been as urgent as it is now."""

    def __init__(self) -> None:
        self.state = AlertState.NEW
        self.priority: Priority | None = None
        self.doubtful = False
        self.since: datetime | None = None
        self.heard: datetime | None = None

    def unheard(self, at: datetime, damping: timedelta) -> bool:
        """Whether it has called for nobody for longer than damping may last."""
        if self.since is None or self.doubtful or at - self.since <= damping:
            return False
        return self.heard is None or self.heard < self.since

    def take(self, change: AlertChange) -> None:
        before = self.priority if self.since is not None else None
        self.state = STATE_AFTER.get(change.change, self.state)
        self.doubtful = (change.cause or "").startswith(IN_DOUBT)
        self.priority = change.priority
        if self.state not in SHOWN or not change.priority.interrupts:
            self.since = None
        elif before is None or change.priority.urgency > before.urgency:
            self.since = change.decided_at
        own = change.interrupts and change.change is not AlertChangeKind.ESCALATED
        if own or change.change in ANSWERS:
            self.heard = change.decided_at


def swallowed(changes: Iterable[Change], until: datetime, damping: timedelta) -> Iterator[str]:
    """Alerts that stood longer than damping may last without an interruption since they last came, or an answer."""
    stands: dict[str, Stand] = {}
    for change in alerts(changes):
        stand = stands.setdefault(change.id, Stand())
        if stand.unheard(change.decided_at, damping):
            yield f"{change.pathway} {change.subject} until {change.decided_at}"
        stand.take(change)
    yield from (f"{name} at the end" for name, stand in stands.items() if stand.unheard(until, damping))


def untrue(changes: Iterable[Change]) -> Iterator[str]:
    """What is said of attention and does not fit: who interrupts is urgent and asks, and the untold does not."""
    for change in alerts(changes):
        wrong = [
            change.interrupts and not change.priority.interrupts,
            change.interrupts and change.attention is not Attention.ASKED,
            change.interrupts and change.verdict.startswith("INDETERMINATE"),
            change.interrupts and change.delayed is not None,
            change.change in ANSWERS and change.attention is not Attention.ANSWERED,
        ]
        if any(wrong):
            yield f"{change.decided_at} {change.subject} {change.change}: {wrong}"


class TestNothingIsSwallowed:
    @pytest.mark.parametrize("pathway", PATHWAYS)
    @settings(
        max_examples=scaled(2),
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.data())
    def test_on_random_courses(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        changes = play(course)
        assert list(swallowed(changes, finish(course), SITE.flapping.within)) == []
        assert list(untrue(changes)) == []

    @pytest.mark.parametrize("pathway", sorted(path.name for path in SCENARIOS.iterdir() if path.is_dir()))
    def test_on_the_scenarios_of_every_pathway(self, pathway: str) -> None:
        """On some of them, evenly taken; on more where properties are looked at harder."""
        files = sorted((SCENARIOS / pathway).glob(f"*{SUFFIX}"))
        for path in files[:: max(1, len(files) // scaled(4))]:
            scenario = load_scenario(path)
            bed = Bedside(settings=scenario.settings)
            for event in scenario.wire_events():
                if event.kind != "action":
                    bed.feed(event)
            until = scenario.wire_events()[-1].received_at + 5 * HOUR
            bed.advance(until)
            assert list(swallowed(bed.changes, until, scenario.settings.flapping.within)) == [], path.name
            assert list(untrue(bed.changes)) == [], path.name


POLICY = {"MEDIUM": [{"role": "intensivist", "after": "PT5M"}], "HIGH": [{"role": "intensivist", "after": "PT2M"}]}
NOREPINEPHRINE = {"drug": "norepinephrine", "action": "rate", "rate": 0.6, "unit": "ug/kg/min"}
ECHO = {"tamponade": "absent", "acute_rv_failure": "absent", "hypovolaemia": "absent"}
NURSE = {"actor": "nurse-2", "role": "nurse"}
UNTIL = 14 * 60


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def goals(at: str, wanted: str) -> dict[str, Any]:
    return {"at": at, "encounter": {"event": "update", "goals_of_care": wanted}}


def shock(*more: dict[str, Any], until: str = "14:00", **site: Any) -> Bedside:
    """Refractory septic shock, confirmed at 07:30 (the second lactate is of 07:21), with what ``more`` happens."""
    bed = Bedside(settings=SiteSettings.model_validate({"norepinephrine_salt": "base", "escalation": POLICY, **site}))
    who = {"age_years": 58, "sex": "female", "weight_kg": 70, "height_cm": 168, "goals_of_care": "full"}
    course = [
        {"at": "06:00", "encounter": {**who, "conditions": {"suspected_infection": "present"}}},
        {"at": "06:05", "observe": {"lactate": "5.2 mmol/L"}},
        {"at": "06:20", "fluid": {"fluid": "crystalloid", "volume": 2200, "unit": "mL", "started_at": "06:00"}},
        {"at": "06:25", "dose": {"drug": "meropenem", "dose": 2000, "unit": "mg"}},
        {"at": "06:40", "assessment": {"examination": "echo", "findings": ECHO, "readings": {"lvef": "60 %"}}},
        *({"at": clock(at), "infusion": NOREPINEPHRINE} for at in range(6 * 60 + 30, UNTIL, 15)),
        *({"at": clock(at), "observe": {"lactate": "4.6 mmol/L"}} for at in range(7 * 60 + 21, UNTIL, 60)),
        *more,
    ]
    for happening in sorted(course, key=lambda one: str(one.get("received", one["at"]))):
        if str(happening.get("received", happening["at"])) <= until:
            bed.advance(str(happening.get("received", happening["at"])))
            bed.feed(happening)
    bed.advance(until)
    return bed


def life(bed: Bedside, subject: str = "refractory") -> list[AlertChange]:
    return [change for change in alerts(bed.changes) if change.subject == subject and change.pathway == "septic-shock"]


def asks(bed: Bedside, subject: str = "refractory") -> list[str]:
    """When an alert interrupted, but for escalations."""
    own = (change for change in life(bed, subject) if change.change is not AlertChangeKind.ESCALATED)
    return [f"{change.decided_at:%H:%M}" for change in own if change.interrupts]


def escalated(bed: Bedside) -> list[str]:
    return [f"{c.decided_at:%H:%M}" for c in life(bed) if c.change is AlertChangeKind.ESCALATED]


class TestComingBack:
    def test_what_was_kept_back_asks_anew_and_is_escalated_anew(self) -> None:
        bed = shock(goals("08:00", "no_escalation"), goals("09:00", "full"), until="10:00")
        assert asks(bed) == ["07:30", "09:00"]
        assert escalated(bed) == ["07:35", "09:05"]
        assert "no longer kept back (goals)" in [change.cause for change in life(bed)]

    def test_off_the_board_nobody_is_called(self) -> None:
        bed = shock(goals("07:32", "no_escalation"), until="10:00")
        assert escalated(bed) == []
        assert life(bed)[-1].attention is Attention.AT_REST

    def test_after_a_snooze_it_asks_again(self) -> None:
        snooze = {"subject": "refractory", "action": "snooze", **NURSE}
        bed = shock({"at": "07:40", "action": snooze}, until="09:00")
        assert asks(bed) == ["07:30", "08:40"]
        assert life(bed)[-2].cause == "it was snoozed, and is called for again"

    def test_a_rate_that_grows_old_and_is_charted_again_is_no_return(self) -> None:
        """Unknown for some minutes, what is shown stays on the board, and stays answered."""
        acknowledge = {"subject": "refractory", "action": "acknowledge", **NURSE}
        whole = shock({"at": "07:40", "action": acknowledge}, until="13:40")
        assert asks(whole) == ["07:30"]
        bed = shock({"at": "07:40", "action": acknowledge}, until="13:59")
        bed.advance("15:10")
        assert life(bed)[-1].verdict.startswith("INDETERMINATE")
        bed.feed({"at": "15:12", "infusion": NOREPINEPHRINE})
        assert asks(bed) == ["07:30"]


TAMPONADE = {"examination": "echo", "findings": {**ECHO, "tamponade": "present"}, "readings": {"lvef": "60 %"}}
NO_TAMPONADE = {"examination": "echo", "findings": ECHO, "readings": {"lvef": "60 %"}}


class TestUnknownIsNoRelief:
    """What must be fixed first stays on the board while nobody can tell whether the state is still there."""

    @staticmethod
    def tamponade(*more: dict[str, Any], until: str) -> Bedside:
        """From 12:00 on; the lactate of 13:21 is the last until 18:00, and so too old from 17:21 on."""
        rates = ({"at": clock(at), "infusion": NOREPINEPHRINE} for at in range(UNTIL, 19 * 60, 15))
        last = {"at": "18:00", "observe": {"lactate": "4.6 mmol/L"}}
        return shock({"at": "12:00", "assessment": TAMPONADE}, *rates, last, *more, until=until)

    def test_it_stays_and_its_coming_back_is_no_return(self) -> None:
        acknowledge = {"at": "12:05", "action": {"subject": "fix_first", "action": "acknowledge", **NURSE}}
        bed = self.tamponade(acknowledge, until="17:55")
        doubt = life(bed, "fix_first")[-1]
        assert doubt.cause == "cannot be confirmed now"
        assert doubt.attention is Attention.ANSWERED
        assert doubt.card.headline.startswith("Cannot tell now whether to fix this first: another cause of shock;")
        bed = self.tamponade(acknowledge, until="18:30")
        assert life(bed, "fix_first")[-1].verdict == "PSEUDO(alternative_shock)"
        assert asks(bed, "fix_first") == ["12:00"]

    def test_put_right_meanwhile_it_leaves_and_comes_back_later(self) -> None:
        drained, again = {"at": "17:40", "assessment": NO_TAMPONADE}, {"at": "18:10", "assessment": TAMPONADE}
        bed = self.tamponade(drained, again, until="18:30")
        (resolved,) = [change for change in life(bed, "fix_first") if change.change is AlertChangeKind.RESOLVED]
        assert f"{resolved.decided_at:%H:%M}" == "17:40"
        assert resolved.cause == "nothing of it is left to fix"
        assert asks(bed, "fix_first") == ["12:00", "18:10"]

    def test_what_is_put_right_meanwhile_and_is_wrong_again_is_told_anew(self) -> None:
        """A stop of the pump counts for half an hour after its end: that of 17:00 until 17:45."""
        pauses = [{"at": at, "infusion": {"drug": "norepinephrine", "action": "pause"}} for at in ("17:00", "17:50")]
        bed = self.tamponade(*pauses, until="18:05")
        assert asks(bed, "fix_first") == ["12:00", "17:02", "18:00"]
        said = {f"{change.decided_at:%H:%M}": change.card.headline for change in life(bed, "fix_first")}
        assert "delivery interrupted" in said["17:21"]
        assert "delivery interrupted" not in said["17:45"]


class TestAnswers:
    def test_an_answer_covers_what_was_on_the_screen_and_nothing_later(self) -> None:
        """Somebody answers the card of 07:30 when the alert has come back at 09:00."""
        bed = shock(goals("08:00", "no_escalation"), goals("09:00", "full"), until="09:02")
        first = life(bed)[0]
        late = {"alert_id": first.id, "action": "acknowledge", "based_on": first.sequence, **NURSE}
        (refused,) = bed.feed({"at": "09:03", "action": late})
        assert isinstance(refused, Rejection)
        assert refused.reason == "conflict"
        assert life(bed)[-1].attention is Attention.ASKED

    def test_an_answer_that_was_on_its_way_covers_nothing_later_either(self) -> None:
        bed = shock(goals("08:00", "no_escalation"), goals("09:00", "full"), until="09:02")
        late = {"subject": "refractory", "action": "acknowledge", **NURSE}
        (refused,) = bed.feed({"at": "07:50", "received": "09:03", "action": late})
        assert isinstance(refused, Rejection)
        assert refused.reason == "conflict"

    def test_something_else_to_fix_is_not_answered_by_what_was(self) -> None:
        pause = {"drug": "norepinephrine", "action": "pause"}
        done = {"subject": "fix_first", "action": "acknowledge", **NURSE}
        tamponade = {"examination": "echo", "findings": {"tamponade": "present"}, "readings": {"lvef": "60 %"}}
        bed = shock(
            {"at": "08:16", "infusion": pause},
            {"at": "08:20", "action": done},
            {"at": "08:24", "assessment": tamponade},
            until="08:25",
        )
        assert asks(bed, "fix_first") == ["08:18", "08:24"]
        assert life(bed, "fix_first")[-1].cause == "something else is to be fixed first"


FLAPS = [goals(clock(8 * 60 + 10 * step), "full" if step % 2 else "no_escalation") for step in range(10)]


class TestFlapping:
    def test_it_is_damped_said_and_never_swallowed(self) -> None:
        bed = shock(*FLAPS, until="12:00")
        assert asks(bed) == ["07:30", "08:10", "08:30", "08:50", "10:50"]
        waiting = [change for change in life(bed) if change.delayed]
        assert {change.delayed for change in waiting} == {"came back 4 times in 2 h", "came back 5 times in 2 h"}
        assert all(change.attention is Attention.AT_REST for change in waiting)
        assert escalated(bed)[-1] == "10:55"

    def test_the_numbers_are_the_sites(self) -> None:
        bed = shock(*FLAPS, until="12:00", flapping={"returns": 2, "within": "PT35M"})
        assert asks(bed) == ["07:30", "08:10", "08:50", "09:30"]
        assert len(asks(bed)) < len(asks(shock(*FLAPS, until="12:00", flapping={"returns": 100})))

    def test_an_answer_meanwhile_is_enough(self) -> None:
        acknowledge = {"subject": "refractory", "action": "acknowledge", **NURSE}
        bed = shock(*FLAPS, {"at": "09:40", "action": acknowledge}, until="12:00")
        assert asks(bed) == ["07:30", "08:10", "08:30", "08:50"]

    def test_it_comes_at_its_instant_from_a_restored_state(self) -> None:
        whole, bed = shock(*FLAPS, until="12:00"), shock(*FLAPS, until="10:00")
        engine = bed.engine
        bed.engine = PatientEngine.restore(engine.snapshot(), bed.packs, bed.settings)
        assert bed.engine.due == engine.due
        for at in range(10 * 60 + 15, 12 * 60 + 1, 15):
            bed.feed({"at": clock(at), "infusion": NOREPINEPHRINE})
        assert asks(bed) == asks(whole)


def test_what_falls_and_is_as_urgent_again_asks_anew_only_if_it_was_answered_in_between() -> None:
    called = NEVER_ASKED.called(Call("raised"), Priority.MEDIUM, (), 0, Damping(4, 1)).interrupted(Priority.MEDIUM, 0)
    fallen = called.stands(Priority.LOW, (), closing=False)
    assert fallen.call(AlertState.OPEN, None, Priority.MEDIUM, ()) is None
    assert fallen.call(AlertState.OPEN, None, Priority.HIGH, ()) is not None
    delayed = NEVER_ASKED.called(Call("raised"), Priority.MEDIUM, (), 0, Damping(4, 1)).held_back(0, "relief")
    assert delayed.stands(Priority.LOW, (), closing=False).call(AlertState.OPEN, None, Priority.MEDIUM, ()) is not None
    answered = fallen.was_answered(Priority.LOW)
    assert answered.call(AlertState.ACKNOWLEDGED, None, Priority.MEDIUM, ()) is not None


def test_nothing_that_cannot_be_told_is_escalated() -> None:
    """The rates of norepinephrine are charted no more: what was asked waits until somebody knows."""
    late = {"MEDIUM": [{"role": "intensivist", "after": "PT7H30M"}]}
    bed = shock(until="13:59", escalation=late)
    bed.advance("15:30")
    assert life(bed)[-1].verdict.startswith("INDETERMINATE")
    assert escalated(bed) == []
    bed.feed({"at": "15:40", "infusion": NOREPINEPHRINE}, {"at": "15:40", "observe": {"lactate": "4.6 mmol/L"}})
    assert escalated(bed) in ([], ["15:40"])
