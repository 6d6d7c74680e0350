"""What can be used of a message is used; what cannot be read is said, and leaves nothing standing that was before."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.engine import PatientEngine
from rules.events import Encounter, Infusion, MalformedEventError, Observations, decode, encode
from rules.outputs import Change, Rejection
from rules.settings import SiteSettings
from tests.rules.strategies import packs

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
MAP = {"code": "map_invasive", "value": 48, "unit": "mm[Hg]"}
LACTATE = {"code": "lactate", "value": 4.2, "unit": "mmol/L"}


def line(kind: str, minutes: float = 0, **fields: Any) -> str:
    at = (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    envelope = {"schema_version": 1, "source": "lab", "subject": "p1", "effective_at": at, "received_at": at}
    return json.dumps({**envelope, "id": f"{kind}-{minutes}", "kind": kind, **fields})


def lost(message: str) -> list[str]:
    return [loss.place for loss in decode(message).unreadable]


class TestOneBadPartDoesNotCostTheOthers:
    @pytest.mark.parametrize(
        "bad",
        [
            {"code": "spo2", "value": "off", "unit": "%"},
            {"code": "spo2", "value": True, "unit": "%"},
            {"code": "spo2", "value": 97, "unit": None},
            {"code": "spo2", "value": 97, "unit": "%", "quality": "fine"},
            {"code": "spo2", "value": 97, "unit": "%", "note": "x"},
            {"code": 59408, "value": 97, "unit": "%"},
            {},
            97,
            None,
        ],
        ids=str,
    )
    def test_the_other_readings_of_a_bundle_count(self, bad: Any) -> None:
        event = decode(line("observations", readings=[MAP, bad, LACTATE]))
        assert isinstance(event, Observations)
        assert [(r.code, r.value) for r in event.readings if r.value is not None] == [
            ("map_invasive", 48),
            ("lactate", 4.2),
        ]
        assert all(loss.place.startswith("readings.1") for loss in event.unreadable)
        assert event.unreadable
        assert decode(encode(event)) == event

    def test_not_a_number_loses_its_reading(self) -> None:
        message = line("observations", readings=[MAP, {"code": "spo2", "value": 97, "unit": "%"}])
        assert lost(message.replace("97", "NaN")) == ["readings.1.value"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("age_years", 131),
            ("age_years", "about 60"),
            ("age_years", True),
            ("weight_kg", "80"),
            ("weight_kg", -3),
            ("height_cm", [178]),
            ("sex", "M"),
            ("bed", 12),
            ("event", "A08"),
            ("conditions", [{"code": 7}]),
            ("allergies", ["penicillin"]),
        ],
        ids=str,
    )
    def test_goals_of_care_count_beside_a_field_that_cannot_be_read(self, field: str, value: Any) -> None:
        event = decode(line("encounter", goals_of_care="dnr", **{field: value}))
        assert isinstance(event, Encounter)
        assert event.goals_of_care == "dnr"
        assert [loss.place.split(".")[0] for loss in event.unreadable] == [field]

    def test_goals_of_care_that_cannot_be_read_are_unknown(self) -> None:
        event = decode(line("encounter", goals_of_care="M3"))
        assert isinstance(event, Encounter)
        assert event.goals_of_care == "unknown"

    @pytest.mark.parametrize(
        "fields", [{"rate": "fast"}, {"rate": None}, {"unit": 3}, {"salt": 1}, {"rate": -1}], ids=str
    )
    def test_an_infusion_whose_rate_cannot_be_read_has_none(self, fields: dict[str, Any]) -> None:
        message = {"drug": "norepinephrine", "action": "rate", "rate": 4, "unit": "mL/h", **fields}
        event = decode(line("infusion", **message))
        assert isinstance(event, Infusion)
        assert event.rate is None

    @pytest.mark.parametrize(
        "message",
        [
            line("observations", readings=[{"code": "lactate", "value": "4.6", "unit": "mmol/L"}]),
            line("observations", readings=[MAP], extra=1),
            line("observations", readings=7),
            line("culture", specimen_type="blood", organism=1),
            line("encounter", status="lost", goals_of_care="dnr"),
            line("seizure", action="perhaps", semiology="focal"),
        ],
        ids=lambda message: message[150:],
    )
    def test_what_would_say_something_else_without_the_part_is_refused(self, message: str) -> None:
        with pytest.raises(MalformedEventError):
            decode(message)

    def test_a_correction_whose_value_cannot_be_read_still_takes_the_earlier_one_back(self) -> None:
        readings = [{"code": "lactate", "value": "pending", "unit": "mmol/L"}]
        event = decode(line("observations", status="corrected", corrects="x", readings=readings))
        assert isinstance(event, Observations)
        assert event.readings[0].value is None


class TestEqualKeys:
    @pytest.mark.parametrize("spaced", [False, True])
    @pytest.mark.parametrize(
        ("once", "twice"),
        [
            ('"value": 4.2', '"value": 4.2, "value": 1.0'),
            ('"id"', '"id": "other", "id"'),
            ('"code": "lactate"', '"code": "lactate", "specimen": "venous", "specimen": "arterial"'),
            ('"kind"', '"status": "entered-in-error", "status": "final", "kind"'),
        ],
    )
    def test_are_a_fault(self, once: str, twice: str, spaced: bool) -> None:
        message = line("observations", readings=[LACTATE, MAP]).replace(once, twice, 1)
        message = message.replace('"subject":', '"subject" :') if spaced else message
        with pytest.raises(MalformedEventError, match="given twice"):
            decode(message)
        with pytest.raises(MalformedEventError, match="given twice"):
            decode(message.encode())

    def test_are_a_fault_of_every_kind_and_beside_what_cannot_be_read(self) -> None:
        dose = line("dose", drug="lorazepam", dose=4, unit="mg")
        bundle = line("observations", readings=[MAP, {"code": "spo2", "value": "off", "unit": "%"}])
        for message in (dose, bundle):
            decode(message)
            with pytest.raises(MalformedEventError, match="given twice"):
                decode(message.replace('"source"', '"source": "x", "source"'))

    def test_in_different_objects_are_none(self) -> None:
        strange = line("observations", id='a":"b', readings=[LACTATE, {**LACTATE, "quality": "valid", "method": None}])
        assert isinstance(decode(strange), Observations)


def judged(*messages: str) -> tuple[PatientEngine, list[Change]]:
    engine, changes = PatientEngine("p1", packs(), SiteSettings(norepinephrine_salt="base")), []
    for message in messages:
        changes += engine.observe(decode(message))
    return engine, changes + engine.advance(START + timedelta(hours=1))


def lactate(engine: PatientEngine) -> tuple[float, float, tuple[str, ...]]:
    track = next(track for track in engine.tracks if track.pathway.pack.id == "septic-shock")
    assert track.present is not None
    assert engine.reached is not None
    value = track.pathway.view(engine.timeline, track.present.fold, engine.reached).value("lactate")
    return value[:3]


class TestTheOldValueDoesNotStand:
    @pytest.mark.parametrize(
        "reading",
        [
            {"code": "lactate", "value": None, "unit": "mmol/L"},
            {"code": "lactate", "value": 900, "unit": "mmol/L"},
            {"code": "lactate", "value": 3.1, "unit": "mmHg"},
            {"code": "lactate", "value": 3.1, "unit": "mmol/L", "quality": "invalid"},
            {"code": "lactate", "value": "see note", "unit": "mmol/L"},
        ],
        ids=str,
    )
    def test_after_a_newer_sample_that_cannot_be_used(self, reading: dict[str, Any]) -> None:
        engine, changes = judged(
            line("observations", readings=[LACTATE]), line("observations", 10, readings=[MAP, reading])
        )
        assert lactate(engine)[2] == ("lactate (not readable 2026-03-01 08:10)",)
        (rejection,) = [change for change in changes if isinstance(change, Rejection)]
        assert (rejection.place or "").startswith("readings.1")
        restored = PatientEngine.restore(engine.snapshot(), packs(), engine.settings)
        assert lactate(restored) == lactate(engine)
        assert restored.snapshot() == engine.snapshot()

    @pytest.mark.parametrize("instead", [[MAP], [{"code": "lactate", "value": None, "unit": "mmol/L"}]], ids=str)
    def test_after_a_correction_without_a_value(self, instead: list[dict[str, Any]]) -> None:
        engine, _ = judged(
            line("observations", readings=[{**LACTATE, "value": 1.1}]),
            line("observations", 10, id="wrong", readings=[LACTATE]),
            line("observations", 10, id="x", status="corrected", corrects="wrong", readings=instead),
        )
        assert lactate(engine)[2] == ("lactate (not readable 2026-03-01 08:10)",)

    def test_but_it_does_after_an_entry_in_error(self) -> None:
        engine, _ = judged(
            line("observations", readings=[{**LACTATE, "value": 1.1}]),
            line("observations", 10, id="wrong", readings=[LACTATE]),
            line("observations", 11, status="entered-in-error", corrects="wrong", readings=[LACTATE]),
        )
        assert lactate(engine) == (1.1, 1.1, ())

    def test_a_minute_in_which_nothing_can_be_read_hides_the_one_before(self) -> None:
        engine, _ = judged(
            line("observations", 58, readings=[{"code": "etco2", "value": 30, "unit": "mm[Hg]"}]),
            line("observations", 59, readings=[{"code": "etco2", "value": None, "unit": "mm[Hg]"}]),
        )
        series = engine.timeline.dense["signal:etco2"]
        assert series.newest_before(max(minute for minute in series.unsettled) * 60_000 + 60_000, 600_000) is None
        assert engine.snapshot() == PatientEngine.restore(engine.snapshot(), packs(), engine.settings).snapshot()

    def test_a_readable_sample_in_the_same_minute_counts(self) -> None:
        engine, _ = judged(
            line("observations", 59, readings=[{"code": "etco2", "value": None, "unit": "mm[Hg]"}]),
            line("observations", 59.5, readings=[{"code": "etco2", "value": 30, "unit": "mm[Hg]"}]),
        )
        series = engine.timeline.dense["signal:etco2"]
        assert [series.at(minute) for minute in series.unsettled] == [30]


class TestBounds:
    @pytest.mark.parametrize(
        ("comparator", "value", "least", "most"),
        [(">", 2.0, 2.0, float("inf")), (">=", 2.5, 2.5, float("inf")), ("<", 0.5, float("-inf"), 0.5)],
    )
    def test_a_value_beyond_the_range_of_a_device_is_a_range(
        self, comparator: str, value: float, least: float, most: float
    ) -> None:
        engine, _ = judged(
            line("observations", readings=[{**LACTATE, "value": value, "comparator": comparator}]),
        )
        low, high, missing = lactate(engine)
        assert (low, high) == pytest.approx((least, most))
        assert missing
        assert (low > 2.0) == (comparator == ">" or value > 2.0)

    @pytest.mark.parametrize(("age", "adult"), [("> 89", True), (">17", True), (">= 18", True), ("< 18", False)])
    def test_an_age_may_be_a_bound(self, age: str, adult: bool) -> None:
        engine, changes = judged(line("encounter", event="admission", age_years=age, goals_of_care="dnr"))
        assert not [change for change in changes if isinstance(change, Rejection)]
        states = {track.present.verdict.reasons for track in engine.tracks if track.present is not None}
        assert (("adults only",) in states) is not adult

    def test_a_threshold_by_age_is_decided_where_every_possible_age_has_the_same(self) -> None:
        engine, _ = judged(line("encounter", age_years="> 89"))
        track = next(track for track in engine.tracks if track.pathway.pack.id == "septic-shock")
        assert track.present is not None
        view = track.pathway.view(engine.timeline, track.present.fold, engine.reached or 0)
        assert view.thresholds("map_target") == ((60.0,), ())
        engine, _ = judged(line("encounter", age_years="> 60"))
        view = track.pathway.view(engine.timeline, track.present.fold, engine.reached or 0)
        assert view.thresholds("map_target") == ((65.0, 60.0), ("age",))
