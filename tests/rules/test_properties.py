"""What the engine promises for every course (design.md section 7), on random patients of every pathway."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules.engine import PatientEngine
from rules.events import Encounter, Event, Infusion, MalformedEventError, Observations, decode, encode
from rules.instants import HOUR as HOUR_MS
from rules.instants import TICK, to_instant
from rules.lifecycle import AlertState
from rules.outputs import Advice, AlertChange, AlertChangeKind, Change, Rejection, State
from rules.pathway import Fold, Pathway, Step, Verdict
from rules.settings import SiteSettings
from rules.steps import earliest
from rules.timeline import Timeline
from rules.trace import Answer, Trace
from rules.track import Track
from rules.view import Evaluable, View
from tests.courses.everybody import PATHWAYS, of
from tests.rules.strategies import (
    DAY,
    HOUR,
    MINUTE,
    MINUTE_SITE,
    PATIENT,
    SECOND,
    SITE,
    alert_id,
    alerts,
    as_bytes,
    courses,
    delivered_late,
    finish,
    in_order,
    make,
    minutes,
    moment,
    packs,
    play,
    readings,
    scaled,
    statuses,
    stays,
)

quick = settings(
    max_examples=scaled(2),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

INHIBITED = {found.cause for pack in packs() for found in pack.inhibit}
STEP = Pathway.step
ANSWER: Callable[[View, Evaluable, Trace], Answer] = getattr(View, "_answer")  # noqa: B009 - asked each question
_turns = count()


def every_pathway(test: Callable[..., None]) -> pytest.MarkDecorator:
    """Try a property on patients of every pathway; in a quick run on those of two, not the same for each."""
    first = 2 * next(_turns)
    quickly = [PATHWAYS[(first + place) % len(PATHWAYS)] for place in range(2)]
    chosen = PATHWAYS if scaled(1) > 1 else quickly
    decorated: pytest.MarkDecorator = pytest.mark.parametrize("pathway", chosen)(test)
    return decorated


CLOSED = {
    AlertChangeKind.WITHDRAWN,
    AlertChangeKind.RESOLVED,
    AlertChangeKind.SUPPRESSED,
    AlertChangeKind.DECLINED,
    AlertChangeKind.SNOOZED,
}
SHOWN = {Advice.ELIGIBLE, Advice.CAUTION}


def engine(site: SiteSettings = SITE) -> PatientEngine:
    return PatientEngine(PATIENT, packs(), site)


def restored(data: bytes, site: SiteSettings = SITE) -> PatientEngine:
    return PatientEngine.restore(data, packs(), site)


def step_asked_twice(pathway: Pathway, timeline: Timeline, fold: Fold, at: int, trace: Trace | None = None) -> Step:
    """A step by the answers that stand, held to one for which everything is asked again.

    When to look again it may say too early, by an answer that was given before; never too late.
    """
    outcome, read = read_by(timeline, lambda: STEP(pathway, timeline, fold, at, trace))
    anew, read_anew = read_by(timeline, lambda: STEP(pathway, timeline, fold, at))
    assert outcome[:2] == anew[:2]
    assert read == read_anew
    following = timeline.next_change(read, at)
    looks, due = earliest(outcome.next_change, following), earliest(anew.next_change, following)
    assert due is None or (looks is not None and looks <= due)
    timeline.heard(read)
    return outcome


def step_repeated(pathway: Pathway, timeline: Timeline, fold: Fold, at: int, trace: Trace | None = None) -> Step:
    """A step, held to one from what it leaves behind: at the same instant nothing new is learnt of a patient."""
    outcome = STEP(pathway, timeline, fold, at, trace)
    heard = timeline.listen_apart(set())
    again = STEP(pathway, timeline, outcome.fold, at)
    timeline.listen_apart(heard)
    assert outcome[:2] == again[:2]
    return outcome


def answer_held_to_later(view: View, condition: Evaluable, trace: Trace) -> Answer:
    """An answer, held to what the same question comes out as later, before the answer says that it may change."""
    answer = ANSWER(view, condition, trace)
    last = min(answer.until - TICK, view.at + 20 * 24 * HOUR_MS)
    chance = random.Random(f"{view.at} {answer.until}")
    # What was not noted is mostly due within minutes, and often over after an hour.
    shares = chance.random(), chance.random() ** 4, chance.random() ** 8
    for later in {last, *(view.at + round((last - view.at) * share) for share in shares)}:
        heard = view.timeline.listen_apart(set())
        found = condition.evaluate(View(view.knowledge, view.timeline, dict(view.anchors), later))
        view.timeline.listen_apart(heard)
        turned = (found.truth, found.missing) != (answer.evaluation.truth, answer.evaluation.missing)
        assert later <= view.at or not turned, (condition, view.at, answer, later, found)
    return answer


def read_by(timeline: Timeline, step: Callable[[], Step]) -> tuple[Step, set[str]]:
    """The outcome of a step, and the channels that it read."""
    read = set[str]()
    before = timeline.listen_apart(read)
    outcome = step()
    timeline.listen_apart(before)
    return outcome, read


def said(changes: Iterable[Change]) -> bytes:
    """Statuses and alerts, without the rejections."""
    return as_bytes(change for change in changes if not isinstance(change, Rejection))


def present(found: PatientEngine) -> list[Verdict | None]:
    """What stands of every pathway."""
    return [None if track.present is None else track.present.verdict for track in found.tracks]


class TestSameLogSameBytes:
    @every_pathway
    @quick
    @given(st.data())
    def test_a_replay_says_the_same(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        assert as_bytes(play(course)) == as_bytes(play(course))

    @every_pathway
    @quick
    @given(st.data(), st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([SITE, MINUTE_SITE]))
    def test_a_restored_snapshot_continues_byte_for_byte(
        self, pathway: str, data: st.DataObject, where: list[float], site: SiteSettings
    ) -> None:
        course = data.draw(of(pathway))
        splits = {round(share * len(course)) for share in where}
        running, changes = engine(site), []
        for index, event in enumerate(course):
            if index in splits:
                snapshot = running.snapshot()
                running = restored(snapshot, site)
                assert running.snapshot() == snapshot
            changes += running.observe(event)
        running = restored(running.snapshot(), site)
        changes += running.advance(finish(course, site))
        assert as_bytes(changes) == as_bytes(play(course, site))

    @every_pathway
    @quick
    @given(st.data(), st.integers(0, 2**32))
    def test_a_snapshot_between_two_deadlines_continues_byte_for_byte(
        self, pathway: str, data: st.DataObject, seed: int
    ) -> None:
        course = data.draw(of(pathway))
        running, changes = engine(), []
        for event in course:
            changes += running.observe(event)
        stops = [course[-1].received_at + (seed % 97 + 1) * step * MINUTE for step in range(1, 6)]
        for stop in stops:
            changes += running.advance(stop)
            running = restored(running.snapshot())
        until = max(finish(course), stops[-1])
        assert as_bytes(changes + running.advance(until)) == as_bytes(play(course, until=until))

    @pytest.mark.parametrize("pathway", ["septic-shock", "ards", "status-epilepticus"])
    @quick
    @given(st.data(), st.sampled_from([SITE, MINUTE_SITE]), st.integers(0, 2**32))
    def test_the_order_of_delivery_within_the_bound_does_not_matter(
        self, pathway: str, data: st.DataObject, site: SiteSettings, seed: int
    ) -> None:
        course = data.draw(of(pathway, actions=False))
        shuffled = delivered_late(course, site.lateness, seed)
        assert as_bytes(play(shuffled, site)) == as_bytes(play(course, site))

    @every_pathway
    @quick
    @given(st.data())
    def test_judging_only_what_was_read_misses_nothing(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Track, "reads", lambda track, channel: channel in track.pathway.channels)
            patch.setattr(Track, "concerned", lambda track, channel, at: channel in track.pathway.channels)
            every_time = as_bytes(play(course))
        assert as_bytes(play(course)) == every_time

    @every_pathway
    @quick
    @given(st.data())
    def test_an_answer_that_stands_is_what_asking_again_would_say(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pathway, "step", step_asked_twice)
            checked = as_bytes(play(course))
            patch.setattr(Pathway, "step", lambda pathway, timeline, fold, at, _: STEP(pathway, timeline, fold, at))
            assert as_bytes(play(course)) == checked

    @every_pathway
    @quick
    @given(st.data())
    def test_no_answer_turns_by_itself_before_the_instant_that_it_names(
        self, pathway: str, data: st.DataObject
    ) -> None:
        course = data.draw(of(pathway))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(View, "_answer", answer_held_to_later)
            play(course, until=finish(course) + 30 * HOUR)

    @every_pathway
    @quick
    @given(st.data())
    def test_to_look_again_at_the_same_instant_changes_nothing(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pathway, "step", step_repeated)
            play(course)

    @every_pathway
    @quick
    @given(st.data())
    def test_an_event_delivered_again_changes_nothing(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        delays = st.sampled_from([0, 1, 30, 61, 130, 600, 1440, 1800])
        chosen = data.draw(st.lists(st.tuples(st.integers(0, len(course) - 1), delays), min_size=1, max_size=10))
        until = finish(course) + DAY
        assert as_bytes(with_copies(course, chosen, until)) == as_bytes(play(course, until=until))

    @every_pathway
    @quick
    @given(st.data())
    def test_the_whole_log_delivered_again_a_day_later_changes_nothing(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        running, until = engine(), finish(course)
        for event in course:
            running.observe(event)
        running.advance(until)
        assert [change for event in course for change in running.observe(event)] == []
        assert running.advance(until + HOUR) == play(course, until=until + HOUR)[len(play(course, until=until)) :]

    @every_pathway
    @quick
    @given(st.data(), st.lists(st.floats(0.01, 1), min_size=1, max_size=20))
    def test_how_time_is_advanced_does_not_matter(self, pathway: str, data: st.DataObject, steps: list[float]) -> None:
        course = data.draw(of(pathway))
        until = finish(course)
        running, changes = engine(), []
        for index, event in enumerate(course):
            changes += running.observe(event)
            following = course[index + 1].received_at if index + 1 < len(course) else until
            changes += running.advance(event.received_at + (following - event.received_at) * steps[index % len(steps)])
        while (due := running.due) is not None and due <= until:
            changes += running.advance(due)
        assert as_bytes(changes + running.advance(until)) == as_bytes(play(course))

    @quick
    @given(courses(actions=False), st.lists(minutes(0, 180), max_size=20), st.data())
    def test_an_unrelated_signal_changes_nothing(
        self, course: list[Event], times: list[float], data: st.DataObject
    ) -> None:
        unrelated = [
            make(
                "observations", at, id=f"unrelated-{index}", readings=readings(spo2=(97, "%"), urine_output=(40, "mL"))
            )
            for index, at in enumerate(times)
        ]
        coincident = data.draw(st.lists(st.sampled_from(course), max_size=10))
        for index, event in enumerate(coincident):
            at = (event.received_at - moment(0)) / MINUTE
            unrelated.append(make("observations", at, id=f"beside-{index}", readings=readings(spo2=(96, "%"))))
        until = finish([*course, *unrelated])
        assert said(play(in_order([*course, *unrelated]), until=until)) == said(play(course, until=until))


class TestOverDays:
    """The same promises where facts are forgotten on the way."""

    @quick
    @given(stays(), st.lists(st.floats(0.01, 1), min_size=1, max_size=8))
    def test_how_time_is_advanced_does_not_matter(self, stay: list[Event], steps: list[float]) -> None:
        running, changes = engine(), []
        for index, (event, following) in enumerate(pairwise(stay)):
            changes += running.observe(event)
            for share in sorted({steps[index % len(steps)], steps[index % 3 % len(steps)]}):
                changes += running.advance(event.received_at + (following.received_at - event.received_at) * share)
        changes += running.observe(stay[-1])
        until = finish(stay) + 2 * DAY
        while (due := running.due) is not None and due <= until:
            changes += running.advance(due)
        assert as_bytes(changes + running.advance(until)) == as_bytes(play(stay, until=until))

    @quick
    @given(stays(), st.sets(st.integers(0, 60), max_size=8))
    def test_a_restored_snapshot_continues_byte_for_byte(self, stay: list[Event], splits: set[int]) -> None:
        running, changes = engine(), []
        for index, event in enumerate(stay):
            if index in splits:
                running = restored(running.snapshot())
            changes += running.observe(event)
        assert as_bytes(changes + running.advance(finish(stay))) == as_bytes(play(stay))

    @quick
    @given(stays(), st.sampled_from([2, 30, 50, 100]))
    def test_the_whole_stay_delivered_again_hours_later_changes_nothing(self, stay: list[Event], hours: int) -> None:
        until = finish(stay) + 5 * DAY
        copies = [(index, hours * 60) for index in range(len(stay))]
        assert said(with_copies(stay, copies, until)) == said(play(stay, until=until))

    @quick
    @given(stays(), st.lists(st.floats(0, 1), min_size=5, max_size=9))
    def test_a_sleeping_engine_is_never_wrong(self, stay: list[Event], pauses: list[float]) -> None:
        assert_never_wrong_asleep(stay, pauses)

    @pytest.mark.parametrize("charted_as", ["start", "rate"])
    def test_a_first_antimicrobial_given_by_infusion_is_not_forgotten(self, charted_as: str) -> None:
        """Extended infusions every 8 h, the first one within the hour; soft findings say otherwise when it is lost."""
        stay = [
            make("encounter", 0, weight_kg=80, conditions=[{"code": "suspected_infection"}]),
            make("fluid", 1, fluid="crystalloid", volume=2400, unit="mL"),
            *(make("observations", 2 + 180 * number, readings=readings(lactate=(5, "mmol/L"))) for number in range(20)),
            *(
                make("infusion", 5 + 30 * number, drug="norepinephrine", action="rate", rate=0.1, unit="ug/kg/min")
                for number in range(120)
            ),
        ]
        for number in range(8):
            begin = 30 + 480 * number
            stay.append(make("infusion", begin, drug="meropenem", action=charted_as, rate=0.5, unit="g/h"))
            stay.append(make("infusion", begin + 180, drug="meropenem", action="stop"))
        changes = play(in_order(stay), until=moment(60 * 60))
        assert {check for status in statuses(changes) for check in status.soft} == set()


def assert_never_wrong_asleep(course: list[Event], pauses: list[float]) -> None:
    """Between two deadlines, judging afresh gives the verdict that stands; what turns is told a tick later at most."""
    running, until = engine(), course[-1].received_at + 6 * HOUR
    for event, following in pairwise([*course, None]):
        assert event is not None
        running.observe(event)
        end = until if following is None else following.received_at
        for share in pauses if following is None else pauses[:1]:
            running.advance(event.received_at + (end - event.received_at) * share)
            for track in running.tracks:
                entry, reached = track.present, running.reached or 0
                waiting = track.due is None or track.due - reached >= TICK
                if entry is not None and track.dirty is None and waiting:
                    fresh = track.pathway.step(running.timeline, entry.fold, reached)
                    assert (fresh.fold, fresh.verdict) == (entry.fold, entry.verdict)


def with_copies(course: list[Event], copies: Iterable[tuple[int, int]], until: Any) -> list[Change]:
    """Deliver the course, and of some events a copy so many minutes later."""
    deliveries = [(event.received_at, 0, index) for index, event in enumerate(course)]
    deliveries += [(course[index].received_at + delay * MINUTE, 1, index) for index, delay in copies]
    running, changes = engine(), []
    for at, copy, index in sorted(deliveries):
        if copy:
            changes += running.advance(at)
        changes += running.observe(course[index])
    return changes + running.advance(until)


class TestVerdicts:
    @every_pathway
    @quick
    @given(st.data(), st.lists(st.floats(0, 1), min_size=5, max_size=15))
    def test_a_sleeping_engine_is_never_wrong(self, pathway: str, data: st.DataObject, pauses: list[float]) -> None:
        course = data.draw(of(pathway))
        assert_never_wrong_asleep(course, pauses)

    @every_pathway
    @quick
    @given(st.data())
    def test_the_last_verdict_does_not_depend_on_when_facts_arrived(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway, actions=False, corrections=False))
        at_once = in_order(
            event
            if event.received_at < event.effective_at
            else event.model_copy(update={"received_at": event.effective_at})
            for event in course
        )
        late, punctual = engine(), engine()
        for running, events in ((late, course), (punctual, at_once)):
            for event in events:
                running.observe(event)
        for hours in (0, 1, 2, 5, 24):
            now = course[-1].received_at + SITE.lateness + hours * HOUR
            late.advance(now)
            punctual.advance(now)
            assert present(late) == present(punctual)

    @quick
    @given(courses(actions=False, corrections=False), minutes(0, 120), minutes(0, 60))
    def test_stating_a_known_fact_again_amends_nothing(self, course: list[Event], at: float, lag: float) -> None:
        age = next(event.age_years for event in course if isinstance(event, Encounter))
        assume(age is not None)
        again = make("encounter", at, lag=lag, id="again", age_years=age)
        plain, restated = statuses(play(course)), statuses(play(in_order([*course, again])))
        assert [change.model_copy(update={"sequence": 0}) for change in restated] == [
            change.model_copy(update={"sequence": 0}) for change in plain
        ]

    @quick
    @given(courses(actions=False, corrections=False), st.integers(1, 25))
    def test_a_worse_arterial_pressure_clears_no_suggestion(self, course: list[Event], drop: int) -> None:
        worse = [with_lower_pressure(event, drop) for event in course]
        shown, shown_worse = subjects_shown(play(course)), subjects_shown(play(worse))
        for at, subjects in shown:
            lost = subjects - {"obtain_data", "fix_first"} - in_force(shown_worse, at)
            assert not lost, f"{lost} at {at}"

    def test_pressures_are_lowered_within_the_plausible_range(self) -> None:
        event = make("observations", 0, readings=readings(map_invasive=(24, "mm[Hg]"), spo2=(90, "%")))
        assert isinstance(lowered := with_lower_pressure(event, 10), Observations)
        assert [reading.value for reading in lowered.readings] == [24, 90]
        assert isinstance(lowered := with_lower_pressure(event, 4), Observations)
        assert [reading.value for reading in lowered.readings] == [20, 90]


def with_lower_pressure(event: Event, drop: float) -> Event:
    """The event with its arterial pressures lower by ``drop``, where they stay plausible."""
    if not isinstance(event, Observations):
        return event
    dump = event.model_dump()
    for reading in dump["readings"]:
        if reading["code"].startswith("map_") and reading["unit"] == "mm[Hg]" and 20 + drop <= reading["value"] <= 200:
            reading["value"] -= drop
    return Observations.model_validate(dump)


def subjects_shown(changes: Iterable[Change]) -> list[tuple[Any, set[str]]]:
    """The subjects with an open alert after each instant at which something was decided."""
    history: list[tuple[Any, set[str]]] = []
    current: set[str] = set()
    for change in alerts(changes):
        current = current - {change.subject} if change.change in CLOSED else current | {change.subject}
        if history and history[-1][0] == change.decided_at:
            history.pop()
        history.append((change.decided_at, current))
    return history


def in_force(history: Sequence[tuple[Any, set[str]]], at: Any) -> set[str]:
    return next((subjects for since, subjects in reversed(history) if since <= at), set())


class TestUnknownIsNeverNormal:
    @quick
    @given(courses(actions=False))
    def test_without_any_lactate_nothing_is_suggested_confirmed_or_resolved(self, course: list[Event]) -> None:
        found = [status for status in statuses(play(without(course, "lactate"))) if status.pathway == "septic-shock"]
        assert {status.state for status in found}.isdisjoint({State.CONFIRMED, State.SUSPECTED, State.RESOLVED})
        assert not suggested(found)

    @quick
    @given(courses(actions=False))
    def test_without_arterial_pressure_vasopressin_is_never_suggested(self, course: list[Event]) -> None:
        assert "vasopressin" not in suggested(play(without(course, "map_invasive")))

    @quick
    @given(courses(actions=False), st.sampled_from(["lactate", "map_invasive", "weight", "lvef", "capillary_refill"]))
    def test_removing_data_confirms_and_suggests_nothing_new(self, course: list[Event], signal: str) -> None:
        """What is said without some data is said with them too, or they show a reason against it."""
        until = finish(course)
        reduced, full = play(without(course, signal), until=until), play(course, until=until)
        for status in statuses(reduced):
            if status.state is State.CONFIRMED:
                assert status_at(full, status.decided_at) in (State.CONFIRMED, State.SUSPECTED)
            with_all = advised_at(full, status.decided_at)
            for therapy in status.therapies:
                if therapy.advice in SHOWN:
                    assert with_all.get(therapy.therapy) in (*SHOWN, Advice.SUPPRESSED)

    @quick
    @given(courses(actions=False))
    def test_silence_never_looks_like_recovery(self, course: list[Event]) -> None:
        """When nothing is heard any more, nothing is confirmed, and only vasopressors known to be off resolve shock."""
        silent_from = course[-1].received_at + SITE.lateness
        changes = play(course, until=silent_from + DAY)
        running = infusions_left_running(course)
        for status in statuses(changes):
            if status.decided_at > silent_from + HOUR + 11 * MINUTE:
                assert status.state is not State.CONFIRMED
                assert not (running and status.state is State.RESOLVED)

    def test_without_a_weight_the_fluid_given_is_not_taken_as_enough(self) -> None:
        def course(**weight: float) -> list[Event]:
            return in_order(
                [
                    make("encounter", 0, conditions=[{"code": "suspected_infection"}], **weight),
                    make("fluid", 5, fluid="crystalloid", volume=800, unit="mL"),
                    *(make("observations", at, readings=readings(lactate=(5, "mmol/L"))) for at in (2, 70)),
                    *(
                        make("infusion", at, drug="norepinephrine", action="rate", rate=0.6, unit="ug/kg/min")
                        for at in (6, 40, 80)
                    ),
                    make("assessment", 30, examination="echo"),
                ]
            )

        until = moment(85)
        known = statuses(play(course(weight_kg=80), until=until))[-1]
        unknown = statuses(play(course(), until=until))[-1]
        assert known.state is State.PSEUDO
        assert known.reasons == ("fluid_incomplete",)
        assert unknown.state is State.INDETERMINATE
        assert "weight" in unknown.reasons


def without(course: Iterable[Event], signal: str) -> list[Event]:
    """The events without any reading of a signal (or the weight of the encounter)."""
    kept: list[Event] = []
    for event in course:
        if isinstance(event, Encounter) and signal == "weight":
            kept.append(event.model_copy(update={"weight_kg": None}))
            continue
        dump = event.model_dump(mode="json")
        if "readings" in dump:
            dump["readings"] = [reading for reading in dump["readings"] if reading["code"] != signal]
            if dump["readings"] or event.kind != "observations":
                kept.append(decode(json.dumps(dump)))
        else:
            kept.append(event)
    return kept


def suggested(changes: Iterable[Change]) -> set[str]:
    return {found.therapy for status in statuses(changes) for found in status.therapies if found.advice in SHOWN}


def status_at(changes: Iterable[Change], at: Any) -> State | None:
    return next((status.state for status in reversed(statuses(changes)) if status.decided_at <= at), None)


def advised_at(changes: Iterable[Change], at: Any) -> dict[str, Advice]:
    status = next((status for status in reversed(statuses(changes)) if status.decided_at <= at), None)
    return {found.therapy: found.advice for found in status.therapies} if status else {}


def infusions_left_running(course: Iterable[Event]) -> set[str]:
    """Vasopressors whose last word was not that they are off; corrections make everything doubtful."""
    last: dict[str, Infusion] = {}
    doubtful = False
    for event in sorted(course, key=lambda event: (event.effective_at, event.received_at, event.id)):
        doubtful = doubtful or event.corrects is not None
        if isinstance(event, Infusion) and event.action in ("start", "rate", "resume", "stop", "pause"):
            last[event.drug] = event
    off = {drug for drug, event in last.items() if event.action in ("stop", "pause") or event.rate == 0}
    return set() if doubtful else set(last) - off - {"dobutamine", "no_such_drug"}


class TestAlerts:
    @every_pathway
    @quick
    @given(st.data())
    def test_every_suppressed_suggestion_is_there_with_its_cause(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        changes = play(course)
        for status in statuses(changes):
            for therapy in status.therapies:
                if therapy.advice is Advice.SUPPRESSED:
                    assert set(therapy.reasons) <= {"running", "goals", "declined", "snoozed", "merged", *INHIBITED}
                    assert therapy.reasons
                    last = last_alert(changes, status.pathway, therapy.therapy, status.decided_at)
                    assert last is not None
                    assert last.change in CLOSED
                    assert last.cause
        for alert in alerts(changes):
            if alert.change in CLOSED:
                assert alert.cause

    @every_pathway
    @quick
    @given(st.data())
    def test_alert_ids_are_derived_from_patient_episode_stage_and_subject(
        self, pathway: str, data: st.DataObject
    ) -> None:
        course = data.draw(of(pathway))
        found = alerts(play(course))
        assert all(alert.id == alert_id(alert.subject, alert.stage, alert.episode, alert.pathway) for alert in found)
        keys = {(alert.id, alert.patient, alert.pathway, alert.episode, alert.stage, alert.subject) for alert in found}
        assert len({key[0] for key in keys}) == len(keys)
        assert [alert.sequence for alert in found] == sorted({alert.sequence for alert in found})

    @every_pathway
    @quick
    @given(st.data())
    def test_an_alert_is_raised_once_and_lives_by_the_table(self, pathway: str, data: st.DataObject) -> None:
        course = data.draw(of(pathway))
        states: dict[str, AlertState] = {}
        for alert in alerts(play(course)):
            new = alert.id not in states
            assert new == (alert.change is AlertChangeKind.RAISED) or (
                new and alert.change is AlertChangeKind.SUPPRESSED
            )
            states[alert.id] = AlertState.OPEN if alert.change not in CLOSED else AlertState(str(alert.change))

    @pytest.mark.parametrize(("action", "minutes_held"), [("snooze", 60), ("decline", 720)])
    def test_a_suggestion_kept_back_by_an_answer_comes_back(self, action: str, minutes_held: int) -> None:
        base = [
            make("encounter", 0, weight_kg=80, goals_of_care="full", conditions=[{"code": "suspected_infection"}]),
            make("fluid", 1, fluid="crystalloid", volume=2400, unit="mL"),
            *(make("observations", 2 + 180 * n, readings=readings(lactate=(5, "mmol/L"))) for n in range(6)),
            *(
                make("infusion", 5 + 30 * n, drug="norepinephrine", action="rate", rate=0.1, unit="ug/kg/min")
                for n in range(27)
            ),
        ]
        reason: dict[str, Any] = {"reason": "other plan"} if action == "decline" else {}
        answer = make(
            "action",
            20,
            alert_id=alert_id("hydrocortisone", "SEP-1"),
            action=action,
            actor="dr-1",
            role="registrar",
            **reason,
        )
        changes = play(in_order([*base, answer]), until=moment(790))
        life = [(alert.change, alert.decided_at) for alert in alerts(changes) if alert.subject == "hydrocortisone"]
        held = [moment for change, moment in life if change in CLOSED]
        assert held[0] == moment(20)
        back = [at for change, at in life if change is AlertChangeKind.REOPENED]
        assert back == [moment(20 + minutes_held)]


def last_alert(changes: Iterable[Change], pathway: str, subject: str, at: Any) -> AlertChange | None:
    about = (change for change in alerts(changes) if (change.pathway, change.subject) == (pathway, subject))
    found = [change for change in about if change.decided_at <= at]
    return found[-1] if found else None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)


class TestAnyInput:
    @settings(max_examples=scaled(200), deadline=None, derandomize=True)
    @given(JSON)
    def test_any_json_value_is_an_event_or_a_described_fault(self, value: object) -> None:
        with pytest.raises(MalformedEventError, match=r"\w"):
            decode(json.dumps(value))

    @settings(max_examples=scaled(200), deadline=None, derandomize=True)
    @given(st.binary(max_size=60) | st.text(max_size=60))
    def test_any_bytes_are_an_event_or_a_described_fault(self, message: bytes | str) -> None:
        with pytest.raises(MalformedEventError, match=r"\w"):
            decode(message)

    @settings(max_examples=scaled(200), deadline=None, derandomize=True)
    @given(courses(hours=1), st.data())
    def test_a_spoilt_event_is_an_event_or_a_described_fault(self, course: list[Event], data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(course))
        raw = json.loads(encode(event))
        raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(JSON)
        try:
            decoded = decode(json.dumps(raw))
        except MalformedEventError as error:
            assert str(error)  # noqa: PT017 - either way is right
        else:
            assert decode(encode(decoded)) == decoded

    @quick
    @given(courses(hours=1), st.data())
    def test_the_engine_takes_any_event_of_its_patient(self, course: list[Event], data: st.DataObject) -> None:
        odd = data.draw(st.lists(odd_events(), min_size=1, max_size=12))
        running = engine()
        changes: list[Change] = []
        for event in in_order([*course, *odd]):
            changes += running.observe(event)
        changes += running.advance(finish(course))
        assert running.due is None or running.due > course[0].received_at
        assert restored(running.snapshot()).snapshot() == running.snapshot()
        assert list(running.explain("septic-shock").lines())
        as_bytes(changes)

    def test_somebody_elses_event_is_an_error(self) -> None:
        running = PatientEngine("patient-2", packs(), SITE)
        with pytest.raises(ValueError, match="patient-1"):
            running.observe(make("encounter", 0))

    def test_an_event_from_the_future_is_refused_with_its_times(self) -> None:
        ahead = make("observations", 10, lag=-2, readings=readings(lactate=(4, "mmol/L")))
        (refusal,) = [change for change in play([ahead]) if isinstance(change, Rejection)]
        assert (refusal.reason, refusal.event, refusal.place) == ("future", ahead.id, "effective_at")
        assert "08:10" in refusal.detail
        assert "08:08" in refusal.detail

    def test_a_usable_reading_beside_an_unusable_one_is_used(self) -> None:
        mixed = make("observations", 0, readings=readings(lactate=(4, "mmol/L"), map_invasive=(400, "mm[Hg]")))
        running = engine()
        (refusal,) = [
            change for change in [*running.observe(mixed), *running.advance(moment(1))] if isinstance(change, Rejection)
        ]
        assert (refusal.reason, refusal.place) == ("implausible", "readings.1")
        assert running.timeline.latest("signal:lactate", to_instant(moment(1))) is not None

    def test_the_same_id_from_two_sources_is_two_events(self) -> None:
        first = make("observations", 0, id="1", readings=readings(lactate=(4, "mmol/L")))
        second = make("observations", 1, id="1", source="laboratory", readings=readings(haemoglobin=(9, "g/dL")))
        running = engine()
        for event in (first, second):
            running.observe(event)
        running.advance(moment(2))
        assert running.timeline.latest("signal:haemoglobin", to_instant(moment(2))) is not None


@st.composite
def odd_events(draw: st.DrawFn) -> Event:
    """Well formed events with codes, units, amounts and times that no ward would send."""
    code = st.sampled_from(
        [
            "lactate",
            "map_invasive",
            "age",
            "sex",
            "admitted",
            "goals_of_care",
            "echo",
            "weight",
            "height",
            "nonsense",
            "2518-9",
        ]
    )
    unit = st.sampled_from(
        ["mmol/L", "mm[Hg]", "kg", "cm", "1", "%", "mg/kg/min", "ug/kg/min", "mL/h", "?", "{dose}", "mg", "g"]
    )
    amount = st.sampled_from([0.0, 5e-324, 1e-9, 1.0, 80.0, 1e9, 1e308])
    drug = st.sampled_from(["norepinephrine", "vasopressin", "hydrocortisone", "propofol", "meropenem", "nonsense"])
    finding = st.fixed_dictionaries({"code": code, "presence": st.sampled_from(["present", "absent", "unknown"])})
    reading = st.fixed_dictionaries({"code": code, "value": amount | amount.map(lambda x: -x), "unit": unit})
    positive = amount.filter(lambda value: value > 0)
    bodies: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "observations": st.fixed_dictionaries({"readings": st.lists(reading, min_size=1, max_size=4)}),
        "infusion": st.fixed_dictionaries(
            {
                "drug": drug,
                "action": st.sampled_from(["start", "rate", "pause", "resume", "stop", "bag_change"]),
                "rate": amount,
                "unit": unit,
                "line": st.sampled_from(["main", "second"]),
                "salt": st.sampled_from([None, "base", "tartrate", "nonsense"]),
                "concentration": st.none()
                | st.fixed_dictionaries({"value": positive, "unit": st.sampled_from(["mg/mL", "1"])}),
            }
        ),
        "dose": st.fixed_dictionaries({"drug": drug, "dose": positive, "unit": unit}),
        "fluid": st.fixed_dictionaries(
            {"fluid": st.just("crystalloid"), "volume": positive, "unit": st.sampled_from(["mL", "L"])}
        ),
        "procedure": st.fixed_dictionaries({"code": code, "action": st.sampled_from(["start", "stop", "done"])}),
        "assessment": st.fixed_dictionaries(
            {"examination": code, "findings": st.lists(finding, max_size=3), "readings": st.lists(reading, max_size=2)}
        ),
        "culture": st.fixed_dictionaries(
            {"specimen_type": code, "organism": st.none() | st.text(min_size=1, max_size=9)}
        ),
        "resuscitation": st.fixed_dictionaries({"action": st.sampled_from(["collapse", "shock", "rosc"])}),
        "encounter": st.fixed_dictionaries(
            {
                "event": st.sampled_from(["admission", "update", "transfer", "discharge"]),
                "unit_name": st.sampled_from([None, "ICU", "ED"]),
                "age_years": st.sampled_from([None, 0, 17.9, 130]),
                "sex": st.sampled_from([None, "male"]),
                "weight_kg": st.none() | positive,
                "height_cm": st.none() | positive,
                "conditions": st.lists(finding, max_size=3),
            }
        ),
        "action": st.fixed_dictionaries(
            {
                "alert_id": st.sampled_from(["nonsense", alert_id("obtain_data", "SEP-1")]),
                "action": st.sampled_from(["acknowledge", "accept", "snooze"]),
                "actor": st.just("dr-1"),
                "role": st.just("nurse"),
            }
        ),
    }
    kind = draw(st.sampled_from(sorted(bodies)))
    lag = draw(st.sampled_from([0, 0, 0.5, -1, 90, 5000, -5000]))
    number = draw(st.integers(0, 10**9))
    return make(kind, draw(minutes(0, 70)), lag=lag, id=f"odd-{number}", **draw(bodies[kind]))


class TestTimestamps:
    @pytest.mark.parametrize(
        ("effective", "received"),
        [
            ("0001-01-01T00:00:00+14:00", "2026-03-01T08:00:00Z"),
            ("9999-12-31T23:59:59-12:00", "2026-03-01T08:00:00Z"),
            ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-12:00"),
            ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ],
    )
    def test_extreme_timestamps_end_as_a_fault_or_an_event(self, effective: str, received: str) -> None:
        raw = {
            **json.loads(encode(make("observations", 0, readings=readings(lactate=(4, "mmol/L"))))),
            "effective_at": effective,
            "received_at": received,
        }
        try:
            event = decode(json.dumps(raw))
        except MalformedEventError as error:
            assert "_at" in str(error)  # noqa: PT017 - either way is right
            return
        running = engine()
        running.observe(make("encounter", 0))
        running.observe(event)
        running.advance(event.received_at)
        assert running.due is None or running.due > moment(0)
        running.snapshot()

    def test_times_within_the_skew_wait_until_they_are_true(self) -> None:
        ahead = make("observations", 1, lag=-0.5, readings=readings(lactate=(4, "mmol/L")))
        running = engine()
        running.observe(make("encounter", 0, conditions=[{"code": "suspected_infection"}]))
        before = [*running.observe(ahead), *running.advance(moment(1) + SITE.lateness - SECOND)]
        after = running.advance(moment(1) + SITE.lateness)
        said_before = [status for status in statuses(before) if status.pathway == "septic-shock"]
        assert [(status.state, "lactate" in status.reasons) for status in said_before] == [(State.INDETERMINATE, True)]
        assert [(status.state, status.decided_at) for status in statuses(after)] == [(State.ACTIVE, moment(1))]


def test_a_day_of_silence_is_bounded_work() -> None:
    """Nothing is left that wakes an engine for ever."""
    running = engine()
    running.observe(make("encounter", 0, weight_kg=80, conditions=[{"code": "suspected_infection"}]))
    running.observe(make("observations", 0, readings=readings(map_invasive=(60, "mm[Hg]"), lactate=(4, "mmol/L"))))
    running.advance(moment(0) + 20 * DAY)
    wakings = 0
    while (due := running.due) is not None and wakings < 20:
        running.advance(due)
        wakings += 1
    assert wakings < 20
