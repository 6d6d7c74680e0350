"""What a simulated log promises by itself: bytes by seed, order, times, plausible bodies, artefacts, late results."""

import json
import math
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.events import Event, Infusion, Observations, decode
from rules.settings import SiteSettings
from streams.simulator import COURSES, GROUPS, START, MixError, Simulation, encode_truth, read_mix
from streams.simulator.artefacts import KINDS, MEAN, SYSTOLIC, spells, spoil
from streams.simulator.bed import Bed, chance_of
from streams.simulator.course import Course, Pump, moment
from streams.simulator.mix import deal
from streams.simulator.oxygen import arterial_tension, saturation
from streams.simulator.person import make_person
from streams.simulator.physiology import Body
from streams.simulator.series import Wander

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
EVERY_COURSE = dict.fromkeys(COURSES, 1.0)
SKEW = SiteSettings().future_skew


def ward(seed: int = 1, hours: float = 2, *, beds: int = len(COURSES), every: float = 60) -> Simulation:
    """A ward on which each course is taken once."""
    return Simulation(beds=beds, seed=seed, length=hours * HOUR, every=timedelta(seconds=every), mix=EVERY_COURSE)


def events_of(course: str, hours: float, *, seed: int = 1, every: float = 60) -> list[Event]:
    simulation = Simulation(beds=1, seed=seed, length=hours * HOUR, every=timedelta(seconds=every), mix={course: 1})
    return list(simulation.events())


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(ward().lines()) == list(ward().lines())
    assert list(map(encode_truth, ward().truth())) == list(map(encode_truth, ward().truth()))


def test_another_seed_gives_another_ward() -> None:
    assert list(ward(1, 1).lines()) != list(ward(2, 1).lines())
    assert list(map(encode_truth, ward(1, 1).truth())) != list(map(encode_truth, ward(2, 1).truth()))


def test_a_longer_log_begins_with_the_shorter() -> None:
    shorter = list(ward(hours=1).lines())
    assert shorter == list(islice(ward(hours=2).lines(), len(shorter)))


def test_every_line_is_an_event_in_order_of_arrival_and_named_once() -> None:
    simulation = ward(hours=3)
    seen: set[str] = set()
    before = simulation.start
    for event in simulation.events():
        assert before <= event.received_at < simulation.start + simulation.length
        assert event.effective_at - event.received_at <= SKEW
        assert event.id not in seen
        assert event.corrects is None or event.corrects in seen
        seen.add(event.id)
        before = event.received_at
    assert len(seen) > 180 * simulation.beds / 2


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    course=st.sampled_from(list(COURSES)),
    every=st.sampled_from([5.0, 60.0, 90.5]),
    begun=st.sampled_from([0, 0, 45, 180]),
    start=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
)
def test_any_ward_is_a_log(seed: int, course: str, every: float, begun: int, start: datetime) -> None:
    simulation = Simulation(
        beds=2,
        seed=seed,
        length=20 * MINUTE,
        every=timedelta(seconds=every),
        mix={course: 1},
        start=start,
        begun=begun * MINUTE,
    )
    events = list(simulation.events())
    assert {event.subject for event in events} == {"bed-1", "bed-2"}
    assert all(earlier.received_at <= later.received_at for earlier, later in pairwise(events))
    assert all(event.effective_at - event.received_at <= SKEW for event in events)


def test_a_bed_holds_only_what_is_on_its_way() -> None:
    simulation = Simulation(beds=1, length=24 * HOUR, every=timedelta(seconds=20), mix={"septic-shock-refractory": 1})
    bed = simulation._bed(0, COURSES["septic-shock-refractory"])
    stream = bed.messages(simulation.instruments_of(bed.course), simulation.length // timedelta(milliseconds=1))
    after_start = (len(bed._outbox) for message in stream if message.received > 0)
    # A network that is down for four minutes holds back the bundles of that time; the laboratory adds a few.
    assert 0 < max(after_start) < 40


def test_no_bed_depends_on_how_many_there_are() -> None:
    quiet = Simulation(beds=1, length=HOUR, mix={"quiet-ventilated": 1})
    more = Simulation(beds=5, length=HOUR, mix={"quiet-ventilated": 1})
    assert list(quiet.lines()) == [line for line in more.lines() if decode(line).subject == "bed-1"]


# --- the body ------------------------------------------------------------------------------------------------------


def body_of(seed: int = 1, **fields: object) -> Body:
    course = Course(name="made-up", title="made up", admitted="-0:01", **fields)  # type: ignore[arg-type]
    chance = Random(seed)
    return Body(make_person(course, chance), course, 0, 0, chance)


def at_rest(body: Body, minutes: int) -> list[float]:
    pressures = []
    for minute in range(minutes):
        body.advance(minute * 60_000)
        pressures.append(body.pressure)
    return pressures


def test_vasoplegia_lowers_pressure_and_raises_heart_rate() -> None:
    well, ill = body_of(), body_of(drivers={"vasoplegia": (("0:00", 30),)})
    assert statistics.mean(at_rest(well, 60)) - statistics.mean(at_rest(ill, 60)) == pytest.approx(30, abs=1)
    assert ill.heart_rate > well.heart_rate + 15


def test_only_a_vasopressor_that_is_delivered_raises_pressure() -> None:
    untreated, treated = (body_of(drivers={"vasoplegia": (("0:00", 40),)}) for _ in range(2))
    treated.delivered["norepinephrine"] = 0.4
    gain = [high - low for high, low in zip(at_rest(treated, 30), at_rest(untreated, 30), strict=True)]
    assert gain[0] < 20
    assert gain[-1] > 35
    treated.delivered["norepinephrine"] = 0.0
    treated.advance(60 * 60_000)
    untreated.advance(60 * 60_000)
    assert treated.pressure == pytest.approx(untreated.pressure, abs=0.5)


def test_lactate_follows_perfusion_with_a_lag() -> None:
    body = body_of(drivers={"hypoperfusion": (("0:00", 0.0), ("0:01", 0.8))})
    levels = []
    for hour in range(5):
        body.advance(hour * 3_600_000)
        levels.append(body.sample("lactate"))
    assert levels == sorted(levels)
    assert levels[0] < 1.5
    assert 4 < levels[1] < levels[-1] < 7
    assert body.sample("ph") < 7.35
    assert body.sample("capillary_refill") > 3


def test_a_convulsion_raises_heart_rate_pressure_and_lactate() -> None:
    body, still = body_of(), body_of()
    body.happen({"kind": "seizure", "action": "start", "semiology": "tonic_clonic"})
    body.advance(20 * 60_000)
    still.advance(20 * 60_000)
    assert body.heart_rate > still.heart_rate + 30
    assert body.pressure > still.pressure + 15
    assert body.lactate > still.lactate + 1
    assert body.saturation < still.saturation


def test_end_tidal_carbon_dioxide_follows_compressions() -> None:
    body = body_of()
    found = []
    for minute, action in enumerate(("found", "cpr_start", "rosc"), start=1):
        body.happen({"kind": "resuscitation", "action": action})
        body.advance(minute * 60_000)
        found.append(round(body.end_tidal))
    assert found == [0, 20, 35]


def test_more_shunt_means_less_oxygen_and_more_inspired_oxygen_more() -> None:
    tensions = [arterial_tension(shunt / 100, 0.6, 40.0) for shunt in range(5, 60, 5)]
    assert tensions == sorted(tensions, reverse=True)
    assert arterial_tension(0.3, 1.0, 40.0) > arterial_tension(0.3, 0.5, 40.0)
    assert arterial_tension(0.05, 0.21, 40.0) == pytest.approx(85, abs=8)


@pytest.mark.parametrize(("tension", "percent"), [(26.6, 50), (40, 75), (60, 90.5), (100, 97.5)])
def test_the_dissociation_curve_passes_its_well_known_points(tension: float, percent: float) -> None:
    assert 100 * saturation(tension) == pytest.approx(percent, abs=1.5)


def test_a_deviation_keeps_its_spread_and_its_memory_at_any_interval() -> None:
    for passed in (1000, 20_000):
        wander = Wander(Random(4), 2.0, 30.0)
        values = [wander.step(passed) for _ in range(30_000)]
        assert statistics.stdev(values) == pytest.approx(2.0, rel=0.15)
        together = statistics.correlation(values[:-1], values[1:])
        assert together == pytest.approx(math.exp(-passed / 30_000), abs=0.03)


def test_pressure_drifts_with_the_time_of_day() -> None:
    day, night = (statistics.mean(_pressures(datetime(2026, 1, 1, hour, tzinfo=UTC))) for hour in (15, 3))
    assert day > night + 3


def _pressures(start: datetime) -> list[float]:
    values = []
    simulation = Simulation(beds=6, length=HOUR, mix={"quiet-postoperative": 1}, start=start)
    for event in simulation.events():
        if isinstance(event, Observations) and event.source == "monitor":
            pressures = [reading.value for reading in event.readings if reading.code == "76214-6"]
            values += [value for value in pressures if value is not None and value > 40]
    return values


# --- artefacts, laboratory, pumps ----------------------------------------------------------------------------------


def test_spells_of_artefact_follow_one_another_and_are_of_every_kind() -> None:
    found = list(islice(spells(Random(2)), 600))
    assert all(before.end <= after.begin for before, after in pairwise(found))
    assert {spell.kind.name for spell in found} == {kind.name for kind in KINDS}


def test_a_damped_line_keeps_its_mean_and_a_flush_is_implausible() -> None:
    by_name = {spell.kind.name: spell for spell in islice(spells(Random(2)), 600)}
    values: list[float | None] = [80.0, 75.0, 115.0, 55.0, 97.0, 15.0, 9.0, None]
    spoil(values, by_name["line_damped"], Random(1))
    assert values[MEAN] == 75.0
    damped = values[SYSTOLIC]
    assert damped is not None
    assert damped < 95
    spoil(values, by_name["flush"], Random(1))
    flushed = values[MEAN]
    assert flushed is not None
    assert flushed > 220


def test_the_monitor_shows_the_artefacts_that_the_truth_names() -> None:
    simulation = Simulation(beds=12, length=24 * HOUR, mix={"quiet-vasopressor": 1})
    silent = {kind.name for kind in KINDS if kind.silent and not kind.kept}
    bundles: dict[str, list[datetime]] = {}
    for event in simulation.events():
        if event.source == "monitor" and isinstance(event, Observations) and event.readings[0].code != "8478-0":
            bundles.setdefault(event.subject, []).append(event.effective_at)
    gaps = 0
    for truth in simulation.truth():
        for artefact in truth.artefacts:
            if artefact.kind in silent:
                gaps += 1
                assert not [at for at in bundles[truth.patient] if artefact.begins <= at < artefact.ends]
    assert gaps


def test_results_come_late_out_of_order_and_corrected() -> None:
    results = [
        event
        for seed in range(12)
        for event in events_of("quiet-epilepsy", 72, seed=seed, every=3600)
        if event.source == "laboratory" and event.effective_at >= START
    ]
    late = [(event.received_at - event.effective_at) / MINUTE for event in results if event.corrects is None]
    assert all(30 <= minutes <= 60 or 120 <= minutes <= 180 for minutes in late)
    assert sum(minutes > 60 for minutes in late) >= 2
    corrected = [event for event in results if event.corrects is not None]
    assert corrected
    named = {event.id: event for event in results}
    assert all(named[str(event.corrects)].effective_at == event.effective_at for event in corrected)


def infusions(course: str, hours: float, drug: str, seed: int = 1) -> list[Infusion]:
    found = [event for event in events_of(course, hours, seed=seed) if isinstance(event, Infusion)]
    return [event for event in found if event.drug == drug]


def test_a_pump_that_stands_still_says_so_and_pressure_falls() -> None:
    events = events_of("septic-shock-interrupted", 6)
    stops = [event for event in events if isinstance(event, Infusion) and event.action == "pause"]
    (pause,) = [event for event in stops if event.drug == "norepinephrine" and not _short(event, events)]
    pressures = {
        event.effective_at: reading.value
        for event in events
        if isinstance(event, Observations)
        for reading in event.readings
        if reading.code == "76214-6" and reading.value is not None
    }
    before = [value for at, value in pressures.items() if pause.effective_at - 10 * MINUTE < at < pause.effective_at]
    during = [
        value
        for at, value in pressures.items()
        if pause.effective_at + 8 * MINUTE < at < pause.effective_at + 12 * MINUTE
    ]
    assert statistics.median(during) < statistics.median(before) - 15


def _short(pause: Infusion, events: list[Event]) -> bool:
    """Whether delivery went on within two minutes, as after a syringe change."""
    return any(
        isinstance(event, Infusion) and event.drug == pause.drug and event.action == "resume"
        for event in events
        if pause.effective_at < event.effective_at < pause.effective_at + 2 * MINUTE
    )


def test_syringes_are_changed_and_infusions_moved_without_a_pause_that_counts() -> None:
    actions: Counter[str] = Counter()
    for seed in range(5):
        events = infusions("quiet-shock-steady", 24, "norepinephrine", seed)
        actions.update(event.action for event in events)
        for stopped, going in pairwise(event for event in events if event.action != "bag_change"):
            if stopped.action in ("pause", "stop"):
                assert going.action == ("resume" if stopped.action == "pause" else "start")
                assert going.effective_at - stopped.effective_at <= 80 * timedelta(seconds=1)
    assert actions["bag_change"] >= 5
    assert actions["stop"] >= 1
    assert actions["rate"] > 4 * 24 * 4


def test_every_rate_is_confirmed_within_the_hour() -> None:
    events = infusions("septic-shock-responds", 10, "norepinephrine")
    assert all(later.effective_at - earlier.effective_at <= 15 * MINUTE for earlier, later in pairwise(events))


def test_a_step_that_falls_into_a_syringe_change_is_made_up_for() -> None:
    minutes = tuple((f"0:{minute:02d}:30", 0.1 + minute / 1000) for minute in range(60))
    hours = [(f"{hour + int(at[0])}{at[1:]}", rate + hour) for hour in range(12) for at, rate in minutes]
    course = Course(name="made-up", title="", pumps=(Pump("norepinephrine", "ug/kg/min", hours),))
    start = START.replace(tzinfo=None)
    bed = Bed(0, make_person(course, Random(1)), course, 0, start, 1)
    length = 13 * 3_600_000
    events = [decode(message.line) for message in bed.messages(ward().instruments_of(course), length)]
    rates = [event.rate for event in events if isinstance(event, Infusion) and event.action in ("start", "rate")]
    assert [rate for _, rate in hours] == sorted(set(rates) - {None}, key=float)  # type: ignore[arg-type]


# --- mix, truth ----------------------------------------------------------------------------------------------------


def test_shares_become_whole_beds() -> None:
    dealt = Counter(name.partition("-")[0] for name in deal(100, {"quiet": 0.75, "ards": 0.25}, Random(1)))
    assert dealt == {"quiet": 75, "ards": 25}
    assert Counter(deal(len(COURSES), EVERY_COURSE, Random(1))) == dict.fromkeys(COURSES, 1)


def test_a_group_is_shared_by_its_courses() -> None:
    dealt = Counter(deal(30, {"septic-shock": 1}, Random(1)))
    assert dealt == dict.fromkeys(GROUPS["septic-shock"], 10)


@pytest.mark.parametrize("text", ["sepsis:1", "quiet:x", "quiet:-1", "quiet:0", "quiet:inf", "quiet:nan", ""])
def test_a_mix_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(MixError):
        read_mix(text)


def test_a_mix_is_read_with_and_without_shares() -> None:
    assert read_mix("quiet:3, ards-refractory") == {"quiet": 3.0, "ards-refractory": 1.0}


@pytest.mark.parametrize("fields", [{"beds": 0}, {"every": timedelta(0)}, {"start": datetime(2026, 1, 1)}])  # noqa: DTZ001 - refused
def test_what_cannot_be_simulated_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a ward has"):
        Simulation(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("0:00", 0), ("1:30", 5_400_000), ("-0:00:30", -30_000), ("-25:45", -92_700_000)]
)
def test_times_of_the_tables(text: str, milliseconds: int) -> None:
    assert moment(text) == milliseconds


def test_the_truth_says_who_becomes_refractory_and_when() -> None:
    simulation = ward()
    by_course = {truth.course: truth for truth in simulation.truth()}
    failing = {name for name, truth in by_course.items() if truth.refractory_from is not None}
    assert failing == {
        "septic-shock-refractory",
        "ards-refractory",
        "status-underdosed",
        "status-refractory",
        "status-super-refractory",
        "arrest-refractory-vf",
        "arrest-transient-rosc",
        "arrest-unwitnessed-asystole",
    }
    assert len(by_course) == len(COURSES)
    for truth in by_course.values():
        assert truth.states
        assert all(stretch.ends is None or stretch.begins < stretch.ends for stretch in truth.states)


def test_a_truth_is_one_line_of_json() -> None:
    (truth,) = Simulation(beds=1, length=12 * HOUR, mix={"arrest-rosc": 1}).truth()
    record = json.loads(encode_truth(truth))
    assert record["patient"] == "bed-1"
    assert record["refractory_from"] is None
    assert record["states"][0]["begins"].endswith("Z")
    assert record["artefacts"]


def test_courses_that_began_earlier_are_known_from_the_start() -> None:
    simulation = Simulation(beds=1, length=HOUR, mix={"septic-shock-refractory": 1}, begun=4 * HOUR)
    (truth,) = simulation.truth()
    assert truth.states[0].begins < simulation.start
    first = [event for event in simulation.events() if event.received_at == simulation.start]
    assert {event.kind for event in first} >= {"encounter", "infusion", "fluid", "observations"}
    assert all(event.source != "monitor" for event in first)


def test_acute_courses_begin_within_the_log_however_early_others_began() -> None:
    for truth in Simulation(beds=len(COURSES), mix=EVERY_COURSE, begun=5 * HOUR).truth():
        if truth.course.startswith("arrest"):
            assert truth.states[0].begins > START


def test_chance_has_its_own_source_for_each_purpose() -> None:
    draws = {chance_of(seed, bed, what).random() for seed in (1, 2) for bed in (0, 1) for what in ("a", "b")}
    assert len(draws) == 8
