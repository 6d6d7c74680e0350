"""Snapshots: whole or not at all, and small."""

import zlib
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import PatientEngine
from rules.events import Observations, Reading, Status
from rules.packs import parse_pack
from rules.settings import SiteSettings
from rules.snapshot import VERSION, SnapshotError
from tests.rules.strategies import (
    DAY,
    MINI_PACK,
    PATIENT,
    SECOND,
    SITE,
    START,
    as_bytes,
    make,
    moment,
    packs,
    readings,
    scaled,
)


def shock() -> PatientEngine:
    """A patient of whom there is something of every kind to remember."""
    engine = PatientEngine(PATIENT, packs(), SITE)
    events = [
        make("encounter", 0, weight_kg=80, age_years=62, conditions=[{"code": "suspected_infection"}]),
        make("fluid", 1, fluid="crystalloid", volume=2400, unit="mL", started_at=moment(-20)),
        make("dose", 2, drug="ceftriaxone", dose=2000, unit="mg"),
        make("observations", 3, readings=readings(lactate=(5, "mmol/L"), map_invasive=(400, "mm[Hg]"))),
        make("infusion", 4, drug="norepinephrine", action="rate", rate=0.3, unit="ug/kg/min", salt="tartrate"),
        make("seizure", 5, action="start", semiology="tonic_clonic"),
        make("resuscitation", 5, action="collapse", witnessed=True),
        make(
            "culture",
            5,
            specimen_type="blood",
            organism="Escherichia coli",
            susceptibilities=[{"drug": "ceftriaxone", "result": "R"}],
        ),
        *(make("observations", 6 + n, readings=readings(map_invasive=(55, "mm[Hg]"))) for n in range(30)),
        make(
            "observations",
            36.5,
            id="oops",
            status="entered-in-error",
            corrects="observations-3.00000",
            readings=readings(lactate=(5, "mmol/L")),
        ),
    ]
    for event in events:
        engine.observe(event)
    return engine


SNAPSHOT = shock().snapshot()


def test_a_restored_engine_is_the_same_engine() -> None:
    engine, again = shock(), PatientEngine.restore(SNAPSHOT, packs(), SITE)
    assert again.snapshot() == SNAPSHOT
    assert again.due == engine.due
    assert again.patient == PATIENT
    assert list(again.explain("septic-shock").lines()) == list(engine.explain("septic-shock").lines())
    later = moment(40) + DAY
    assert as_bytes(again.advance(later)) == as_bytes(engine.advance(later))
    assert again.snapshot() == engine.snapshot()


def test_an_engine_that_has_heard_nothing_can_be_restored() -> None:
    data = PatientEngine(PATIENT, packs(), SITE).snapshot()
    again = PatientEngine.restore(data, packs(), SITE)
    assert again.due is None
    assert again.snapshot() == data


@settings(max_examples=scaled(60), deadline=None, derandomize=True)
@given(st.integers(0, len(SNAPSHOT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(position: int, change: int) -> None:
    damaged = bytearray(SNAPSHOT)
    damaged[position] ^= change
    with pytest.raises(SnapshotError, match=r"damaged|not a snapshot|version"):
        PatientEngine.restore(bytes(damaged), packs(), SITE)


@settings(max_examples=scaled(40), deadline=None, derandomize=True)
@given(st.integers(0, len(SNAPSHOT) - 1))
def test_a_truncated_snapshot_is_noticed(length: int) -> None:
    with pytest.raises(SnapshotError, match=r"damaged|not a snapshot"):
        PatientEngine.restore(SNAPSHOT[:length], packs(), SITE)


@pytest.mark.parametrize("data", [b"", b"RMS", b"{}", b"\x00" * 100, SNAPSHOT + b"\x00", zlib.compress(b"{}")])
def test_other_bytes_are_no_snapshot(data: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"damaged|not a snapshot"):
        PatientEngine.restore(data, packs(), SITE)


def test_a_snapshot_of_another_version_says_which() -> None:
    other = SNAPSHOT[:3] + bytes([VERSION + 1]) + SNAPSHOT[4:]
    with pytest.raises(SnapshotError, match=rf"version {VERSION + 1} .*{VERSION}"):
        PatientEngine.restore(other, packs(), SITE)


def test_a_snapshot_taken_with_other_packs_names_both() -> None:
    mini = parse_pack("mini.yaml", MINI_PACK)
    with pytest.raises(SnapshotError, match=r"septic-shock \S+ \w+.* mini 2026\.1\.0"):
        PatientEngine.restore(SNAPSHOT, [mini], SITE)
    with pytest.raises(SnapshotError, match="septic-shock"):
        PatientEngine.restore(SNAPSHOT, [*packs(), mini], SITE)
    with pytest.raises(SnapshotError, match="none"):
        PatientEngine.restore(SNAPSHOT, [], SITE)


@pytest.mark.parametrize(
    "other",
    [
        SiteSettings(),
        SITE.model_copy(update={"norepinephrine_salt": "tartrate"}),
        SITE.model_copy(update={"lateness": timedelta(seconds=6)}),
        SITE.model_copy(update={"overrides": {"septic-shock": {"lactate_high": 2.5}}}),
    ],
    ids=["no salt", "other salt", "other lateness", "overridden"],
)
def test_a_snapshot_taken_under_other_settings_is_refused(other: SiteSettings) -> None:
    with pytest.raises(SnapshotError, match=r"settings|packs"):
        PatientEngine.restore(SNAPSHOT, packs(), other)


def test_a_snapshot_error_holds_no_patient_identifier() -> None:
    for data in (SNAPSHOT[:-1], SNAPSHOT[:3] + b"\x63" + SNAPSHOT[4:]):
        with pytest.raises(SnapshotError) as caught:
            PatientEngine.restore(data, packs(), SITE)
        assert PATIENT not in str(caught.value)


def bundle(second: int, noisy: bool) -> Observations:
    """Eight vital signs of one second; ``model_construct`` because a day has 86 400 of them."""
    at = START + second * SECOND
    chance = Random(second)
    wave = round(chance.gauss(10, 4), 1)
    values = [
        ("map_invasive", 62.0 + wave / 2, "mm[Hg]"),
        ("systolic_invasive", 95.0 + wave, "mm[Hg]"),
        ("diastolic_invasive", 45.0 + wave / 3, "mm[Hg]"),
        ("heart_rate", 100.0 + wave, "/min"),
        ("spo2", 400.0 if noisy else 96.0, "%"),
        ("respiratory_rate", 20.0 + wave / 8, "/min"),
        ("etco2", 35.0 + wave / 9, "mm[Hg]"),
        ("cvp", 9.0 + wave / 9, "mm[Hg]"),
    ]
    return Observations.model_construct(
        schema_version=1,
        id=f"{chance.getrandbits(64):016x}",
        source="monitor",
        subject=PATIENT,
        effective_at=at,
        received_at=at + timedelta(milliseconds=300),
        status=Status.FINAL,
        corrects=None,
        kind="observations",
        readings=tuple(Reading(code=code, value=value, unit=unit) for code, value, unit in values),
    )


def day(every: int, noisy_every: int = 0) -> PatientEngine:
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.observe(make("encounter", 0, weight_kg=80, age_years=62, conditions=[{"code": "suspected_infection"}]))
    for second in range(0, 24 * 3600, every):
        engine.observe(bundle(second, bool(noisy_every) and second % noisy_every == 0))
    return engine


@pytest.mark.slow
def test_a_day_of_dense_vital_signs_fits_into_20_kilobytes() -> None:
    engine = day(every=1)
    assert len(engine.snapshot()) <= 20_000
    assert PatientEngine.restore(engine.snapshot(), packs(), SITE).snapshot() == engine.snapshot()


def test_a_sensor_whose_every_reading_is_refused_does_not_fill_the_memory() -> None:
    assert len(day(every=10, noisy_every=10).snapshot()) <= 35_000


def test_the_size_does_not_grow_with_the_days() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    sizes = []
    for hour in range(0, 24 * 8, 2):
        for signal, value, unit in (("lactate", 3, "mmol/L"), ("haemoglobin", 9, "g/dL"), ("sodium", 140, "mmol/L")):
            engine.observe(
                make("observations", hour * 60, id=f"{signal}-{hour}", readings=readings(**{signal: (value, unit)}))
            )
        engine.observe(
            make("infusion", hour * 60 + 1, drug="norepinephrine", action="rate", rate=0.1, unit="ug/kg/min")
        )
        sizes.append(len(engine.snapshot()))
    assert max(sizes[-24:]) <= max(sizes[:48]) * 1.1
